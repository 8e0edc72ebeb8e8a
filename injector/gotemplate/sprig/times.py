"""sprig's two functions for durations, which need no clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from injector.golang.strconv import to_int
from injector.golang.times import SECOND, DurationError, format_duration, parse_duration
from injector.gotemplate.functions import Function
from injector.gotemplate.scalars import Int64
from injector.gotemplate.sprig.arithmetic import LARGEST, SMALLEST, wrap
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.values import Value

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
    return format_duration(wrap(_seconds(seconds) * SECOND))


def _seconds(value: Value) -> int:
    if isinstance(value, Int64):
        return int(value)
    if type(value) is not str or not re.fullmatch(r"[+-]?[0-9]+", value, re.ASCII):
        return 0
    return max(SMALLEST, min(LARGEST, to_int(value)))


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
    """Return the nanoseconds of ``1h2m3.5s``, 0 for what is not a duration."""
    try:
        return parse_duration(text)
    except DurationError:
        return 0


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "duration": go("func(any) string", duration),
        "durationRound": go("func(any) string", duration_round),
    }
)
