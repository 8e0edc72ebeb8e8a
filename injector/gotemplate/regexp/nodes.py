"""The parts of a regular expression, and its sets of characters."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from injector.golang import unicode
from injector.memo import remembered

Range = tuple[str, str]

DIGITS: Final[tuple[Range, ...]] = (("0", "9"),)
SPACES: Final[tuple[Range, ...]] = (("\t", "\n"), ("\f", "\r"), (" ", " "))
WORD: Final[tuple[Range, ...]] = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
_WORD: Final = frozenset(string.ascii_letters + string.digits + "_")
EVERY: Final[tuple[Range, ...]] = (("\0", "\U0010ffff"),)

POSIX: Final[Mapping[str, tuple[Range, ...]]] = {
    "alnum": (("0", "9"), ("A", "Z"), ("a", "z")),
    "alpha": (("A", "Z"), ("a", "z")),
    "ascii": (("\0", "\x7f"),),
    "blank": (("\t", "\t"), (" ", " ")),
    "cntrl": (("\0", "\x1f"), ("\x7f", "\x7f")),
    "digit": DIGITS,
    "graph": (("!", "~"),),
    "lower": (("a", "z"),),
    "print": ((" ", "~"),),
    "punct": (("!", "/"), (":", "@"), ("[", "`"), ("{", "~")),
    "space": (("\t", "\r"), (" ", " ")),
    "upper": (("A", "Z"),),
    "word": WORD,
    "xdigit": (("0", "9"), ("A", "F"), ("a", "f")),
}
_GROUPS: Final = {"L": "ultmo", "M": "nce", "N": "dlo", "P": "cdseifo", "S": "mcko", "Z": "slp", "C": "cfosn"}
CATEGORIES: Final = frozenset((*_GROUPS, *(group + each for group, more in _GROUPS.items() for each in more)))
"""Unicode's general categories, ``L`` and ``Lu`` and so on."""

_CASED: Final = ("Lu", "Ll", "Lt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassItem:
    """Ranges of characters, or those of a Unicode category; ``fold`` accepts both cases of a letter."""

    ranges: tuple[Range, ...] = ()
    category: str = ""
    negated: bool = False
    fold: bool = False

    def __contains__(self, rune: str) -> bool:
        """Return whether a character belongs to it."""
        runes = orbit(rune) if self.fold else (rune,)
        return any(map(self._has, runes)) != self.negated

    def _has(self, rune: str) -> bool:
        if self.category:
            category = unicodedata.category(rune)
            return category in _CASED if self.category == "LC" else category.startswith(self.category)
        return any(first <= rune <= last for first, last in self.ranges)


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterClass:
    """One character: of those that belong to any of the items, or to none of them."""

    items: tuple[ClassItem, ...]
    negated: bool = False

    def __contains__(self, rune: str) -> bool:
        """Return whether a character belongs to it; a byte that is not valid UTF-8 counts as U+FFFD."""
        shown = "\ufffd" if "\ud800" <= rune <= "\udfff" else rune
        return any(shown in item for item in self.items) != self.negated


@remembered("regexp_classes")
def ascii_of(characters: CharacterClass) -> frozenset[str]:
    """Return the ASCII characters of a class: most look-ups are for these."""
    return frozenset(rune for rune in map(chr, range(0x80)) if rune in characters)


def single(rune: str, *, fold: bool) -> CharacterClass:
    """Return the class of one character."""
    return CharacterClass(items=(ClassItem(ranges=((rune, rune),), fold=fold),))


ANY: Final = CharacterClass(items=(ClassItem(ranges=EVERY),))
ANY_BUT_NEWLINE: Final = CharacterClass(items=(ClassItem(ranges=(("\n", "\n"),)),), negated=True)


def orbit(rune: str) -> tuple[str, ...]:
    """Return the characters that differ from this one only in case, including itself."""
    return _orbits().get(unicode.fold(rune), (rune,))


@cache
def _orbits() -> Mapping[str, tuple[str, ...]]:
    """Collect all characters that have case: their common form -> the characters."""
    found: dict[str, list[str]] = {}
    for code in range(0x110000):
        rune = chr(code)
        if rune.upper() != rune or rune.lower() != rune or rune.casefold() != rune:
            found.setdefault(unicode.fold(rune), []).append(rune)
    for common, runes in found.items():
        if common not in runes:
            runes.append(common)
    return {common: tuple(runes) for common, runes in found.items()}


Place: TypeAlias = Callable[[str, int], bool]
"""Returns whether an assertion without width holds at a position of a text."""


def _at_boundary(text: str, position: int) -> bool:
    before = position > 0 and text[position - 1] in _WORD
    behind = position < len(text) and text[position] in _WORD
    return before != behind


PLACES: Final[Mapping[str, Place]] = {
    "A": lambda _text, position: position == 0,
    "z": lambda text, position: position == len(text),
    "(?m)^": lambda text, position: position == 0 or text[position - 1] == "\n",
    "(?m)$": lambda text, position: position == len(text) or text[position] == "\n",
    "b": _at_boundary,
    "B": lambda text, position: not _at_boundary(text, position),
}
"""By the letter of an escape; assertions about lines by their other spelling."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion about a position in the text."""

    place: Place


@dataclass(frozen=True, slots=True)
class Capture:
    """A numbered group, from 1."""

    number: int
    node: Node


@dataclass(frozen=True, slots=True)
class Sequence:
    """Nodes one after the other; none of them matches the empty text."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Nodes; the first one that leads to a match is taken."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A node repeated; ``most`` is None where there is no limit."""

    node: Node
    least: int
    most: int | None
    greedy: bool


Node: TypeAlias = CharacterClass | Assertion | Capture | Sequence | Choice | Repeat


def nullable(node: Node) -> bool:
    """Return whether a node may match the empty text."""
    match node:
        case CharacterClass():
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
        case CharacterClass() | Assertion():
            return True
