"""Protobuf messages as the Go values that templates see.

Every field ``foo_bar`` has a field FooBar and a nil-safe method GetFooBar; the members of a oneof have only
the method, and the oneof itself is a field. Values are read on demand, never copied. Go's fmt prints them in
protobuf's text format.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from injector.golang.jsontext import go_json
from injector.golang.strconv import format_float
from injector.golang.times import MILLISECOND, SECOND, format_duration, seconds_and_nanos
from injector.gotemplate import types
from injector.gotemplate.types import Int64, Method, NamedInt, StructField, StructType, Type, enum_type
from injector.gotemplate.values import NilPointer, Struct, Value, message_type, read, zero
from injector.istio.go_methods import left_out
from injector.istio.mesh.descriptors import (
    PROXY_CONFIG,
    Data,
    DurationType,
    EnumType,
    Message,
    MessageField,
    MessageType,
    ScalarType,
    StructureType,
    ValueType,
    WrapperType,
    go_name,
    schema_of,
)

_SCALARS: Final[Mapping[str, Type]] = {
    "bool": types.BOOL,
    "double": types.FLOAT64,
    "float": types.FLOAT32,
    "int32": types.INT32,
    "int64": types.INT64,
    "string": types.STRING,
    "uint32": types.UINT32,
    "uint64": types.UINT64,
}
_OF_MESSAGES: Final = (
    "DeepCopyInterface", "Descriptor", "Marshal", "MarshalJSON", "MarshalTo", "MarshalToSizedBuffer",
    "ProtoMessage", "ProtoReflect", "Reset", "Size", "Unmarshal", "UnmarshalJSON", "XXX_DiscardUnknown",
    "XXX_Marshal", "XXX_Merge", "XXX_OneofWrappers", "XXX_Size", "XXX_Unmarshal",
)  # fmt: skip
_OF_ENUMS: Final = ("Descriptor", "Enum", "EnumDescriptor", "Number", "Type", "UnmarshalJSON")


def _in_floats(unit: int) -> Method:
    """Return a method of time.Duration that tells the whole units, and the rest in floating point."""

    def read(nanoseconds: int) -> float:
        whole, rest = divmod(abs(nanoseconds), unit)
        number = float(whole) + rest / unit
        return -number if nanoseconds < 0 else number

    return Method(call=read, result=types.FLOAT64)


def _in_integers(unit: int) -> Method:
    def read(nanoseconds: int) -> int:
        whole = abs(nanoseconds) // unit
        return Int64(-whole if nanoseconds < 0 else whole)

    return Method(call=read, result=types.INT64)


TIME_DURATION: Final = Type(
    kind="int64",
    name="time.Duration",
    named=True,
    stringer=format_duration,
    methods={
        **left_out(("Abs", "Round", "Truncate"), "time.Duration"),
        "Hours": _in_floats(3600 * SECOND),
        "Microseconds": _in_integers(1_000),
        "Milliseconds": _in_integers(MILLISECOND),
        "Minutes": _in_floats(60 * SECOND),
        "Nanoseconds": _in_integers(1),
        "Seconds": _in_floats(SECOND),
        "String": Method(call=format_duration, result=types.STRING),
    },
)

_MESSAGES: dict[StructType, MessageType] = {}


def view(message: Message) -> Struct:
    """Return a pointer to the message as templates see it."""
    declared = struct_type(message.type)
    data = declared.decode(message.data) if declared.decode else message.data
    return Struct(declared, data, pointer=True)


def message_of(value: Value) -> Message | None:
    """Return the message behind a template's value; None for a nil pointer and for other values."""
    if not isinstance(value, Struct):
        return None
    declared = _MESSAGES.get(value.type)
    return None if declared is None else Message(type=declared, data=value.whole())


def proxy_config_type(minor: int) -> Type:
    """Return ``*v1alpha1.ProxyConfig`` of a minor."""
    return types.pointer_to(struct_type(schema_of(minor).message(PROXY_CONFIG)))


