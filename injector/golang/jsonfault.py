"""Text that is no JSON in, encoding/json's sentence about it out.

orjson reads JSON faster but says other words; this scanner runs only once something is wrong.
"""

from __future__ import annotations

import re
from typing import Final

from injector.golang.strconv import quote_inside

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
