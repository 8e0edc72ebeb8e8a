"""Texts as Go's strconv reads them."""

from __future__ import annotations

import re
from typing import Final

from injector.digits import to_int

_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+")
_LARGEST: Final = 2**63 - 1


def parse_bool(text: str) -> bool | None:
    """Return what strconv.ParseBool reads, None where it fails."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


def parse_int(text: str) -> int | None:
    """Return what strconv.Atoi reads on 64 bits, None where it fails."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = to_int(text)
    return number if -_LARGEST - 1 <= number <= _LARGEST else None


def int32(number: int) -> int:
    """Return the number as Go's conversion to int32 leaves it: the low 32 bits with their sign."""
    return (number + 2**31) % 2**32 - 2**31
