"""The text that Go's encoding/json writes for JSON values, its words for kinds, its errors for invalid JSON.

orjson writes most values alike; the rest (floats, bad UTF-8, huge ints) is written here. orjson reads JSON
too, but with other error messages: the scanner here runs only once something is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import orjson

from injector.errors import InjectorError
from injector.golang.strconv import json_float, quote_rune
from injector.golang.unicode import HALF_SURROGATE, fold, to_valid
from injector.json_types import JSON, Number

_DIGITS_AND_POINTS: Final = bytes.maketrans(b"0123456789.", b"0000000000e")
"""With all digits one and the point an e, floats are found by a search for bytes: a pattern takes three times
as long."""
_PERHAPS_A_FLOAT: Final = re.compile(rb'(?:":|[\[,])-?[0-9]+[.e]').search
_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
_LINES: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))
_CONTAINERS: Final = (dict, list, tuple)


def without_surrogates(value: JSON) -> JSON:
    """Return JSON read by Python as encoding/json would have read it: a lone surrogate becomes U+FFFD."""
    if isinstance(value, str):
        return to_valid(value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {to_valid(key): without_surrogates(item) for key, item in value.items()}
    return value


def fold_name(name: str) -> str:
    """Return ``name`` in a form that is equal for two names which encoding/json takes for the same key."""
    return name.lower() if name.isascii() else "".join(map(fold, name))


def member(value: JSON, key: str) -> JSON:
    """Return the member of an object under ``key``, else one in any case, as encoding/json finds a field.

    None where there is none, and for a value that is not an object.
    """
    if not isinstance(value, dict):
        return None
    if key in value:
        return value[key]
    return next((item for name, item in value.items() if fold_name(name) == fold_name(key)), None)


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
    """Return encoding/json's error for a value of another kind than ``go_type``."""
    return f"json: cannot unmarshal {kind_of(value)} into Go value of type {go_type}"


class EncodingError(InjectorError):
    """A value that JSON cannot represent; ``str()`` is encoding/json's sentence."""


def go_json(value: JSON, *, sort_keys: bool = True, escape_html: bool = True) -> str:
    r"""Return json.Marshal of ``value``: no spaces, ``<``, ``>``, ``&``, U+2028 and U+2029 escaped.

    ``sort_keys=False`` keeps the order of dicts: that of a Go struct's fields. ``escape_html=False`` is an
    Encoder after SetEscapeHTML(false). Lone surrogates (bytes that are not valid UTF-8) become ``\ufffd``.
    Raises EncodingError for infinities, NaN and other values that JSON cannot represent.
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
    """Return whether the value may have floats, by orjson's text; it writes infinities and NaN as null."""
    if isinstance(value, float) or (b"0e" in data.translate(_DIGITS_AND_POINTS) and _PERHAPS_A_FLOAT(data)):
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
    """Return what Go sorts by: UTF-8 bytes; a lone surrogate stands for the byte that it came from."""
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
        parts = HALF_SURROGATE.split(text)
        return '"' + "\\ufffd".join(orjson.dumps(part).decode()[1:-1] for part in parts) + '"'


# The errors of invalid JSON.

_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_NUMERALS: Final = re.compile(rb"[0-9]*")
_CLOSING: Final = {b"{": b"}", b"[": b"]"}
_LITERALS: Final = {b"t": b"true", b"f": b"false", b"n": b"null"}
_IN_STRING: Final = "in string literal"
_AFTER_POINT: Final = "after decimal point in numeric literal"


class _FaultError(Exception):
    """Carries the sentence from where the fault is found to ``json_fault``."""


def json_fault(text: bytes) -> str:
    """Return json.Unmarshal's error about the syntax of ``text``; "" when it is valid.

    A byte that no JSON can have there is shown as the character of that code, as Go does.
    """
    scanner = _Scanner(text)
    try:
        scanner.value()
        scanner.skip(_BLANKS)
        if scanner.position < len(text):
            raise scanner.unexpected("after top-level value")
    except _FaultError as fault:
        return str(fault)
    return ""


