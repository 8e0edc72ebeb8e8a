"""A value that does not fit its Go type, to the error that encoding/json has for it.

Go goes on after a value of the wrong kind and reports the first in the end; a quantity, time or int-or-string
that cannot be read stops it at once, and is what it reports then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from injector.errors import TypedError
from injector.golang.times import canonical_time
from injector.json_types import JSON, JSONObject
from injector.patch.quantity import canonical_quantity
from injector.patch.schema import Field, GoType, Kind

_CLASSES: Final[dict[Kind, type]] = {
    "string": str, "bool": bool, "list": list, "map": dict, "struct": dict, "time": str
}  # fmt: skip
BOUNDS: Final = {"int32": 2**31, "int64": 2**63, "intOrString": 2**31}
"""What whole numbers are less than; the least is the negative of it."""


class Misfit(Exception):  # noqa: N818 - a signal between two modules, never seen outside
    """Something in the value does not fit its type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the object a value is: the struct and the path of fields that Go names."""

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
    """Return the error that Go has for reading ``value``, which does not fit, into ``schema``."""
    walk = _Walk(coerce_strings=coerce_strings)
    try:
        walk.value(value, schema, _Place())
    except TypedError as error:  # Go gives up there
        return error
    return walk.faults[0]


def in_key_order(value: JSON) -> JSON:
    """Return a value whose objects have their keys sorted: in that order Go meets the misfits of some JSON.

    Such JSON was written from maps: by a strategic merge, or from YAML. What a client sends as JSON keeps the
    order of its keys.
    """
    if isinstance(value, dict):
        return {key: in_key_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [in_key_order(item) for item in value]
    return value


class _Walk:
    """Goes through a value as Go does and collects what does not fit."""

    def __init__(self, *, coerce_strings: bool) -> None:
        self.faults: list[TypedError] = []
        self._coerce_strings = coerce_strings

    def value(self, value: JSON, schema: GoType, place: _Place) -> None:
        """Look at one value of type ``schema``."""
        schema = schema.target
        wanted: object = _CLASSES.get(schema.kind)
        if value is None or schema.kind == "raw":
            return
        if schema.kind in ("quantity", "time", "intOrString"):
            _read_itself(value, schema.kind, place)
        elif schema.kind in BOUNDS:
            self._whole_number(value, schema, place)
        elif type(value) is not wanted:
            self._other_kind(value, schema, place)
        elif isinstance(value, list):
            for element in value:
                self.value(element, schema.element, place)
        elif schema.kind == "map":
            for element in value.values():
                self.value(element, schema.element, place)
        elif schema.kind == "struct":
            self._struct(value, schema, place)

    def _struct(self, value: JSONObject, schema: GoType, place: _Place) -> None:
        for key, item in value.items():
            field = schema.field(key)
            if field is not None:
                coerces = self._coerce_strings
                self._coerce_strings = coerces and not field.promoted
                self.value(item, field.type, place.inside(schema, field))
                self._coerce_strings = coerces

    def _whole_number(self, value: JSON, schema: GoType, place: _Place) -> None:
        if not _fits(value, schema.kind):
            self.faults.append(place.error(_what(value, exact=True), str(schema)))

    def _other_kind(self, value: JSON, schema: GoType, place: _Place) -> None:
        scalar = isinstance(value, bool | int | float)
        if not (schema.kind == "string" and scalar and self._coerce_strings):
            self.faults.append(place.error(_what(value), str(schema)))


def _read_itself(value: JSON, kind: Kind, place: _Place) -> None:
    """Check a value of a type that has its own way to read JSON; TypedError where it cannot be read."""
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
    """Return the JSON text of a number, and something that is no number for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return str(value)


def _fits(value: JSON, kind: Kind) -> bool:
    return type(value) is int and -BOUNDS[kind] <= value < BOUNDS[kind]


def _what(value: JSON, *, exact: bool = False) -> str:
    """Return encoding/json's word for a value, with the number itself where that is at fault."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return f"number {value}" if exact else "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"
