"""sprig's arithmetic in wrapping int64, float64 and exact decimals; and its functions for durations.

Any value becomes an int64 or float64 first, as sprig (spf13/cast) converts it: a value that is not a number
is 0, and so are values of declared types (an enumeration, a Duration).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Final

from injector.golang.strconv import parse_float, parse_literal
from injector.golang.strconv import to_int as read_digits
from injector.golang.times import SECOND, DurationError, format_duration, parse_duration
from injector.gotemplate import fmt
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.sprig.shared import SLICE_INT, check_length, go
from injector.gotemplate.types import Int64, NamedInt, SizedInt
from injector.gotemplate.values import Pointer, TypedList, Value

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1

_ZERO_DECIMAL: Final = re.compile(r"\.0+\Z")


def wrap(number: int) -> int:
    """Return an integer after int64 arithmetic: overflow wraps around."""
    return (number - SMALLEST) % 2**64 + SMALLEST


def to_int(value: Value) -> int:
    """Return ``int`` of any value."""
    if isinstance(value, Pointer):
        return to_int(value.value)
    if isinstance(value, (NamedInt, str)):
        return _from_text(value) if type(value) is str else 0
    if isinstance(value, float):  # beyond int64 it is the smallest int64, as amd64 converts
        return int(value) if -(2.0**63) <= value < 2.0**63 else SMALLEST
    return wrap(int(value)) if isinstance(value, int) else 0


def _from_text(text: str) -> int:
    """Return an integer literal's value; ``5.0`` is one, too."""
    number = parse_literal(_ZERO_DECIMAL.sub("", text))
    return number if number is not None and SMALLEST <= number <= LARGEST else 0


def to_float(value: Value) -> float:
    """Return ``float64`` of any value."""
    if isinstance(value, Pointer):
        return to_float(value.value)
    if isinstance(value, (NamedInt, str)):
        number = parse_float(value) if type(value) is str else None
        return 0.0 if number is None else number
    return float(value) if isinstance(value, (int, float)) else 0.0


_DIVISION_DIGITS: Final = 10**16
"""Decimal quotients are rounded to sixteen digits after the point, halves away from zero."""


def add(*values: Value) -> SizedInt:
    """Return the sum."""
    return Int64(wrap(sum(map(to_int, values))))


def mul(*values: Value) -> SizedInt:
    """Return the product."""
    return Int64(reduce(lambda product, value: wrap(product * to_int(value)), values, 1))


def div(left: Value, right: Value) -> SizedInt:
    """Return the quotient, cut towards zero."""
    dividend, divisor = to_int(left), _divisor(right)
    quotient = abs(dividend) // abs(divisor)
    return Int64(wrap(quotient if (dividend < 0) == (divisor < 0) else -quotient))


def mod(left: Value, right: Value) -> SizedInt:
    """Return the remainder, which has the sign of the dividend."""
    dividend, divisor = to_int(left), _divisor(right)
    remainder = abs(dividend) % abs(divisor)
    return Int64(-remainder if dividend < 0 else remainder)


def _divisor(value: Value) -> int:
    divisor = to_int(value)
    if divisor == 0:
        raise FunctionError("runtime error: integer divide by zero")
    return divisor


