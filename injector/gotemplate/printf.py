"""A Go format and its operands in, literal texts and directives out. Knows how no value is printed.

The directives are ``%[flags][width][.precision][[index]]verb``; what is wrong with one becomes literal
text such as ``%!d(BADINDEX)``, as Go's fmt prints it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from injector.gotemplate.verbs import FmtFlags

_FLAGS = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
_LARGEST = 1_000_000
"""Go's limit for widths, precisions and argument numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """Print the operand number ``argument`` (from 0) with ``verb``."""

    flags: FmtFlags
    verb: str
    argument: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """Say type and value of the operand number ``argument``, for which there was no directive."""

    argument: int


Piece = str | Directive | Argument


def directives(template: str, args: Sequence[Any]) -> Iterator[Piece]:
    """Yield what a format consists of, in order."""
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
    """The place in the format and among the operands."""

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
        """Yield one directive, the position being behind its ``%``."""
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
        """Return whether an ASCII verb follows the flags at once; Go then leaves its index state alone."""
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
        """Read digits; a number past the limit swallows the rest of the format."""
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
        """Read ``[n]``, which names the operand to come, counting from 1."""
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
