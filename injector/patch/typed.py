"""Read JSON into a Go type and write it again as Go does.

Each type is compiled once into a reader. A reader does not track its position: when something does not fit,
the value is walked again (misfits) to find Go's error. A part that is unchanged by reading is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from operator import is_
from typing import Final, TypeAlias

from injector.errors import TypedError
from injector.golang.jsontext import fold_name
from injector.golang.strconv import format_float
from injector.golang.times import canonical_time
from injector.json_types import JSON, JSONObject
from injector.patch.misfits import BOUNDS, Misfit, explain, raw_number
from injector.patch.quantity import canonical_quantity
from injector.patch.schema import Field, GoType, Kind, go_type

_Read: TypeAlias = Callable[[JSON], JSON]

_PLAIN: Final[dict[Kind, type]] = {"string": str, "bool": bool}
"""The class of a value that is taken unchanged."""
_CANONICAL: Final[dict[Kind, tuple[Callable[[str], str | None], str | None]]] = {
    "quantity": (canonical_quantity, "0"),
    "time": (canonical_time, None),
}
"""What Go writes for the text of a value, and for its zero value; no number is the text of a time."""
_UNTOUCHED_BY_NULL: Final[frozenset[Kind]] = frozenset({"string", "bool", "int32", "int64", "struct"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How Go reads and writes: the differences between callers."""

    coerce_strings: bool = False
    """Numbers and bools become text in a string field (ghodss/yaml, Istio up to 1.8)."""
    keep_unknown: bool = False
    """Fields that the type does not have are kept, behind its own."""
    any_order: bool = False
    """Fields and keys may stay in the order in which they were read: less is copied."""


def normalise(
    value: JSON,
    schema_type: GoType | str,
    *,
    coerce_strings: bool = False,
    keep_unknown: bool = False,
    any_order: bool = False,
) -> JSON:
    """Return ``value`` after Go has read it into ``schema_type``, a type or its name, and written it again.

    Quantities, times and int-or-strings become canonical, fields are in declaration order, map keys are
    sorted, zero values are left out or printed as their type says. The flags are those of Reading. Raises
    TypedError in the words of encoding/json.
    """
    schema = go_type(schema_type) if isinstance(schema_type, str) else schema_type
    read = _reader_for(schema, coerce_strings=coerce_strings, keep_unknown=keep_unknown, any_order=any_order)
    try:
        return read(value)
    except Misfit:
        raise explain(value, schema, coerce_strings=coerce_strings) from None


@cache
def _reader_for(schema: GoType, **flags: bool) -> _Read:
    """Return the reader for the flags of normalise: making a Reading for each call would be too slow."""
    return _reader(schema, Reading(**flags))


@cache
def _reader(schema: GoType, reading: Reading) -> _Read:
    """Return the function that reads a value of type ``schema``; null becomes the type's zero value."""
    return _MAKERS[schema.kind](schema, reading)


