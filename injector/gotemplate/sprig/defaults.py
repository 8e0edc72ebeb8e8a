"""sprig's functions about empty values, types and equality, which is that of reflect.DeepEqual.

Empty is every value of a template that Python finds false: nil, false, 0, "", a map or list without elements.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from injector.gotemplate import types
from injector.gotemplate.sprig.shared import go, kind_name
from injector.gotemplate.values import MISSING, NilPointer, Pointer, Struct, Value, is_nil, type_name, type_of


def deep_equal(left: Value, right: Value) -> bool:  # noqa: PLR0911 - one case a kind
    """Return whether two values have the same type and, recursively, the same content."""
    if left is None or right is None or left is MISSING or right is MISSING:
        return left is right
    if not types.identical(type_of(left), type_of(right)):
        return False
    if isinstance(left, dict):
        same_keys = is_nil(left) == is_nil(right) and left.keys() == right.keys()
        return same_keys and all(deep_equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        same_length = is_nil(left) == is_nil(right) and len(left) == len(right)
        return same_length and all(map(deep_equal, left, right))
    if isinstance(left, NilPointer) or isinstance(right, NilPointer):
        return type(left) is type(right)
    if isinstance(left, Struct):
        return left is right or all(map(deep_equal, _fields(left), _fields(right)))
    if isinstance(left, Pointer):
        return deep_equal(left.value, right.value)
    return bool(left == right)


def _fields(value: Struct) -> list[Value]:
    return [field for _, field in value.items()]


class Collected:
    """A collection of values that differ by `deep_equal`, with look-ups that do not slow down with its size.

    Scalars are found by type and value, containers are compared only with those of the same outline.
    """

    __slots__ = ("_buckets",)

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self._buckets: dict[Hashable, list[Value]] = {}
        for value in values:
            self.add(value)

    def __contains__(self, value: Value) -> bool:
        return any(deep_equal(value, known) for known in self._buckets.get(_outline(value), ()))

    def add(self, value: Value) -> bool:
        """Add a value; return whether no equal value was there."""
        bucket = self._buckets.setdefault(_outline(value), [])
        if any(deep_equal(value, known) for known in bucket):
            return False
        bucket.append(value)
        return True


def _outline(value: Value) -> Hashable:
    """Return something hashable that is equal for deeply equal values, and seldom for others."""
    if value is None or value is MISSING or isinstance(value, NilPointer):
        return type(value).__name__
    if isinstance(value, Pointer):
        return Pointer, _outline(value.value)
    if isinstance(value, dict):
        return dict, frozenset((key, _outline(item)) for key, item in value.items())
    if isinstance(value, list):
        return list, tuple(map(_outline, value))
    if isinstance(value, Struct):
        return Struct, tuple((name, _outline(field)) for name, field in value.items())
    return value if isinstance(value, Hashable) else type(value).__name__


FUNCTIONS: Final = {
    "all": go("func(...any) bool", lambda *values: all(values)),
    "any": go("func(...any) bool", lambda *values: any(values)),
    "coalesce": go("func(...any) any", lambda *values: next(filter(None, values), None)),
    "deepEqual": go("func(any, any) bool", deep_equal),
    "default": go(
        "func(any, ...any) any",
        lambda other, *given: given[0] if given and given[0] else other,
        falls_back=True,
    ),
    "empty": go("func(any) bool", lambda value: not value),
    "kindIs": go("func(string, any) bool", lambda target, value: kind_name(value) == target),
    "kindOf": go("func(any) string", kind_name),
    "ternary": go("func(any, any, bool) any", lambda then, other, condition: then if condition else other),
    "typeIs": go("func(string, any) bool", lambda target, value: type_name(value) == target),
    "typeIsLike": go(
        "func(string, any) bool", lambda target, value: type_name(value) in (target, f"*{target}")
    ),
    "typeOf": go("func(any) string", type_name),
}
