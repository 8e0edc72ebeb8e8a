"""Encode a template's value as the JSON of Go's encoding/json or the YAML of sigs.k8s.io/yaml.

Structs of Kubernetes have Go's field order, maps are sorted by their keys.
"""

from __future__ import annotations

import json
import math
import re
from typing import Final, Never

import orjson

from injector.errors import YAMLError
from injector.golang.jsontext import EncodingError, go_json, json_fault, without_surrogates
from injector.golang.unicode import to_valid
from injector.gotemplate import FunctionError, from_json
from injector.gotemplate.fmt import sorted_keys
from injector.gotemplate.values import MISSING, NilPointer, Pointer, Struct, TypedList, TypedMap, Value
from injector.istio.go_types import encodable
from injector.istio.mesh.jsonpb import to_json as message_to_json
from injector.istio.mesh.views import message_of
from injector.json_types import JSON
from injector.kubeyaml import dump
from injector.patch import normalise

_DEEPEST: Final = 200
"""Levels of lists and objects in one JSON text; Go has 10,000, but Python's stack is smaller."""

_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""A string, or a bracket outside of one. An unterminated string goes to the end of the text: searching again
from each of its quotes would take minutes for a long one."""


def encode(value: Value, *, escape_html: bool) -> str:
    """Return the compact JSON of a value; FunctionError for what JSON cannot say."""
    try:
        return go_json(to_json(value), sort_keys=False, escape_html=escape_html)
    except EncodingError as error:
        raise FunctionError(str(error)) from error


def decode(text: str) -> Value:
    """Return JSON as a value; FunctionError in encoding/json's words."""
    return from_json(parse(text))


def to_json(value: Value) -> JSON:  # noqa: PLR0911 - one case a kind
    """Return a value as JSON whose keys are in Go's order."""
    if isinstance(value, (str, float, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Pointer):
        return to_json(value.value)
    if value is None or value is MISSING or isinstance(value, NilPointer) or _is_nil(value):
        return None
    kubernetes = encodable(value)
    if kubernetes is not None:
        return normalise(*kubernetes)
    if isinstance(value, dict):
        return {str(key): to_json(value[key]) for key in sorted_keys(value)}
    if isinstance(value, list):
        return [to_json(element) for element in value]
    if isinstance(value, Struct):
        return _struct(value)
    raise FunctionError("json: unsupported type: func()")


def _is_nil(value: Value) -> bool:
    return isinstance(value, (TypedList, TypedMap)) and value.is_nil


def _struct(value: Struct) -> JSON:
    message = message_of(value)
    if message is not None:
        return message_to_json(message)
    data = value.whole()
    if "text" in data:  # a quantity, a time, an IntOrString
        return data["text"]
    if value.type.stringer is not None and "json.Marshaler" in value.type.implements:  # semver.Version
        return value.type.stringer(value)
    fields = ((name, value.type.fields[name].json_name or name, field) for name, field in value.items())
    # A field that has the same name in JSON has no tag, and only a tag makes Go leave out an empty one.
    return {name: to_json(field) for go_name, name, field in fields if field or name == go_name}


def to_yaml(value: Value) -> str:
    """Return a value as YAML, "" where Go cannot marshal it."""
    try:
        return dump(to_json(value))
    except (YAMLError, FunctionError):
        return ""


def parse(text: str) -> JSON:
    """Return the JSON in ``text`` as Go reads it into an interface{}; FunctionError in Go's words."""
    if text.count("[") + text.count("{") > _DEEPEST:
        _check_depth(text)
    try:
        return orjson.loads(text)
    except ValueError:
        return _parse_slowly(text)


def _check_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKET.findall(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(bracket, 0)
        if depth > _DEEPEST:
            raise FunctionError("exceeded max depth")


def _parse_slowly(text: str) -> JSON:
    """Read what orjson refuses and Go accepts: lone surrogates, and bytes that are not valid UTF-8."""
    try:
        value = json.loads(to_valid(text), parse_constant=_refuse, parse_float=_finite, parse_int=_finite)
    except ValueError as error:
        fault = json_fault(text.encode(errors="surrogateescape"))
        raise FunctionError(fault or str(error)) from error
    return without_surrogates(value)


def _refuse(constant: str) -> Never:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"json: cannot unmarshal number {digits} into Go value of type float64")
    return number
