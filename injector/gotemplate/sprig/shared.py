"""Shared by sprig's string functions: any value as text, strings as bytes, limits.

Go's strings are bytes. Where a function counts or cuts bytes, the text is encoded first; a byte that is not
valid UTF-8 is a lone surrogate in Python's string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from injector.gotemplate import fmt, types
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.types import Type
from injector.gotemplate.values import TypedList, Value, kind

NIL_DEREFERENCE: Final = "runtime error: invalid memory address or nil pointer dereference"

LARGEST_TEXT: Final = 8 << 20
"""Bytes that one function may make: as many as a whole AdmissionReview may have."""

LONGEST_LIST: Final = 100_000
"""Elements that one function may make; no list of a pod has a thousandth of that."""


def octets(text: str) -> bytes:
    """Return the bytes of Go's string."""
    return text.encode(errors="surrogateescape")


def text_of(data: bytes) -> str:
    """Return the string that has these bytes."""
    return data.decode(errors="surrogateescape")


def strval(value: Value) -> str:
    """Return any value as text: a string unchanged, bytes as a string, anything else as ``%v`` prints it."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, TypedList) and value.type.name == "[]uint8":
        return text_of(bytes(value))
    return fmt.format_value(value)


def strings_of(value: Value) -> list[str]:
    """Return the elements of a list as texts, without nil; any other value as the only text."""
    if isinstance(value, list):
        return [strval(element) for element in value if element is not None]
    return [] if value is None else [strval(value)]


def string_list(items: Iterable[str]) -> TypedList:
    """Return a ``[]string``."""
    return TypedList(items, types.SLICE_STRING)


def cut(text: str, start: int | None, end: int | None) -> str:
    """Return ``text[start:end]`` by bytes, where Go panics out of range."""
    data = octets(text)
    if end is not None and not 0 <= end <= len(data):
        length = "" if end < 0 else f" with length {len(data)}"
        raise FunctionError(f"runtime error: slice bounds out of range [:{end}]{length}")
    last = len(data) if end is None else end
    if start is not None and not 0 <= start <= last:
        bound = f"[{start}:]" if start < 0 else f"[{start}:{last}]"
        raise FunctionError(f"runtime error: slice bounds out of range {bound}")
    return text_of(data[start:end])


def repeated(text: str, count: int) -> str:
    """Return ``text`` ``count`` times; FunctionError when that is negative or too large."""
    if count < 0:
        raise FunctionError("strings: negative Repeat count")
    check_size(len(text) * count)
    return text * count


def check_size(size: int) -> None:
    """Raise FunctionError for a text of more than LARGEST_TEXT."""
    if size > LARGEST_TEXT:
        raise FunctionError(f"{size} bytes are more than the {LARGEST_TEXT} that a function may make")


def check_length(length: int) -> None:
    """Raise FunctionError for a list of more than LONGEST_LIST."""
    if length > LONGEST_LIST:
        raise FunctionError(f"{length} elements are more than the {LONGEST_LIST} that a function may make")


def kind_name(value: Any) -> str:
    """Return what reflect's Kind prints; nil is ``invalid``."""
    name = kind(value)
    return {"pointer": "ptr", "interface": "invalid"}.get(name, name)


TIME: Final = Type(kind="struct", name="time.Time", named=True)
SEMVER: Final = types.StructType(name="semver.Version")
CERTIFICATE: Final = types.StructType(name="sprig.certificate")
SLICE_INT: Final = types.slice_of(types.INT)
CHUNKS: Final = types.slice_of(types.SLICE_ANY)

_TYPES: Final = {
    "any": types.ANY,
    "bool": types.BOOL,
    "float64": types.FLOAT64,
    "int": types.INT,
    "int64": types.INT64,
    "string": types.STRING,
    "uint32": types.UINT32,
    "[]any": types.SLICE_ANY,
    "[]int": SLICE_INT,
    "[]string": types.SLICE_STRING,
    "[][]any": CHUNKS,
    "map[string]any": types.MAP_ANY,
    "map[string]string": types.MAP_STRING,
    "*semver.Version": types.pointer_to(SEMVER),
    "sprig.certificate": CERTIFICATE,
    "time.Time": TIME,
}
_SIGNATURE: Final = re.compile(r"func\((?P<params>.*?)\) (?:\((?P<pair>.*), error\)|(?P<result>.*))")


def go(signature: str, call: Callable[..., Any], **facts: Any) -> Function:
    """Return the function of ``signature``, for instance ``func(string, ...any) (any, error)``.

    A result of type ``[]any`` may be None, which is the nil slice then. ``facts`` are further fields.
    """
    match = _SIGNATURE.fullmatch(signature)
    assert match is not None  # noqa: S101 - signatures are constants
    params = [param for param in match["params"].split(", ") if param]
    variadic = bool(params) and params[-1].startswith("...")
    return Function(
        call=call,
        params=tuple(_TYPES[param.removeprefix("...")] for param in params),
        variadic=variadic,
        result=_TYPES[match["pair"] or match["result"]],
        **facts,
    )
