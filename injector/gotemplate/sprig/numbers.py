"""Any value to an int64 or float64, as sprig (spf13/cast) converts: no number is 0.

Values of declared types (an enumeration, a Duration) count as no numbers there, and so here.
"""

from __future__ import annotations

import re
from typing import Final

from injector.golang.strconv import parse_float, parse_literal
from injector.gotemplate.scalars import NamedInt
from injector.gotemplate.values import Pointer, Value

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

_ZERO_DECIMAL: Final = re.compile(r"\.0+\Z")


def wrap(number: int) -> int:
    """Return an integer as int64 arithmetic leaves it: overflow wraps around."""
    return (number - SMALLEST) % 2**64 + SMALLEST


def to_int(value: Value) -> int:
    """Return ``int`` of any value."""
    while isinstance(value, Pointer):
        value = value.value
    if isinstance(value, (NamedInt, str)):
        return _from_text(value) if type(value) is str else 0
    if isinstance(value, float):
        return from_float(value)
    return wrap(int(value)) if isinstance(value, int) else 0


def from_float(number: float) -> int:
    """Return the integer part; beyond int64 it is the smallest one, as amd64 converts."""
    if not -(2.0**63) <= number < 2.0**63:
        return SMALLEST
    return int(number)


def _from_text(text: str) -> int:
    """Return an integer literal's value; ``5.0`` is one, too."""
    number = parse_literal(_ZERO_DECIMAL.sub("", text))
    return number if number is not None and SMALLEST <= number <= LARGEST else 0


def to_float(value: Value) -> float:
    """Return ``float64`` of any value."""
    while isinstance(value, Pointer):
        value = value.value
    if isinstance(value, (NamedInt, str)):
        number = parse_float(value) if type(value) is str else None
        return 0.0 if number is None else number
    return float(value) if isinstance(value, (int, float)) else 0.0
