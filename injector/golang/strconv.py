"""Read and write texts as Go's strconv does: quoted strings, booleans, integers and floats.

A byte that is not valid UTF-8 is kept as a lone surrogate, as Python's surrogateescape does. Go and Python
agree on the shortest digits of a float that round trip and on correct rounding; they differ in when an
exponent is used, in how many digits it has, and in the hexadecimal form.
"""

from __future__ import annotations

import math
import re
import struct
from functools import lru_cache
from typing import Final

_NAMED = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_ESCAPES = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "\\": 92}
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")

_BOOLS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+")
_LEADING_DIGITS: Final = re.compile(r"[0-9]*")
_LARGEST: Final = 2**63 - 1

_LITERAL: Final = re.compile(
    r"(?P<sign>[+-]?)(?:0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<bin>(?:_?[01])+)"
    r"|0[oO]?(?P<oct>(?:_?[0-7])+)|(?P<dec>0|[1-9](?:_?[0-9])*))"
)
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_DECIMAL_FLOAT: Final = re.compile(
    rf"[+-]?(?=\.?[0-9])(?:{_DIGITS})?(?:\.(?:{_DIGITS})?)?(?:[eE][+-]?{_DIGITS})?"
)
_HEXADECIMAL_FLOAT: Final = re.compile(
    r"[+-]?0[xX](?=\.?[0-9a-fA-F_])(?:_?[0-9a-fA-F])*(?:\.(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?"
    r"[pP][+-]?[0-9](?:_?[0-9])*"
)
_NOT_A_NUMBER: Final = re.compile(r"(?i)[+-]?inf(?:inity)?|nan")


# Quoting.


def quote(text: str) -> str:
    """Return ``text`` as ``%q`` prints it: a double-quoted Go literal."""
    return f'"{quote_inside(text)}"'