@cache
def struct_type(declared: MessageType) -> StructType:
    """Return the Go type of a message: always the same object."""
    fields: dict[str, StructField] = {}
    getters: dict[str, Method] = {}
    for each in declared.fields:
        if each.oneof:
            getters[f"Get{each.go_name}"] = _member_getter(declared, each)
            name = go_name(each.oneof)
            package, _, owner = declared.go_name.rpartition(".")
            interface = Type(kind="interface", name=f"{package}.is{owner}_{name}", named=True)
            fields.setdefault(name, StructField(json_name=each.oneof, type=interface))
        else:
            fields[each.go_name] = StructField(json_name=each.json_name, type=_field_type(declared, each))
    made = _message(
        declared.go_name,
        fields,
        getters,
        lambda value: message_text(declared, value.whole()),
        decode=_oneof_decoder(declared),
    )
    _MESSAGES[made] = declared
    return made


def _message(
    name: str,
    fields: Mapping[str, StructField],
    methods: Mapping[str, Method],
    stringer: Callable[[Struct], str],
    *,
    decode: Callable[[Any], Mapping[str, Any]] | None,
) -> StructType:
    """Return the type of a message, with what code generators write for each."""

    def text(receiver: Struct | NilPointer) -> str:
        return "<nil>" if isinstance(receiver, NilPointer) else stringer(receiver)

    own = {"String": Method(call=text, result=types.STRING), **left_out(_OF_MESSAGES, name), **methods}
    return message_type(name, fields, methods=own, stringer=stringer, decode=decode)


def _member_getter(declared: MessageType, each: MessageField) -> Method:
    member = _field_type(declared, each)

    def get(receiver: Struct | NilPointer) -> Value:
        if isinstance(receiver, NilPointer):
            return zero(member)
        return read(member, receiver.whole().get(each.json_name))

    return Method(call=get, result=member)


def _oneof_decoder(declared: MessageType) -> Callable[[Data], Data] | None:
    """Return a decoder that adds a field for each oneof, so that templates can test whether it is set."""
    if not declared.oneofs:
        return None

    def decode(data: Data) -> Data:
        held = {
            each.oneof: {each.go_name: data[each.json_name]}
            for each in declared.fields
            if each.oneof and each.json_name in data
        }
        return {**data, **held} if held else data

    return decode


def _field_type(declared: MessageType, each: MessageField) -> Type:
    element = _type(each.type, gogo=declared.schema.gogo)
    if each.label == "list":
        return types.slice_of(element)
    return types.map_of(types.STRING, element) if each.label == "map" else element


def _type(declared: ValueType, *, gogo: bool) -> Type:
    match declared:
        case ScalarType():
            return _SCALARS[declared.name]
        case EnumType():
            return _enum(declared.go_name, tuple(declared.names.items()))
        case WrapperType():
            return _wrapper(declared, gogo=gogo)
        case DurationType():
            return _duration(gogo=gogo)
        case StructureType():
            return types.ANY
        case MessageType():
            return types.pointer_to(struct_type(declared))


@cache
def _enum(name: str, names: tuple[tuple[int, str], ...]) -> Type:
    return enum_type(name, dict(names), left_out(_OF_ENUMS, name))


@cache
def _wrapper(declared: WrapperType, *, gogo: bool) -> Type:
    scalar = declared.scalar.name
    name = f"{'UI' + scalar[2:] if scalar.startswith('ui') else scalar.capitalize()}Value"
    made = _message(
        f"{'types' if gogo else 'wrapperspb'}.{name}",
        {"Value": StructField(json_name="value", type=_SCALARS[scalar])},
        {},
        lambda value: _wrapper_text(declared, value.whole().get("value"), gogo=gogo),
        decode=lambda value: {"value": value},
    )
    return types.pointer_to(made)


def _as_duration(receiver: Struct | NilPointer) -> NamedInt:
    return NamedInt(nanoseconds_of(receiver), TIME_DURATION)


_DURATION_METHODS: Final = {
    "AsDuration": Method(call=_as_duration, result=TIME_DURATION),
    # What Go's would not take, the mesh configuration may not have.
    "IsValid": Method(call=lambda receiver: not isinstance(receiver, NilPointer), result=types.BOOL),
    **left_out(("CheckValid",), "durationpb.Duration"),
}


