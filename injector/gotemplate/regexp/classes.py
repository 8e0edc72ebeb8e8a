"""Sets of characters. Knows how a class is tested, not how it is written."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from injector.golang import unicode
from injector.memo import remembered

Range = tuple[str, str]

DIGITS: Final[tuple[Range, ...]] = (("0", "9"),)
SPACES: Final[tuple[Range, ...]] = (("\t", "\n"), ("\f", "\r"), (" ", " "))
WORD: Final[tuple[Range, ...]] = (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z"))
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
CATEGORIES: Final = frozenset(
    (
        "L",
        "Lu",
        "Ll",
        "Lt",
        "Lm",
        "Lo",
        "M",
        "Mn",
        "Mc",
        "Me",
        "N",
        "Nd",
        "Nl",
        "No",
        "P",
        "Pc",
        "Pd",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Po",
        "S",
        "Sm",
        "Sc",
        "Sk",
        "So",
        "Z",
        "Zs",
        "Zl",
        "Zp",
        "C",
        "Cc",
        "Cf",
        "Co",
        "Cs",
        "Cn",
    )
)
_CASED: Final = ("Lu", "Ll", "Lt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassItem:
    """Ranges of characters, or those of a Unicode category; ``fold`` takes both cases of a letter."""

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
    """The characters that belong to any of the items, or to none of them."""

    items: tuple[ClassItem, ...]
    negated: bool = False

    def __contains__(self, rune: str) -> bool:
        """Return whether a character belongs to it; a byte that is no UTF-8 counts as U+FFFD."""
        shown = "\ufffd" if "\ud800" <= rune <= "\udfff" else rune
        return any(shown in item for item in self.items) != self.negated


@remembered("regexp_classes")
def ascii_of(characters: CharacterClass) -> frozenset[str]:
    """Return the ASCII characters of a class, which are most that are ever asked for."""
    return frozenset(rune for rune in map(chr, range(0x80)) if rune in characters)


def single(rune: str, *, fold: bool) -> CharacterClass:
    """Return the class of one character."""
    return CharacterClass(items=(ClassItem(ranges=((rune, rune),), fold=fold),))


ANY: Final = CharacterClass(items=(ClassItem(ranges=EVERY),))
ANY_BUT_NEWLINE: Final = CharacterClass(items=(ClassItem(ranges=(("\n", "\n"),)),), negated=True)


def orbit(rune: str) -> tuple[str, ...]:
    """Return the characters that differ from this one in case only, itself among them."""
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
