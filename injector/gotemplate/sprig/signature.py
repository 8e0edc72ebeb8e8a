"""A Go signature as text and a Python callable, to a Function."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.functions import Function
from injector.gotemplate.types import Type

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

    A result of type ``[]any`` may be None, and is the nil slice then. ``facts`` are further fields.
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
