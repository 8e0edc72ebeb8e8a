"""Any value to an int64 or float64, as sprig (spf13/cast) converts: no number is 0.

Values of declared types (an enumeration, a Duration) count as no numbers there, and so here.
"""

from __future__ import annotations

import math
import re
from typing import Final

from injector.golang.digits import to_int as read_digits
from injector.gotemplate.scalars import NamedInt
from injector.gotemplate.values import Pointer, Value

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

_INTEGER: Final = re.compile(
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<bin>(?:_?[01])+)"
    r"|0[oO](?P<oct>(?:_?[0-7])+)|0(?P<old>(?:_?[0-7])+)|(?P<dec>0|[1-9](?:_?[0-9])*))"
)
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "old": 8, "dec": 10}
_ZERO_DECIMAL: Final = re.compile(r"\.0+\Z")
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_DECIMAL: Final = re.compile(rf"[+-]?(?=\.?[0-9])(?:{_DIGITS})?(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?")
_HEXADECIMAL: Final = re.compile(
    r"[+-]?0[xX](?=\.?[0-9a-fA-F_])(?:_?[0-9a-fA-F])*(?:\.(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?"
    r"[pP][+-]?[0-9](?:_?[0-9])*"
)
_WORDS: Final = re.compile(r"(?i)[+-]?inf(?:inity)?|nan")


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
    match = _INTEGER.fullmatch(_ZERO_DECIMAL.sub("", text))
    if match is None:
        return 0
    base = next(name for name in _BASES if match[name] is not None)
    digits = match[base].replace("_", "")
    number = read_digits(digits) if base == "dec" else int(digits, _BASES[base])
    number = -number if match["sign"] == "-" else number
    return number if SMALLEST <= number <= LARGEST else 0


def to_float(value: Value) -> float:
    """Return ``float64`` of any value."""
    while isinstance(value, Pointer):
        value = value.value
    if isinstance(value, (NamedInt, str)):
        return _float_from_text(value) if type(value) is str else 0.0
    return float(value) if isinstance(value, (int, float)) else 0.0


def _float_from_text(text: str) -> float:
    if _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError:
            return 0.0
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return 0.0 if math.isinf(number) else number
    return float(text) if _WORDS.fullmatch(text) else 0.0
