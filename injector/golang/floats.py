"""Floats to text as Go's strconv.FormatFloat and encoding/json write them.

Go and Python agree on the shortest digits that round trip and on correct rounding; they differ in when an
exponent is used, in how many digits it has, and in the hexadecimal form.
"""

from __future__ import annotations

import math
import struct

SHORTEST = -1
"""The precision that asks for as few digits as tell the number apart."""

_G_LIMIT = 6
"""Shortest ``%g`` changes to an exponent from 1e6 on, whatever the number of digits."""


def format_float(number: float, verb: str = "g", precision: int = SHORTEST, *, bits: int = 64) -> str:
    """Return strconv.FormatFloat of ``number`` in the format ``verb`` (one of ``beEfgGxX``).

    With ``bits=32`` it is rounded to a float32 first; its shortest digits are those that tell it from its
    neighbours among float32.
    """
    if bits == 32:
        number = _float32(number)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    if bits == 32 and precision < 0:
        number = float(_shortest_float32(number))
    return sign + _unsigned(abs(number), verb, precision)


def json_float(number: float) -> str:
    """Return encoding/json's text of a finite float64: ``1``, ``1e-7``, ``1e+21``; -0.0 is ``-0``.

    ES6 lays numbers out so: an exponent below 1e-6 and from 1e21 on, without a leading zero.
    """
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        return format_float(number, "f")
    return format_float(number, "e").replace("e-0", "e-")


def _float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded


def _shortest_float32(number: float) -> str:
    """Return the fewest digits that read back as the same float32; nine always do."""
    texts = (f"{number:.{precision}e}" for precision in range(9))
    return next(text for text in texts if _float32(float(text)) == number)


def _unsigned(number: float, verb: str, precision: int) -> str:
    if verb in "xX":
        text = _hexadecimal(number, precision)
        return text.upper() if verb == "X" else text
    if verb == "b":
        return _binary(number)
    if verb in "gG":
        text = _general(number, precision)
        return text.upper() if verb == "G" else text
    if verb == "f":
        return f"{number:.{precision}f}" if precision >= 0 else _plain(*_shortest(number))
    text = f"{number:.{precision}e}" if precision >= 0 else _scientific(*_shortest(number))
    return text.upper() if verb == "E" else text


def _shortest(number: float) -> tuple[str, int]:
    """Return the fewest digits that round trip and where the point is: 0.digits times 10**point."""
    mantissa, _, exponent = repr(number).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    return (stripped, point) if stripped else ("0", 1)


def _general(number: float, precision: int) -> str:
    if precision < 0:
        digits, point = _shortest(number)
        limit = _G_LIMIT
    else:
        wanted = precision or 1
        mantissa, _, exponent = f"{number:.{wanted - 1}e}".partition("e")
        digits = mantissa.replace(".", "").rstrip("0") or "0"
        point = int(exponent) + 1
        limit = wanted if wanted <= len(digits) or len(digits) < point else len(digits)
    if point - 1 < -4 or point - 1 >= limit:
        return _scientific(digits, point)
    return _plain(digits, point)


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if len(digits) <= point:
        return digits + "0" * (point - len(digits))
    return f"{digits[:point]}.{digits[point:]}"


def _scientific(digits: str, point: int) -> str:
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+03d}"


def _binary(number: float) -> str:
    """Return the mantissa as an integer and the power of two: ``4503599627370496p-52``."""
    mantissa, exponent = _parts(number)
    return f"{mantissa}p{exponent:+d}"


def _parts(number: float) -> tuple[int, int]:
    """Return mantissa and exponent as they are stored: the mantissa has 53 bits unless it is subnormal."""
    fraction, exponent = math.frexp(number)
    if number and exponent > -1022:
        return int(math.ldexp(fraction, 53)), exponent - 53
    return int(math.ldexp(number, 1074)), -1074


def _hexadecimal(number: float, precision: int) -> str:
    mantissa, exponent = _parts(number)
    if mantissa == 0:
        exponent = 0
    else:
        shift = 53 - mantissa.bit_length()
        mantissa, exponent = mantissa << shift, exponent - shift + 52
    if 0 <= precision < 13:
        mantissa = _round_to_even(mantissa, 4 * (13 - precision))
        if mantissa >> 53:
            mantissa, exponent = mantissa >> 1, exponent + 1
    digits = f"{mantissa & ((1 << 52) - 1):013x}"
    digits = digits.rstrip("0") if precision < 0 else digits[:precision].ljust(precision, "0")
    return f"0x{mantissa >> 52}{'.' if digits else ''}{digits}p{exponent:+03d}"


def _round_to_even(mantissa: int, bits: int) -> int:
    """Clear the last ``bits``, rounding half to even."""
    kept, rest = divmod(mantissa, 1 << bits)
    half = 1 << (bits - 1)
    if rest > half or (rest == half and kept & 1):
        kept += 1
    return kept << bits
