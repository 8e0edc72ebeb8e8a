"""sprig's functions about letter case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from injector.golang import unicode
from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.sprig.texts import SPACES, octets
from injector.gotemplate.sprig.words import separated


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
    return _at_starts(text, unicode.to_lower, lambda rune: rune in SPACES, skip=True)


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
    return rune in SPACES and not (unicode.is_letter(rune) or unicode.is_digit(rune))


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
            after_space = rune in SPACES
    return "".join(out)


def initials(text: str) -> str:
    """Return the first letter of every word. Each byte is a character here, as it is in sprig."""
    runes = [chr(octet) for octet in octets(text)]
    starts = [True, *(rune in SPACES for rune in runes)]
    return "".join(rune for rune, start in zip(runes, starts, strict=False) if start and rune not in SPACES)


def camelcase(text: str) -> str:
    """Return the words of ``text`` joined, each with a capital letter: ``PascalCase``."""
    inside = text.lstrip("-_" + SPACES)
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


def _connects(rune: str) -> bool:
    return rune in "-_" or rune in SPACES


_TEXT: Final = "func(string) string"

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
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
)
