"""Two JSON values to whether they are the same.

Python holds True, 1 and 1.0 for equal; JSON text does not, and neither does a typed Go field.
"""

from __future__ import annotations

from collections.abc import Hashable

import orjson

from injector.json_types import JSON


def same(left: JSON, right: JSON) -> bool:
    """Whether both would be written as the same JSON, but for the order of keys."""
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right) or left != right:  # what is not even equal is seen at once
        return False
    if kind is dict:
        return all(same(left[key], right[key]) for key in left)
    if kind is list:
        return all(map(same, left, right))
    if kind is float:
        return repr(left) == repr(right)  # -0.0 is written otherwise than 0.0
    return True


def equal(left: JSON, right: JSON) -> bool:
    """Whether the operation ``test`` holds (RFC 6902, 4.6): as ``same``, but numbers count by their value."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def identity(value: JSON) -> Hashable:
    """Return something hashable that is equal for two values exactly when they are the same."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, or text that is not Unicode
        return _identity(value)


def _identity(value: JSON) -> Hashable:
    kind = type(value)
    if kind is dict:
        return (kind, frozenset((key, _identity(item)) for key, item in value.items()))
    if kind is list:
        return (kind, tuple(map(_identity, value)))
    return (kind, repr(value)) if kind is float else (kind, value)
