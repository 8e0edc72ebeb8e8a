"""Scalars and indentation in, YAML text out, laid out as yaml.v2 does.

Follows libyaml's emitter, its oddities included: where it folds, when a scalar may be plain, how a
cursor that is between two tokens decides about spaces and line ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from typing import Final

ROOT: Final = -1
"""The indentation around the whole document."""

SIMPLE_KEY: Final = 128
"""UTF-8 bytes; a longer key is written behind ``? ``."""

_STEP: Final = 2
_BREAKS: Final = "\r\n\x85\u2028\u2029"
_NO_WIDTH: Final = 1 << 31
_SINGLE_PIECES: Final = re.compile(f" |[{_BREAKS}]|[^ {_BREAKS}]+")
_LINES: Final = re.compile(f"[{_BREAKS}]|[^{_BREAKS}]+")
_UNPRINTABLE: Final = re.compile("[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_INDICATOR: Final = re.compile(
    r"\A(?:---|\.\.\.|[#,\[\]{}&*!|>'\"%@`]|[?:-](?=[ \t]|\Z))"
    rf"|:(?=[ \t]|\Z)|(?<=[ \t\0{_BREAKS}])#"
)
_BREAK: Final = re.compile(f"[{_BREAKS}]")
_BREAK_SPACE: Final = re.compile(f"[{_BREAKS}] ")
_SPACE_BREAK: Final = re.compile(f" [{_BREAKS}]")
_SPECIAL: Final = re.compile(f'["\\\\{_BREAKS}]|{_UNPRINTABLE.pattern}')
_WORDS: Final = re.compile(r" |[^ ]+")
_ESCAPES: Final = {
    "\0": "0",
    "\a": "a",
    "\b": "b",
    "\t": "t",
    "\n": "n",
    "\v": "v",
    "\f": "f",
    "\r": "r",
    "\x1b": "e",
    '"': '"',
    "\\": "\\",
    "\x85": "N",
    "\xa0": "_",
    "\u2028": "L",
    "\u2029": "P",
}


class Style(Enum):
    """How a scalar is written; what is asked for may have to give way."""

    PLAIN = "plain"
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"


def deeper(indent: int) -> int:
    """Return the indentation of a block collection that stands inside ``indent``."""
    return 0 if indent < 0 else indent + _STEP


def is_simple(key: str) -> bool:
    """Return whether a key fits on one line before its colon."""
    return not _BREAK.search(key) and len(key.encode()) <= SIMPLE_KEY


class Emitter:
    """A cursor over the text written so far: column, whether white space or the line's start is before it."""

    __slots__ = ("_column", "_space", "_text", "_width", "at_line_start")

    def __init__(self, *, width: int) -> None:
        self._text: list[str] = []
        self._width = width
        self._column = 0
        self._space = True
        self.at_line_start = True

    def finish(self) -> str:
        """End the last line and return the whole text."""
        self.indent(ROOT)
        return "".join(self._text)

    def indent(self, indent: int) -> None:
        """Go to column ``indent`` of this line if nothing but indentation is before it, else of the next."""
        column = max(indent, 0)
        if not self.at_line_start or self._column > column or (self._column == column and not self._space):
            self._text.append("\n")
            self._column = 0
        if self._column < column:
            self._text.append(" " * (column - self._column))
            self._column = column
        self._space = True
        self.at_line_start = True

    def indicator(self, text: str, *, spaced: bool = False, starts_line: bool = False) -> None:
        """Write a token that is no scalar; ``spaced`` keeps it off what is before it."""
        if spaced and not self._space:
            self._put(" ")
        self._put(text)
        self._space = False
        self.at_line_start = self.at_line_start and starts_line

    def empty(self, text: str) -> None:
        """Write an empty collection."""
        self.indicator(text, spaced=True)

    def plain(self, text: str) -> None:
        """Write a scalar that is known to be fit for it and has no spaces to fold at."""
        if not self._space:
            self._put(" ")
        self._put(text)
        self._space = False
        self.at_line_start = False

    def scalar(self, text: str, style: Style, indent: int, *, simple_key: bool = False) -> None:
        """Write a scalar in ``style`` or the next one that can say it, inside a collection at ``indent``."""
        indent = indent + _STEP if indent >= 0 else _STEP
        width = _NO_WIDTH if simple_key else self._width
        match _possible(text, style, simple_key=simple_key):
            case Style.PLAIN:
                self._plain(text, indent, width)
            case Style.SINGLE:
                self._single(text, indent, width)
            case Style.DOUBLE:
                self._double(text, indent, width)
            case Style.LITERAL:
                self._literal(text, indent)
                return
        self._space = False
        self.at_line_start = False

    def _put(self, text: str) -> None:
        self._text.append(text)
        self._column += len(text)

    def _break(self, character: str) -> None:
        """Write a line break; only a newline is one to whoever looks at the text."""
        self._text.append(character)
        self._column = 0
        self.at_line_start = True

    def _plain(self, text: str, indent: int, width: int) -> None:
        if not self._space:
            self._put(" ")
        if self._column + len(text) <= width:
            self._put(text)
            return
        previous = ""
        for piece, following in _pairs(_WORDS.findall(text)):
            if piece == " " != previous and self._column > width and following != " ":
                self.indent(indent)
            else:
                self._put(piece)
                self.at_line_start = False
            previous = piece

    def _single(self, text: str, indent: int, width: int) -> None:
        self.indicator("'", spaced=True)
        previous = ""
        for piece, following in _pairs(_SINGLE_PIECES.findall(text)):
            if piece == " ":
                if previous not in ("", " ") and self._column > width and following not in ("", " "):
                    self.indent(indent)
                else:
                    self._put(" ")
            elif piece in _BREAKS:
                self._break(piece)
            else:
                if previous and previous in _BREAKS:
                    self.indent(indent)
                self._put(piece.replace("'", "''"))
                self.at_line_start = False
            previous = piece
        self._put("'")

    def _double(self, text: str, indent: int, width: int) -> None:
        self.indicator('"', spaced=True)
        if text.startswith(
            "\ufeff"
        ):  # libyaml looks for the byte order mark at the text's start, for each character
            self._put("".join(map(_escape, text)) + '"')
            return
        previous = ""
        for piece, following in _pairs(_WORDS.findall(text)):
            if piece != " ":
                self._put(_SPECIAL.sub(_escape_match, piece))
            elif previous not in ("", " ") and self._column > width and following:
                self.indent(indent)
                if following == " ":
                    self._put("\\")
            else:
                self._put(" ")
            previous = piece
        self._put('"')

    def _literal(self, text: str, indent: int) -> None:
        hint = str(_STEP) if text[0] in " " + _BREAKS else ""
        self.indicator("|" + hint + _chomping(text), spaced=True)
        self._break("\n")
        self._space = True
        for piece in _LINES.findall(text):
            if piece in _BREAKS:
                self._break(piece)
            else:
                self.indent(indent)
                self._put(piece)
                self.at_line_start = False


def _possible(text: str, style: Style, *, simple_key: bool) -> Style:
    """Return the first of plain, single, double (or literal, double) that can say ``text``."""
    unprintable = _UNPRINTABLE.search(text) or _SPACE_BREAK.search(text)
    if style is Style.LITERAL and (unprintable or simple_key or text[-1] == " "):
        return Style.DOUBLE
    if style in (Style.DOUBLE, Style.LITERAL):
        return style
    if unprintable or _BREAK_SPACE.search(text):
        return Style.DOUBLE
    plain = text[0] != " " != text[-1] and not _BREAK.search(text) and not _INDICATOR.search(text)
    return Style.PLAIN if plain else Style.SINGLE


def _chomping(text: str) -> str:
    """Say what a literal does with its last line ends: ``-`` none there, ``+`` keep all, nothing for one."""
    if text[-1] not in _BREAKS:
        return "-"
    return "+" if len(text) == 1 or text[-2] in _BREAKS else ""


def _pairs(pieces: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each piece with the one that follows it."""
    return pairwise((*pieces, ""))


def _escape_match(match: re.Match[str]) -> str:
    return _escape(match[0])


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
