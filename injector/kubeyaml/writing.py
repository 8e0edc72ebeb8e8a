"""Write JSON as YAML text, byte for byte as sigs.k8s.io/yaml v1.6 Marshal does.

Marshal passes JSON text through yaml.v2's reader to yaml.v2's emitter, so what the reader refuses (control
characters) or folds (U+0085) is refused and folded here. The layout is that of libyaml's emitter, including
its oddities: where it folds, when a scalar may be plain, how the cursor between two tokens decides about
spaces and line ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import Final

from injector.errors import YAMLError
from injector.golang.jsontext import go_json
from injector.golang.unicode import to_valid
from injector.json_types import JSON
from injector.kubeyaml.decoding import finite
from injector.kubeyaml.natural_order import natural_order
from injector.kubeyaml.scalars import stays_plain, yaml_float

WIDTH: Final = 80
"""The width at which yaml.v2 folds long scalars; 2.3.0, which Istio 1.7-1.9 used, did not fold at all."""

_REFUSED = re.compile("[\x7f-\x84\x86-\x9f\ufffe\uffff]").search
_LONGEST_KEY: Final = 1024
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z", re.ASCII).match
_NEXT_LINE = re.compile(" *\x85[ \x85]*")

_ROOT: Final = -1
"""The indentation around the whole document."""

_SIMPLE_KEY: Final = 128
"""UTF-8 bytes; a longer key is written behind ``? ``."""

_STEP: Final = 2
_BREAKS: Final = "\r\n\x85\u2028\u2029"
_NO_WIDTH: Final = 1 << 31
_SINGLE_PIECES: Final = re.compile(f" |[{_BREAKS}]|[^ {_BREAKS}]+")
_LINES: Final = re.compile(f"[{_BREAKS}]|[^{_BREAKS}]+")
_UNPRINTABLE: Final = re.compile(
    # A positive set: compiling a negated set of ranges takes 6 ms more.
    "[\0-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe-\U0010ffff]"
)
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


def dump(value: JSON, *, width: int = WIDTH) -> str:
    """Return sigs.k8s.io/yaml Marshal of ``value``; ends with a newline. ``width`` -1 never folds.

    Keys come in yaml.v2's natural order. Raises YAMLError where Marshal fails: infinities, NaN,
    control characters.
    """
    emitter = _Emitter(width=width if width >= 0 else _NO_WIDTH)
    _write(emitter, value, _ROOT, in_mapping=False)
    return emitter.finish()


def _write(emitter: _Emitter, value: JSON, indent: int, *, in_mapping: bool) -> None:
    if word := _inline(value):
        emitter.indicator(word, spaced=True)
    else:
        _write_block(emitter, value, indent, in_mapping=in_mapping)


def _write_block(emitter: _Emitter, value: JSON, indent: int, *, in_mapping: bool) -> None:
    """Write what may need more than the rest of a line: a collection that is not empty, or a long string."""
    if isinstance(value, dict):
        _write_mapping(emitter, value, indent)
    elif isinstance(value, str):
        text = _readable(value)
        emitter.scalar(text, _style(text), indent)
    else:
        _write_sequence(emitter, value, indent, in_mapping=in_mapping)


def _write_mapping(emitter: _Emitter, mapping: dict[str, JSON], indent: int) -> None:
    indent = _deeper(indent)
    for key in natural_order(mapping):
        value = mapping[key]
        if not _is_plain_key(key):
            emitter.indent(indent)
            _write_odd_key(emitter, _readable_key(key), indent)
            _write(emitter, value, indent, in_mapping=True)
        elif word := _inline(value):
            emitter.entry(f"{key}: {word}", indent)
        else:
            emitter.entry(f"{key}:", indent)
            _write_block(emitter, value, indent, in_mapping=True)


def _write_odd_key(emitter: _Emitter, key: str, indent: int) -> None:
    style = _style(key)
    if not _BREAK.search(key) and len(key.encode()) <= _SIMPLE_KEY:
        emitter.scalar(key, style, indent, simple_key=True)
        emitter.indicator(":")
        return
    emitter.indicator("?", spaced=True, starts_line=True)
    emitter.scalar(key, style, indent)
    emitter.indent(indent)
    emitter.indicator(":", spaced=True, starts_line=True)


def _write_sequence(emitter: _Emitter, sequence: Sequence[JSON], indent: int, *, in_mapping: bool) -> None:
    if not in_mapping or emitter.at_line_start:
        indent = _deeper(indent)
    for element in sequence:
        emitter.indent(indent)
        emitter.indicator("-", spaced=True, starts_line=True)
        _write(emitter, element, indent, in_mapping=False)


def _is_plain_key(key: str) -> bool:
    return len(key) <= _SIMPLE_KEY and _inline_text(key) == key


def _inline(value: JSON) -> str:
    """Return the one form of a value that is written alike everywhere; "" where its position matters."""
    if isinstance(value, str):
        return _inline_text(value) if len(value) <= _SIMPLE_KEY else ""
    if isinstance(value, dict):
        return "" if value else "{}"
    if isinstance(value, list | tuple):
        return "" if value else "[]"
    return _word(value)


@lru_cache(maxsize=1024)  # for short texts only: half a MiB at the most
def _inline_text(text: str) -> str:
    """Do the work of `_inline` for a string: without a space it cannot be folded."""
    if " " in text or not text.isascii() or not text.isprintable():
        return ""
    match _possible(text, _style(text), simple_key=False):
        case Style.PLAIN:
            return text
        case Style.SINGLE:
            return "'" + text.replace("'", "''") + "'"
        case _:
            return '"' + _SPECIAL.sub(lambda match: _escape(match[0]), text) + '"'


def _style(text: str) -> Style:
    """Return the style that yaml.v2 requests: quotes for what would not be read back as a string."""
    if "\n" in text:
        return Style.LITERAL
    return Style.PLAIN if stays_plain(text) and not _BASE60(text) else Style.DOUBLE


def _readable(text: str) -> str:
    """Return the string as yaml.v2 reads it from JSON text; raises YAMLError for what it refuses."""
    if text.isascii() and "\x7f" not in text:
        return text
    if _REFUSED(text):
        raise YAMLError("yaml: control characters are not allowed")
    return _NEXT_LINE.sub(_fold, to_valid(text))


def _readable_key(key: str) -> str:
    """Return a key like `_readable`; yaml.v2 reads keys that are short and on one line only."""
    if "\x85" in key or (len(key) > _LONGEST_KEY // 6 and len(go_json(key)) > _LONGEST_KEY):
        raise YAMLError("yaml: did not find expected ',' or '}'")
    return _readable(key)


def _fold(match: re.Match[str]) -> str:
    """Fold line breaks: one becomes a space, of several the first vanishes."""
    return "\n" * (match[0].count("\x85") - 1) or " "


def _word(value: JSON) -> str:
    """Return the text of null, a boolean or a number, through JSON text and back as Marshal does."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        try:
            value = finite(value) if value else 0
        except YAMLError as error:
            raise YAMLError(f"error marshaling into JSON: {error.reason}") from None
    elif not -(2**63) <= value < 2**64:
        value = float(value)
    return yaml_float(value) if isinstance(value, float) else str(int(value))


