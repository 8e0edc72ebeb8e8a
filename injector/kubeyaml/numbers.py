"""A float in, the text in which Go's encoders print it. Knows nothing of YAML or JSON structure.

Go prints the shortest digits that read back as the same number, as Python does; only the layout
differs: strconv's ``%g`` (YAML) turns to an exponent from six digits on, encoding/json from 21.
"""

from __future__ import annotations

import math
import struct


def go_float_json(number: float) -> str:
    """Return encoding/json's text of a finite float64: ``1``, ``1e-7``, ``1e+21``; -0.0 is ``-0``."""
    sign, digits, exponent = _decimal(repr(number))
    if number != 0 and not 1e-6 <= abs(number) < 1e21:
        power = f"e{exponent:+d}"
        return sign + _point(digits, 1) + power
    return sign + _plain(digits, exponent)


def go_float_yaml(number: float, *, bits: int = 64) -> str:
    """Return yaml.v2's text of a float: strconv.FormatFloat(f, 'g', -1, bits), and ``.inf``, ``.nan``.

    ``bits=32`` is how sigs.k8s.io/yaml turns a float key into a string.
    """
    text = repr(number) if bits == 64 else _shortest_float32(number)
    if text.endswith("inf"):
        return "-.inf" if text[0] == "-" else ".inf"
    if text == "nan":
        return ".nan"
    sign, digits, exponent = _decimal(text)
    if exponent < -4 or exponent >= 6:
        power = f"e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
        return sign + _point(digits, 1) + power
    return sign + _plain(digits, exponent)


def _decimal(text: str) -> tuple[str, str, int]:
    """Split Python's shortest text into sign, significant digits and decimal exponent (d.ddd x 10^e)."""
    sign = "-" if text[0] == "-" else ""
    mantissa, _, power = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = int(power or 0) + len(whole) - 1 - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return (sign, digits, exponent) if digits else (sign, "0", 0)


def _point(digits: str, whole: int) -> str:
    """Put the decimal point after ``whole`` digits, none at the end."""
    return f"{digits[:whole]}.{digits[whole:]}" if len(digits) > whole else digits


def _plain(digits: str, exponent: int) -> str:
    """Write the number without an exponent."""
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    return _point(digits.ljust(exponent + 1, "0"), exponent + 1)


def _shortest_float32(number: float) -> str:
    """Return the fewest digits that read back as the same float32; nine always do."""
    single = struct.pack("f", number)
    rounded: float = struct.unpack("f", single)[0]
    if not math.isfinite(rounded):
        return repr(rounded)
    texts = (f"{rounded:.{precision}e}" for precision in range(9))
    return next(text for text in texts if struct.pack("f", float(text)) == single)
