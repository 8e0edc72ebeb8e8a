"""NumberNode literals of a template to the numbers that Go reads in them.

Python's class ``complex`` and ``float`` are Go's complex128 and float64.
"""

from __future__ import annotations

from injector.golang.strconv import parse_float, parse_literal, quote, unquote_rune
from injector.gotemplate.nodes import NumberNode


def char_constant(text: str, pos: int) -> NumberNode:
    """Return ``'x'``: an integer that may be any number; ValueError in Go's words."""
    code, _, end = unquote_rune(text, 1, "'")
    if text[1:2] == "'" or text[end:] != "'":
        message = "invalid syntax" if text[1:2] == "'" else f"malformed character constant: {text}"
        raise ValueError(message)
    return NumberNode(pos=pos, text=text, as_int=code, as_uint=code, as_float=float(code))


def complex_constant(text: str, pos: int) -> NumberNode:
    """Return ``1+2i``; ValueError in Go's words."""
    cut = max(text.rfind("+"), text.rfind("-"))
    if text[cut - 1] in "eEpP":
        cut = max(text.rfind("+", 0, cut - 1), text.rfind("-", 0, cut - 1))
    real, imaginary = parse_float(text[:cut]), parse_float(text[cut:-1])
    if real is None or imaginary is None:
        raise ValueError("syntax error scanning complex number")
    return _simplified(text, pos, complex(real, imaginary))


def number_constant(text: str, pos: int) -> NumberNode:
    """Return any other number; ValueError in Go's words."""
    if text.endswith("i"):
        imaginary = parse_float(text[:-1])
        if imaginary is not None:
            return _simplified(text, pos, complex(0, imaginary))
    whole = parse_literal(text)
    as_int = whole if whole is not None and -(2**63) <= whole < 2**63 else None
    signed = text[:1] in tuple("+-")
    as_uint = whole if whole is not None and 0 <= whole < 2**64 and (not signed or whole == 0) else None
    if as_int is not None or as_uint is not None:
        as_float = float(whole if whole is not None else 0)
        return NumberNode(pos=pos, text=text, as_int=as_int, as_uint=as_uint, as_float=as_float)
    number = parse_float(text)
    if number is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    if not any(mark in text for mark in ".eEpP"):
        raise ValueError(f"integer overflow: {quote(text)}")
    return NumberNode(pos=pos, text=text, as_int=_signed(number), as_uint=_unsigned(number), as_float=number)


def _simplified(text: str, pos: int, number: complex) -> NumberNode:
    real = number.real if number.imag == 0 else None
    return NumberNode(
        pos=pos,
        text=text,
        as_int=None if real is None else _signed(real),
        as_uint=None if real is None else _unsigned(real),
        as_float=real,
        as_complex=number,
    )


def _signed(number: float) -> int | None:
    return int(number) if number.is_integer() and -(2.0**63) <= number < 2.0**63 else None


def _unsigned(number: float) -> int | None:
    return int(number) if number.is_integer() and 0 <= number < 2.0**64 else None
