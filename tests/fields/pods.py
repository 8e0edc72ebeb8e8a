"""What the tests of this room share."""

from __future__ import annotations

from typing import Any


def over(value: Any, change: Any) -> Any:
    """Lay one mapping over another, key by key."""
    if not isinstance(value, dict) or not isinstance(change, dict):
        return change
    return value | {key: over(value.get(key), item) for key, item in change.items()}
