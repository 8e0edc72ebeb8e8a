"""A message in, the JSON text of Go's legacy jsonpb out.

Fields come in the order of declaration, map keys sorted, enums by name, 64-bit integers as strings, wrappers
as bare values, Durations with 0, 3, 6 or 9 digits. There is no blank in it.
"""

from __future__ import annotations

import math
from typing import Any

from injector.golang.duration import proto_text
from injector.golang.jsontext import go_json
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
