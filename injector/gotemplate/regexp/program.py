"""The nodes of a regular expression to a program, and a text to the leftmost matches that the program finds.

The program prefers what Go prefers: the first alternative, the longer repetition unless it is lazy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from injector.gotemplate.functions import FunctionError
from injector.gotemplate.regexp.nodes import (
    Assertion,
    Capture,
    CharacterClass,
    Choice,
    Node,
    One,
    Repeat,
    Sequence,
    ascii_of,
    nullable,
)

_LARGEST: Final = 10_000
"""Instructions of one program: counted repetitions are written out."""


@dataclass(frozen=True, slots=True)
class Take:
    """Go on behind one character of the class."""

    characters: CharacterClass
    ascii: frozenset[str]

    def takes(self, rune: str) -> bool:
        """Return whether a character belongs to the class."""
        return rune in self.ascii if rune < "\x80" else rune in self.characters


@dataclass(frozen=True, slots=True)
class Save:
    """Remember the position: start of group n at 2n, its end at 2n+1."""

    slot: int


@dataclass(slots=True)
class Fork:
    """Go on at ``first``, and at ``second`` if that leads to no match."""

    first: int = -1
    second: int = -1


@dataclass(slots=True)
class Jump:
    """Go on elsewhere."""

    target: int = -1


@dataclass(frozen=True, slots=True)
class Match:
    """The expression is matched."""


Instruction: TypeAlias = Take | Assertion | Save | Fork | Jump | Match


def compile_node(node: Node) -> tuple[Instruction, ...]:
    """Return the program of a whole expression. Raises FunctionError when it would be too large."""
    writer = _Writer()
    writer.capture(0, node)
    writer.add(Match())
    return tuple(writer.program)


class _Writer:
    """The instructions written so far."""

    def __init__(self) -> None:
        self.program: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        if len(self.program) >= _LARGEST:
            raise FunctionError("error parsing regexp: expression too large")
        self.program.append(instruction)
        return len(self.program) - 1

    @property
    def here(self) -> int:
        return len(self.program)

    def node(self, node: Node) -> None:
        match node:
            case One():
                self.add(Take(node.characters, ascii_of(node.characters)))
            case Assertion():
                self.add(node)
            case Capture():
                self.capture(node.number, node.node)
            case Sequence():
                for each in node.nodes:
                    self.node(each)
            case Choice():
                self.choice(node)
            case Repeat():
                self.repeat(node)

    def capture(self, number: int, node: Node) -> None:
        self.add(Save(2 * number))
        self.node(node)
        self.add(Save(2 * number + 1))

    def choice(self, node: Choice) -> None:
        exits: list[Jump] = []
        for each in node.nodes[:-1]:
            fork = Fork(first=self.here + 1)
            self.add(fork)
            self.node(each)
            exits.append(Jump())
            self.add(exits[-1])
            fork.second = self.here
        self.node(node.nodes[-1])
        for jump in exits:
            jump.target = self.here

    def repeat(self, node: Repeat) -> None:
        """Write the node as often as it must be there, then as often as it may."""
        if node.most is None:
            for _ in range(node.least - 1):
                self.node(node.node)
            self.loop(node)
            return
        for _ in range(node.least):
            self.node(node.node)
        forks: list[Fork] = []
        for _ in range(node.most - node.least):
            forks.append(self.optional(node))
            self.node(node.node)
        for fork in forks:
            self.close(node, fork)

    def optional(self, node: Repeat) -> Fork:
        fork = Fork(first=self.here + 1) if node.greedy else Fork(second=self.here + 1)
        self.add(fork)
        return fork

    def close(self, node: Repeat, fork: Fork) -> None:
        if node.greedy:
            fork.second = self.here
        else:
            fork.first = self.here

    def loop(self, node: Repeat) -> None:
        """Write ``x*`` or ``x+``; where x may be empty, ``x*`` is ``(x+)?``, as in Go."""
        skip = self.optional(node) if node.least == 0 else None
        start = self.here
        self.node(node.node)
        if skip is not None and not nullable(node.node):
            self.add(Jump(target=start - 1))
        else:
            again = Fork(first=start) if node.greedy else Fork(second=start)
            self.add(again)
            self.close(node, again)
        if skip is not None:
            self.close(node, skip)


MOST_STEPS: Final = 500_000
"""Steps for one text, less than a second: an expression of 20 instructions over 25 kB."""


class Matcher:
    """One text that is searched by one program, in time linear in the text; counts its steps.

    Every pair of instruction and position is tried once a search: what failed there will fail again. So no
    expression can take exponential time, as it could with Python's own ``re``; Go's engine works alike.
    """

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
            elif isinstance(instruction, Assertion):
                if not instruction.place(text, position):
                    return False
                place += 1
            else:
                return True
        return False