def _string_reader(_schema: GoType, reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value.__class__ is str:
            return value
        if value is None:
            return ""
        text = _coerced(value) if reading.coerce_strings else None
        if text is None:
            raise Misfit
        return text

    return read


def _coerced(value: JSON) -> str | None:
    """Return ghodss/yaml's text for a number or bool in a string field, None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return format_float(value, bits=32) if isinstance(value, float) else None


def _bool_reader(_schema: GoType, _reading: Reading) -> _Read:
    def read(value: JSON) -> JSON:
        if value is True or value is False:
            return value
        if value is None:
            return False
        raise Misfit

    return read


def _int_reader(schema: GoType, _reading: Reading) -> _Read:
    bound = BOUNDS[schema.kind]
    may_be_string = schema.kind == "intOrString"

    def read(value: JSON) -> JSON:
        if value.__class__ is int and -bound <= value < bound:
            return value
        if value.__class__ is str and may_be_string:
            return value
        if value is None:
            return 0
        raise Misfit

    return read


def _text_reader(schema: GoType, _reading: Reading) -> _Read:
    canonical, zero = _CANONICAL[schema.kind]

    def read(value: JSON) -> JSON:
        if value is None:
            return zero
        try:
            text = canonical(value if value.__class__ is str else raw_number(value))
        except TypedError:
            raise Misfit from None
        return value if text == value else text

    return read


def _raw_reader(_schema: GoType, _reading: Reading) -> _Read:
    return lambda value: value


def _pointer_reader(schema: GoType, reading: Reading) -> _Read:
    inner = _reader(schema.element, reading)
    return lambda value: None if value is None else inner(value)


def _list_reader(schema: GoType, reading: Reading) -> _Read:
    element = _reader(schema.element, reading)
    plain = {_PLAIN.get(schema.element.kind)}

    def read(value: JSON) -> JSON:
        if value is None:
            return None
        if value.__class__ is not list:
            raise Misfit
        if set(map(type, value)) <= plain:
            return value
        elements = [element(item) for item in value]
        return value if all(map(is_, elements, value)) else elements

    return read


def _map_reader(schema: GoType, reading: Reading) -> _Read:
    element = _reader(schema.element, reading)
    plain = {_PLAIN.get(schema.element.kind)}
    any_order = reading.any_order

    def read(value: JSON) -> JSON:
        if value is None:
            return None
        if value.__class__ is not dict:
            raise Misfit
        if set(map(type, value.values())) <= plain and (any_order or sorted(value) == list(value)):
            return value
        keys = value if any_order else sorted(value)
        items = {key: element(value[key]) for key in keys}
        unchanged = all(map(is_, items.values(), value.values()))
        return value if unchanged and list(items) == list(value) else items

    return read


_Row: TypeAlias = tuple[int, _Read, type | None, bool]
"""A field in a struct's reader: its index, the reader of a value that is not null, the class of a value that
is taken unchanged, and whether the field is left out when it is false, 0, empty or null."""


def _rows_of(schema: GoType, reading: Reading) -> tuple[dict[str, _Row], JSONObject]:
    """Return a struct's fields by name, and the zero values of those that are never left out."""
    promoted = replace(reading, coerce_strings=False)  # ghodss/yaml looks at the embedded struct instead
    rows: dict[str, _Row] = {}
    zeros: JSONObject = {}
    for place, field in enumerate(schema.fields):
        how = promoted if field.promoted else reading
        read = _reader(field.type.target, how)
        rows[field.name] = place, read, _PLAIN.get(field.type.kind), leaves_out_empty(field)
        if not field.is_left_out:
            zeros[field.name] = _reader(field.type, how)(None)
    return rows, zeros


def _struct_reader(schema: GoType, reading: Reading) -> _Read:  # noqa: C901 - see read
    rows, zeros = _rows_of(schema, reading)
    places = {name: row[0] for name, row in rows.items()}
    behind = len(places)  # the index of fields that the type does not have
    keeps_unknown = reading.keep_unknown
    any_order = reading.any_order

    # One loop without calls, since this runs for each of the hundred structs of a pod.
    def read(value: JSON) -> JSON:  # noqa: C901, PLR0912
        if value is None:
            value = {}
        elif value.__class__ is not dict:
            raise Misfit
        result: JSONObject = {}
        same = in_order = True
        last = 0
        for key, item in value.items():
            row = rows.get(key)
            fresh = item
            if row is None:
                if fold_name(key) in schema.by_folded_name:
                    return read(_declared(value.items(), schema))
                if not keeps_unknown:
                    same = False
                    continue
                place = behind
            else:
                place, read_field, plain, drops_empty = row
                if item is None:
                    same = False
                    continue
                if item.__class__ is not plain:
                    fresh = read_field(item)
                    if fresh is not item:
                        same = False
                if drops_empty and not fresh:
                    same = False
                    continue
            result[key] = fresh
            if place < last:
                in_order = False
            last = place
        for name, zero in zeros.items():
            if name not in result:
                result[name] = zero
                same = in_order = False
        if in_order or any_order:
            return value if same else result
        if keeps_unknown:
            return {name: result[name] for name in sorted(result, key=lambda name: places.get(name, behind))}
        return {name: result[name] for name in sorted(result, key=places.__getitem__)}

    return read


def leaves_out_empty(field: Field) -> bool:
    """Return whether a field is left out where it is false, 0 or empty, and not only where it is null."""
    return field.type.kind != "pointer" and field.is_left_out


def _declared(items: Iterable[tuple[str, JSON]], schema: GoType) -> JSONObject:
    """Return a struct's fields under their declared names; one that is given twice is read twice."""
    fields: JSONObject = {}
    for key, item in items:
        field = schema.field(key)
        name = field.name if field else key
        fields[name] = _over(fields[name], item, field.type) if field and name in fields else item
    return fields


def _over(first: JSON, second: JSON, schema: GoType) -> JSON:
    """Return Go's value after reading ``first`` and then ``second`` into one variable."""
    if second is None:
        return first if schema.kind in _UNTOUCHED_BY_NULL else None
    target = schema.target
    if isinstance(first, dict) and isinstance(second, dict) and target.kind == "struct":
        return _declared([*first.items(), *second.items()], target)
    if isinstance(first, dict) and isinstance(second, dict) and target.kind == "map":
        return {**first, **second}
    if isinstance(first, list) and isinstance(second, list) and target.kind == "list":
        # Go reuses the array, and fields that an element does not mention keep their earlier values.
        reused = [_over(old, new, target.element) for old, new in zip(first, second, strict=False)]
        return reused + second[len(first) :]
    return second


_MAKERS: Final[dict[str, Callable[[GoType, Reading], _Read]]] = {
    "string": _string_reader,
    "bool": _bool_reader,
    "int32": _int_reader,
    "int64": _int_reader,
    "quantity": _text_reader,
    "intOrString": _int_reader,
    "time": _text_reader,
    "raw": _raw_reader,
    "pointer": _pointer_reader,
    "list": _list_reader,
    "map": _map_reader,
    "struct": _struct_reader,
}
