"""JSON values to the words that Go's fmt and reflect have for them. Knows no error but lends them its words.

Whole numbers of 64 bits are int64 and all others float64, as Kubernetes reads JSON.
"""

from __future__ import annotations

from decimal import Decimal

from injector.json_types import JSON

_ESCAPES = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r", 34: r"\"", 92: r"\\"}
_TYPES = {
    dict: "map[string]interface {}",
    list: "[]interface {}",
    str: "string",
    bool: "bool",
    float: "float64",
}


def is_int64(value: JSON) -> bool:
    """Whether ``value`` is a whole number that fits 64 bits."""
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
    return value if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Return a number in its shortest form, a float64 with an exponent below -4 and from 6."""
    return str(value) if is_int64(value) else general(repr(float(value)))


def general(decimal: str) -> str:
    """Return the digits of ``decimal`` as strconv's format g arranges them."""
    sign, numerals, power = Decimal(decimal).normalize().as_tuple()
    digits = "".join(map(str, numerals))
    exponent = len(digits) - 1 + int(power)
    minus = "-" if sign else ""
    if digits == "0":
        return f"{minus}0"
    if not -4 <= exponent < 6:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{minus}{digits[0]}{fraction}e{exponent:+03d}"
    if exponent < 0:
        return f"{minus}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return f"{minus}{whole}.{fraction}" if fraction else f"{minus}{whole}"


def quoted(text: str) -> str:
    """Return ``text`` as the verb %q prints it."""
    return f'"{"".join(map(_quoted_character, text))}"'


def sprint_as_string(value: JSON) -> str:
    """Return ``value`` as the verb %s prints it: what is no string stands with its type."""
    return "%!s(<nil>)" if value is None else _as_string(value)


def _as_string(value: JSON) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_as_string(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_as_string, value))}]"
    return "<nil>" if value is None else f"%!s({type_of(value)}={sprint(value)})"


def _quoted_character(character: str) -> str:
    code = ord(character)
    if code in _ESCAPES:
        return _ESCAPES[code]
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 128 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
