"""The nodes of a regular expression in, a program for the matcher out.

The program prefers what Go prefers: the first alternative, the longer repetition unless it is lazy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from injector.gotemplate.errors import FunctionError
from injector.gotemplate.regexp.classes import CharacterClass, ascii_of
from injector.gotemplate.regexp.nodes import (
    Assertion,
    Capture,
    Choice,
    EmptyOp,
    Node,
    One,
    Repeat,
    Sequence,
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
class EmptyWidth:
    """Go on at such a place only."""

    place: EmptyOp


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


Instruction: TypeAlias = Take | EmptyWidth | Save | Fork | Jump | Match


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
                self.add(EmptyWidth(node.place))
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