class _Scanner:
    """A position in a text; each method consumes one part of the grammar or raises."""

    __slots__ = ("position", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0

    def unexpected(self, where: str) -> _FaultError:
        """Return the fault at the position; where a space is allowed, the end is only a premature end."""
        if self.position < len(self.text):
            return _FaultError(f"invalid character {quote_rune(chr(self.text[self.position]))} {where}")
        inside = where == _AFTER_POINT or (where.startswith("in ") and where != _IN_STRING)
        return _FaultError(f"invalid character ' ' {where}" if inside else "unexpected end of JSON input")

    def next(self) -> bytes:
        """Return the byte at the position, none at the end."""
        return self.text[self.position : self.position + 1]

    def takes(self, byte: bytes) -> bool:
        """Consume a byte if it is there; return whether it was."""
        found = self.next() == byte
        self.position += found
        return found

    def take(self, allowed: bytes, where: str) -> None:
        """Consume one of the allowed bytes."""
        if (self.next() or b" ") not in allowed:
            raise self.unexpected(where)
        self.position += 1

    def skip(self, run: re.Pattern[bytes]) -> None:
        """Consume a possibly empty run of bytes in one step: texts are long and this is Python."""
        found = run.match(self.text, self.position)
        assert found is not None  # noqa: S101 - the patterns match the empty text
        self.position = found.end()

    def value(self) -> None:
        """Consume any value; open containers are kept in a list, so that depth costs no stack."""
        opened: list[bytes] = []
        while self._opens(opened) or self._continues(opened):
            pass

    def _opens(self, opened: list[bytes]) -> bool:
        """Consume a scalar or the opening of a container; return whether a value must follow."""
        self.skip(_BLANKS)
        byte = self.next()
        if byte not in _CLOSING:
            self._scalar(byte)
            return False
        self.position += 1
        opened.append(byte)
        self.skip(_BLANKS)
        if self.next() == _CLOSING[byte]:
            return False
        if byte == b"{":
            self._key()
        return True

    def _continues(self, opened: list[bytes]) -> bool:
        """Consume what may follow a value; return whether another value must follow."""
        while opened:
            self.skip(_BLANKS)
            if self.takes(_CLOSING[opened[-1]]):
                opened.pop()
                continue
            is_object = opened[-1] == b"{"
            self.take(b",", "after object key:value pair" if is_object else "after array element")
            if is_object:
                self.skip(_BLANKS)
                self._key()
            return True
        return False

    def _key(self) -> None:
        if self.next() != b'"':
            raise self.unexpected("looking for beginning of object key string")
        self._string()
        self.skip(_BLANKS)
        self.take(b":", "after object key")

    def _scalar(self, byte: bytes) -> None:
        if byte == b'"':
            self._string()
        elif byte in _LITERALS:
            word = _LITERALS[byte].decode()
            for letter in word:
                self.take(letter.encode(), f"in literal {word} (expecting '{letter}')")
        elif byte == b"-" or byte.isdigit():
            self._number()
        else:
            raise self.unexpected("looking for beginning of value")

    def _string(self) -> None:
        self.position += 1
        self.skip(_PLAIN)
        while not self.takes(b'"'):
            self.take(b"\\", _IN_STRING)
            if self.takes(b"u"):
                for _ in range(4):
                    self.take(b"0123456789abcdefABCDEF", "in \\u hexadecimal character escape")
            else:
                self.take(b'bfnrt\\/"', "in string escape code")
            self.skip(_PLAIN)

    def _number(self) -> None:
        self.takes(b"-")
        if not self.takes(b"0"):
            self._digits("in numeric literal")
        if self.takes(b"."):
            self._digits(_AFTER_POINT)
        if self.takes(b"e") or self.takes(b"E"):
            if not self.takes(b"+"):
                self.takes(b"-")
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        self.take(b"0123456789", where)
        self.skip(_NUMERALS)
