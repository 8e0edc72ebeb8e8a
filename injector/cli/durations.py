"""Go's durations on the command line: ``1m30s`` to seconds. Knows no command."""

from __future__ import annotations

import re
from typing import Final

import click

UNIT_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


class Duration(click.ParamType[float]):
    """A Go duration (``300ms``, ``1h30m``) or a bare 0, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds; a usage error names the units."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value)
        if text == "0":
            return 0.0
        if not text or PART.sub("", text):
            self.fail(f"{text!r} is not a duration; write 300ms, 4s, 1m30s", param, ctx)
        return sum(float(number) * UNIT_SECONDS[unit] for number, unit in PART.findall(text))


DURATION: Final = Duration()
