"""JSON and a Go type to whether it certainly fits, in a hundredth of the time that reading it takes.

Knows no error's words: what is not certain is left to `typed`, which has them. A value is certain when each
field is spelt as Kubernetes spells it, is one that the type has, and is of its kind.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

import msgspec

from injector.json_types import JSON
from injector.patch.schema import GoType, Kind

_INT32: Final = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_QUANTITY: Final = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?\Z")]
"""The quantities that people write; the others are read in full."""
_DATE: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
_TIME: Final = Annotated[str, msgspec.Meta(pattern=rf"^{_DATE}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z")]
"""Times as an API server writes them, on days that every month has."""

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


def fits(value: JSON, schema: GoType) -> bool:
    """Tell whether Go certainly reads ``value`` into ``schema`` with no error and no other spelling."""
    try:
        msgspec.convert(value, _type(schema))
    except msgspec.ValidationError:
        return False
    return True


@cache
def _type(schema: GoType) -> Any:
    """Return msgspec's type for a Go type; null is every type's zero value."""
    if schema.kind in _LEAVES:
        return _LEAVES[schema.kind] | None
    if schema.kind == "pointer":
        return _type(schema.element)
    if schema.kind == "list":
        return list[_type(schema.element)] | None  # type: ignore[misc]
    if schema.kind == "map":
        return dict[str, _type(schema.element)] | None  # type: ignore[misc]
    return _struct(schema) | None


def _struct(schema: GoType) -> Any:
    """Return a msgspec Struct with the fields of a Go struct, all of them optional."""
    fields = [
        (f"f{number}", _type(field.type), msgspec.field(name=field.name, default=None))
        for number, field in enumerate(schema.fields)
    ]
    return msgspec.defstruct(schema.name, fields, forbid_unknown_fields=True, gc=False)
