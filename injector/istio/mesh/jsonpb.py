"""Apply JSON to a message, and print a message as JSON.

This is Go's legacy jsonpb, gogo's up to 1.13 and golang's after. What JSON mentions replaces the message's
value: lists, maps and messages are never merged. null leaves a field unchanged. Numbers may be strings. An
unknown field is ignored, because Istio tries once more without unknown fields. Printed fields are in the
order of declaration, map keys are sorted, enums have their names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from injector.golang import jsontext
from injector.golang.jsontext import go_json, json_fault
from injector.golang.strconv import json_float, to_int
from injector.golang.times import DurationError, parse_duration, proto_text
from injector.istio.mesh.descriptors import (
    Data,
    DurationType,
    EnumType,
    Label,
    Message,
    MessageError,
    MessageField,
    MessageType,
    ScalarType,
    StructureType,
    ValueType,
    WrapperType,
)
from injector.json_types import JSON, JSONObject
from injector.patch import in_key_order

_LIMITS: Final[Mapping[str, tuple[int, int]]] = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
CONTAINERS: Final[Mapping[Label, tuple[type, str]]] = {
    "list": (list, "[]json.RawMessage"),
    "map": (dict, "map[string]json.RawMessage"),
}
"""The JSON type of a message's lists and maps, and the Go type into which Go first reads them."""
_GO_NAMES: Final = {"double": "float64", "float": "float32"}
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")


def apply(message: Message, value: JSON) -> Message:
    """Return ``message`` with the JSON ``value`` applied to it. Raises MessageError."""
    if value is None:
        return message
    return Message(type=message.type, data=_apply(message.type, message.data, value))


Path: TypeAlias = tuple[str | int, ...]
"""The path of a value in a document, as keys and indices."""


