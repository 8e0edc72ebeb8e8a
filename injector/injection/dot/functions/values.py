"""Istio's template functions for texts, maps and durations."""

from __future__ import annotations

from collections.abc import Mapping

from injector.golang.jsontext import EncodingError, go_json
from injector.golang.times import format_duration as duration_text
from injector.gotemplate import FunctionError, NilPointer, StringMap, Struct, Value, from_json
from injector.gotemplate.sprig.shared import check_size, repeated
from injector.injection.dot.functions.encoding import parse, to_json
from injector.istio.mesh.views import nanoseconds_of

_OBJECT = "{}"
"""Istio's result for what it cannot encode or decode; for decoding, too, it is a string."""


def format_duration(duration: Struct | NilPointer) -> str:
    """Return a Duration as Go prints it; a nil one is 0s (1.14)."""
    return duration_text(nanoseconds_of(duration))


def format_duration_or_second(duration: Struct | NilPointer) -> str:
    """Return a Duration as Go prints it; a nil one is 1s (until 1.13)."""
    return "1s" if isinstance(duration, NilPointer) else format_duration(duration)


def value_or_default(value: Value, default: Value) -> Value:
    """Return the value, the default if it is nil or an empty string: 0 and false are values."""
    return default if value is None or (type(value) is str and not value) else value


def indent(count: int, text: str) -> str:
    """Return ``text`` with every line but the first indented: fmt pads to a negative width as well."""
    pad = repeated(" ", abs(count))
    check_size(len(text) + len(pad) * text.count("\n"))
    return text.replace("\n", "\n" + pad)


def directory(path: str) -> str:
    """Return the path up to its last slash, with it."""
    return path[: path.rfind("/") + 1]


def contains(needle: str, haystack: str) -> bool:
    """Return whether the second text contains the first."""
    return needle in haystack


def identity(text: str) -> str:
    """Return the text unchanged."""
    return text


# JSON.


def to_json_map(values: StringMap) -> str:
    """``toJSON``, ``toJson``: a map of strings as JSON; a nil map is ``{}``."""
    return go_json(dict(values))


def merged_json(*maps: Mapping[str, str]) -> str:
    """``toJsonMap``: all maps as one JSON object, and no map as null."""
    return go_json(to_json(merge_maps(*maps)))


def struct_to_json(value: Value) -> str:
    """Return any value as JSON; nil, and what JSON cannot say, is ``{}``."""
    if value is None:
        return _OBJECT
    try:
        return go_json(to_json(value), sort_keys=False)
    except (EncodingError, FunctionError):
        return _OBJECT


def from_json_text(text: str) -> Value:
    """Return the value of a JSON text; for invalid JSON the string ``{}``."""
    try:
        return from_json(parse(text))
    except FunctionError:
        return _OBJECT


# Maps.


def omit(values: Mapping[str, str], *keys: str) -> StringMap:
    """Return a map of strings without these keys."""
    return StringMap({key: value for key, value in values.items() if key not in keys})


def string_dictionary(*pairs: str) -> StringMap:
    """Return a map of strings from alternating keys and values; a last key without a value gets ""."""
    return StringMap(dict(zip(pairs[::2], [*pairs[1::2], ""], strict=False)))


def merge_maps(*maps: Mapping[str, str]) -> StringMap:
    """Return all maps of strings as one, nil for no maps; the last value of a key wins."""
    merged: dict[str, str] = {}
    for each in maps:
        merged.update(each)
    return StringMap(merged, is_nil=not maps)


def omit_nil(value: Value) -> Value:
    """Return the value without nil in its maps and lists; one that becomes empty is nil itself."""
    kept: Value
    if type(value) is dict:
        kept = {key: left for key, element in value.items() if (left := omit_nil(element)) is not None}
    elif type(value) is list:
        kept = [left for element in value if (left := omit_nil(element)) is not None]
    else:
        return value
    return kept if kept or not value else None
