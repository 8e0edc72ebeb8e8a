"""A message in; the JSON of Go's legacy jsonpb, or the text that Go's fmt prints of it, out.

Fields come in the order of declaration, map keys sorted, enums by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from injector.golang.jsontext import go_json
from injector.golang.times import proto_text, seconds_and_nanos
from injector.istio.mesh.descriptors import (
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
)
from injector.json_types import JSON, JSONObject
from injector.kubeyaml.scalars import yaml_float

# ---- JSON: 64-bit integers as strings, wrappers as bare values, Durations with 0, 3, 6 or 9 digits


def proto_to_json(message: Message) -> str:
    """Return the message as the template function protoToJSON prints it, before defaults are taken away."""
    return go_json(to_json(message), sort_keys=False)


def to_json(message: Message) -> JSONObject:
    """Return the message as JSON whose keys are in the order of printing."""
    return _message(message.type, message.data)


def _message(declared: MessageType, data: Data) -> JSONObject:
    return {
        each.json_name: _field(each, data[each.json_name])
        for each in declared.fields
        if each.json_name in data
    }


def _field(each: MessageField, value: Any) -> JSON:
    if each.label == "list":
        return [_one(each.type, element) for element in value]
    if each.label == "map":
        return {key: _one(each.type, value[key]) for key in sorted(value, key=str.encode)}
    return _one(each.type, value)


def _one(declared: ValueType, value: Any) -> JSON:  # noqa: PLR0911 - one per kind of type
    if value is None:
        return None
    match declared:
        case ScalarType():
            return _scalar(declared, value)
        case WrapperType():
            return _scalar(declared.scalar, value)
        case EnumType():
            return declared.names.get(value, value)
        case DurationType():
            return proto_text(value)
        case StructureType():
            return _sorted(value)
        case MessageType():
            return _message(declared, value)


def _scalar(declared: ScalarType, value: Any) -> JSON:
    if declared.name in ("int64", "uint64"):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _sorted(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    if isinstance(value, list):
        return [_sorted(element) for element in value]
    return value


# ---- protobuf's text format on one line
#
# golang/protobuf puts one blank or two between fields, the same for one build of a program and not for the
# next; here it is one.


def message_text(declared: MessageType, data: Data) -> str:
    """Return the text of a message."""
    return _joined(_fields(declared, data), gogo=declared.schema.gogo)


def wrapper_text(declared: WrapperType, value: Any, *, gogo: bool) -> str:
    """Return the text of a wrapper: nothing for a zero."""
    return _joined([f"value:{_scalar_text(declared.scalar, value, gogo=gogo)}"] if value else [], gogo=gogo)


def duration_text(nanoseconds: int, *, gogo: bool) -> str:
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
            text = wrapper_text(declared, value, gogo=gogo)
        case DurationType():
            text = duration_text(value, gogo=gogo)
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
    return _float(value) if isinstance(value, float) else str(value)


def _float(number: float) -> str:
    return yaml_float(number) if math.isfinite(number) else str(number)  # nan, inf, -inf


def _quote(text: str, *, gogo: bool) -> str:
    if gogo:  # everything but ASCII as octal bytes
        characters = [chr(byte) for byte in text.encode("utf-8", "surrogateescape")]
        return '"' + "".join(map(_octal, characters)) + '"'
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
