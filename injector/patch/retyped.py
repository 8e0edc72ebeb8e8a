"""A merged object in, the same as Go's types have it out. Knows no merging.

Most parts of a merged object were read before: those of the object that was merged into, and the constant
parts of what is merged into every object. Only the others are read; parts are known by their identity.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from injector.errors import TypedError
from injector.json_types import JSON
from injector.patch.schema import GoType
from injector.patch.typed import normalise

_DEPTH: Final = 4
"""Levels at which merging leaves parts as they are: what a container consists of is on the fourth."""


def normalise_merged(
    merged: JSON,
    typed: JSON,
    schema: GoType,
    *,
    without: frozenset[str] = frozenset(),
    known: Mapping[int, JSON],
) -> JSON:
    """Return ``normalise(merged, schema, without=without)``, but for the order of keys.

    ``typed`` is what that returned for the object that was merged into, ``known`` the `readings` of what
    was merged. TypedError in the words of encoding/json.
    """
    kept = _parts(typed)
    parts = dict(zip(map(id, kept), kept, strict=True))
    parts.update(known)
    return normalise(merged, schema, without=without, any_order=True, known=parts)


def readings(
    value: JSON, constants: Container[int], schema: GoType, *, without: frozenset[str] = frozenset()
) -> dict[int, JSON]:
    """Return by their ids how the constant parts of ``value`` are read, wherever they are read without error.

    ``constants`` are the ids of lists and objects in it that others will share. They have to outlive what is
    returned, and must not change.
    """
    found: dict[int, JSON] = {}
    for part, declared in _constant_parts(value, constants, schema):
        try:
            found[id(part)] = normalise(part, declared, without=without, any_order=True)
        except TypedError:
            continue  # said when it is read where it stands
    return found


def read_parts(value: JSON, typed: JSON) -> dict[int, JSON]:
    """Return by their ids how the parts of ``value`` are read that merging leaves as they are.

    ``typed`` is what ``value`` is read as. It has to outlive what is returned, and must not change.
    """
    return dict(_read_parts(value, typed, _DEPTH))


def _read_parts(value: JSON, typed: JSON, depth: int) -> Iterator[tuple[int, JSON]]:
    for part, read in _pairs(value, typed):
        if part.__class__ is read.__class__ and part.__class__ in (dict, list):
            yield id(part), read
            if depth > 1:
                yield from _read_parts(part, read, depth - 1)


def _pairs(value: JSON, typed: JSON) -> Iterable[tuple[JSON, JSON]]:
    if isinstance(value, list):
        return zip(value, typed, strict=True)
    return ((part, typed[key]) for key, part in value.items() if key in typed)


def _parts(value: JSON) -> list[JSON]:
    """Return the lists and objects that merging leaves as they are."""
    parts: list[JSON] = []
    level = [value]
    for _ in range(_DEPTH):
        level = [
            part
            for whole in level
            for part in (whole.values() if whole.__class__ is dict else whole)
            if part.__class__ is dict or part.__class__ is list
        ]
        parts += level
    return parts


def _constant_parts(value: JSON, constants: Container[int], schema: GoType) -> Iterator[tuple[JSON, GoType]]:
    """Yield what is constant and all lists and objects in it, with the types that they are declared with."""
    for part, declared in _declared_parts(value, schema.target):
        if id(part) in constants:
            yield part, declared
            yield from _all_parts(part, declared)
        else:
            yield from _constant_parts(part, constants, declared)


def _all_parts(value: JSON, schema: GoType) -> Iterator[tuple[JSON, GoType]]:
    for part, declared in _declared_parts(value, schema.target):
        yield part, declared
        yield from _all_parts(part, declared)


def _declared_parts(value: JSON, schema: GoType) -> Iterator[tuple[JSON, GoType]]:
    """Yield the lists and objects that a value holds, with the types that they are declared with."""
    if schema.kind == "struct" and isinstance(value, dict):
        fields = schema.by_name
        for key, part in value.items():
            if part.__class__ in (dict, list) and key in fields:
                yield part, fields[key].type
    elif schema.kind in ("list", "map") and isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            if part.__class__ in (dict, list):
                yield part, schema.element
