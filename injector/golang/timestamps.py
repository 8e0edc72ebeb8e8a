"""Text of a metav1.Time to the text that Kubernetes writes for it: whole seconds in UTC."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import datetime, timedelta
from typing import Final

from injector.errors import TypedError
from injector.golang.strconv import quote_bytes

_LAYOUT: Final = "2006-01-02T15:04:05Z07:00"
_FRACTION: Final = re.compile(r"[.,][0-9]+", re.ASCII)
_ZONE: Final = re.compile(r"(.)([0-9]{2}):([0-9]{2})", re.ASCII | re.DOTALL)
# The parts of the layout in order: what stands before, Go's word for it, pattern, name, least and most.
_PARTS: Final = (
    ("", "2006", re.compile(r"[0-9]{4}", re.ASCII), "year", 0, 9999),
    ("-", "01", re.compile(r"[0-9]{2}", re.ASCII), "month", 1, 12),
    ("-", "02", re.compile(r"[0-9]{2}", re.ASCII), "day", 0, 99),
    ("T", "15", re.compile(r"[0-9]{1,2}", re.ASCII), "hour", 0, 23),
    (":", "04", re.compile(r"[0-9]{2}", re.ASCII), "minute", 0, 59),
    (":", "05", re.compile(r"[0-9]{2}", re.ASCII), "second", 0, 59),
)


def canonical_time(text: str) -> str | None:
    """Return ``text`` in UTC without a fraction, None for Go's zero time; TypedError as time.Parse says."""
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


def _offset(text: str, rest: str) -> tuple[timedelta, str]:
    if rest.startswith("Z"):
        return timedelta(), rest[1:]
    match = _ZONE.match(rest)
    if match is None:
        raise _mismatch(text, rest, "Z07:00")
    sign, hours, minutes = match[1], int(match[2]), int(match[3])
    # Go allows the hour 24 and the minute 60.
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
