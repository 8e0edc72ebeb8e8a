"""sprig's encodings, checksums and JSON. Knows JSON only through the codec that it is given."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from injector.gotemplate.errors import FunctionError
from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.sprig.texts import octets, text_of
from injector.gotemplate.values import Value

_BASE64: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_BASE32: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]\s*[\]}]|[\[\]{},:]|[^\[\]{},:"]+', re.DOTALL)


class JSONCodec(Protocol):
    """Go's encoding/json; both raise FunctionError with its message."""

    def encode(self, value: Value, *, escape_html: bool) -> str:
        """Return the compact JSON of a template's value."""
        ...

    def decode(self, text: str) -> Value:
        """Return JSON as a template's value, every number a float64."""
        ...


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, octets(text), usedforsecurity=False).hexdigest()


def b64dec(text: str) -> str:
    """Return the decoded text, or the text of what is wrong."""
    data = octets(text).translate(None, b"\r\n")
    if (fault := _fault(octets(text), _BASE64, 4, (2, 3))) is not None:
        return f"illegal base64 data at input byte {fault}"
    return text_of(binascii.a2b_base64(data))


def b32dec(text: str) -> str:
    """Return the decoded text, or the text of what is wrong."""
    data = octets(text).translate(None, b"\r\n")
    if (fault := _fault(data, _BASE32, 8, (2, 4, 5, 7))) is not None:
        return f"illegal base32 data at input byte {fault}"
    return text_of(base64.b32decode(data))


def _fault(data: bytes, alphabet: frozenset[int], size: int, endings: tuple[int, ...]) -> int | None:
    """Return the place of the first byte that cannot stand there; blank lines do not count as data."""
    digits = 0
    for place, octet in enumerate(data):
        if octet in b"\r\n":
            continue
        if octet == 0x3D:
            return _padding_fault(data, place, size, digits % size, endings)
        if octet not in alphabet:
            return place
        digits += 1
    return None if digits % size == 0 else len(data) - digits % size if size == 4 else len(data)


def _padding_fault(data: bytes, place: int, size: int, digits: int, endings: tuple[int, ...]) -> int | None:
    if digits not in endings:
        return place
    missing = size - digits
    for at in range(place, len(data)):
        if data[at] in b"\r\n":
            continue
        if missing == 0 or data[at] != 0x3D:
            return at
        missing -= 1
    return len(data) if missing else None


def pretty(text: str) -> str:
    """Return compact JSON with two blanks for each level, as json.MarshalIndent lays it out."""
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
    """Return a function that answers ``failed`` where ``call`` says that something is wrong."""

    def tried(argument: Any) -> Any:
        try:
            return call(argument)
        except FunctionError:
            return failed

    return tried


def functions(codec: JSONCodec) -> Mapping[str, Function]:
    """Return the functions, those about JSON on top of ``codec``."""

    def to_json(value: Value) -> str:
        return codec.encode(value, escape_html=True)

    def to_raw(value: Value) -> str:
        return codec.encode(value, escape_html=False)

    def to_pretty(value: Value) -> str:
        return pretty(codec.encode(value, escape_html=True))

    one, sure = "func(any) string", "func(any) (string, error)"
    return {
        "adler32sum": go("func(string) string", lambda text: str(zlib.adler32(octets(text)))),
        "b32dec": go("func(string) string", b32dec),
        "b32enc": go("func(string) string", lambda text: base64.b32encode(octets(text)).decode()),
        "b64dec": go("func(string) string", b64dec),
        "b64enc": go("func(string) string", lambda text: base64.b64encode(octets(text)).decode()),
        "fromJson": go("func(string) any", _lenient(codec.decode, None)),
        "mustFromJson": go("func(string) (any, error)", codec.decode),
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
