"""A program and a text in, the leftmost match out, in time linear in the text. Knows no syntax.

Every pair of instruction and position is tried once: what failed there will fail again. So no expression can
take exponential time, as it could with Python's own ``re``; Go's engine works alike.
"""

from __future__ import annotations

from typing import Final

from injector.gotemplate.errors import FunctionError
from injector.gotemplate.regexp.nodes import Place
from injector.gotemplate.regexp.program import Check, Fork, Instruction, Jump, Save, Take

MOST_STEPS: Final = 1_000_000
"""Steps of one search, about a second: an expression of 20 instructions over 50 kB."""

_WORD: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


def search(program: tuple[Instruction, ...], text: str, start: int, slots: int) -> list[int] | None:
    """Return the positions saved by the first match at or behind ``start``, -1 where a group took no part.

    Raises FunctionError when that takes more than MOST_STEPS.
    """
    tried: set[int] = set()
    for begin in range(start, len(text) + 1):
        saved = [-1] * slots
        if _match(program, text, begin, saved, tried):
            return saved
    return None


def _match(  # noqa: C901, PLR0912 - one case an instruction, inlined for speed
    program: tuple[Instruction, ...], text: str, begin: int, saved: list[int], tried: set[int]
) -> bool:
    """Return whether there is a match that starts at ``begin``; fill in what it saves."""
    width = len(text) + 1
    pending: list[tuple[int, int]] = [(0, begin)]
    while pending:
        place, position = pending.pop()
        if place < 0:
            saved[~place] = position
            continue
        while True:
            state = place * width + position
            if state in tried:
                break
            tried.add(state)
            instruction = program[place]
            match instruction:
                case Take():
                    if position == width - 1 or text[position] not in instruction.characters:
                        break
                    place, position = place + 1, position + 1
                case Fork():
                    pending.append((instruction.second, position))
                    place = instruction.first
                case Jump():
                    place = instruction.target
                case Save():
                    pending.append((~instruction.slot, saved[instruction.slot]))
                    saved[instruction.slot] = position
                    place += 1
                case Check():
                    if not _holds(instruction.place, text, position):
                        break
                    place += 1
                case _:
                    return True
        if len(tried) > MOST_STEPS:
            raise FunctionError(f"a regular expression took more than {MOST_STEPS} steps")
    return False


def _holds(place: Place, text: str, position: int) -> bool:
    match place:
        case Place.BEGIN_TEXT:
            return position == 0
        case Place.END_TEXT:
            return position == len(text)
        case Place.BEGIN_LINE:
            return position == 0 or text[position - 1] == "\n"
        case Place.END_LINE:
            return position == len(text) or text[position] == "\n"
    before = position > 0 and text[position - 1] in _WORD
    behind = position < len(text) and text[position] in _WORD
    return (before != behind) == (place is Place.BOUNDARY)
