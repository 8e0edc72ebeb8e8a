"""Decimal digits in, the integer out, however many there are.

Python's own ``int`` refuses more than 4,300 digits, and takes time that grows with their square.
"""

from __future__ import annotations

from typing import Final

_ENOUGH: Final = 40
"""No integer of Go has more than 20 (uint64)."""
_LARGEST: Final = 2**63


def to_int(text: str) -> int:
    """Return the integer that ``text``, digits with or without a sign, says; no digits say 0.

    One of more than 40 digits is cut to these: it fits no integer of Go before and after.
    """
    number = int(text.lstrip("+-0")[:_ENOUGH] or "0")
    return -number if text.startswith("-") else number


def fraction_of(digits: str, unit: int) -> int:
    """Return what ``digits``, those after a point, are of ``unit``, as Go's time.ParseDuration works it out.

    It reads as many as an int64 can hold, and goes on with floats.
    """
    count = 18 if to_int(digits[:19]) > _LARGEST else 19
    read = digits[:count]
    return int(float(to_int(read)) * (unit / 10.0 ** len(read)))