def dotted(path: Path) -> str:
    """Return a path as people write it: ``global.imagePullSecrets[0]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def unknown_fields(declared: MessageType, value: JSON, path: Path = ()) -> list[str]:
    """Return the paths in ``value`` for which the message has no field: Istio ignores these."""
    if not isinstance(value, dict):
        return []
    found = [dotted((*path, name)) for name in value if name not in declared.input_names]
    for each in declared.fields:
        for name in dict.fromkeys((each.name, each.json_name)):
            if isinstance(each.type, MessageType):
                for where, element in elements_of(each, value.get(name), (*path, name)):
                    found.extend(unknown_fields(each.type, element, where))
    return found


def elements_of(each: MessageField, value: JSON, path: Path) -> list[tuple[Path, JSON]]:
    """Return the values of a field with their paths: those of a list or map, or the only one."""
    if each.label == "list" and isinstance(value, list):
        return [((*path, index), element) for index, element in enumerate(value)]
    if each.label == "map" and isinstance(value, dict):
        return [((*path, key), element) for key, element in value.items()]
    return [(path, value)]


def _apply(declared: MessageType, before: Data, value: JSON) -> Data:
    if not isinstance(value, dict):
        raise mismatch(value, "map[string]json.RawMessage")
    data = dict(before)
    fields = declared.fields
    if declared.schema.gogo:  # oneofs come after the rest
        fields = tuple(sorted(fields, key=lambda each: bool(each.oneof)))
    for each in fields:
        given = [value[name] for name in (each.name, each.json_name) if name in value]
        if given:
            _set(declared, data, each, given[-1])
    return data


def _set(declared: MessageType, data: dict[str, Any], each: MessageField, value: JSON) -> None:
    gogo = declared.schema.gogo
    if value is None and not (gogo and each.oneof):
        return
    if value is None:  # gogo sets such a member to zero, or to a nil message
        result = _zero(each.type) if isinstance(each.type, ScalarType | EnumType) else None
    else:
        result = _read(each, value, gogo)
    if each.oneof:
        for sibling in declared.oneofs[each.oneof]:
            data.pop(sibling, None)
        data[each.json_name] = result
    elif _is_absent(each, result, gogo):
        data.pop(each.json_name, None)
    else:
        data[each.json_name] = result


def _zero(declared: ScalarType | EnumType) -> Any:
    if isinstance(declared, EnumType):
        return 0
    return {"string": "", "bool": False, "double": 0.0, "float": 0.0}.get(declared.name, 0)


def _is_absent(each: MessageField, result: Any, gogo: bool) -> bool:  # noqa: FBT001 - private
    """Return whether protobuf treats a value like one that was never set; gogo keeps an empty list or map."""
    if each.label != "one":
        return not result and not gogo
    return isinstance(each.type, ScalarType | EnumType) and not result


def _read(each: MessageField, value: JSON, gogo: bool) -> Any:  # noqa: FBT001 - private
    if each.label == "one":
        return read_one(each.type, value, gogo)
    container, go_type = CONTAINERS[each.label]
    is_container = isinstance(value, container)
    if not is_container:
        raise mismatch(value, go_type)
    if each.label == "list":
        return [_element(each.type, element, gogo) for element in value]
    return {key: _element(each.type, element, gogo) for key, element in value.items()}


def _element(declared: ValueType, value: JSON, gogo: bool) -> Any:  # noqa: FBT001 - private
    if value is not None:
        return read_one(declared, value, gogo)
    if isinstance(declared, ScalarType | EnumType):
        return _zero(declared)
    return None if gogo or not isinstance(declared, MessageType) else {}


def read_one(declared: ValueType, value: JSON, gogo: bool) -> Any:  # noqa: FBT001
    """Return the stored form of one value, which is not a list, map or null. Raises MessageError."""
    match declared:
        case ScalarType():
            return _scalar(declared, value)
        case WrapperType():
            return _scalar(declared.scalar, value)
        case EnumType():
            return _enum(declared, value, gogo)
        case DurationType():
            return _duration(value)
        case StructureType():
            return value if declared.is_value else _structure(value)
        case MessageType():
            return _apply(declared, {}, value)


def _scalar(declared: ScalarType, value: JSON) -> Any:
    name = declared.name
    if name == "string":
        return _typed(value, str, "string")
    if name == "bool":
        return _typed(value, bool, "bool")
    if name == "IntOrString":
        return value if isinstance(value, str) else _integer(value, "int32", _LIMITS["int32"])
    if name in _LIMITS:
        return _integer(value, name, _LIMITS[name])
    return _float(value, _GO_NAMES[name])


def _typed(value: JSON, python_type: type, go_type: str) -> Any:
    if type(value) is not python_type:
        raise mismatch(value, go_type)
    return value


def _integer(value: JSON, go_type: str, limits: tuple[int, int]) -> int:
    text = _number_text(value, go_type)
    if text is None:
        return 0
    is_negative_zero = text == "-0" and limits[0] == 0  # Go's ParseUint refuses it
    if not _INTEGER.fullmatch(text) or is_negative_zero or not limits[0] <= to_int(text) <= limits[1]:
        raise MessageError(f"json: cannot unmarshal number {text} into Go value of type {go_type}")
    return to_int(text)


def _float(value: JSON, go_type: str) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    text = _number_text(value, go_type)
    number = float(text or 0)
    if math.isinf(number):
        raise MessageError(f"json: cannot unmarshal number {text} into Go value of type {go_type}")
    return number


def _number_text(value: JSON, go_type: str) -> str | None:
    """Return the text of a number, which may be quoted; None for a quoted null."""
    if isinstance(value, str):
        return _quoted_number(go_json(value)[1:-1], go_type)
    if type(value) is int:
        return str(value)
    if type(value) is float:
        return json_float(value)
    raise mismatch(value, go_type)


def _quoted_number(raw: str, go_type: str) -> str | None:
    fault = json_fault(raw.encode("utf-8", "surrogateescape"))
    if fault:
        raise MessageError(fault)
    text = raw.strip(" ")
    if text[:1] in _KINDS:
        raise MessageError(f"json: cannot unmarshal {_KINDS[text[:1]]} into Go value of type {go_type}")
    return None if text == "null" else text


_KINDS: Final = {"t": "bool", "f": "bool", "[": "array", "{": "object"}


def _enum(declared: EnumType, value: JSON, gogo: bool) -> int:  # noqa: FBT001 - private
    if not isinstance(value, str):
        return _integer(value, declared.go_name if gogo else "protoreflect.EnumNumber", _LIMITS["int32"])
    number = declared.numbers.get(value)
    if number is not None:
        return number
    raw = go_json(value)
    shown, name = (raw[1:-1], _gogo_enum(declared)) if gogo else (raw, declared.name)
    raise MessageError(f"unknown value {go_json(shown, escape_html=False)} for enum {name}")


def _gogo_enum(declared: EnumType) -> str:
    package = declared.go_name.partition(".")[0]
    return declared.name.partition(f"{package}.")[0] + declared.go_name


def _duration(value: JSON) -> int:
    text = _typed(value, str, "string")
    try:
        return parse_duration(text)
    except DurationError as error:
        raise MessageError(f"bad Duration: {error}") from error


def _structure(value: JSON) -> JSON:
    if not isinstance(value, dict):
        raise MessageError(f"bad StructValue: {mismatch(value, 'map[string]json.RawMessage')}")
    return value


def mismatch(value: JSON, go_type: str) -> MessageError:
    """Return encoding/json's error for a value of another kind than ``go_type``."""
    return MessageError(jsontext.mismatch(value, go_type))


# ---- printing: 64-bit integers as strings, wrappers as bare values, Durations with 0, 3, 6 or 9 digits


def proto_to_json(message: Message) -> str:
    """Return the message as the template function protoToJSON prints it, before defaults are removed."""
    return go_json(to_json(message), sort_keys=False)


def to_json(message: Message) -> JSONObject:
    """Return the message as JSON whose keys are in printing order."""
    return _printed(message.type, message.data)


def _printed(declared: MessageType, data: Data) -> JSONObject:
    return {
        each.json_name: _printed_field(each, data[each.json_name])
        for each in declared.fields
        if each.json_name in data
    }


def _printed_field(each: MessageField, value: Any) -> JSON:
    if each.label == "list":
        return [_printed_one(each.type, element) for element in value]
    if each.label == "map":
        return {key: _printed_one(each.type, value[key]) for key in sorted(value, key=str.encode)}
    return _printed_one(each.type, value)


def _printed_one(declared: ValueType, value: Any) -> JSON:  # noqa: PLR0911 - one per kind of type
    if value is None:
        return None
    match declared:
        case ScalarType():
            return _printed_scalar(declared, value)
        case WrapperType():
            return _printed_scalar(declared.scalar, value)
        case EnumType():
            return declared.names.get(value, value)
        case DurationType():
            return proto_text(value)
        case StructureType():
            return in_key_order(value)
        case MessageType():
            return _printed(declared, value)


def _printed_scalar(declared: ScalarType, value: Any) -> JSON:
    if declared.name in ("int64", "uint64"):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
