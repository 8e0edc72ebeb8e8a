"""Split a Go format into literal texts and directives, and print basic values by a directive.

The directives are ``%[flags][width][.precision][[index]]verb``; an invalid one becomes literal text such as
``%!d(BADINDEX)``, as Go's fmt prints it. A byte that is not valid UTF-8 is a lone surrogate and counts as one
character, as in Go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from injector.golang.strconv import SHORTEST, format_float, quote, quote_rune

_FLAGS = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
_LARGEST = 1_000_000
"""Go's limit for widths, precisions and argument numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FmtFlags:
    """What is between ``%`` and the verb; ``plus_v`` and ``sharp_v`` are ``+`` and ``#`` before ``v``."""

    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """Print the operand number ``argument`` (from 0) with ``verb``."""

    flags: FmtFlags
    verb: str
    argument: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Print type and value of the operand number ``argument``, for which there was no directive."""

    argument: int


Piece = str | Directive | Argument


def directives(template: str, args: Sequence[Any]) -> Iterator[Piece]:
    """Yield the parts of a format, in order."""
    reader = _FormatReader(template, args)
    while reader.position < len(template):
        start = template.find("%", reader.position)
        if start < 0:
            yield template[reader.position :]
            break
        if start > reader.position:
            yield template[reader.position : start]
        reader.position = start + 1
        yield from reader.directive()
    if not reader.reordered and reader.argument < len(args):
        yield from _extra(reader.argument, len(args))


def _extra(first: int, count: int) -> Iterator[Piece]:
    yield "%!(EXTRA "
    for argument in range(first, count):
        if argument > first:
            yield ", "
        yield Argument(argument=argument)
    yield ")"


class _FormatReader:
    """The position in the format and among the operands."""

    __slots__ = ("after_index", "args", "argument", "good_index", "position", "reordered", "template")

    def __init__(self, template: str, args: Sequence[Any]) -> None:
        self.template = template
        self.args = args
        self.position = 0
        self.argument = 0
        self.reordered = False
        self.good_index = True
        self.after_index = False

    def at(self, character: str) -> bool:
        """Return whether ``character`` is next."""
        return self.template.startswith(character, self.position)

    def directive(self) -> Iterator[Piece]:
        """Yield one directive, starting after its ``%``."""
        self.good_index = True
        flags = self._flags()
        if self._is_simple():
            yield self._verb(flags)
            return
        self._index()
        flags, complaint = self._width(flags)
        yield complaint
        flags, complaint = self._precision(flags)
        yield complaint
        if not self.after_index:
            self._index()
        yield self._verb(flags) if self.position < len(self.template) else "%!(NOVERB)"

    def _flags(self) -> FmtFlags:
        start = self.position
        while self.position < len(self.template) and self.template[self.position] in _FLAGS:
            self.position += 1
        return FmtFlags(**{_FLAGS[flag]: True for flag in self.template[start : self.position]})

    def _is_simple(self) -> bool:
        """Return whether an ASCII verb follows the flags directly; then Go keeps its index state."""
        verb = self.template[self.position : self.position + 1]
        return "a" <= verb <= "z" and self.argument < len(self.args)

    def _width(self, flags: FmtFlags) -> tuple[FmtFlags, str]:
        if self.at("*"):
            width = self._from_operand()
            self.after_index = False
            if width is None:
                return flags, "%!(BADWIDTH)"
            if width < 0:
                return replace(flags, width=-width, minus=True, zero=False), ""
            return replace(flags, width=width), ""
        width = self._number()
        if self.after_index and width is not None:
            self.good_index = False
        return replace(flags, width=width), ""

    def _precision(self, flags: FmtFlags) -> tuple[FmtFlags, str]:
        if not self.at(".") or self.position + 1 >= len(self.template):
            return flags, ""
        self.position += 1
        if self.after_index:
            self.good_index = False
        self._index()
        if not self.at("*"):
            return replace(flags, precision=self._number() or 0), ""
        precision = self._from_operand()
        self.after_index = False
        if precision is None or precision < 0:
            return flags, "%!(BADPREC)"
        return replace(flags, precision=precision), ""

    def _verb(self, flags: FmtFlags) -> Piece:
        verb = self.template[self.position]
        self.position += 1
        shown = "\ufffd" if "\ud800" <= verb <= "\udfff" else verb
        if verb == "%":
            return "%"
        if not self.good_index:
            return f"%!{shown}(BADINDEX)"
        if self.argument >= len(self.args):
            return f"%!{shown}(MISSING)"
        if verb in "vw":
            flags = replace(flags, sharp_v=flags.sharp, sharp=False, plus_v=flags.plus, plus=False)
        self.argument += 1
        return Directive(flags=flags, verb=shown, argument=self.argument - 1)

    def _number(self) -> int | None:
        """Read digits; a number past the limit consumes the rest of the format."""
        start = self.position
        number = 0
        while self.position < len(self.template) and "0" <= self.template[self.position] <= "9":
            if number > _LARGEST:
                self.position = len(self.template)
                return None
            number = number * 10 + int(self.template[self.position])
            self.position += 1
        return number if self.position > start else None

    def _from_operand(self) -> int | None:
        """Take width or precision, written ``*``, from the next operand."""
        self.position += 1
        if self.argument >= len(self.args):
            return None
        value = self.args[self.argument]
        self.argument += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
            return None
        return int(value)

    def _index(self) -> None:
        """Read ``[n]``, the number of the next operand, counting from 1."""
        self.after_index = False
        if not self.at("["):
            return
        self.reordered = True
        end = self.template.find("]", self.position)
        if end < 0 or len(self.template) - self.position < 3:
            self.good_index = False
            self.position += 1
            return
        digits = self.template[self.position + 1 : end]
        self.position = end + 1
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 8 else -1
        self.after_index = 0 <= number <= 10 * _LARGEST + 9
        if 1 <= number <= len(self.args):
            self.argument = number - 1
        else:
            self.good_index = False


# Basic values as text, by the flags of a directive.

_MAX_RUNE = 0x10FFFF
_REPLACEMENT = "\ufffd"
_NEVER_RAW = re.compile(r"[\x00-\x08\n-\x1f`\x7f\ufeff\udc80-\udcff]")
_FLOAT_PRECISION = {"f": 6, "e": 6, "E": 6}


def pad(flags: FmtFlags, text: str) -> str:
    """Return ``text`` padded to the width."""
    if not flags.width or len(text) >= flags.width:
        return text
    if flags.minus:
        return text.ljust(flags.width)
    return text.rjust(flags.width, "0" if flags.zero else " ")


def pad_with_spaces(flags: FmtFlags, text: str) -> str:
    """Return ``text`` padded to the width with spaces, regardless of the flags."""
    return pad(replace(flags, zero=False), text)


# Integers.


def integer(flags: FmtFlags, number: int, base: str, *, octal_prefix: bool = False) -> str:
    """Return ``number`` in a ``base`` with Python's letters: ``d``, ``b``, ``o``, ``x`` or ``X``."""
    if number == 0 and flags.precision == 0:
        return pad_with_spaces(flags, "")
    digits = f"{abs(number):{base}}".rjust(_integer_precision(flags, number), "0")
    if flags.sharp:
        digits = _base_prefix(base, digits) + digits
    if octal_prefix:
        digits = "0o" + digits
    return pad_with_spaces(flags, _sign(flags, negative=number < 0) + digits)