def quote_inside(text: str) -> str:
    """Return the text between the quotes of ``quote(text)``."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(map(_quote_rune, text))


@lru_cache(maxsize=1024)  # a text of 250,000 control characters has 33 different ones
def _quote_rune(rune: str) -> str:
    if rune in '"\\':
        return "\\" + rune
    if rune.isprintable():
        return rune
    if rune in _NAMED:
        return _NAMED[rune]
    code = ord(rune)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not valid UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote_rune(rune: str) -> str:
    """Return a character as a Go literal in single quotes."""
    inside = {"'": "\\'", '"': '"'}.get(rune) or quote_inside(rune)
    return f"'{inside}'"


def quote_bytes(text: str) -> str:
    r"""Quote as package time does in its errors: bytes that are not ASCII as ``\x`` escapes."""
    quoted = "".join(_quote_byte(byte) for byte in text.encode("utf-8", "surrogateescape"))
    return f'"{quoted}"'


def _quote_byte(byte: int) -> str:
    if byte >= 0x80 or byte < 0x20:
        return f"\\x{byte:02x}"
    return f"\\{chr(byte)}" if byte in b'"\\' else chr(byte)


def unquote(literal: str) -> str:
    """Return the string that a Go literal in double quotes or back quotes stands for.

    Raises ValueError with Go's message when it is not a valid literal.
    """
    inside = literal[1:-1]
    if literal[0] == "`":
        return inside.replace("\r", "")
    if "\\" not in inside:
        return inside
    out = bytearray()
    position = 0
    while position < len(inside):
        code, is_byte, position = unquote_rune(inside, position, '"')
        out += bytes((code,)) if is_byte else chr(code).encode()
    return out.decode(errors="surrogateescape")


def unquote_rune(text: str, position: int, delimiter: str) -> tuple[int, bool, int]:
    """Return the next character of a literal: its code, whether it is a bare byte, and where it ends.

    Raises ValueError when the escape is not one of Go's.
    """
    if text[position] != "\\":
        return ord(text[position]), False, position + 1
    letter = text[position + 1 : position + 2]
    if letter == delimiter:
        return ord(letter), False, position + 2
    if letter in _ESCAPES:
        return _ESCAPES[letter], False, position + 2
    match = _CODE.match(text, position)
    if match is None:
        raise ValueError("invalid syntax")
    code = int(match[0].lstrip("\\xuU"), 8 if match[4] else 16)
    is_byte = letter not in ("u", "U")
    if code > 0xFF if is_byte else code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("invalid syntax")
    return code, is_byte, match.end()


# Reading numbers and booleans.


_ENOUGH: Final = 40  # Go's longest integer has 20 digits (uint64)


def to_int(text: str) -> int:
    """Return the integer in ``text``, digits with or without a sign; without digits it is 0.

    More than 40 digits are cut to 40: the number fits none of Go's integers either way. Python's own ``int``
    refuses more than 4,300 digits, and takes time that grows with their square.
    """
    number = int(text.lstrip("+-0")[:_ENOUGH] or "0")
    return -number if text.startswith("-") else number


def parse_bool(text: str) -> bool | None:
    """Return what strconv.ParseBool reads, None where it fails."""
    return _BOOLS.get(text)


def parse_int(text: str) -> int | None:
    """Return what strconv.Atoi reads on 64 bits, None where it fails."""
    if not _DECIMAL.fullmatch(text):
        return None
    number = to_int(text)
    return number if -_LARGEST - 1 <= number <= _LARGEST else None


def parse_literal(text: str) -> int | None:
    """Return what strconv.ParseInt reads in base 0 (``0x1f``, ``0b1``, ``017``, ``1_000``), of any size.

    None where it fails for another reason than the size.
    """
    match = _LITERAL.fullmatch(text)
    if match is None:
        return None
    base = next(name for name in _BASES if match[name] is not None)
    digits = match[base].replace("_", "")
    value = to_int(digits) if base == "dec" else int(digits, _BASES[base])
    return -value if match["sign"] == "-" else value


def parse_float(text: str) -> float | None:
    """Return the float64 that strconv.ParseFloat reads, also with underscores in it; None where it fails."""
    if _NOT_A_NUMBER.fullmatch(text):
        return float(text)
    if _HEXADECIMAL_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError:
            return None
    number = float(text) if _DECIMAL_FLOAT.fullmatch(text) else math.inf
    return None if math.isinf(number) else number


def uint_fault(text: str, bits: int) -> str:
    """Return strconv.ParseUint(text, 10, bits)'s error, "" where it reads a number.

    Go reads digit by digit: it reports a number that is too large before it sees what follows it.
    """
    digits = _LEADING_DIGITS.match(text)[0]  # type: ignore[index]
    if to_int(digits) >= 1 << bits:
        return "value out of range"
    return "" if digits and digits == text else "invalid syntax"


def int_fault(text: str) -> str:
    """Return strconv.Atoi's error on 64 bits, "" where it reads a number."""
    fault = uint_fault(text[1:] if text.startswith(("+", "-")) else text, 64)
    return fault or ("value out of range" if parse_int(text) is None else "")


def int32(number: int) -> int:
    """Return the number after Go's conversion to int32: the low 32 bits with their sign."""
    return (number + 2**31) % 2**32 - 2**31


# Writing floats.


SHORTEST = -1
"""The precision that asks for the fewest digits that identify the number."""

_G_LIMIT = 6
"""Shortest ``%g`` changes to an exponent from 1e6 on, whatever the number of digits."""


def format_float(number: float, verb: str = "g", precision: int = SHORTEST, *, bits: int = 64) -> str:
    """Return strconv.FormatFloat of ``number`` in the format ``verb`` (one of ``beEfgGxX``).

    With ``bits=32`` it is rounded to a float32 first; its shortest digits distinguish it from its neighbours
    among float32.
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

    ES6 formats numbers this way: with an exponent below 1e-6 and from 1e21 on, without a leading zero.
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
        mantissa, exponent = _parts(number)
        return f"{mantissa}p{exponent:+d}"
    if verb in "gG":
        text = _general(number, precision)
        return text.upper() if verb == "G" else text
    if verb == "f":
        return f"{number:.{precision}f}" if precision >= 0 else _plain(*_shortest(number))
    text = f"{number:.{precision}e}" if precision >= 0 else _scientific(*_shortest(number))
    return text.upper() if verb == "E" else text


def _shortest(number: float) -> tuple[str, int]:
    """Return the fewest digits that round trip and the position of the point: 0.digits times 10**point."""
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


def _parts(number: float) -> tuple[int, int]:
    """Return mantissa and exponent as stored: the mantissa has 53 bits unless it is subnormal."""
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
