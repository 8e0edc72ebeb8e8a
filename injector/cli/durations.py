"""Durations and sizes on the command line: ``1m30s`` as Go has it to seconds, ``64Mi`` to bytes."""

from __future__ import annotations

import re
from typing import Final

import click

from injector.golang.duration import SECOND, DurationError, parse_duration


class Duration(click.ParamType[float]):
    """A Go duration (``300ms``, ``1h30m``) or a bare 0, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds; a usage error names the units."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value)
        try:
            nanoseconds = parse_duration(text)
        except DurationError:
            nanoseconds = -1
        if nanoseconds < 0:
            self.fail(f"{text!r} is not a duration; write 300ms, 4s, 1m30s", param, ctx)
        return nanoseconds / SECOND


DURATION: Final = Duration()


UNIT_BYTES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
AMOUNT = re.compile(r"(\d+)(|k|M|G|Ki|Mi|Gi)")


class Size(click.ParamType[int]):
    """A whole quantity of Kubernetes (``64Mi``, ``100M``), as bytes."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes; a usage error names the units."""
        found = AMOUNT.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not a size; write 64Mi, 100M", param, ctx)
        return int(found[1]) * UNIT_BYTES[found[2]]


SIZE: Final = Size()