def _integer_precision(flags: FmtFlags, number: int) -> int:
    if flags.precision is not None:
        return flags.precision
    if not flags.zero or flags.minus or flags.width is None:
        return 0
    return flags.width - (1 if number < 0 or flags.plus or flags.space else 0)


def _base_prefix(base: str, digits: str) -> str:
    if base == "o":
        return "" if digits.startswith("0") else "0"
    return {"b": "0b", "x": "0x", "X": "0X"}.get(base, "")


def _sign(flags: FmtFlags, *, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if flags.plus else " " if flags.space else ""


def unicode_point(flags: FmtFlags, number: int) -> str:
    """Return ``U+0041``, followed by the character if the flag ``#`` asks for it."""
    code = number % 2**64
    text = f"U+{code:0{max(flags.precision or 0, 4)}X}"
    if flags.sharp and code <= _MAX_RUNE and chr(code).isprintable():
        text += f" '{chr(code)}'"
    return pad_with_spaces(flags, text)


def rune(number: int) -> str:
    """Return the character of a code point."""
    known = 0 <= number <= _MAX_RUNE and not 0xD800 <= number < 0xE000
    return chr(number) if known else _REPLACEMENT


def quoted_character(flags: FmtFlags, number: int) -> str:
    """Return the character as a Go literal in single quotes."""
    literal = quote_rune(rune(number))
    return pad(flags, _ascii(literal) if flags.plus else literal)


# Strings.


def string(flags: FmtFlags, text: str) -> str:
    """Return ``text`` cut to the precision, which counts characters."""
    return pad(flags, text[: flags.precision])


def quoted(flags: FmtFlags, text: str) -> str:
    """Return ``text`` as a Go literal; ``#`` prefers back quotes and ``+`` makes it ASCII."""
    text = text[: flags.precision]
    if flags.sharp and not _NEVER_RAW.search(text):
        return pad(flags, f"`{text}`")
    literal = quote(text)
    return pad(flags, _ascii(literal) if flags.plus else literal)


def _ascii(literal: str) -> str:
    if literal.isascii():
        return literal
    escaped = (f"\\u{ord(rune):04x}" if ord(rune) < 0x10000 else f"\\U{ord(rune):08x}" for rune in literal)
    return "".join(rune if rune < "\x80" else escape for rune, escape in zip(literal, escaped, strict=True))


def hexadecimal(flags: FmtFlags, text: str, *, upper: bool) -> str:
    """Return the bytes of ``text`` in base 16; the precision counts bytes."""
    octets = text.encode(errors="surrogateescape")[: flags.precision]
    prefix = ("0X" if upper else "0x") if flags.sharp else ""
    if not octets:
        return pad(flags, "")
    digits = " ".join(f"{prefix}{octet:02x}" for octet in octets) if flags.space else prefix + octets.hex()
    return pad(flags, digits.upper() if upper else digits)


# Floats and complex numbers.


def floating(flags: FmtFlags, number: float, verb: str) -> str:
    """Return a float for one of the verbs ``beEfgGxX``."""
    precision = _FLOAT_PRECISION.get(verb, SHORTEST) if flags.precision is None else flags.precision
    text = format_float(number, verb, precision)
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if sign == "+" and flags.space and not flags.plus:
        sign = " "
    if digits in {"Inf", "NaN"}:
        unsigned = digits == "NaN" and not flags.space and not flags.plus
        return pad_with_spaces(flags, digits if unsigned else sign + digits)
    if flags.sharp and verb != "b":
        digits = _with_point(digits, verb, precision)
    if sign == "+" and not flags.plus:
        return pad(flags, digits)
    if flags.zero and not flags.minus and flags.width:
        return sign + digits.rjust(flags.width - 1, "0")
    return pad(flags, sign + digits)


def _with_point(number: str, verb: str, precision: int) -> str:
    """Return digits with a decimal point and, for a general verb, with trailing zeros."""
    wanted = 0
    if verb in "gGx":
        wanted = 6 if precision == SHORTEST else precision
    ends = "pP" if verb in "xX" else "eE"
    cut = next((place for place, letter in enumerate(number) if letter in ends), len(number))
    digits, exponent = number[:cut], number[cut:]
    wanted -= len(digits.replace(".", "").lstrip("0"))
    if "." not in digits:
        wanted -= digits == "0"
        digits += "."
    return digits + "0" * wanted + exponent


def complex_number(flags: FmtFlags, number: complex, verb: str) -> str:
    """Return ``(1+2i)``; width and precision are those of each part."""
    imaginary = floating(replace(flags, plus=True), number.imag, verb)
    return f"({floating(flags, number.real, verb)}{imaginary}i)"
