"""A JSON scalar to the text that Go makes of it where a type wants text."""

from __future__ import annotations

from injector.golang.strconv import format_float
from injector.json_types import JSON


def coerced(value: JSON) -> str | None:
    """Return what ghodss/yaml puts into a string field for a number or bool, None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return single_precision(value) if isinstance(value, float) else None


def single_precision(value: float) -> str:
    """Return ``value`` in single precision, with the fewest digits that tell it from its neighbours."""
    return format_float(value, bits=32)


def raw_number(value: JSON) -> str:
    """Return the JSON text of a number, and something that is no number for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return str(value)
