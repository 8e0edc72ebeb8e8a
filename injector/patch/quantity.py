"""Write a quantity as Kubernetes does: ``2000m`` becomes ``2``, ``1024Mi`` becomes ``1Gi``.

This is apimachinery's resource.Quantity. A number is an ``amount`` times ten to an ``exponent``.
"""

from __future__ import annotations

import re
from sys import getsizeof
from typing import Final, Literal, NamedTuple, TypeAlias

from injector.errors import TypedError
from injector.golang.strconv import to_int
from injector.golang.unicode import trim_space
from injector.memo import Memo, process_wide

_Format: TypeAlias = Literal["decimal", "exponent", "binary"]

_SHAPE: Final = re.compile(r"([+-]?)0*+([0-9]*+)(?:\.([0-9]*+))?([eEinumkKMGTP]*+[-+]?[0-9]*)", re.ASCII)
"""Possessive, since no digit follows a run of digits: trying shorter runs would take time cubic in their
length."""
_BAD_SHAPE: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_BAD_SUFFIX: Final = "unable to parse quantity's suffix"
_BAD_NUMBER: Final = "unable to parse numeric part of quantity"
_DECIMAL_SUFFIXES: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18
}  # fmt: skip
_BINARY_SUFFIXES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_NAMES: Final = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIXES.items()}
_BINARY_NAMES: Final = {exponent: suffix for suffix, exponent in _BINARY_SUFFIXES.items()}
_FORMAT_NAMES: Final[dict[_Format, str]] = {
    "decimal": "DecimalSI",
    "exponent": "DecimalExponent",
    "binary": "BinarySI",
}
_NANO: Final = -9
_MOST: Final = 2**63 - 1
_FAST_DIGITS: Final = 18  # any number of this many decimal digits fits an int64
_NO_MORE: Final = 18  # a number with a larger exponent of ten does not fit an int64
_LARGEST_EXPONENT: Final = 2**31
_LONGEST: Final = 1000  # characters: Go reads any number, and multiplying takes the square of its digits


_WRITTEN: Final[Memo[str, str]] = process_wide("quantities")


class _Parsed(NamedTuple):
    """The parts of a quantity's text."""

    has_digits: bool
    negative: bool
    whole: str
    fraction: str
    form: _Format
    exponent: int
    """An exponent of two for the binary form, else of ten."""


def canonical_quantity(text: str) -> str:
    """Return ``text`` as resource.Quantity writes it after reading it; TypedError in its words."""
    known = _WRITTEN.get(text)
    if known is None:
        known = _written(text)
        _WRITTEN.put(text, known, getsizeof(text) + getsizeof(known))
    return known


def _written(text: str) -> str:
    stripped = trim_space(text)
    if stripped == "0":
        return stripped
    parsed = _parse(stripped)
    fits = _fits(parsed)
    if not fits and not parsed.has_digits:
        raise TypedError(_BAD_NUMBER)
    return stripped if fits and _is_canonical(parsed) else _rewritten(parsed)


def quantity_fault(text: str) -> str:
    """Return resource.ParseQuantity's error for ``text``, spaces included; "" when it reads it."""
    if text == "0":
        return ""
    try:
        parsed = _parse(text)
    except TypedError as error:
        return str(error)
    return "" if parsed.has_digits or _fits(parsed) else _BAD_NUMBER


def milli_value(text: str) -> int:
    """Return a quantity in thousandths, rounded away from zero, as MilliValue does; at most an int64."""
    return _scaled(text, -3)


def whole_value(text: str) -> int:
    """Return a quantity rounded away from zero, as Value does; at most an int64."""
    return _scaled(text, 0)


