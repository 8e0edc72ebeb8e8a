"""Go's durations on the command line: ``1m30s`` to seconds."""

from __future__ import annotations

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
