"""JSON and a Go type to the JSON that Go writes after reading it into that type. Knows no pod.

Each type is compiled once into a reader, which is told nothing of where it is: when something does not fit,
the value is walked again (misfits) to say what Go says. What reads as it was written is shared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from operator import is_
from typing import Final, TypeAlias

from injector.errors import TypedError
from injector.json_types import JSON, JSONObject
from injector.patch.misfits import Misfit, explain
from injector.patch.quantity import canonical_quantity
from injector.patch.schema import Field, GoType, fold, go_type
from injector.patch.strings import coerced, raw_number
from injector.patch.timestamps import canonical_time

_Read: TypeAlias = Callable[[JSON], JSON]

_BOUNDS: Final = {"int32": 2**31, "int64": 2**63}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How Go reads and writes: what differs between releases and between callers."""

    coerce_strings: bool = False
    """Numbers and bools become the text of a string field (ghodss/yaml, Istio up to 1.8)."""
    keep_unknown: bool = False
    """Fields that the type does not have are kept, behind those that it has."""
    zero_times: bool = False
    """A time that is not set is written as null, as before k8s.io/api 0.34 (Istio up to 1.27)."""


STRICT: Final = Reading()


def normalise(
    value: JSON,
    schema_type: GoType | str,
    *,
    coerce_strings: bool = False,
    keep_unknown: bool = False,
    zero_times: bool = False,
) -> JSON:
    """Return ``value`` after Go has read it into ``schema_type``, a type or its name, and written it again.

    Quantities, times and int-or-strings are canonical, fields are in the order of their declaration, map keys
    sorted, zero values dropped or printed as their type says. The flags are those of Reading. TypedError in
    the words of encoding/json.
    """
    reading = Reading(coerce_strings=coerce_strings, keep_unknown=keep_unknown, zero_times=zero_times)
    schema = go_type(schema_type) if isinstance(schema_type, str) else schema_type
    try:
        return _reader(schema, reading)(value)
    except Misfit:
        raise explain(value, schema, coerce_strings=coerce_strings) from None


def check(value: JSON, schema_type: GoType | str) -> None:
    """Raise the TypedError that Go has for reading ``value`` into ``schema_type``, if there is one."""
    normalise(value, schema_type)


@cache
def _reader(schema: GoType, reading: Reading) -> _Read:
    """Return the function that reads a value of type ``schema``; null is that type's zero value."""
    return _MAKERS[schema.kind](schema, reading)


