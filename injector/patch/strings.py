"""A JSON scalar to the text that Go makes of it where a type wants text. Knows no type."""

from __future__ import annotations

import struct

from injector.json_types import JSON
from injector.patch.go_words import general


def coerced(value: JSON) -> str | None:
    """Return what ghodss/yaml puts into a string field for a number or bool, None for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return general(shortest_single(value)) if isinstance(value, float) else None


def shortest_single(value: float) -> str:
    """Return the fewest digits that tell ``value`` from every other number of single precision."""
    try:
        rounded = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return repr(value)
    texts = (f"{rounded:.{digits}g}" for digits in range(1, 10))
    return next(text for text in texts if struct.unpack("f", struct.pack("f", float(text)))[0] == rounded)


def raw_number(value: JSON) -> str:
    """Return the JSON text of a number, and something that is no number for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return str(value)
