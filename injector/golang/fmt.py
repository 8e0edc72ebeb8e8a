"""JSON and YAML values as Go's fmt prints them: the verbs %v, %s and %#v, and reflect's names of types.

Whole numbers of 64 bits are int64 and all others float64, as Kubernetes reads JSON. (`gotemplate.fmt` has the
verbs of templates, which know types and flags.)
"""

from __future__ import annotations

from typing import Any

from injector.golang.strconv import format_float, quote
from injector.json_types import JSON

_TYPES = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    float: "float64",
}


def is_int64(value: JSON) -> bool:
    """Return whether ``value`` is a whole number that fits 64 bits."""
    return type(value) is int and -(2**63) <= value < 2**63


def type_of(value: JSON) -> str:
    """Return reflect's name for the type of ``value``."""
    if is_int64(value):
        return "int64"
    return "%!s(<nil>)" if value is None else _TYPES.get(type(value), "float64")


def sprint(value: JSON) -> str:
    """Return ``value`` as the verb %v prints it."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{sprint(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(sprint, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    if isinstance(value, str):
        return value
    return str(value) if is_int64(value) else format_float(float(value))


def sprint_as_string(value: JSON) -> str:
    """Return ``value`` as the verb %s prints it: a value that is not a string is shown with its type."""
    return "%!s(<nil>)" if value is None else _as_string(value)


def _as_string(value: JSON) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_as_string(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_as_string, value))}]"
    return "<nil>" if value is None else f"%!s({type_of(value)}={sprint(value)})"


# ---- %#v of what yaml.v2 decodes into interface{}


def sharp_v(value: Any) -> str:
    """Return the value as Go source; entries of a map are in the order of Go's fmt.

    Keys of ``value`` that are not strings are wrapped in objects with a ``value``, as `kubeyaml` reads them.
    """
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_element, value)) + "}"
    if isinstance(value, dict):
        entries = ", ".join(map(_entry, sorted(value.items(), key=_rank)))
        return "map[interface {}]interface {}{" + entries + "}"
    return hex(value) if type(value) is int and value >= 2**63 else sprint(value)


def _rank(item: tuple[Any, Any]) -> tuple[int, str]:
    """Sort keys as Go's fmt does: null, strings, numbers, booleans, each in their own order."""
    key = getattr(item[0], "value", item[0])
    kinds = (type(None), str, int, float, bool)
    return kinds.index(type(key)), sharp_v(key)


def _entry(item: tuple[Any, Any]) -> str:
    key, value = item
    return f"{_element(getattr(key, 'value', key))}:{_element(value)}"


def _element(value: Any) -> str:
    return "interface {}(nil)" if value is None else sharp_v(value)