def _scaled(text: str, scale: int) -> int:
    parsed = _parse(trim_space(text))
    amount, exponent = _number(parsed)
    if exponent > _NO_MORE:
        amount, exponent = min(amount, 1) * _MOST, 0
    numerator: int = amount * 10 ** max(exponent - scale, 0)
    denominator: int = 10 ** max(scale - exponent, 0)
    scaled = min(-(-numerator // denominator), _MOST)
    return -scaled if parsed.negative else scaled


def compare(first: str, second: str) -> int:
    """Return -1, 0 or 1 as Quantity's Cmp does."""
    (negative, mine), (below_zero, its) = _ordered(first), _ordered(second)
    if negative != below_zero:
        return -1 if negative else 1
    order = (mine > its) - (mine < its)
    return -order if negative else order


def _ordered(text: str) -> tuple[bool, tuple[int, str]]:
    """Return whether a quantity is negative, and its absolute value as magnitude and digits, for ordering."""
    parsed = _parse(trim_space(text))
    amount, exponent = _number(parsed)
    if amount == 0:
        return False, (-_LARGEST_EXPONENT, "")
    digits = str(amount).rstrip("0")
    return parsed.negative, (len(str(amount)) + exponent, digits)


def format_name(text: str) -> str:
    """Return Kubernetes' name of the format that a quantity is written in."""
    return _FORMAT_NAMES[_parse(trim_space(text)).form]


def _parse(text: str) -> _Parsed:
    if len(text) > _LONGEST:
        raise TypedError(f"a quantity of {len(text):,} characters is longer than {_LONGEST:,}")
    match = _SHAPE.fullmatch(text)
    if match is None or not text:
        raise TypedError(_BAD_SHAPE)
    sign, whole, fraction, suffix = match.groups(default="")
    form, exponent = _interpreted(suffix)
    return _Parsed(
        has_digits=text.lstrip("+-.")[:1].isdigit(),
        negative=sign == "-",
        whole=whole or "0",
        fraction=fraction,
        form=form,
        exponent=exponent,
    )


def _interpreted(suffix: str) -> tuple[_Format, int]:
    if suffix in _DECIMAL_SUFFIXES:
        return "decimal", _DECIMAL_SUFFIXES[suffix]
    if suffix in _BINARY_SUFFIXES:
        return "binary", _BINARY_SUFFIXES[suffix]
    if re.fullmatch(r"[eE][-+]?[0-9]+", suffix, re.ASCII) and abs(to_int(suffix[1:])) < _LARGEST_EXPONENT:
        return "exponent", int(suffix[1:])
    raise TypedError(_BAD_SUFFIX)


def _fits(parsed: _Parsed) -> bool:
    """Return whether Go reads the number into an int64 instead of a decimal."""
    digits = parsed.whole + parsed.fraction
    if parsed.form == "binary":
        room = 15 - len(parsed.whole) - int(parsed.exponent * 3 / 10) - 1
        return not parsed.fraction and room >= 0 and int(digits) << parsed.exponent <= _MOST
    return len(digits) <= _FAST_DIGITS and parsed.exponent - len(parsed.fraction) >= _NANO


def _is_canonical(parsed: _Parsed) -> bool:
    """Return whether Go takes the text for canonical and writes it unchanged."""
    digits = parsed.whole + parsed.fraction
    if parsed.form == "binary":
        return int(digits) % 8 != 0
    scale = parsed.exponent - len(parsed.fraction)
    return scale % 3 == 0 and not digits.endswith("000") and not digits.startswith("0")


def _rewritten(parsed: _Parsed) -> str:
    amount, exponent = _number(parsed)
    if amount == 0:
        return "0"
    sign = "-" if parsed.negative else ""
    if parsed.form == "binary" and exponent >= 0:
        return sign + _binary(amount * 10**exponent)
    return sign + _decimal(amount, exponent, "decimal" if parsed.form == "binary" else parsed.form)


def _number(parsed: _Parsed) -> tuple[int, int]:
    """Return the absolute value: rounded up to whole nanos, in the binary form at most an int64."""
    amount, exponent = int(parsed.whole + parsed.fraction), -len(parsed.fraction)
    if parsed.form != "binary":
        return _rounded(amount, exponent + parsed.exponent)
    amount, exponent = _rounded(amount << parsed.exponent, exponent)
    if amount * 10 ** max(exponent, 0) > _MOST * 10 ** max(-exponent, 0):
        return _MOST, 0
    return amount, exponent


def _rounded(amount: int, exponent: int) -> tuple[int, int]:
    """Return the number without trailing zeros, rounded up to whole nanos."""
    digits = str(amount)
    excess = _NANO - exponent
    if excess > len(digits):
        return (1, _NANO) if amount else (0, 0)
    if excess > 0:
        amount, exponent = -(-amount // 10**excess), _NANO
        digits = str(amount)
    zeros = len(digits) - len(digits.rstrip("0"))
    return amount // 10**zeros, exponent + zeros


def _decimal(amount: int, exponent: int, form: _Format) -> str:
    """Write with the largest power of a thousand; one without a suffix is not written, as in Go."""
    amount, exponent = amount * 10 ** (exponent % 3), exponent - exponent % 3
    if form == "exponent":
        return f"{amount}e{exponent}" if exponent else str(amount)
    return f"{amount}{_DECIMAL_NAMES.get(exponent, '')}"


def _binary(amount: int) -> str:
    if amount < 1024:
        return _decimal(*_rounded(amount, 0), "decimal")
    power = 0
    while amount % 1024 == 0:
        amount, power = amount // 1024, power + 10
    return f"{amount}{_BINARY_NAMES.get(power, '')}"
