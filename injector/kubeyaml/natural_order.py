"""Sort keys as yaml.v2 does: in natural order, ``a2`` before ``a10``, other characters before letters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key
from typing import Final

_INT64: Final = 1 << 64


def natural_order(keys: Iterable[str]) -> list[str]:
    """Return the keys as yaml.v2 sorts them."""
    ordered = sorted(keys)
    if not "".join(ordered).isalpha():  # letters compare by code point, as they are sorted already
        ordered.sort(key=cmp_to_key(_compare))
    return ordered


def _compare(a: str, b: str) -> int:
    return -1 if _less(a, b) else int(_less(b, a))


def _less(a: str, b: str) -> bool:
    for position, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return _less_from(a, b, position)
    return len(a) < len(b)


def _less_from(a: str, b: str, position: int) -> bool:
    """Compare from where the keys first differ: as numbers if digits start there."""
    x, y = a[position], b[position]
    if x.isalpha() or y.isalpha():
        return x < y if x.isalpha() and y.isalpha() else y.isalpha()
    start = 1 if "0" in (x, y) and _nonzero_digit_before(a, position) else 0
    number_a, end_a = _number_at(a, position, start)
    number_b, end_b = _number_at(b, position, start)
    if number_a != number_b:
        return number_a < number_b
    return end_a < end_b if end_a != end_b else x < y


def _nonzero_digit_before(key: str, position: int) -> bool:
    """Return whether a 0 at ``position`` counts, because the digits before it are not all zeros."""
    for character in reversed(key[:position]):
        if not character.isdecimal():
            return False
        if character != "0":
            return True
    return False


def _number_at(key: str, position: int, start: int) -> tuple[int, int]:
    """Return the number that starts at ``position``, in Go's wrapping int64, and where it ends."""
    number = start
    while position < len(key) and key[position].isdecimal():
        # Reduced at each step: otherwise a number of so many digits costs the square of them.
        number = (number * 10 + ord(key[position]) - ord("0")) % _INT64
        position += 1
    return (number - _INT64 if number >= _INT64 >> 1 else number), position