def _string_reader(_schema: GoType, reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value.__class__ is str:
            return value
        if value is None:
            return ""
        text = coerced(value) if reading.coerce_strings else None
        if text is None:
            raise Misfit
        return text

    return read


def _bool_reader(_schema: GoType, _reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value is True or value is False:
            return value
        if value is None:
            return False
        raise Misfit

    return read


def _int_reader(schema: GoType, _reading: Reading) -> _Read:
    bound = _BOUNDS[schema.kind]

    def read(value: JSON) -> JSON:
        if value.__class__ is int and -bound <= value < bound:
            return value
        if value is None:
            return 0
        raise Misfit

    return read


def _quantity_reader(_schema: GoType, _reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value is None:
            return "0"
        try:
            text = canonical_quantity(value if value.__class__ is str else raw_number(value))
        except TypedError:
            raise Misfit from None
        return value if text == value else text

    return read


def _int_or_string_reader(_schema: GoType, _reading: Reading) -> _Read:
    bound = _BOUNDS["int32"]

    def read(value: JSON) -> JSON:
        if value.__class__ is str or (value.__class__ is int and -bound <= value < bound):
            return value
        if value is None:
            return 0
        raise Misfit

    return read


def _time_reader(_schema: GoType, _reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value is None:
            return None
        if value.__class__ is not str:
            raise Misfit
        try:
            text = canonical_time(value)
        except TypedError:
            raise Misfit from None
        return value if text == value else text

    return read


def _raw_reader(_schema: GoType, _reading: Reading) -> _Read:
    return lambda value: value


def _pointer_reader(schema: GoType, reading: Reading) -> _Read:
    inner = _later(schema.element, reading)
    return lambda value: None if value is None else inner(value)


def _later(schema: GoType, reading: Reading) -> _Read:
    """Return a reader that is made when it is first used, since a type may hold itself."""
    made: list[_Read] = []

    def read(value: JSON) -> JSON:
        if not made:
            made.append(_reader(schema, reading))
        return made[0](value)

    return read


def _list_reader(schema: GoType, reading: Reading) -> _Read:
    element = _reader(schema.element, reading)

    def read(value: JSON) -> JSON:
        if value is None:
            return None
        if value.__class__ is not list:
            raise Misfit
        elements = list(map(element, value))
        return value if all(map(is_, elements, value)) else elements

    return read


def _map_reader(schema: GoType, reading: Reading) -> _Read:
    element = _reader(schema.element, reading)

    def read(value: JSON) -> JSON:
        if value is None:
            return None
        if value.__class__ is not dict:
            raise Misfit
        keys = sorted(value)
        items = {key: element(value[key]) for key in keys}
        return value if all(map(is_, items.values(), value.values())) and keys == list(value) else items

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """What a struct's reader knows of one field."""

    name: str
    read: _Read
    plain: type | None
    """The class of a value that is taken as it is."""
    drops_empty: bool
    """Whether the field is left out when it is false, 0, empty or null."""
    zero: JSON
    """What stands for a field that is not there."""
    prints_zero: bool


def _row(field: Field, reading: Reading) -> _Row:
    if field.promoted and reading.coerce_strings:  # ghodss/yaml looks at the embedded struct instead
        reading = replace(reading, coerce_strings=False)
    read = _later(field.type, reading) if field.type.kind == "struct" else _reader(field.type, reading)
    is_struct = field.type.reflect_kind == "struct"
    drops_zero = (field.omit_empty and not is_struct) or (field.omit_zero and not reading.zero_times)
    return _Row(
        name=field.name,
        read=read,
        plain={"string": str, "bool": bool}.get(field.type.kind),
        drops_empty=drops_zero and field.type.kind != "pointer",
        zero=None if drops_zero else read(None),
        prints_zero=not drops_zero,
    )


def _struct_reader(schema: GoType, reading: Reading) -> _Read:
    rows = tuple(
        (row.name, row.read, row.plain, row.drops_empty, row.zero, row.prints_zero)
        for row in (_row(field, reading) for field in schema.fields)
    )
    by_name = schema.by_name

    def read(value: JSON) -> JSON:
        if value is None:
            value = {}
        elif value.__class__ is not dict:
            raise Misfit
        all_known = value.keys() <= by_name.keys()
        if not all_known and (renamed := _renamed(value, schema)) is not value:
            return read(renamed)
        result: JSONObject = {}
        same = True
        for name, read_field, plain, drops_empty, zero, prints_zero in rows:
            item = value.get(name)
            if item is None:
                if prints_zero:
                    result[name] = zero
                    same = same and zero is item
            else:
                item_read = item if item.__class__ is plain else read_field(item)
                if item_read or not drops_empty:
                    result[name] = item_read
                    same = same and item_read is item
        if reading.keep_unknown and not all_known:
            result |= {key: item for key, item in value.items() if key not in by_name}
        return value if same and list(result) == list(value) else result

    return read


def _renamed(value: JSONObject, schema: GoType) -> JSONObject:
    """Return ``value`` with the declared name for each key that Go takes for it; itself if there is none."""
    if not any(key not in schema.by_name and fold(key) in schema.by_folded_name for key in value):
        return value
    renamed: JSONObject = {}
    for key, item in value.items():
        field = schema.field(key)
        name = field.name if field else key
        renamed[name] = _over(renamed[name], item, field) if name in renamed else item
    return renamed


def _over(first: JSON, second: JSON, field: Field | None) -> JSON:
    """Return what a field is that was given twice: the later counts, objects are filled in turn."""
    nullable = field is not None and field.type.kind in ("pointer", "list", "map", "time", "quantity")
    if second is None and not nullable:
        return first
    if isinstance(first, dict) and isinstance(second, dict):
        return {**first, **{key: _over(first.get(key), item, None) for key, item in second.items()}}
    return second


_MAKERS: Final[dict[str, Callable[[GoType, Reading], _Read]]] = {
    "string": _string_reader,
    "bool": _bool_reader,
    "int32": _int_reader,
    "int64": _int_reader,
    "quantity": _quantity_reader,
    "intOrString": _int_or_string_reader,
    "time": _time_reader,
    "raw": _raw_reader,
    "pointer": _pointer_reader,
    "list": _list_reader,
    "map": _map_reader,
    "struct": _struct_reader,
}
