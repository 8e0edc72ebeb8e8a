"""Types of Kubernetes that are one value in JSON, and their methods: Quantity, Time, IntOrString, FieldsV1.

A view has the JSON under ``text``. Go prints the text only for a pointer: a copy, as `print` gets it, has no
String method, and its private fields are unknown here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from injector.errors import TypedError
from injector.golang.strconv import parse_int
from injector.golang.times import canonical_time, unix_seconds
from injector.gotemplate import types
from injector.gotemplate.types import Int64, Method, StructField, StructType, Type
from injector.gotemplate.values import NilPointer, Struct, TypedMap, Value
from injector.istio.go_methods import Methods, left_out, of_pointer, of_value, string_of_pointer, unprinted
from injector.patch.quantity import canonical_quantity, compare, format_name, milli_value, whole_value

_SERIALISERS: Final = (
    "DeepCopyInto", "Marshal", "MarshalCBOR", "MarshalJSON", "MarshalTo", "MarshalToSizedBuffer",
    "OpenAPISchemaFormat", "OpenAPISchemaType", "OpenAPIV3OneOfTypes", "ProtoMessage", "RandFill", "Reset",
    "Size", "SwaggerDoc", "ToUnstructured", "Unmarshal", "UnmarshalCBOR", "UnmarshalJSON",
)  # fmt: skip


def _text_of(value: Struct) -> str:
    return str(value.whole()["text"])


def _leaf(
    name: str,
    stringer: Callable[[Struct], str],
    methods: Methods,
    fields: Mapping[str, StructField],
    *,
    opaque: bool = False,
    nil_text: str = "<nil>",
    decode: Callable[[Any], Mapping[str, Any]],
) -> StructType:
    return StructType(
        name=name,
        fields=fields,
        stringer=stringer,
        nil_text=nil_text,
        opaque=opaque,
        decode=decode,
        methods={**left_out(_SERIALISERS, name), **methods},
    )


# ---- resource.Quantity


def _decode_quantity(data: Any) -> Mapping[str, Any]:
    text = "0" if data is None else str(data)
    try:
        return {"text": canonical_quantity(text), "format": format_name(text)}
    except TypedError:  # Go refuses such a pod before a template sees it
        return {"text": text, "format": ""}


def _number(read: Callable[[str], int]) -> Method:
    return of_pointer(types.INT64, lambda quantity: Int64(read(_text_of(quantity))))


def _compare(quantity: Struct, other: Struct) -> int:
    return compare(_text_of(quantity), _text_of(other))


_QUANTITY: Final = "resource.Quantity"
_ANY_QUANTITY: Final = Type(kind="struct", name=_QUANTITY, named=True)
"""The type of a parameter; types are compared by their names."""

_FORMAT: Final = Type(kind="string", name="resource.Format", named=True)

QUANTITY: Final = _leaf(
    _QUANTITY,
    _text_of,
    {
        **left_out(
            (
                "Add", "AsApproximateFloat64", "AsCanonicalBytes", "AsDec", "AsFloat64Slow", "AsInt64",
                "AsScale", "CanonicalizeBytes", "CmpInt64", "Mul", "Neg", "RoundUp", "ScaledValue", "Set",
                "SetMilli", "SetScaled", "Sub", "ToDec",
            ),
            _QUANTITY,
        ),
        "Cmp": of_pointer(types.INT, _compare, _ANY_QUANTITY),
        "DeepCopy": of_value(_ANY_QUANTITY, lambda quantity: quantity.same(pointer=False).boxed()),
        "Equal": of_value(types.BOOL, lambda *both: _compare(*both) == 0, _ANY_QUANTITY),
        "IsZero": of_pointer(types.BOOL, lambda quantity: compare(_text_of(quantity), "0") == 0),
        "MilliValue": _number(milli_value),
        "Sign": of_pointer(types.INT, lambda quantity: compare(_text_of(quantity), "0")),
        "String": string_of_pointer(_text_of, "<nil>"),
        "Value": _number(whole_value),
    },
    {"Format": StructField(json_name="format", type=_FORMAT)},
    opaque=True,
    decode=_decode_quantity,
)  # fmt: skip


# ---- v1.ResourceList

_RESOURCES: Final = {
    "Cpu": ("cpu", "DecimalSI"),
    "Memory": ("memory", "BinarySI"),
    "Pods": ("pods", "DecimalSI"),
    "Storage": ("storage", "BinarySI"),
    "StorageEphemeral": ("ephemeral-storage", "BinarySI"),
}
RESOURCE_NAME: Final = Type(
    kind="string",
    name="v1.ResourceName",
    named=True,
    methods={"String": Method(call=str, result=types.STRING)},
)


def _resource(resources: TypedMap, name: str, form: str) -> Struct:
    """Return a quantity of a list, zero where it has none."""
    found = resources.get(name)
    data = {"text": "0", "format": form} if found is None else found.whole()
    return Struct(QUANTITY, data, pointer=True)


def _resource_getter(name: str, form: str) -> Method:
    return of_pointer(types.pointer_to(QUANTITY), lambda resources: _resource(resources, name, form))


RESOURCE_LIST: Final = Type(
    kind="map",
    name="v1.ResourceList",
    key=RESOURCE_NAME,
    elem=QUANTITY,
    named=True,
    methods={
        **{method: _resource_getter(*resource) for method, resource in _RESOURCES.items()},
        **left_out(("DeepCopy", "DeepCopyInto", "Name"), "v1.ResourceList"),
    },
)


# ---- v1.Time

_ZERO_TIME: Final = "0001-01-01T00:00:00Z"


def _moment(value: Struct) -> str:
    """Return a point in time as Kubernetes writes it, the zero time where it is unset."""
    text = value.whole()["text"]
    return (canonical_time(text) if text else None) or _ZERO_TIME


def _time_text(value: Struct) -> str:
    return f"{_moment(value).removesuffix('Z').replace('T', ' ')} +0000 UTC"


def _is_zero(value: Value) -> bool:
    return isinstance(value, NilPointer) or _moment(value) == _ZERO_TIME


TIME: Final = _leaf(
    "v1.Time",
    _time_text,
    {
        **left_out(
            (
                "Add", "AddDate", "After", "AppendBinary", "AppendFormat", "AppendText", "Before", "Clock",
                "Compare", "Date", "Day", "DeepCopy", "Equal", "Format", "GoString", "GobDecode", "GobEncode",
                "Hour", "ISOWeek", "In", "IsDST", "Local", "Location", "MarshalBinary",
                "MarshalQueryParameter", "MarshalText", "Minute", "Month", "Nanosecond", "ProtoTime",
                "Rfc3339Copy", "Round", "Second", "Sub", "Time", "Truncate", "UTC", "UnixMicro", "UnixMilli",
                "UnixNano", "UnmarshalBinary", "UnmarshalQueryParameter", "UnmarshalText", "Weekday", "Year",
                "YearDay", "Zone", "ZoneBounds",
            ),
            "v1.Time",
        ),
        "IsZero": Method(call=_is_zero, result=types.BOOL, of_pointer=True),
        "String": of_value(types.STRING, _time_text),
        "Unix": of_value(types.INT64, lambda value: Int64(unix_seconds(_moment(value)))),
    },
    {},
    nil_text="",
    opaque=True,
    decode=lambda data: {"text": data},
)  # fmt: skip


# ---- intstr.IntOrString


def _decode_int_or_string(data: Any) -> Mapping[str, Any]:
    if isinstance(data, str):
        return {"type": 1, "strVal": data, "text": data}
    return {"type": 0, "intVal": data, "text": data or 0}


def _int_value(value: Struct) -> int:
    return (parse_int(value.get("StrVal")) or 0) if value.get("Type") else int(value.get("IntVal"))


INT_OR_STRING: Final = _leaf(
    "intstr.IntOrString",
    _text_of,
    {"IntValue": of_pointer(types.INT, _int_value), "String": string_of_pointer(_text_of, "<nil>")},
    {
        "Type": StructField(json_name="type", type=Type(kind="int64", name="intstr.Type", named=True)),
        "IntVal": StructField(json_name="intVal", type=types.INT32),
        "StrVal": StructField(json_name="strVal", type=types.STRING),
    },
    decode=_decode_int_or_string,
)


# ---- v1.FieldsV1

FIELDS: Final = _leaf(
    "v1.FieldsV1",
    unprinted("v1.FieldsV1"),
    left_out(("DeepCopy", "String"), "v1.FieldsV1"),
    {},
    opaque=True,
    decode=lambda data: {"text": data},
)
