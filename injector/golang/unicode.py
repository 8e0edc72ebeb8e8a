"""Letter case and character classes as in Go's package unicode.

Go maps one character to one character; Python's str methods follow the longer, contextual rules of Unicode.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

_WIDE_SPACES: Final = (0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
SPACES: Final = "".join(map(chr, (*b"\t\n\v\f\r \x85\xa0", *_WIDE_SPACES)))
"""unicode.IsSpace, which strings.TrimSpace uses; Python also counts \\x1c to \\x1f as spaces."""


HALF_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def to_valid(text: str) -> str:
    """Return a text with U+FFFD for each byte that is not valid UTF-8, which Python keeps as a surrogate."""
    return HALF_SURROGATE.sub("\ufffd", text)


def trim_space(text: str) -> str:
    """Return what strings.TrimSpace leaves."""
    return text.strip(SPACES)


def to_upper(rune: str) -> str:
    """Return the simple upper case of a character."""
    upper = rune.upper()
    return upper if len(upper) == 1 else to_title(rune)


def to_title(rune: str) -> str:
    """Return the simple title case of a character."""
    title = rune.title()
    return title if len(title) == 1 else rune


def to_lower(rune: str) -> str:
    """Return the simple lower case of a character."""
    lower = rune.lower()
    return lower if len(lower) == 1 else "i"  # U+0130 is the only one whose lower case is longer


def fold(rune: str) -> str:
    """Return a form that is equal for two characters that differ only in case."""
    folded = rune.casefold()
    if len(folded) == 1:
        return folded
    lower = rune.lower()
    return lower if len(lower) == 1 else rune


def _belongs_to(category: str) -> Callable[[str], bool]:
    return lambda rune: unicodedata.category(rune).startswith(category)


is_letter: Final = _belongs_to("L")
is_upper: Final = _belongs_to("Lu")
is_lower: Final = _belongs_to("Ll")
is_title: Final = _belongs_to("Lt")
is_number: Final = _belongs_to("N")
is_digit: Final = _belongs_to("Nd")
is_punctuation: Final = _belongs_to("P")
"""By Unicode's general categories; a number may be of any kind, a digit is a decimal digit."""