def atoi(text: str) -> int:
    """Return a decimal number, 0 for any other text; a number too large becomes the largest one."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        return 0
    return max(SMALLEST, min(LARGEST, read_digits(text)))


def to_decimal(value: Value) -> SizedInt:
    """Return the printed value read as an octal number, 0 when it is not one."""
    text = fmt.format_value(value)
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or digits.strip("01234567"):
        return Int64(0)
    number = int(text, 8)
    return Int64(number if SMALLEST <= number <= LARGEST else 0)


# Floats.


def _rounding(towards: Callable[[float], int]) -> Callable[[Value], float]:
    def rounded(value: Value) -> float:
        number = to_float(value)
        return math.copysign(towards(number), number) if math.isfinite(number) else number

    return rounded


def round_(value: Value, places: int, *options: float) -> float:
    """Return a number rounded to ``places``; up from a half, or from the fraction given as an option."""
    power = _power_of_ten(places)
    shifted = power * to_float(value)
    fraction, _ = math.modf(shifted)
    up = fraction >= (options[0] if options else 0.5)
    if math.isfinite(shifted):
        shifted = math.copysign(math.ceil(shifted) if up else math.floor(shifted), shifted)
    if power == 0:
        return math.nan if shifted == 0 or math.isnan(shifted) else math.copysign(math.inf, shifted)
    return shifted / power


def _power_of_ten(exponent: int) -> float:
    """Return math.Pow(10, exponent), which is not always the nearest float: Go squares in 53 bits."""
    mantissa, power = 1.0, 0
    base, base_power = math.frexp(10.0)
    rest = abs(exponent)
    while rest:
        if base_power > 1 << 12:
            return math.inf if exponent > 0 else 0.0
        if rest & 1:
            mantissa, power = mantissa * base, power + base_power
        base, base_power, rest = base * base, base_power << 1, rest >> 1
        if base < 0.5:
            base, base_power = base + base, base_power - 1
    if exponent < 0:
        mantissa, power = 1 / mantissa, -power
    try:
        return math.ldexp(mantissa, power)
    except OverflowError:
        return math.inf


def _extreme(choose: Callable[[list[float]], float]) -> Callable[..., float]:
    """Return the function for the largest or the smallest number; NaN wins."""

    def chosen(*values: Value) -> float:
        numbers = [to_float(value) for value in values]
        return next((number for number in numbers if math.isnan(number)), None) or choose(numbers)

    return chosen


# Decimals.


def _decimal(value: Value) -> Fraction:
    number = to_float(value)
    if not math.isfinite(number):
        raise FunctionError(f"Cannot create a Decimal from {fmt.format_value(number)}")
    return Fraction(repr(number))


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _decimals(step: Callable[[Fraction, Fraction], Fraction]) -> Callable[..., float]:
    return lambda *values: _nearest(reduce(step, map(_decimal, values)))


def _quotient(left: Fraction, right: Fraction) -> Fraction:
    if right == 0:
        raise FunctionError("decimal division by 0")
    scaled = abs(left / right) * _DIVISION_DIGITS
    rounded = Fraction(math.floor(scaled + Fraction(1, 2)), _DIVISION_DIGITS)
    return rounded if (left < 0) == (right < 0) else -rounded


_sum: Final = _decimals(lambda left, right: left + right)


# Sequences.


def until_step(start: int, stop: int, step: int) -> TypedList:
    """Return the integers from ``start`` up to but not including ``stop``."""
    numbers = range(start, stop, step) if step else range(0)
    check_length(len(numbers))
    return TypedList(numbers, SLICE_INT)


def seq(*bounds: int) -> str:
    """Return integers, both ends included, as text; arguments are last, first last, or first step last."""
    if not 1 <= len(bounds) <= 3:
        return ""
    first = bounds[0] if len(bounds) > 1 else 1
    last = bounds[-1]
    direction = -1 if last < first else 1
    step = bounds[1] if len(bounds) == 3 else direction
    if direction < 0 < step:
        return ""
    return " ".join(map(str, until_step(first, last + direction, step)))


# Durations.

_ROUNDED: Final = (
    (365 * 24 * 3600 * SECOND, "y"),
    (30 * 24 * 3600 * SECOND, "mo"),
    (24 * 3600 * SECOND, "d"),
    (3600 * SECOND, "h"),
    (60 * SECOND, "m"),
    (SECOND, "s"),
)


def duration(seconds: Value) -> str:
    """Return seconds, a text or an int64, as Go prints a Duration; any other value counts as 0."""
    number = int(seconds) if isinstance(seconds, Int64) else atoi(seconds) if type(seconds) is str else 0
    return format_duration(wrap(number * SECOND))


def duration_round(value: Value) -> str:
    """Return a duration, a text or an int64 of nanoseconds, in its largest unit only: ``2h``, ``3d``."""
    nanoseconds = abs(_nanoseconds(value))
    for size, unit in _ROUNDED:
        if nanoseconds > size:
            return f"{nanoseconds // size}{unit}"
    return "0s"


def _nanoseconds(value: Value) -> int:
    if isinstance(value, Int64):
        return int(value)
    try:
        return parse_duration(value) if type(value) is str else 0
    except DurationError:
        return 0


FUNCTIONS: Final = {
    "add": go("func(...any) int64", add),
    "add1": go("func(any) int64", lambda value: add(value, 1)),
    "add1f": go("func(any) float64", lambda value: _sum(value, 1)),
    "addf": go("func(...any) float64", lambda *values: _sum(0, *values)),
    "atoi": go("func(string) int", atoi),
    "biggest": go("func(any, ...any) int64", lambda *values: Int64(max(map(to_int, values)))),
    "ceil": go("func(any) float64", _rounding(math.ceil)),
    "div": go("func(any, any) int64", div),
    "divf": go("func(any, ...any) float64", _decimals(_quotient)),
    "duration": go("func(any) string", duration),
    "durationRound": go("func(any) string", duration_round),
    "float64": go("func(any) float64", to_float),
    "floor": go("func(any) float64", _rounding(math.floor)),
    "int": go("func(any) int", to_int),
    "int64": go("func(any) int64", lambda value: Int64(to_int(value))),
    "max": go("func(any, ...any) int64", lambda *values: Int64(max(map(to_int, values)))),
    "maxf": go("func(any, ...any) float64", _extreme(max)),
    "min": go("func(any, ...any) int64", lambda *values: Int64(min(map(to_int, values)))),
    "minf": go("func(any, ...any) float64", _extreme(min)),
    "mod": go("func(any, any) int64", mod),
    "mul": go("func(any, ...any) int64", mul),
    "mulf": go("func(any, ...any) float64", _decimals(lambda left, right: left * right)),
    "round": go("func(any, int, ...float64) float64", round_),
    "seq": go("func(...int) string", seq),
    "sub": go("func(any, any) int64", lambda left, right: Int64(wrap(to_int(left) - to_int(right)))),
    "subf": go("func(any, ...any) float64", _decimals(lambda left, right: left - right)),
    "toDecimal": go("func(any) int64", to_decimal),
    "until": go("func(int) []int", lambda count: until_step(0, count, -1 if count < 0 else 1)),
    "untilStep": go("func(int, int, int) []int", until_step),
}
