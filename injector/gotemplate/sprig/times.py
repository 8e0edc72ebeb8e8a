"""sprig's two functions for durations, which need no clock. Knows no other function of sprig."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from injector.digits import fraction_of, to_int
from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.numbers import LARGEST, SMALLEST, wrap
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.values import Int64, Value

SECOND: Final = 10**9
_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # the micro sign
    "\u03bcs": 10**3,  # the Greek letter
    "ms": 10**6,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
}
_PIECE: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?([^0-9.]+)")
_ROUNDED: Final = (
    (365 * 24 * 3600 * SECOND, "y"),
    (30 * 24 * 3600 * SECOND, "mo"),
    (24 * 3600 * SECOND, "d"),
    (3600 * SECOND, "h"),
    (60 * SECOND, "m"),
    (SECOND, "s"),
)


def duration(seconds: Value) -> str:
    """Return seconds, a text or an int64, as Go prints a Duration; every other value counts as 0."""
    return duration_text(wrap(_seconds(seconds) * SECOND))


def _seconds(value: Value) -> int:
    if isinstance(value, Int64):
        return int(value)
    if type(value) is not str or not re.fullmatch(r"[+-]?[0-9]+", value, re.ASCII):
        return 0
    return max(SMALLEST, min(LARGEST, to_int(value)))


def duration_text(nanoseconds: int) -> str:
    """Return ``1h2m3.5s``, ``1.5ms``, ``0s``."""
    sign = "-" if nanoseconds < 0 else ""
    rest = abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < SECOND:
        unit, scale = next((unit, _UNITS[unit]) for unit in ("ms", "\u00b5s", "ns") if rest >= _UNITS[unit])
        return f"{sign}{_with_fraction(rest, scale)}{unit}"
    minutes, rest = divmod(rest, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_with_fraction(rest, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else sign + text


def _with_fraction(amount: int, scale: int) -> str:
    whole, part = divmod(amount, scale)
    digits = f"{part:0{len(str(scale)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


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
    return parsed_duration(value) if type(value) is str else 0


def parsed_duration(text: str) -> int:
    """Return the nanoseconds of ``1h2m3.5s``, 0 for what is no duration."""
    at = 1 if text[:1] in ("+", "-") else 0
    negative = text.startswith("-")
    total = 0
    if text[at:] == "0":
        return 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None or match[3] not in _UNITS or not (match[1] or match[2]):
            return 0
        unit = _UNITS[match[3]]
        total += to_int(match[1]) * unit + fraction_of(match[2] or "", unit)
        at = match.end()
    return 0 if total > LARGEST + negative else -total if negative else total


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "duration": go("func(any) string", duration),
        "durationRound": go("func(any) string", duration_round),
    }
)
