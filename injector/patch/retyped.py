"""A merged object and the typed one that it was merged into, the merged one as Go's types have it out.

Knows no merging. Most of a merged object is as it was, and most of the rest is written as it is read; only
what is left is read field by field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from injector.json_types import JSON
from injector.patch.schema import GoType
from injector.patch.typed import normalise
from injector.patch.wellformed import is_canonical

_SHARED: Final = 3
"""Levels of parts that may be as they were: a pod's containers are on the third."""
_CANONICAL: Final = 4
"""Levels of parts that may be written as they are read: what a container consists of is on the fourth."""


def normalise_merged(
    merged: JSON, typed: JSON, schema: GoType, *, without: frozenset[str] = frozenset()
) -> JSON:
    """Return ``normalise(merged, schema, without=without)``, but for the order of keys.

    ``typed`` is what that returned for another object, with which ``merged`` shares most parts. Costs as
    much as reading what is neither shared nor canonical. TypedError in the words of encoding/json.
    """
    known = {id(part) for part in _parts(typed, _SHARED)}
    known.update(_canonical(merged, schema, without, known, _CANONICAL))
    return normalise(merged, schema, without=without, any_order=True, known=known)


def _parts(value: JSON, depth: int) -> Iterator[JSON]:
    """Yield the lists and objects down to ``depth``, each before its own parts."""
    for part in value.values() if isinstance(value, dict) else value:
        if part.__class__ in (dict, list):
            yield part
            if depth > 1:
                yield from _parts(part, depth - 1)


def _canonical(
    value: JSON, schema: GoType, without: frozenset[str], known: set[int], depth: int
) -> Iterator[int]:
    """Yield the ids of parts, down to ``depth``, that are not in ``known`` and are written as they are read."""
    for part, declared in _declared_parts(value, schema.target):
        if id(part) in known:
            continue
        if _is_around(part, known) or not is_canonical(part, declared, without=without):
            if depth > 1:
                yield from _canonical(part, declared, without, known, depth - 1)
        else:
            yield id(part)


def _declared_parts(value: JSON, schema: GoType) -> Iterator[tuple[JSON, GoType]]:
    """Yield the lists and objects that a value holds, with the types that they are declared with."""
    if schema.kind == "struct" and isinstance(value, dict):
        fields = schema.by_name
        for key, part in value.items():
            if part.__class__ in (dict, list) and key in fields:
                yield part, fields[key].type
    elif schema.kind == "list" and isinstance(value, list):
        element = schema.element
        for part in value:
            if part.__class__ in (dict, list):
                yield part, element


def _is_around(value: JSON, known: set[int]) -> bool:
    """Tell whether a value holds a part that is known, so that it is better looked at part by part."""
    return any(id(part) in known for part in (value.values() if isinstance(value, dict) else value))
