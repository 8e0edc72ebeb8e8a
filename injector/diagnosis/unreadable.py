"""Find every unreadable part of a text that should be YAML, and return the text without these parts.

A parser stops at its first error. Here the text is cut where keys of one level begin, and each piece is read
by itself, with the keys around it: a piece that is unreadable alone is a fault of its own. The rest keeps the
line numbers of the whole, so that other faults keep their positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from injector.errors import YAMLError
from injector.kubeyaml import load

MOST_LINES: Final = 20_000
"""In longer texts only the first fault is reported: a piece is read with an empty line for each line before
it."""

MOST_PIECES: Final = 200
"""Pieces of one level that are read one by one."""


class Piece(NamedTuple):
    """Lines ``start`` to ``end`` of a text, from 0, and why they are unreadable."""

    start: int
    end: int
    fault: YAMLError


def mended(text: str) -> tuple[str, tuple[YAMLError, ...]]:
    """Return the text with empty lines for unreadable ones, and each fault, the first in the words of `load`.

    "" is returned where the rest is unreadable too; without faults, the text itself.
    """
    first = _fault(text)
    if first is None:
        return text, ()
    lines = text.split("\n")
    pieces = [*_broken(lines, 0, len(lines), ())] if len(lines) <= MOST_LINES else []
    rest = _without(lines, pieces)
    faults = [piece.fault for piece in pieces]
    # `load` may have found the fault only in the pieces after it: it is reported once, in the words of
    # `load`.
    met = sum(piece.start < first.line for piece in pieces)
    faults[max(met - 1, 0) : max(met, 1)] = [first]
    return rest if pieces and _fault(rest) is None else "", tuple(faults)


def _fault(text: str) -> YAMLError | None:
    try:
        load(text)
    except YAMLError as error:
        return error
    return None


def _broken(lines: Sequence[str], start: int, end: int, around: tuple[int, ...]) -> Iterator[Piece]:
    """Yield the smallest pieces between two lines that are unreadable with only the lines ``around``."""
    for begin, stop in _pieces(lines, start, end):
        fault = _fault(_only(lines, begin, stop, around))
        if fault is None:
            continue
        inner: list[Piece] = []
        if stop - begin > 1 and lines[begin].rstrip().endswith(":"):
            inner = [*_broken(lines, begin + 1, stop, (*around, begin))]
        last = len("\n".join(lines[:stop]).rstrip().split("\n"))
        if fault.line > last:  # its end is missing, and it begins here
            fault = YAMLError(fault.reason, line=begin + 1)
        yield from inner or [Piece(begin, stop, fault)]


def _pieces(lines: Sequence[str], start: int, end: int) -> list[tuple[int, int]]:
    """Return where keys of the outermost level begin and end; none where they are too many."""
    stripped = ((number, lines[number].strip()) for number in range(start, end))
    written = [number for number, line in stripped if line and not line.startswith("#")]
    if not written:
        return []
    outermost = _indent(lines[written[0]])
    begins = [number for number in written if _indent(lines[number]) <= outermost]
    if len(begins) > MOST_PIECES:
        return []
    return list(zip(begins, [*begins[1:], end], strict=True))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _only(lines: Sequence[str], start: int, end: int, around: Sequence[int]) -> str:
    """Return the text of some lines, at their own line numbers."""
    return "\n".join(line if number in around else "" for number, line in enumerate(lines[:start])) + "".join(
        f"\n{line}" if number else line for number, line in enumerate(lines[start:end], start)
    )


def _without(lines: Sequence[str], pieces: Sequence[Piece]) -> str:
    left = {number for piece in pieces for number in range(piece.start, piece.end)}
    return "\n".join("" if number in left else line for number, line in enumerate(lines))
