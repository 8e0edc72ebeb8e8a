"""A YAML value in, Go's ``%#v`` of it out: yaml.v2 and sigs.k8s.io/yaml print values so in two errors.

Knows only the types that yaml.v2 decodes into ``interface{}``.
"""

from __future__ import annotations

import math
from typing import Any, Final

from injector.kubeyaml.numbers import go_float_yaml

_ESCAPES: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def go_syntax(value: Any) -> str:
    """Return the value as Go source would write it; mapping entries come sorted as Go's fmt sorts them."""
    if isinstance(value, str):
        return go_quote(value)
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(map(_element, value)) + "}"
    if isinstance(value, dict):
        return (
            "map[interface {}]interface {}{" + ", ".join(map(_entry, sorted(value.items(), key=_rank))) + "}"
        )
    return _word(value)


def go_quote(text: str) -> str:
    """Return strconv.Quote of ``text``."""
    return '"' + "".join(map(_escape, text)) + '"'


def _word(value: Any) -> str:
    if value is None:
        return "<nil>"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    return hex(value) if value >= 2**63 else str(value)


def _rank(item: tuple[Any, Any]) -> tuple[int, str]:
    """Sort keys as Go's fmt does: null, strings, numbers, booleans, each in their own order."""
    key = getattr(item[0], "value", item[0])
    kinds = (type(None), str, int, float, bool)
    return kinds.index(type(key)), go_syntax(key)


def _entry(item: tuple[Any, Any]) -> str:
    key, value = item
    return f"{_element(getattr(key, 'value', key))}:{_element(value)}"


def _element(value: Any) -> str:
    return "interface {}(nil)" if value is None else go_syntax(value)


def _float(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return go_float_yaml(number)


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
