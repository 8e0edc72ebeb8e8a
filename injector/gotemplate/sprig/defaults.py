"""sprig's functions about empty values and types.

Empty is what Python finds false in a template's value: nil, false, 0, "", a map or list without elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.equality import deep_equal
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.sprig.texts import kind_name
from injector.gotemplate.values import Value, type_name


def default(fallback: Value, *given: Value) -> Value:
    """Return the first value given, the fallback when there is none or it is empty."""
    return given[0] if given and given[0] else fallback


def coalesce(*values: Value) -> Value:
    """Return the first value that is not empty, nil when all are."""
    return next((value for value in values if value), None)


def ternary(then: Value, otherwise: Value, condition: bool) -> Value:  # noqa: FBT001 - Go's signature
    """Return ``then`` when the condition holds."""
    return then if condition else otherwise


def type_is_like(target: str, value: Value) -> bool:
    """Return whether the value's type is ``target`` or a pointer to it."""
    return type_name(value) in (target, f"*{target}")


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "all": go("func(...any) bool", lambda *values: all(values)),
        "any": go("func(...any) bool", lambda *values: any(values)),
        "coalesce": go("func(...any) any", coalesce),
        "deepEqual": go("func(any, any) bool", deep_equal),
        "default": go("func(any, ...any) any", default),
        "empty": go("func(any) bool", lambda value: not value),
        "kindIs": go("func(string, any) bool", lambda target, value: kind_name(value) == target),
        "kindOf": go("func(any) string", kind_name),
        "ternary": go("func(any, any, bool) any", ternary),
        "typeIs": go("func(string, any) bool", lambda target, value: type_name(value) == target),
        "typeIsLike": go("func(string, any) bool", type_is_like),
        "typeOf": go("func(any) string", type_name),
    }
)
