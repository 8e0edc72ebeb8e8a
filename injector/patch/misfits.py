"""Find encoding/json's error for a value that does not fit its Go type.

Go goes on after a value of the wrong kind and reports the first one at the end. A quantity, time or
int-or-string that it cannot read stops it at once, and is what it reports then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from injector.errors import TypedError
from injector.golang.jsontext import kind_of
from injector.golang.times import canonical_time
from injector.json_types import JSON, JSONObject
from injector.patch.quantity import canonical_quantity
from injector.patch.schema import Field, GoType, Kind

_CLASSES: Final[dict[Kind, type]] = {
    "string": str, "bool": bool, "list": list, "map": dict, "struct": dict, "time": str
}  # fmt: skip
BOUNDS: Final = {"int32": 2**31, "int64": 2**63, "intOrString": 2**31}
"""Exclusive upper bounds of whole numbers; the least value is the negative of the bound."""


class Misfit(Exception):  # noqa: N818 - a signal between two modules, never seen outside
    """A part of the value does not fit its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a value is in the object: the struct and the path of fields that Go names."""

    struct: str = ""
    path: str = ""

    def inside(self, struct: GoType, field: Field) -> _Place:
        """Return the place of a struct's field."""
        return _Place(struct=struct.name, path=f"{self.path}.{field.path}" if self.path else field.path)

    def error(self, what: str, wanted: str) -> TypedError:
        """Return encoding/json's UnmarshalTypeError for this place."""
        where = f"Go struct field {self.struct}.{self.path}" if self.struct else "Go value"
        return TypedError(f"json: cannot unmarshal {what} into {where} of type {wanted}")


def explain(value: JSON, schema: GoType, *, coerce_strings: bool) -> TypedError:
    """Return Go's error for reading ``value``, which does not fit, into ``schema``."""
    try:
        first, *_ = _faults(value, schema, _Place(), coerce_strings=coerce_strings)
    except TypedError as error:  # Go stops there
        return error
    return first


def in_key_order(value: JSON) -> JSON:
    """Return a value whose objects have sorted keys: in that order Go finds the misfits of some JSON.

    Such JSON was written from maps: by a strategic merge, or from YAML. JSON from a client keeps the order of
    its keys.
    """
    if isinstance(value, dict):
        return {key: in_key_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [in_key_order(item) for item in value]
    return value


def _faults(value: JSON, schema: GoType, place: _Place, *, coerce_strings: bool) -> Iterator[TypedError]:
    """Yield the misfits in a value, in the order in which Go finds them; TypedError where Go stops."""
    schema = schema.target
    kind = schema.kind
    wanted: object = _CLASSES.get(kind)
    if value is None or kind == "raw":
        return
    if kind in ("quantity", "time", "intOrString"):
        _read_itself(value, kind, place)
    elif kind in BOUNDS:
        if not _fits(value, kind):
            yield place.error(_what(value, exact=True), str(schema))
    elif type(value) is not wanted:
        if not (coerce_strings and kind == "string" and isinstance(value, bool | int | float)):
            yield place.error(_what(value), str(schema))
    elif kind == "struct":
        yield from _struct_faults(value, schema, place, coerce_strings=coerce_strings)
    elif kind in ("list", "map"):
        for element in value if kind == "list" else value.values():
            yield from _faults(element, schema.element, place, coerce_strings=coerce_strings)


def _struct_faults(
    value: JSONObject, schema: GoType, place: _Place, *, coerce_strings: bool
) -> Iterator[TypedError]:
    for key, item in value.items():
        if field := schema.field(key):
            coerces = coerce_strings and not field.promoted
            yield from _faults(item, field.type, place.inside(schema, field), coerce_strings=coerces)


def _read_itself(value: JSON, kind: Kind, place: _Place) -> None:
    """Check a value whose type reads JSON by itself; TypedError where it cannot be read."""
    if kind == "quantity":
        canonical_quantity(value if isinstance(value, str) else raw_number(value))
    elif kind == "intOrString":
        if not isinstance(value, str) and not _fits(value, kind):
            raise place.error(_what(value, exact=True), "int32")
    elif not isinstance(value, str):
        raise place.error(_what(value), "string")
    else:
        canonical_time(value)


def raw_number(value: JSON) -> str:
    """Return the JSON text of a number; for anything else, a text that is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return str(value)


def _fits(value: JSON, kind: Kind) -> bool:
    return type(value) is int and -BOUNDS[kind] <= value < BOUNDS[kind]


def _what(value: JSON, *, exact: bool = False) -> str:
    """Return encoding/json's word for a value, with the number itself where the number is at fault."""
    kind = kind_of(value)
    return f"number {value}" if exact and kind == "number" else kind
