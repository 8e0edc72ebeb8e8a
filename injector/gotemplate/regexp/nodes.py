"""The parts of a regular expression."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from injector.gotemplate.regexp.classes import CharacterClass


class EmptyOp(Enum):
    """What an assertion without width asks for."""

    BEGIN_TEXT = auto()
    END_TEXT = auto()
    BEGIN_LINE = auto()
    END_LINE = auto()
    BOUNDARY = auto()
    NO_BOUNDARY = auto()


@dataclass(frozen=True, slots=True)
class One:
    """One character out of a class."""

    characters: CharacterClass


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place in the text."""

    place: EmptyOp


@dataclass(frozen=True, slots=True)
class Capture:
    """A group that is numbered, from 1."""

    number: int
    node: Node


@dataclass(frozen=True, slots=True)
class Sequence:
    """Nodes one after the other; none of them matches the empty text."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Nodes of which the first that leads to a match is taken."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A node repeated; ``most`` is None where there is no limit."""

    node: Node
    least: int
    most: int | None
    greedy: bool


Node: TypeAlias = One | Assertion | Capture | Sequence | Choice | Repeat


def nullable(node: Node) -> bool:
    """Return whether a node may match the empty text."""
    match node:
        case One():
            return False
        case Assertion():
            return True
        case Capture():
            return nullable(node.node)
        case Sequence():
            return all(map(nullable, node.nodes))
        case Choice():
            return any(map(nullable, node.nodes))
        case Repeat():
            return node.least == 0 or nullable(node.node)


def may_repeat(node: Node, most: int) -> bool:
    """Return whether nested counts multiply to no more than ``most``."""
    match node:
        case Repeat():
            count = node.least if node.most is None else node.most
            if node.most == 0:
                return True
            return count <= most and may_repeat(node.node, most // count if count else most)
        case Capture():
            return may_repeat(node.node, most)
        case Sequence() | Choice():
            return all(may_repeat(each, most) for each in node.nodes)
        case One() | Assertion():
            return True
