"""sprig's encodings, checksums and JSON. JSON itself comes from the two functions passed in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.sprig.shared import go, octets, text_of
from injector.gotemplate.values import Value

_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BREAKS: Final = b"\r\n"
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]\s*[\]}]|[\[\]{},:]|[^\[\]{},:"]+', re.DOTALL)


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, octets(text), usedforsecurity=False).hexdigest()


def b64dec(text: str) -> str:
    """Return the decoded text, or the text of the error."""
    data = octets(text)
    if (fault := _base64_fault(data)) is not None:
        return f"illegal base64 data at input byte {fault}"
    return text_of(binascii.a2b_base64(data))


def _base64_fault(data: bytes) -> int | None:
    """Return the position of the first invalid byte; line breaks do not count as data."""
    rest = data.lstrip(_BASE64 + _BREAKS)
    place = len(data) - len(rest)
    digits = len(data[:place].translate(None, _BREAKS)) % 4
    if not rest:
        return place - digits if digits else None
    if digits < 2 or not rest.startswith(b"="):
        return place
    rest = rest[1:].lstrip(_BREAKS)
    if digits == 2:
        if not rest.startswith(b"="):
            return len(data) - len(rest) - bool(rest)
        rest = rest[1:].lstrip(_BREAKS)
    return len(data) - len(rest) if rest else None


def b32dec(text: str) -> str:
    """Return the decoded text, or the text of the error."""
    data = octets(text).translate(None, _BREAKS)
    if (fault := _base32_fault(data)) is not None:
        return f"illegal base32 data at input byte {fault}"
    return text_of(base64.b32decode(data[: len(data) // 8 * 8]))


def _base32_fault(data: bytes) -> int | None:
    """Return the position in Go's error; what follows the padding in the last eight bytes is ignored."""
    rest = data.lstrip(_BASE32)
    place = len(data) - len(rest)
    digits = place % 8
    if not rest:
        return place - digits if digits else None
    if digits < 2 or len(rest) > 8 or not rest.startswith(b"="):
        return place
    padding = rest[: 8 - digits]
    if len(padding) < 8 - digits:
        return len(data)
    if other := padding.lstrip(b"="):
        return place + len(padding) - len(other) - 1
    return place if digits in (3, 6) else None


def pretty(text: str) -> str:
    """Return compact JSON with two spaces for each level, in the layout of json.MarshalIndent."""
    out: list[str] = []
    depth = 0
    for piece in _TOKEN.findall(text):
        if piece in ("{", "["):
            depth += 1
            out += piece, "\n", "  " * depth
        elif piece in ("}", "]"):
            depth -= 1
            out += "\n", "  " * depth, piece
        elif piece == ",":
            out += ",\n", "  " * depth
        else:
            out.append(": " if piece == ":" else piece)
    return "".join(out)


def _lenient(call: Callable[[Any], Any], failed: Value) -> Callable[[Any], Any]:
    """Return a function that returns ``failed`` where ``call`` raises."""

    def tried(argument: Any) -> Any:
        try:
            return call(argument)
        except FunctionError:
            return failed

    return tried


def functions(encode: Callable[..., str], decode: Callable[[str], Value]) -> dict[str, Function]:
    """Return the functions, those about JSON by Go's encoding/json.

    ``encode(value, escape_html=True)`` returns the compact JSON of a template's value, ``decode(text)`` the
    value, every number a float64; both raise FunctionError with Go's message.
    """
    to_json = partial(encode, escape_html=True)
    to_raw = partial(encode, escape_html=False)

    def to_pretty(value: Value) -> str:
        return pretty(to_json(value))

    one, sure = "func(any) string", "func(any) (string, error)"
    return {
        "adler32sum": go("func(string) string", lambda text: str(zlib.adler32(octets(text)))),
        "b32dec": go("func(string) string", b32dec),
        "b32enc": go("func(string) string", lambda text: base64.b32encode(octets(text)).decode()),
        "b64dec": go("func(string) string", b64dec),
        "b64enc": go("func(string) string", lambda text: base64.b64encode(octets(text)).decode()),
        "fromJson": go("func(string) any", _lenient(decode, None)),
        "mustFromJson": go("func(string) (any, error)", decode),
        "mustToJson": go(sure, to_json, text=True),
        "mustToPrettyJson": go(sure, to_pretty, text=True),
        "mustToRawJson": go(sure, to_raw, text=True),
        "sha1sum": go("func(string) string", _digest("sha1")),
        "sha256sum": go("func(string) string", _digest("sha256")),
        "sha512sum": go("func(string) string", _digest("sha512")),
        "toJson": go(one, _lenient(to_json, ""), text=True),
        "toPrettyJson": go(one, _lenient(to_pretty, ""), text=True),
        "toRawJson": go(one, to_raw, text=True),
    }
