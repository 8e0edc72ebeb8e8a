"""JSON values as the text that Go's encoding/json writes, its words for kinds, and for text that is no JSON.

orjson writes what it writes alike; the rest (floats, bad UTF-8, huge ints) is written here. What it reads it
reads as fast, but says other words: the scanner here runs only once something is wrong.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Final

import orjson

from injector.errors import InjectorError
from injector.golang.strconv import json_float, quote_inside
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


_SPACE: Final = frozenset(b" \t\r\n")
_DIGITS: Final = frozenset(b"0123456789")
_NUMBER: Final = _DIGITS | frozenset(b"-")
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_ESCAPES: Final = frozenset(b'bfnrt\\/"')
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_BLANKS: Final = re.compile(rb"[ \t\r\n]*")
_NUMERALS: Final = re.compile(rb"[0-9]*")
_CONTROL: Final = frozenset((-1, *range(0x20)))
_OBJECT, _ARRAY, _COMMA, _QUOTE, _BACKSLASH = (ord(character) for character in '{[,"\\')
_CLOSING: Final = {_OBJECT: ord("}"), _ARRAY: ord("]")}
_COMMA_ONLY: Final = frozenset((_COMMA,))
_COLON_ONLY: Final = frozenset(b":")
_EXPONENT: Final = frozenset(b"eE")
_SIGNS: Final = frozenset(b"+-")
_VALUE: Final = "looking for beginning of value"
_KEY: Final = "looking for beginning of object key string"
_LITERALS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_IN_STRING: Final = "in string literal"
_AFTER_POINT: Final = "after decimal point in numeric literal"
_END: Final = "unexpected end of JSON input"


class _FaultError(Exception):
    """Carries the sentence from where it is found to ``json_fault``."""


def json_fault(text: bytes) -> str:
    """Return what json.Unmarshal says about the syntax of ``text``; "" when it is JSON.

    A byte that no JSON can have there is shown as the character of that code, as Go does.
    """
    scanner = _Scanner(text)
    try:
        scanner.value()
        scanner.space()
        if scanner.position < len(text):
            raise scanner.unexpected("after top-level value")
    except _FaultError as fault:
        return str(fault)
    return ""


class _Scanner:
    """A position in a text; each method consumes one thing of the grammar or raises."""

    __slots__ = ("position", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.position = 0

    def unexpected(self, where: str) -> _FaultError:
        """Return the fault at the position; where a blank may stand, the end is only an early end."""
        if self.position < len(self.text):
            return _FaultError(f"invalid character {_shown(self.text[self.position])} {where}")
        inside = where == _AFTER_POINT or (where.startswith("in ") and where != _IN_STRING)
        return _FaultError(f"invalid character ' ' {where}" if inside else _END)

    def peek(self) -> int:
        """Return the byte at the position, -1 at the end."""
        return self.text[self.position] if self.position < len(self.text) else -1

    def space(self) -> None:
        self._skip(_BLANKS)

    def take(self, allowed: frozenset[int], where: str) -> None:
        """Consume one of the allowed bytes."""
        if self.peek() not in allowed:
            raise self.unexpected(where)
        self.position += 1

    def digits(self) -> None:
        self._skip(_NUMERALS)

    def _skip(self, run: re.Pattern[bytes]) -> None:
        """Consume a run of bytes, which may be empty, in one step: texts are long and this is not C."""
        found = run.match(self.text, self.position)
        assert found is not None  # noqa: S101 - the patterns match the empty text
        self.position = found.end()

    def value(self) -> None:
        """Consume any value; what is open is kept in a list, so that depth costs no stack."""
        opened: list[int] = []
        while self._opens(opened) or self._continues(opened):
            pass

    def _opens(self, opened: list[int]) -> bool:
        """Consume a scalar or the opening of a container; tell whether a value has to follow."""
        self.space()
        byte = self.peek()
        if byte not in _CLOSING:
            self._scalar(byte)
            return False
        self.position += 1
        opened.append(byte)
        self.space()
        if self.peek() == _CLOSING[byte]:
            return False
        if byte == _OBJECT:
            self._key()
        return True

    def _continues(self, opened: list[int]) -> bool:
        """Consume what may stand after a value; tell whether another one has to follow."""
        while opened:
            self.space()
            if self.peek() == _CLOSING[opened[-1]]:
                self.position += 1
                opened.pop()
                continue
            what = "array element" if opened[-1] == _ARRAY else "object key:value pair"
            self.take(_COMMA_ONLY, f"after {what}")
            if opened[-1] == _OBJECT:
                self.space()
                self._key()
            return True
        return False

    def _key(self) -> None:
        if self.peek() != _QUOTE:
            raise self.unexpected(_KEY)
        self._string()
        self.space()
        self.take(_COLON_ONLY, "after object key")

    def _scalar(self, byte: int) -> None:
        if byte == _QUOTE:
            self._string()
        elif byte in _LITERALS:
            self._literal(_LITERALS[byte])
        elif byte in _NUMBER:
            self._number()
        else:
            raise self.unexpected(_VALUE)

    def _literal(self, literal: bytes) -> None:
        word = literal.decode()
        for letter in literal:
            self.take(frozenset((letter,)), f"in literal {word} (expecting '{chr(letter)}')")

    def _string(self) -> None:
        self.position += 1
        self._skip(_PLAIN)
        while (byte := self.peek()) != _QUOTE:
            if byte in _CONTROL:
                raise self.unexpected(_IN_STRING)
            self.position += 1
            self._escape()
            self._skip(_PLAIN)
        self.position += 1

    def _escape(self) -> None:
        if self.peek() != ord("u"):
            self.take(_ESCAPES, "in string escape code")
            return
        self.position += 1
        for _ in range(4):
            self.take(_HEX, "in \\u hexadecimal character escape")

    def _number(self) -> None:
        if self.peek() == ord("-"):
            self.position += 1
        if self.peek() == ord("0"):
            self.position += 1
        else:
            self.take(_DIGITS, "in numeric literal")
            self.digits()
        if self.peek() == ord("."):
            self.position += 1
            self.take(_DIGITS, _AFTER_POINT)
            self.digits()
        if self.peek() in _EXPONENT:
            self.position += 1
            if self.peek() in _SIGNS:
                self.position += 1
            self.take(_DIGITS, "in exponent of numeric literal")
            self.digits()


def _shown(byte: int) -> str:
    if byte == ord("'"):
        return r"'\''"
    return "'\"'" if byte == _QUOTE else f"'{quote_inside(chr(byte))}'"
