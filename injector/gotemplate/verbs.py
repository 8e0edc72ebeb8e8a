"""Basic values and the flags of a Go format directive in, text out.

A byte that is no UTF-8 is a lone surrogate and counts as one character, as in Go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from injector.golang.strconv import SHORTEST, format_float, quote, quote_inside

_MAX_RUNE = 0x10FFFF
_REPLACEMENT = "\ufffd"
_FLOAT_PRECISION = {"f": 6, "e": 6, "E": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class FmtFlags:
    """What stands between ``%`` and the verb; ``plus_v`` and ``sharp_v`` are ``+`` and ``#`` before ``v``."""

    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False
    width: int | None = None
    precision: int | None = None


def pad(flags: FmtFlags, text: str) -> str:
    """Return ``text`` filled up to the width."""
    if not flags.width or len(text) >= flags.width:
        return text
    if flags.minus:
        return text.ljust(flags.width)
    return text.rjust(flags.width, "0" if flags.zero else " ")


def pad_with_spaces(flags: FmtFlags, text: str) -> str:
    """Return ``text`` filled up to the width, with spaces whatever the flags say."""
    return pad(replace(flags, zero=False), text)


# Integers.


def integer(flags: FmtFlags, number: int, base: str, *, octal_prefix: bool = False) -> str:
    """Return ``number`` in a ``base`` named as by Python's formats: ``d``, ``b``, ``o``, ``x`` or ``X``."""
    if number == 0 and flags.precision == 0:
        return pad_with_spaces(flags, "")
    digits = f"{abs(number):{base}}".rjust(_integer_precision(flags, number), "0")
    if flags.sharp:
        digits = _base_prefix(base, digits) + digits
    if octal_prefix:
        digits = "0o" + digits
    return pad_with_spaces(flags, _sign(flags, negative=number < 0) + digits)


def _integer_precision(flags: FmtFlags, number: int) -> int:
    if flags.precision is not None:
        return flags.precision
    if not flags.zero or flags.minus or flags.width is None:
        return 0
    return flags.width - (1 if number < 0 or flags.plus or flags.space else 0)


def _base_prefix(base: str, digits: str) -> str:
    if base == "o":
        return "" if digits.startswith("0") else "0"
    return {"b": "0b", "x": "0x", "X": "0X"}.get(base, "")


def _sign(flags: FmtFlags, *, negative: bool) -> str:
    if negative:
        return "-"
    return "+" if flags.plus else " " if flags.space else ""


def unicode_point(flags: FmtFlags, number: int) -> str:
    """Return ``U+0041``, with the character behind it when the flag ``#`` asks for it."""
    code = number % 2**64
    text = f"U+{code:0{max(flags.precision or 0, 4)}X}"
    if flags.sharp and code <= _MAX_RUNE and chr(code).isprintable():
        text += f" '{chr(code)}'"
    return pad_with_spaces(flags, text)


def character(flags: FmtFlags, number: int) -> str:
    """Return the character of a code point."""
    return pad(flags, _rune(number))


def quoted_character(flags: FmtFlags, number: int) -> str:
    """Return the character as a Go literal in single quotes."""
    rune = _rune(number)
    inside = {"'": "\\'", '"': '"'}.get(rune) or quote_inside(rune)
    return pad(flags, f"'{_ascii(inside) if flags.plus else inside}'")


def _rune(number: int) -> str:
    known = 0 <= number <= _MAX_RUNE and not 0xD800 <= number < 0xE000
    return chr(number) if known else _REPLACEMENT


# Strings.


def string(flags: FmtFlags, text: str) -> str:
    """Return ``text`` cut to the precision, which counts characters."""
    return pad(flags, text[: flags.precision])


def quoted(flags: FmtFlags, text: str) -> str:
    """Return ``text`` as a Go literal; ``#`` prefers back quotes and ``+`` keeps to ASCII."""
    text = text[: flags.precision]
    if flags.sharp and _can_be_raw(text):
        return pad(flags, f"`{text}`")
    literal = quote(text)
    return pad(flags, _ascii(literal) if flags.plus else literal)


def _can_be_raw(text: str) -> bool:
    return not any(
        (rune < " " and rune != "\t") or rune in "`\x7f\ufeff" or "\udc80" <= rune <= "\udcff"
        for rune in text
    )


def _ascii(literal: str) -> str:
    if literal.isascii():
        return literal
    escaped = (f"\\u{ord(rune):04x}" if ord(rune) < 0x10000 else f"\\U{ord(rune):08x}" for rune in literal)
    return "".join(rune if rune < "\x80" else escape for rune, escape in zip(literal, escaped, strict=True))


def hexadecimal(flags: FmtFlags, text: str, *, upper: bool) -> str:
    """Return the bytes of ``text`` in base 16; the precision counts bytes."""
    octets = text.encode(errors="surrogateescape")[: flags.precision]
    prefix = ("0X" if upper else "0x") if flags.sharp else ""
    if not octets:
        return pad(flags, "")
    digits = " ".join(f"{prefix}{octet:02x}" for octet in octets) if flags.space else prefix + octets.hex()
    return pad(flags, digits.upper() if upper else digits)


# Floats and truth.


def boolean(flags: FmtFlags, value: bool) -> str:  # noqa: FBT001 - the value itself
    """Return ``true`` or ``false``."""
    return pad(flags, "true" if value else "false")


def floating(flags: FmtFlags, number: float, verb: str) -> str:
    """Return a float for one of the verbs ``beEfgGxX``."""
    precision = _FLOAT_PRECISION.get(verb, SHORTEST) if flags.precision is None else flags.precision
    text = format_float(number, verb, precision)
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if sign == "+" and flags.space and not flags.plus:
        sign = " "
    if digits in {"Inf", "NaN"}:
        unsigned = digits == "NaN" and not flags.space and not flags.plus
        return pad_with_spaces(flags, digits if unsigned else sign + digits)
    if flags.sharp and verb != "b":
        digits = _with_point(digits, verb, precision)
    if sign == "+" and not flags.plus:
        return pad(flags, digits)
    if flags.zero and not flags.minus and flags.width:
        return sign + digits.rjust(flags.width - 1, "0")
    return pad(flags, sign + digits)


def _with_point(number: str, verb: str, precision: int) -> str:
    """Return digits with a decimal point and, where the verb is a general one, with trailing zeros."""
    wanted = 0
    if verb in "gGx":
        wanted = 6 if precision == SHORTEST else precision
    ends = "pP" if verb in "xX" else "eE"
    cut = next((place for place, letter in enumerate(number) if letter in ends), len(number))
    digits, exponent = number[:cut], number[cut:]
    wanted -= len(digits.replace(".", "").lstrip("0"))
    if "." not in digits:
        wanted -= digits == "0"
        digits += "."
    return digits + "0" * wanted + exponent


def complex_number(flags: FmtFlags, number: complex, verb: str) -> str:
    """Return ``(1+2i)``; width and precision are those of each part."""
    imaginary = floating(replace(flags, plus=True), number.imag, verb)
    return f"({floating(flags, number.real, verb)}{imaginary}i)"
