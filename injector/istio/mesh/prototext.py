"""A message in, the text that Go's fmt prints of it out.

It is protobuf's text format on one line. golang/protobuf puts one blank or two between fields, the same for
one build of a program and not for the next; here it is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from injector.golang.duration import SECOND
from injector.golang.jsontext import go_json
from injector.istio.mesh.descriptors import (
    Data,
    DurationType,
    EnumType,
    MessageField,
    MessageType,
    ScalarType,
    StructureType,
    ValueType,
    WrapperType,
)
from injector.kubeyaml.scalars import yaml_float


def message_text(declared: MessageType, data: Data) -> str:
    """Return the text of a message."""
    return _joined(_fields(declared, data), gogo=declared.schema.gogo)


def wrapper_text(declared: WrapperType, value: Any, *, gogo: bool) -> str:
    """Return the text of a wrapper: nothing for a zero."""
    return _joined([f"value:{_scalar(declared.scalar, value, gogo=gogo)}"] if value else [], gogo=gogo)


def duration_text(nanoseconds: int, *, gogo: bool) -> str:
    """Return the text of a Duration: ``seconds:1 nanos:500000000``."""
    sign = -1 if nanoseconds < 0 else 1
    seconds, nanos = divmod(abs(nanoseconds), SECOND)
    parts = (("seconds", sign * seconds), ("nanos", sign * nanos))
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
        yield from (_one(each.type, element, gogo=gogo) for element in value)
    elif each.label == "map":
        for key in sorted(value, key=str.encode):
            entry = [f"key:{_quote(key, gogo=gogo)}", f"value:{_one(each.type, value[key], gogo=gogo)}"]
            yield _block(_joined(entry, gogo=gogo), gogo=gogo)
    else:
        yield _one(each.type, value, gogo=gogo)


def _block(text: str, *, gogo: bool) -> str:
    return f"<{text}>" if gogo else f"{{{text}}}"


def _one(declared: ValueType, value: Any, *, gogo: bool) -> str:
    match declared:
        case ScalarType():
            return _scalar(declared, value, gogo=gogo)
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


def _scalar(declared: ScalarType, value: Any, *, gogo: bool) -> str:
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


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


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
