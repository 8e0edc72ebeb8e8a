"""Decimal digits in, the integer out, however many there are.

Python's own ``int`` refuses more than 4,300 digits, and takes time that grows with their square.
"""

from __future__ import annotations

from typing import Final

_ENOUGH: Final = 40
"""No integer of Go has more than 20 (uint64)."""


def to_int(text: str) -> int:
    """Return the integer that ``text``, digits with or without a sign, says; no digits say 0.

    One of more than 40 digits is cut to these: it fits no integer of Go before and after.
    """
    number = int(text.lstrip("+-0")[:_ENOUGH] or "0")
    return -number if text.startswith("-") else number
