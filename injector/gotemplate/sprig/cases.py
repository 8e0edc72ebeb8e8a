"""sprig's functions about letter case, and about the words that a name in camel case consists of.

The rules where one word ends are those of huandu/xstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Final

from injector.golang import unicode
from injector.gotemplate.sprig.shared import go, octets


class WordKind(Enum):
    """What a word consists of."""

    NONE = auto()
    NUMBER = auto()
    UPPER = auto()
    LOWER = auto()
    CONNECTOR = auto()
    PUNCTUATION = auto()
    OTHER = auto()


_CHINESE: Final = (("\u4e00", "\u9fcc"), ("\u3400", "\u4d85"), ("\U00020000", "\U0002b81d"))
_LETTERS_OR_DIGITS: Final = (WordKind.LOWER, WordKind.NUMBER)
_ALONE: Final = (WordKind.NONE, WordKind.PUNCTUATION, WordKind.CONNECTOR)


def separated(text: str, connector: str) -> str:
    """Return ``someName2`` as ``some_name2`` for the connector ``_``."""
    return _Separation(text, connector).run()


class _Separation:
    """The words of a text, the one to be written next, and what was written."""

    def __init__(self, text: str, connector: str) -> None:
        self.words = [*_words(text), (WordKind.NONE, "")]
        self.connector = connector
        self.at = 0
        self.out: list[str] = []

    @property
    def kind(self) -> WordKind:
        return self.words[self.at][0]

    def run(self) -> str:
        last = len(self.words) - 2
        while self.at < last:
            previous = self.kind
            self.write()
            if previous is WordKind.NUMBER:
                self.after_number()
            elif previous not in _ALONE:
                self.after_word(last)
        return "".join([*self.out, self.shown()])

    def after_number(self) -> None:
        while self.kind in _LETTERS_OR_DIGITS:
            self.write()
        self.connect()

    def after_word(self, last: int) -> None:
        """Decide to which side a number after a word belongs."""
        if self.kind is not WordKind.NUMBER:
            self.connect()
        elif self.at < last and self.words[self.at + 1][0] is WordKind.LOWER:
            self.out.append(self.connector)
            self.write()
            self.after_number()
        elif self.at < last:
            self.write()
            self.connect()

    def connect(self) -> None:
        if self.kind not in _ALONE:
            self.out.append(self.connector)

    def write(self) -> None:
        self.out.append(self.shown())
        self.at += 1

    def shown(self) -> str:
        kind, word = self.words[self.at]
        return "".join(map(self.lowered, word)) if kind in (WordKind.UPPER, WordKind.CONNECTOR) else word

    def lowered(self, rune: str) -> str:
        if _connects(rune):
            return self.connector
        return unicode.to_lower(rune) if unicode.is_upper(rune) else rune


def _connects(rune: str) -> bool:
    return rune in "-_" or rune in unicode.SPACES


def _is_alphabetic(rune: str) -> bool:
    """Return whether a character is a letter that words are made of: Chinese characters are not."""
    return unicode.is_letter(rune) and not any(first <= rune <= last for first, last in _CHINESE)


def _words(text: str) -> Iterator[tuple[WordKind, str]]:
    """Yield the words of a text and what they are."""
    while text:
        kind, belongs = next((run for run in _RUNS if run[1](text[0])), (WordKind.OTHER, _is_other))
        end = _upper_end(text) if kind is WordKind.UPPER else _run(text, 1, belongs)
        yield kind, text[:end]
        text = text[end:]


def _is_other(rune: str) -> bool:
    belongs = (_connects, _is_alphabetic, unicode.is_number, unicode.is_punctuation)
    return not any(test(rune) for test in belongs)


_RUNS: Final[tuple[tuple[WordKind, Callable[[str], bool]], ...]] = (
    (WordKind.CONNECTOR, _connects),
    (WordKind.PUNCTUATION, unicode.is_punctuation),
    (WordKind.UPPER, unicode.is_upper),
    (WordKind.LOWER, lambda rune: _is_alphabetic(rune) and not unicode.is_upper(rune)),
    (WordKind.NUMBER, unicode.is_number),
)


def _run(text: str, start: int, belongs: Callable[[str], bool]) -> int:
    return next((at for at in range(start, len(text)) if not belongs(text[at])), len(text))


def _upper_end(text: str) -> int:
    """Return where a word that starts with a capital ends: ``HTTPServer`` is HTTP and Server."""
    if len(text) > 1 and unicode.is_upper(text[1]):
        end = _run(text, 2, unicode.is_upper)
        return end - 1 if end < len(text) and _is_alphabetic(text[end]) else end
    return _run(text, 1, lambda rune: _is_alphabetic(rune) and not unicode.is_upper(rune))


def upper(text: str) -> str:
    """Return ``text`` in upper case, character by character."""
    return text.upper() if text.isascii() else "".join(map(unicode.to_upper, text))


def lower(text: str) -> str:
    """Return ``text`` in lower case, character by character."""
    return text.lower() if text.isascii() else "".join(map(unicode.to_lower, text))


def title(text: str) -> str:
    """Return ``text`` with the first letter of every word in title case."""
    return _at_starts(text, unicode.to_title, _separates_words)


def untitle(text: str) -> str:
    """Return ``text`` with the first letter of every word in lower case."""
    return _at_starts(text, unicode.to_lower, lambda rune: rune in unicode.SPACES, skip=True)


def _at_starts(
    text: str, change: Callable[[str], str], separates: Callable[[str], bool], *, skip: bool = False
) -> str:
    """Return ``text`` with what follows a separator changed, separators themselves too unless ``skip``."""
    out: list[str] = []
    starts = True
    for rune in text:
        separator = separates(rune)
        out.append(change(rune) if starts and not (skip and separator) else rune)
        starts = separator
    return "".join(out)


def _separates_words(rune: str) -> bool:
    if rune.isascii():
        return not (rune.isalnum() or rune == "_")
    return rune in unicode.SPACES and not (unicode.is_letter(rune) or unicode.is_digit(rune))


def swapcase(text: str) -> str:
    """Return ``text`` with upper and lower case swapped; the first letter of a word gets title case."""
    out: list[str] = []
    after_space = True
    for rune in text:
        if unicode.is_upper(rune) or unicode.is_title(rune):
            out.append(unicode.to_lower(rune))
            after_space = False
        elif unicode.is_lower(rune):
            out.append(unicode.to_title(rune) if after_space else unicode.to_upper(rune))
            after_space = False
        else:
            out.append(rune)
            after_space = rune in unicode.SPACES
    return "".join(out)


def initials(text: str) -> str:
    """Return the first letter of every word. Each byte is a character here, as it is in sprig."""
    runes = [chr(octet) for octet in octets(text)]
    starts = [True, *(rune in unicode.SPACES for rune in runes)]
    return "".join(
        rune for rune, start in zip(runes, starts, strict=False) if start and rune not in unicode.SPACES
    )


def camelcase(text: str) -> str:
    """Return the words of ``text`` joined, each with a capital letter: ``PascalCase``."""
    inside = text.lstrip("-_" + unicode.SPACES)
    if not inside:
        return text + text[-1:]  # sprig's own slip
    out = [text[: len(text) - len(inside)]]
    lowering = unicode.is_upper(inside[0])
    previous = unicode.to_upper(inside[0])
    for rune in inside[1:]:
        shown = rune
        if _connects(previous) and _connects(rune):
            out.append(previous)
        elif _connects(previous):
            lowering = unicode.is_upper(rune)
            shown = unicode.to_upper(rune)
        else:
            if lowering:
                lowering = unicode.is_upper(rune)
                shown = unicode.to_lower(rune) if lowering else rune
            out.append(previous)
        previous = shown
    return "".join([*out, previous])


_TEXT: Final = "func(string) string"

FUNCTIONS: Final = {
    "camelcase": go(_TEXT, camelcase),
    "initials": go(_TEXT, initials),
    "kebabcase": go(_TEXT, lambda text: separated(text, "-")),
    "lower": go(_TEXT, lower),
    "snakecase": go(_TEXT, lambda text: separated(text, "_")),
    "swapcase": go(_TEXT, swapcase),
    "title": go(_TEXT, title),
    "untitle": go(_TEXT, untitle),
    "upper": go(_TEXT, upper),
}