@cache
def _duration(*, gogo: bool) -> Type:
    made = _message(
        f"{'types' if gogo else 'durationpb'}.Duration",
        {
            "Seconds": StructField(json_name="seconds", type=types.INT64),
            "Nanos": StructField(json_name="nanos", type=types.INT32),
        },
        {} if gogo else _DURATION_METHODS,
        lambda value: _duration_text(nanoseconds_of(value), gogo=gogo),
        decode=_decode_duration,
    )
    return types.pointer_to(made)


def _decode_duration(nanoseconds: int) -> Mapping[str, Any]:
    seconds, nanos = seconds_and_nanos(nanoseconds)
    return {"seconds": seconds, "nanos": nanos}


def nanoseconds_of(value: Struct | NilPointer) -> int:
    """Return a template's Duration as nanoseconds; 0 for a nil pointer."""
    if isinstance(value, NilPointer):
        return 0
    return int(value.get("Seconds")) * SECOND + int(value.get("Nanos"))


# ---- protobuf's text format on one line
# golang/protobuf puts one or two spaces between fields: the same in one build of a program, possibly other
# ones in the next; here it is one.


def message_text(declared: MessageType, data: Data) -> str:
    """Return the text of a message."""
    return _joined(_fields(declared, data), gogo=declared.schema.gogo)


def _wrapper_text(declared: WrapperType, value: Any, *, gogo: bool) -> str:
    """Return the text of a wrapper: nothing for a zero."""
    return _joined([f"value:{_scalar_text(declared.scalar, value, gogo=gogo)}"] if value else [], gogo=gogo)


def _duration_text(nanoseconds: int, *, gogo: bool) -> str:
    """Return the text of a Duration: ``seconds:1 nanos:500000000``."""
    parts = zip(("seconds", "nanos"), seconds_and_nanos(nanoseconds), strict=True)
    return _joined([f"{name}:{number}" for name, number in parts if number], gogo=gogo)


def _joined(parts: list[str], *, gogo: bool) -> str:
    return "".join(f"{part} " for part in parts) if gogo else " ".join(parts)


def _fields(declared: MessageType, data: Data) -> list[str]:
    gogo = declared.schema.gogo
    return [
        f"{each.name}:{text}"
        for each in declared.fields
        if each.json_name in data
        for text in _texts(each, data[each.json_name], gogo=gogo)
    ]


def _texts(each: MessageField, value: Any, *, gogo: bool) -> Iterator[str]:
    if each.label == "list":
        yield from (_text(each.type, element, gogo=gogo) for element in value)
    elif each.label == "map":
        for key in sorted(value, key=str.encode):
            entry = [f"key:{_quote(key, gogo=gogo)}", f"value:{_text(each.type, value[key], gogo=gogo)}"]
            yield _block(_joined(entry, gogo=gogo), gogo=gogo)
    else:
        yield _text(each.type, value, gogo=gogo)


def _block(text: str, *, gogo: bool) -> str:
    return f"<{text}>" if gogo else f"{{{text}}}"


def _text(declared: ValueType, value: Any, *, gogo: bool) -> str:
    match declared:
        case ScalarType():
            return _scalar_text(declared, value, gogo=gogo)
        case EnumType():
            return declared.names.get(value, str(value))
        case WrapperType():
            text = _wrapper_text(declared, value, gogo=gogo)
        case DurationType():
            text = _duration_text(value, gogo=gogo)
        case StructureType():
            text = go_json(value)
        case MessageType():
            text = message_text(declared, value or {})
    return _block(text, gogo=gogo)


def _scalar_text(declared: ScalarType, value: Any, *, gogo: bool) -> str:
    if declared.name == "string":
        return _quote(value, gogo=gogo)
    if declared.name == "bool":
        return "true" if value else "false"
    is_finite = isinstance(value, float) and math.isfinite(value)
    return format_float(value) if is_finite else str(value)  # nan, inf, -inf, or a whole number


def _quote(text: str, *, gogo: bool) -> str:
    if gogo:  # everything except ASCII as octal bytes
        return '"' + "".join(_octal(chr(byte)) for byte in text.encode("utf-8", "surrogateescape")) + '"'
    return '"' + "".join(map(_hexadecimal, text)) + '"'


_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _octal(character: str) -> str:
    plain = " " <= character < "\x7f"
    return _ESCAPES.get(character) or (character if plain else f"\\{ord(character):03o}")


def _hexadecimal(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if 0x80 <= code <= 0x9F else character
