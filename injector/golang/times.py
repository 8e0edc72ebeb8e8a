"""Read and write Go's time.Duration and metav1.Time, and protobuf's form of a duration."""

from __future__ import annotations

import re
from calendar import monthrange, timegm
from datetime import datetime, timedelta
from typing import Final

from injector.errors import TypedError
from injector.golang.strconv import quote_bytes, to_int

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek letter mu
    "ms": MILLISECOND,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PIECE: Final = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_MOST: Final = 1 << 63  # nanoseconds in an int64; the negative limit is one more than the positive


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
    """Return the nanoseconds of a number and its unit, and where the next number begins."""
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
    """Return the nanoseconds in 0.``digits`` of a ``unit``, as Go's time.ParseDuration computes them.

    It reads as many digits as an int64 can hold, and goes on with floats.
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
        unit = "ms" if rest >= MILLISECOND else "µs" if rest >= 1_000 else "ns"
        return f"{sign}{_decimal(rest, _UNITS[unit])}{unit}"
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


# Points in time: a metav1.Time as Kubernetes writes it, in whole seconds and UTC.

_SECONDS_OF_400_YEARS: Final = 146_097 * 86_400
_LAYOUT: Final = "2006-01-02T15:04:05Z07:00"
_FRACTION: Final = re.compile(r"[.,][0-9]+", re.ASCII)
_ZONE: Final = re.compile(r"(.)([0-9]{2}):([0-9]{2})", re.ASCII | re.DOTALL)
# The parts of the layout in order: what precedes it, Go's word for it, pattern, name, least and most.
_PARTS: Final = (
    ("", "2006", re.compile(r"[0-9]{4}", re.ASCII), "year", 0, 9999),
    ("-", "01", re.compile(r"[0-9]{2}", re.ASCII), "month", 1, 12),
    ("-", "02", re.compile(r"[0-9]{2}", re.ASCII), "day", 0, 99),
    ("T", "15", re.compile(r"[0-9]{1,2}", re.ASCII), "hour", 0, 23),
    (":", "04", re.compile(r"[0-9]{2}", re.ASCII), "minute", 0, 59),
    (":", "05", re.compile(r"[0-9]{2}", re.ASCII), "second", 0, 59),
)


def canonical_time(text: str) -> str | None:
    """Return ``text`` in UTC without a fraction, None for Go's zero time; TypedError in time.Parse's."""
    numbers: list[int] = []
    rest = text
    for separator, layout, pattern, name, least, most in _PARTS:
        if not rest.startswith(separator):
            raise _mismatch(text, rest, separator)
        rest = rest.removeprefix(separator)
        match = pattern.match(rest)
        if match is None:
            raise _mismatch(text, rest, layout)
        rest = rest[match.end() :]
        numbers.append(int(match[0]))
        if not least <= numbers[-1] <= most:
            raise _fault(text, f"{name} out of range")
    fraction = _FRACTION.match(rest)
    offset, rest = _offset(text, rest[fraction.end() :] if fraction else rest)
    if rest:
        raise _fault(text, f"extra text: {quote_bytes(rest)}")
    return _in_utc(text, numbers, offset, bool(fraction and fraction[0][1:10].strip("0")))


def unix_seconds(written: str) -> int:
    """Return the seconds since 1970 of what `canonical_time` has written."""
    numbers = [int(number) for number in re.findall("[0-9]+", written)]
    year = -numbers[0] if written.startswith("-") else numbers[0]
    alike = 2000 + year % 400
    seconds = timegm((alike, *numbers[1:]))
    return seconds + (year - alike) // 400 * _SECONDS_OF_400_YEARS


def _offset(text: str, rest: str) -> tuple[timedelta, str]:
    if rest.startswith("Z"):
        return timedelta(), rest[1:]
    match = _ZONE.match(rest)
    if match is None:
        raise _mismatch(text, rest, "Z07:00")
    sign, hours, minutes = match[1], int(match[2]), int(match[3])
    # Go accepts the hour 24 and the minute 60.
    for number, most, name in ((minutes, 60, "minute"), (hours, 24, "hour")):
        if number > most:
            raise _fault(text, f"time zone offset {name} out of range")
    if sign not in "+-":
        raise _mismatch(text, rest, "Z07:00")
    return timedelta(hours=hours, minutes=minutes) * (-1 if sign == "-" else 1), rest[match.end() :]


def _in_utc(text: str, numbers: list[int], offset: timedelta, has_fraction: bool) -> str | None:  # noqa: FBT001
    year, month, day, hour, minute, second = numbers
    if not 1 <= day <= monthrange(2000 + year % 400, month)[1]:
        raise _fault(text, "day out of range")
    # The calendar repeats after 400 years; Python's has neither a year 0 nor a year 10000.
    shift = year - (2000 + year % 400)
    moment = datetime(year - shift, month, day, hour, minute, second) - offset  # noqa: DTZ001 - the offset is taken off by hand
    written_year = moment.year + shift
    written = f"{'-' if written_year < 0 else ''}{abs(written_year):04d}-{moment:%m-%dT%H:%M:%SZ}"
    return None if written == "0001-01-01T00:00:00Z" and not has_fraction else written


def _mismatch(text: str, rest: str, element: str) -> TypedError:
    where = f"cannot parse {quote_bytes(rest)} as {quote_bytes(element)}"
    return TypedError(f"parsing time {quote_bytes(text)} as {quote_bytes(_LAYOUT)}: {where}")


def _fault(text: str, message: str) -> TypedError:
    return TypedError(f"parsing time {quote_bytes(text)}: {message}")
