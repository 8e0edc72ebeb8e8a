"""Tell whether JSON certainly fits a Go type, in a fraction of the time that reading it takes.

A value is certain when every field has Kubernetes' spelling, is in the type, and has the right kind. What is
not certain is left to `typed`. msgspec does the check, in C.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any, Final

import msgspec

from injector.errors import TypedError
from injector.json_types import JSON
from injector.patch.quantity import canonical_quantity
from injector.patch.schema import Field, GoType, Kind

_INT32: Final = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_QUANTITY: Final = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?\Z")]
"""The quantities that people write; others are read in full."""
_PLAIN_QUANTITY: Final = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(0|[1-9][0-9]{0,2}(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?|[1-9][0-9]{3,5}(?<!000)[mkMG]?)\Z"
    ),
]
"""Quantities that no larger unit makes shorter, so that Go writes them unchanged."""
_DATE: Final = r"[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME: Final = Annotated[str, msgspec.Meta(pattern=rf"^{_DATE}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z")]
"""Times as an API server writes them, on days that every month has; none of them is Go's zero time."""

_LEAVES: Final[dict[Kind, Any]] = {
    "string": str,
    "bool": bool,
    "int32": _INT32,
    "int64": _INT64,
    "quantity": _QUANTITY,
    "intOrString": _INT32 | str,
    "time": _TIME,
    "raw": Any,
}


_SOME: Final = msgspec.Meta(min_length=1)


class _Canonical:
    """Stands for a quantity that is written as it was read."""


class _True:
    """Stands for a bool that is left out when it is false."""


_STAND_INS: Final[dict[Any, Any]] = {_Canonical: _Canonical(), _True: _True()}

_WRITTEN: Final[dict[Kind, Any]] = _LEAVES | {"raw": dict}
_WRITTEN_IF_ANY: Final[dict[Kind, Any]] = {
    "string": Annotated[str, _SOME],
    "bool": _True,
    "int32": Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)],
    "int64": Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)],
}
"""The values of a field that is left out when it is empty, 0 or false; negative numbers are read in full."""


def fits(value: JSON, schema: GoType) -> bool:
    """Return whether Go certainly reads ``value`` into ``schema`` without an error or another spelling."""
    return _converts(value, _read(schema))


def is_canonical(value: JSON, schema: GoType) -> bool:
    """Return whether ``normalise`` certainly returns an equal value, the order of keys left aside.

    Objects from an API server are so: it has written them with the same types.
    """
    return _converts(value, _written(schema))


def is_plain(value: JSON, schema: GoType) -> bool:
    """Return whether a value certainly `fits` and `is_canonical`, by one check; not all such values pass."""
    return _converts(value, _plain(schema))


def _converts(value: JSON, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted, dec_hook=_stand_in)
    except msgspec.ValidationError:
        return False
    return True


def _stand_in(wanted: Any, value: Any) -> Any:
    """Return the stand-in for a value that only Python can judge; ValueError where it does not fit."""
    if not (value is True if wanted is _True else _is_canonical_quantity(value)):
        raise ValueError
    return _STAND_INS[wanted]


def _is_canonical_quantity(value: Any) -> bool:
    try:
        return value.__class__ is str and canonical_quantity(value) == value
    except TypedError:
        return False


# ---- what Go reads


@cache
def _read(schema: GoType) -> Any:
    """Return msgspec's type for what a Go type reads; null is every type's zero value."""
    if schema.kind in _LEAVES:
        return _LEAVES[schema.kind] | None
    if schema.kind == "pointer":
        return _read(schema.element)
    if schema.kind == "list":
        return list[_read(schema.element)] | None  # type: ignore[misc]
    if schema.kind == "map":
        return dict[str, _read(schema.element)] | None  # type: ignore[misc]
    return _struct(schema, [(field.name, _read(field.type), None) for field in schema.fields]) | None


# ---- what Go writes


@cache
def _written(schema: GoType, quantity: Any = _Canonical) -> Any:
    """Return msgspec's type for what Go writes of a type; ``quantity`` is the type for quantities."""
    if schema.kind == "quantity":
        return quantity
    if schema.kind in _WRITTEN:
        return _WRITTEN[schema.kind]
    if schema.kind == "pointer":
        return _written(schema.element, quantity)
    if schema.kind == "list":
        return list[_written(schema.element, quantity)]  # type: ignore[misc]
    if schema.kind == "map":
        return dict[str, _written(schema.element, quantity)]  # type: ignore[misc]
    return _struct(schema, [_written_field(field, quantity) for field in schema.fields])


@cache
def _plain(schema: GoType) -> Any:
    return _written(schema, _PLAIN_QUANTITY)


def _written_field(field: Field, quantity: Any) -> tuple[str, Any, Any]:
    """Return a field's name, its written type and, where it may be left out, its default."""
    kind = field.type.kind
    if not field.is_left_out:
        written = _written(field.type, quantity)
        return field.name, written | None if kind == "time" else written, msgspec.NODEFAULT
    if kind in ("list", "map"):
        return field.name, Annotated[_written(field.type, quantity), _SOME], msgspec.UNSET
    written = _WRITTEN_IF_ANY.get(kind) or _written(field.type, quantity)
    return field.name, written, msgspec.UNSET


def _struct(schema: GoType, fields: Iterable[tuple[str, Any, Any]]) -> Any:
    """Return a msgspec Struct with exactly these fields: names, types and defaults."""
    members = [
        (f"f{number}", wanted, msgspec.field(name=name, default=default))
        for number, (name, wanted, default) in enumerate(fields)
    ]
    return msgspec.defstruct(schema.name, members, forbid_unknown_fields=True, gc=False, kw_only=True)
