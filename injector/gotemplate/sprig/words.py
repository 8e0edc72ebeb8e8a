"""A name in camel case in, its words in lower case with a connector between them out.

The rules where one word ends are those of huandu/xstrings.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from injector.golang import unicode
from injector.gotemplate.sprig.texts import SPACES


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
    return rune in "-_" or rune in SPACES


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
