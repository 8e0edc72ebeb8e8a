"""sprig's functions about letter case, and about the words that a name in camel case consists of.

The rules where one word ends are those of huandu/xstrings.
"""

from __future__ import annotations

from collections.abc import Callable
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


def separated(text: str, connector: str) -> str:
    """Return ``someName2`` as ``some_name2`` for the connector ``_``."""
    return _Separation(text, connector).run() if text else ""


class _Separation:
    """The words written so far and the word that was read last."""

    def __init__(self, text: str, connector: str) -> None:
        self.rest = text
        self.connector = connector
        self.out: list[str] = []
        self.kind = WordKind.NONE
        self.word = ""

    def run(self) -> str:
        self.advance()
        while self.rest:
            if self.kind is not WordKind.CONNECTOR:
                self.write(self.kind, self.word)
            previous, last = self.kind, self.word
            self.advance()
            self.join(previous, last)
        self.write(self.kind, self.word)
        return "".join(self.out)

    def join(self, previous: WordKind, last: str) -> None:
        """Write what belongs between the word before and the word that was read."""
        if previous is WordKind.NUMBER:
            self.after_number()
        elif previous is WordKind.CONNECTOR:
            self.write(previous, last)
        elif previous is not WordKind.PUNCTUATION:
            self.after_word()

    def advance(self) -> None:
        self.kind, self.word, self.rest = _next_word(self.rest)

    def after_number(self) -> None:
        while self.kind in _LETTERS_OR_DIGITS:
            self.write_and_advance()
        self.connect_unless(WordKind.NONE, WordKind.PUNCTUATION, WordKind.CONNECTOR)

    def after_word(self) -> None:
        """Decide to which side a number after a word belongs."""
        if self.kind is not WordKind.NUMBER:
            self.connect_unless(WordKind.CONNECTOR, WordKind.PUNCTUATION)
            return
        if not self.rest:
            return
        number = self.word
        self.advance()
        self.place_number(number)

    def place_number(self, number: str) -> None:
        """Write a number that stands between a word and the word that was read."""
        if self.kind is not WordKind.LOWER:
            self.write(WordKind.NUMBER, number)
            self.connect_unless(WordKind.CONNECTOR, WordKind.PUNCTUATION)
            return
        self.out.append(self.connector)
        self.write(WordKind.NUMBER, number)
        self.after_number()

    def write_and_advance(self) -> None:
        self.write(self.kind, self.word)
        self.advance()

    def connect_unless(self, *kinds: WordKind) -> None:
        if self.kind not in kinds:
            self.out.append(self.connector)

    def write(self, kind: WordKind, word: str) -> None:
        if kind in (WordKind.UPPER, WordKind.CONNECTOR):
            word = "".join(map(self.lowered, word))
        self.out.append(word)

    def lowered(self, rune: str) -> str:
        if _connects(rune):
            return self.connector
        return unicode.to_lower(rune) if unicode.is_upper(rune) else rune


def _connects(rune: str) -> bool:
    return rune in "-_" or rune in unicode.SPACES


def _is_alphabetic(rune: str) -> bool:
    """Return whether a character is a letter that words are made of: Chinese characters are not."""
    return unicode.is_letter(rune) and not any(first <= rune <= last for first, last in _CHINESE)


def _next_word(text: str) -> tuple[WordKind, str, str]:
    """Return what the first word is, the word, and what follows it."""
    if not text:
        return WordKind.NONE, "", ""
    kind, belongs = next((run for run in _RUNS if run[1](text[0])), (WordKind.OTHER, _is_other))
    end = _upper_end(text) if kind is WordKind.UPPER else _run(text, 1, belongs)
    return kind, text[:end], text[end:]


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
