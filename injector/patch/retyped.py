"""Read the constant parts of what is merged into many objects once; they are known by their identity."""

from __future__ import annotations

from collections.abc import Container, Iterator

from injector.errors import TypedError
from injector.json_types import JSON
from injector.patch.schema import GoType
from injector.patch.typed import normalise


def readings(value: JSON, constants: Container[int], schema: GoType) -> dict[int, JSON]:
    """Return by their ids how the constant parts of ``value`` are read, wherever they are read without error.

    ``constants`` are the ids of lists and objects in it that others will share. They have to outlive what is
    returned, and must not change.
    """
    found: dict[int, JSON] = {}
    # From the inside out, so that a part shares what was read of its parts: each level would be a copy.
    for part, declared in reversed([*_constant_parts(value, constants, schema)]):
        try:
            found[id(part)] = normalise(part, declared, any_order=True, known=found)
        except TypedError:
            continue  # said when it is read where it stands
    return found


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
