"""sprig's functions about letter case, and about the words in a camel-case name.

The rules for where a word ends are those of huandu/xstrings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from typing import Final

from injector.golang import unicode
from injector.gotemplate.sprig.shared import go, octets

_CHINESE: Final = (("\u4e00", "\u9fcc"), ("\u3400", "\u4d85"), ("\U00020000", "\U0002b81d"))
_CONNECTORS: Final = "-_" + unicode.SPACES

# Few templates use these functions: re compiles and caches the patterns on use.
_WORDS: Final = (
    r"(?P<connectors>[- ]+)"
    r"|(?P<punctuation>P[P-]*)"
    r"|N[LN]*"  # a number, and lower case that follows it
    r"|(?:U+(?!L)|UL+|L+|O+)"  # a word: HTTPServer is HTTP and Server
    r"(?:N+(?![LN]))?"  # and a number behind it, unless lower case follows that
)
"""The parts of a text by the kinds of their characters; a connector is put between adjacent words."""

_JOINED: Final = f"(?:([{_CONNECTORS}]*)[{_CONNECTORS}])?([^{_CONNECTORS}])([^{_CONNECTORS}]*)"
_NO_SPACES: Final = f"[^{unicode.SPACES}]+"


def separated(text: str, connector: str) -> str:
    """Return ``someName2`` as ``some_name2`` for the connector ``_``."""
    out: list[str] = []
    after_word = False
    for words in re.finditer(_WORDS, "".join(map(_kind, text))):
        shown = text[words.start() : words.end()]
        is_word = words.lastgroup is None
        if is_word:
            out.append(connector if after_word else "")
            shown = "".join(unicode.to_lower(rune) if unicode.is_upper(rune) else rune for rune in shown)
        out.append(connector * len(shown) if words["connectors"] else shown)
        after_word = is_word
    return "".join(out)


def _kind(rune: str) -> str:
    """Return a letter for the kind of a character in words; Chinese characters are not letters here."""
    if rune in _CONNECTORS:
        return "-" if rune in "-_" else " "
    if unicode.is_punctuation(rune):
        return "P"
    if unicode.is_letter(rune) and not any(first <= rune <= last for first, last in _CHINESE):
        return "U" if unicode.is_upper(rune) else "L"
    return "N" if unicode.is_number(rune) else "O"


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
    return _at_starts(text, unicode.to_lower, lambda rune: rune in unicode.SPACES)


def _at_starts(text: str, change: Callable[[str], str], separates: Callable[[str], bool]) -> str:
    """Return ``text`` with its first character and every one after a separator changed."""
    out: list[str] = []
    starts = True
    for rune in text:
        out.append(change(rune) if starts else rune)
        starts = separates(rune)
    return "".join(out)


def _separates_words(rune: str) -> bool:
    if rune.isascii():
        return not (rune.isalnum() or rune == "_")
    return rune in unicode.SPACES


def swapcase(text: str) -> str:
    """Return ``text`` with upper and lower case swapped; the first letter of a word gets title case."""
    out: list[str] = []
    after_space = True
    for rune in text:
        if unicode.is_upper(rune) or unicode.is_title(rune):
            out.append(unicode.to_lower(rune))
        elif unicode.is_lower(rune):
            out.append(unicode.to_title(rune) if after_space else unicode.to_upper(rune))
        else:
            out.append(rune)
        after_space = rune in unicode.SPACES
    return "".join(out)


def initials(text: str) -> str:
    """Return the first letter of every word. As in sprig, each byte is a character here."""
    return "".join(word[0] for word in re.findall(_NO_SPACES, octets(text).decode("latin-1")))


def camelcase(text: str) -> str:
    """Return the words of ``text`` joined, each with a capital letter: ``PascalCase``."""
    inside = text.strip(_CONNECTORS)
    if not inside:
        return text + text[-1:]  # an oddity of sprig
    before, _, behind = text.partition(inside)
    return before + re.sub(_JOINED, _capitalised, inside) + behind


def _capitalised(match: re.Match[str]) -> str:
    """Return a word with one capital letter, after all but the last of the connectors before it."""
    connectors, first, rest = match.groups("")
    capitals = "".join(takewhile(unicode.is_upper, rest)) if unicode.is_upper(first) else ""
    return connectors + unicode.to_upper(first) + lower(capitals) + rest[len(capitals) :]


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