# ---- the layout


class Style(Enum):
    """How a scalar is written; the requested style may not be possible."""

    PLAIN = "plain"
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"


def _deeper(indent: int) -> int:
    """Return the indentation of a block collection that stands inside ``indent``."""
    return 0 if indent < 0 else indent + _STEP


class _Emitter:
    """A cursor behind the text so far: its column, and whether white space or a line start is before it."""

    def __init__(self, *, width: int) -> None:
        self._text: list[str] = []
        self._width = width
        self._column = 0
        self._space = True
        self.at_line_start = True

    def finish(self) -> str:
        """End the last line and return the whole text."""
        self.indent(_ROOT)
        return "".join(self._text)

    def indent(self, indent: int) -> None:
        """Go to column ``indent``: of this line if only indentation is before it, else of the next line."""
        column = max(indent, 0)
        if not self.at_line_start or self._column > column or (self._column == column and not self._space):
            self._text.append("\n" + " " * column)
        elif self._column < column:
            self._text.append(" " * (column - self._column))
        self._column = column
        self._space = True
        self.at_line_start = True

    def entry(self, text: str, indent: int) -> None:
        """Go to column ``indent`` as `indent` does, and write the start of a mapping's entry."""
        if self.at_line_start:
            self.indent(indent)
            self._text.append(text)
        else:
            self._text.append(f"\n{' ' * indent}{text}")
        self._column = indent + len(text)
        self._space = False
        self.at_line_start = False

    def indicator(self, text: str, *, spaced: bool = False, starts_line: bool = False) -> None:
        """Write a token other than a scalar; ``spaced`` separates it from what precedes it."""
        self._put(text if self._space or not spaced else f" {text}")
        self._space = False
        self.at_line_start = self.at_line_start and starts_line

    def scalar(self, text: str, style: Style, indent: int, *, simple_key: bool = False) -> None:
        """Write a scalar in ``style`` or the next possible one, inside a collection at ``indent``."""
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
        """Write a line break; only a newline starts a line in the output."""
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
        for piece, following in pairwise((*_WORDS.findall(text), "")):
            if piece == " " != previous and self._column > width and following != " ":
                self.indent(indent)
            else:
                self._put(piece)
                self.at_line_start = False
            previous = piece

    def _single(self, text: str, indent: int, width: int) -> None:
        self.indicator("'", spaced=True)
        previous = ""
        for piece, following in pairwise((*_SINGLE_PIECES.findall(text), "")):
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
        if text.startswith("\ufeff"):  # libyaml searches for it at the text's start, for each character
            self._put("".join(map(_escape, text)) + '"')
            return
        previous = ""
        for piece, following in pairwise((*_WORDS.findall(text), "")):
            if piece != " ":
                self._put(_SPECIAL.sub(lambda match: _escape(match[0]), piece))
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
    """Return the first of plain, single, double (or literal, double) that can represent ``text``."""
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
    """Return a literal's chomping indicator: ``-`` for no line end, ``+`` to keep all, "" for one."""
    if text[-1] not in _BREAKS:
        return "-"
    return "+" if len(text) == 1 or text[-2] in _BREAKS else ""


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return "\\" + _ESCAPES[character]
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
