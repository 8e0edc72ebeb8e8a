"""JSON values as the text that Go's encoding/json writes, and its words for their kinds.

orjson writes what it writes alike; the rest (floats, bad UTF-8, huge ints) is written here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import orjson

from injector.errors import InjectorError
from injector.golang.floats import json_float
from injector.golang.unicode import to_valid
from injector.json_types import JSON, Number

_LIKE_A_FLOAT: Final = re.compile(rb"[0-9][.e]").search
_PERHAPS_A_FLOAT: Final = re.compile(rb'(?:":|[\[,])-?[0-9]+[.e]').search
_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_LINES: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
_CONTAINERS: Final = (dict, list, tuple)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def without_surrogates(value: JSON) -> JSON:
    """Return JSON read by Python as encoding/json would have read it: U+FFFD stands for a lone surrogate."""
    if isinstance(value, str):
        return to_valid(value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {to_valid(key): without_surrogates(item) for key, item in value.items()}
    return value


def member(value: JSON, key: str) -> JSON:
    """Return the member of an object under ``key``, in any case where not so, as encoding/json finds a field.

    None where there is none, and for what is not an object.
    """
    if not isinstance(value, dict):
        return None
    if key in value:
        return value[key]
    return next((item for name, item in value.items() if name.lower() == key.lower()), None)


_KINDS: Final = {
    bool: "bool",
    str: "string",
    int: "number",
    float: "number",
    Number: "number",
    list: "array",
    dict: "object",
}


def kind_of(value: JSON) -> str:
    """Return encoding/json's word for the kind of a JSON value, such as ``object`` or ``number``."""
    return _KINDS[type(value)]


def mismatch(value: JSON, go_type: str) -> str:
    """Return encoding/json's sentence for a value of another kind than ``go_type``."""
    return f"json: cannot unmarshal {kind_of(value)} into Go value of type {go_type}"


class EncodingError(InjectorError):
    """A value that JSON cannot say; ``str()`` is encoding/json's sentence."""


def go_json(value: JSON, *, sort_keys: bool = True, escape_html: bool = True) -> str:
    r"""Return json.Marshal of ``value``: no spaces, ``<``, ``>``, ``&``, U+2028 and U+2029 escaped.

    ``sort_keys=False`` keeps the order of dicts: that of a Go struct's fields. ``escape_html=False`` is
    an Encoder after SetEscapeHTML(false). Lone surrogates (bytes that are no UTF-8) become ``\ufffd``.
    Raises EncodingError for infinities, NaN and what JSON cannot hold.
    """
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except (TypeError, ValueError):
        data = b""
    if not data or _has_floats(value, data):
        data = "".join(_pieces(value, sort_keys)).encode()
    for character, escape in (*_HTML, *_LINES) if escape_html else _LINES:
        if character in data:
            data = data.replace(character, escape)
    return data.decode()


def _has_floats(value: JSON, data: bytes) -> bool:
    """Tell from orjson's text whether the value may have floats; it writes infinities and NaN as null."""
    if isinstance(value, float) or (_LIKE_A_FLOAT(data) and _PERHAPS_A_FLOAT(data)):
        return True
    return b"null" in data and isinstance(value, _CONTAINERS) and _holds_float(value)


def _holds_float(value: JSON) -> bool:
    for child in value.values() if isinstance(value, dict) else value:
        if child.__class__ is str:
            continue
        if isinstance(child, float) or (isinstance(child, _CONTAINERS) and _holds_float(child)):
            return True
    return False


def _pieces(value: JSON, sort_keys: bool) -> Iterator[str]:  # noqa: FBT001 - private, named by its caller
    """Yield the text of ``value``, not yet escaped for HTML."""
    if isinstance(value, float):
        yield _float(value)
    elif isinstance(value, str):
        yield _string(value)
    elif isinstance(value, dict):
        yield from _mapping(value, sort_keys)
    elif isinstance(value, list | tuple):
        opening = "["
        for element in value:
            yield opening
            yield from _pieces(element, sort_keys)
            opening = ","
        yield "]" if value else "[]"
    elif value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, int):
        yield str(int(value))
    else:
        raise EncodingError(f"json: unsupported type: {type(value).__name__}")


def _mapping(value: dict[str, JSON], sort_keys: bool) -> Iterator[str]:  # noqa: FBT001 - as above
    opening = "{"
    for key in sorted(value, key=_bytes) if sort_keys else value:
        yield opening
        yield _string(key)
        yield ":"
        yield from _pieces(value[key], sort_keys)
        opening = ","
    yield "}" if value else "{}"


def _bytes(key: str) -> bytes:
    """Go sorts by UTF-8 bytes, and a lone surrogate stands for the byte that it came from."""
    return key.encode("utf-8", "surrogateescape")


def _float(number: float) -> str:
    if math.isfinite(number):
        return json_float(number)
    name = "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
    raise EncodingError(f"json: unsupported value: {name}")


def _string(text: str) -> str:
    try:
        return orjson.dumps(str(text)).decode()
    except TypeError:
        parts = _SURROGATE.split(text)
        return '"' + "\\ufffd".join(orjson.dumps(part).decode()[1:-1] for part in parts) + '"'
