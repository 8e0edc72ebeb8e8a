"""Two Go values, to whether reflect.DeepEqual holds. Knows no function of sprig."""

from __future__ import annotations

from injector.gotemplate import types
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    Struct,
    TypedList,
    TypedMap,
    Value,
    type_of,
)


def deep_equal(left: Value, right: Value) -> bool:  # noqa: PLR0911 - one case a kind
    """Return whether two values have one type and, to the bottom, the same content."""
    if left is None or right is None or left is MISSING or right is MISSING:
        return left is right
    if not types.identical(type_of(left), type_of(right)):
        return False
    if isinstance(left, dict):
        return _is_nil(left) == _is_nil(right) and _equal_maps(left, right)
    if isinstance(left, list):
        same_length = _is_nil(left) == _is_nil(right) and len(left) == len(right)
        return same_length and all(map(deep_equal, left, right))
    if isinstance(left, NilPointer) or isinstance(right, NilPointer):
        return type(left) is type(right)
    if isinstance(left, Struct):
        return left is right or all(map(deep_equal, _fields(left), _fields(right)))
    if isinstance(left, Pointer):
        return deep_equal(left.value, right.value)
    return bool(left == right)


def _is_nil(value: Value) -> bool:
    return isinstance(value, (TypedMap, TypedList)) and value.is_nil


def _equal_maps(left: dict[Value, Value], right: dict[Value, Value]) -> bool:
    return left.keys() == right.keys() and all(deep_equal(left[key], right[key]) for key in left)


def _fields(value: Struct) -> list[Value]:
    return [field for _, field in value.items()]
