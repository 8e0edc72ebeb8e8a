"""Go's time.Duration to text and back, and protobuf's form of it."""

from __future__ import annotations

import re
from typing import Final

from injector.golang.digits import to_int
from injector.golang.strconv import quote_bytes

NANOSECOND: Final = 1
MICROSECOND: Final = 1_000
MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000

_UNITS: Final = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # U+00B5, micro sign
    "μs": MICROSECOND,  # U+03BC, Greek letter mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PIECE: Final = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_MOST: Final = 1 << 63  # an int64 of nanoseconds; its negative is one more than its positive limit


class DurationError(ValueError):
    """Text that is not a valid duration; ``str()`` is Go's sentence."""


def parse_duration(text: str) -> int:
    """Return the nanoseconds of ``1h2m3.004s``, ``-100ms`` or ``0``.

    Raises DurationError in the words of time.ParseDuration.
    """
    rest = text[1:] if text[:1] in ("-", "+") else text
    negative = text.startswith("-")
    if rest == "0":
        return 0
    if not rest:
        raise _invalid(text)
    total = 0
    at = len(text) - len(rest)
    while at < len(text):
        nanoseconds, at = _piece(at, text)
        total += nanoseconds
        if total > _MOST:
            raise _invalid(text)
    if total == _MOST and not negative:
        raise _invalid(text)
    return -total if negative else total


def _piece(at: int, text: str) -> tuple[int, int]:
    """Return the nanoseconds of a number and its unit, and where the next one is."""
    match = _PIECE.match(text, at)
    assert match is not None  # noqa: S101 - the pattern matches the empty string
    whole, fraction, unit = match[1], match[2], match[3]
    if not whole and not (fraction and len(fraction) > 1):
        raise _invalid(text)
    number = to_int(whole)
    if number > _MOST:
        raise _invalid(text)
    if not unit:
        raise DurationError(f"time: missing unit in duration {quote_bytes(text)}")
    scale = _UNITS.get(unit)
    if scale is None:
        raise DurationError(f"time: unknown unit {quote_bytes(unit)} in duration {quote_bytes(text)}")
    part = _fraction_of(fraction[1:], scale) if fraction else 0
    return number * scale + part, match.end()


def _fraction_of(digits: str, unit: int) -> int:
    """Return what ``digits``, those after a point, are of ``unit``, as Go's time.ParseDuration works it out.

    It reads as many as an int64 can hold, and goes on with floats.
    """
    count = 18 if to_int(digits[:19]) > _MOST else 19
    read = digits[:count]
    return int(float(to_int(read)) * (unit / 10.0 ** len(read)))


def format_duration(nanoseconds: int) -> str:
    """Return time.Duration's String: ``1m0s``, ``1.5s``, ``100ms``, ``0s``."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    if rest < SECOND:
        unit, scale = next(
            pair for pair in (("ms", MILLISECOND), ("µs", MICROSECOND), ("ns", 1)) if rest >= pair[1]
        )
        return f"{sign}{_decimal(rest, scale)}{unit}"
    minutes, rest = divmod(rest, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def seconds_and_nanos(nanoseconds: int) -> tuple[int, int]:
    """Return the two fields of protobuf's Duration, which have one sign."""
    sign = -1 if nanoseconds < 0 else 1
    seconds, nanos = divmod(abs(nanoseconds), SECOND)
    return sign * seconds, sign * nanos


def proto_text(nanoseconds: int) -> str:
    """Return protobuf's JSON of a Duration without quotes: 0, 3, 6 or 9 digits after the point."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    seconds, nanos = divmod(rest, SECOND)
    digits = f"{nanos:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{sign}{seconds}.{digits}s" if digits else f"{sign}{seconds}s"


def _decimal(amount: int, scale: int) -> str:
    whole, part = divmod(amount, scale)
    digits = str(part).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _invalid(text: str) -> DurationError:
    return DurationError(f"time: invalid duration {quote_bytes(text)}")
