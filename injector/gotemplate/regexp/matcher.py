"""A program and a text in, leftmost matches out, in time linear in the text.

Every pair of instruction and position is tried once a search: what failed there will fail again. So no
expression can take exponential time, as it could with Python's own ``re``; Go's engine works alike.
"""

from __future__ import annotations

from typing import Final

from injector.gotemplate.errors import FunctionError
from injector.gotemplate.regexp.nodes import EmptyOp
from injector.gotemplate.regexp.program import EmptyWidth, Fork, Instruction, Jump, Save, Take

MOST_STEPS: Final = 500_000
"""Steps for one text, less than a second: an expression of 20 instructions over 25 kB."""

_WORD: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


class Matcher:
    """One text that is searched by one program; counts its steps."""

    __slots__ = ("_program", "_slots", "_steps", "_text")

    def __init__(self, program: tuple[Instruction, ...], text: str, slots: int) -> None:
        self._program = program
        self._text = text
        self._slots = slots
        self._steps = 0

    def search(self, start: int) -> list[int] | None:
        """Return the positions saved by the first match at or behind ``start``.

        A group that took no part has -1. Raises FunctionError after MOST_STEPS.
        """
        tried: set[int] = set()
        found = None
        for begin in range(start, len(self._text) + 1):
            saved = [-1] * self._slots
            if self._match(begin, saved, tried):
                found = saved
                break
        self._steps += len(tried)
        return found

    def _match(self, begin: int, saved: list[int], tried: set[int]) -> bool:
        """Return whether there is a match that starts at ``begin``; fill in what it saves."""
        pending: list[tuple[int, int]] = [(0, begin)]
        while pending:
            place, position = pending.pop()
            if place < 0:
                saved[~place] = position
            elif self._run(place, position, saved, tried, pending):
                return True
            if self._steps + len(tried) > MOST_STEPS:
                raise FunctionError(f"a regular expression took more than {MOST_STEPS} steps")
        return False

    def _run(
        self, place: int, position: int, saved: list[int], tried: set[int], pending: list[tuple[int, int]]
    ) -> bool:
        """Follow one thread to a match or to its end; put off what it may choose later."""
        program, text, width = self._program, self._text, len(self._text) + 1
        while (state := place * width + position) not in tried:
            tried.add(state)
            instruction = program[place]
            if isinstance(instruction, Take):
                if position == width - 1 or not instruction.takes(text[position]):
                    return False
                place, position = place + 1, position + 1
            elif isinstance(instruction, Fork):
                pending.append((instruction.second, position))
                place = instruction.first
            elif isinstance(instruction, Jump):
                place = instruction.target
            elif isinstance(instruction, Save):
                pending.append((~instruction.slot, saved[instruction.slot]))
                saved[instruction.slot] = position
                place += 1
            elif isinstance(instruction, EmptyWidth):
                if not _holds(instruction.place, text, position):
                    return False
                place += 1
            else:
                return True
        return False


def _holds(place: EmptyOp, text: str, position: int) -> bool:
    match place:
        case EmptyOp.BEGIN_TEXT:
            return position == 0
        case EmptyOp.END_TEXT:
            return position == len(text)
        case EmptyOp.BEGIN_LINE:
            return position == 0 or text[position - 1] == "\n"
        case EmptyOp.END_LINE:
            return position == len(text) or text[position] == "\n"
        case EmptyOp.BOUNDARY:
            return _is_boundary(text, position)
        case EmptyOp.NO_BOUNDARY:
            return not _is_boundary(text, position)


def _is_boundary(text: str, position: int) -> bool:
    before = position > 0 and text[position - 1] in _WORD
    behind = position < len(text) and text[position] in _WORD
    return before != behind
