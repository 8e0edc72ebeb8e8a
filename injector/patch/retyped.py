"""A merged object in, the same as Go's types have it out.

Most parts of a merged object were read before: those of the object that was merged into, and the constant
parts of what is merged into every object. Only the others are read; parts are known by their identity.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Final

from injector.errors import TypedError
from injector.json_types import JSON, JSONObject
from injector.patch.schema import GoType
from injector.patch.typed import normalise

_DEPTH: Final = 3
"""Levels at which merging mostly leaves parts as they are: containers and volumes are on the third."""

_CONTAINERS: Final = frozenset({dict, list})

_ABSENT: Final = object()


class _WholeNeededError(Exception):
    """The whole has to be read: a field that is gone or not known, or a null."""


def normalise_merged(
    merged: JSON,
    typed: JSON,
    schema: GoType,
    *,
    known: Mapping[int, JSON],
) -> JSON:
    """Return ``normalise(merged, schema)``, but for the order of keys.

    ``typed`` is what that returned for the object that was merged into, ``known`` the `readings` of what
    was merged. TypedError in the words of encoding/json.
    """
    try:
        return _Merged(known).value(merged, typed, schema)
    except (_WholeNeededError, TypedError):
        return normalise(merged, schema, any_order=True)


class _Merged:
    """Reads a merged value beside the typed one that it was merged into, and only what is not the same."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[int, JSON]) -> None:
        self._known = known

    def value(self, value: JSON, typed: JSON, schema: GoType) -> JSON:
        if value is typed:
            return value
        schema = schema.target
        both = value.__class__ if value.__class__ is typed.__class__ else None
        if both is dict and schema.kind == "struct":
            return self._struct(value, typed, schema)
        if both is list and schema.kind == "list" and schema.element.kind == "struct":
            return self._list(value, typed, schema.element)
        return self._read(value, schema)

    def _struct(self, value: JSONObject, typed: JSONObject, schema: GoType) -> JSONObject:
        if not typed.keys() <= value.keys():
            raise _WholeNeededError
        result: JSONObject = {}
        for key, item in value.items():
            before = typed.get(key, _ABSENT)
            if item is before:
                result[key] = item
                continue
            field = schema.by_name.get(key)
            if field is None or item is None:
                raise _WholeNeededError
            fresh = self.value(item, before, field.type)
            if fresh or not field.is_left_out or field.type.kind == "pointer":
                result[key] = fresh
        return result

    def _list(self, value: list[JSON], typed: list[JSON], element: GoType) -> list[JSON]:
        kept = set(map(id, typed))
        named = {item["name"]: item for item in typed if "name" in item}
        return [item if id(item) in kept else self._element(item, named, element) for item in value]

    def _element(self, item: JSON, named: Mapping[JSON, JSON], element: GoType) -> JSON:
        """Read an element; one that something was merged into still has its name."""
        done = self._known.get(id(item))
        if done is not None:
            return done
        name = item.get("name") if item.__class__ is dict else None
        before = named.get(name) if name.__class__ is str else None
        return self._read(item, element) if before is None else self.value(item, before, element)

    def _read(self, value: JSON, schema: GoType) -> JSON:
        return normalise(value, schema, any_order=True, known=self._known)


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


def read_parts(value: JSON, typed: JSON) -> dict[int, JSON]:
    """Return by their ids how the parts of ``value`` are read that merging leaves as they are.

    ``typed`` is what ``value`` is read as. It has to outlive what is returned, and must not change.
    """
    found: dict[int, JSON] = {}
    level = [(value, typed)]
    for _ in range(_DEPTH):
        level = [
            (part, read)
            for whole, done in level
            for part, read in _pairs(whole, done)
            if part.__class__ is read.__class__ and part.__class__ in _CONTAINERS
        ]
        found |= [(id(part), read) for part, read in level]
    return found


def _pairs(value: JSON, typed: JSON) -> Iterable[tuple[JSON, JSON]]:
    if value.__class__ is list:
        return zip(value, typed, strict=True)
    return [(part, typed[key]) for key, part in value.items() if key in typed]


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
