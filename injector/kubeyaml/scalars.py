"""Type YAML scalars as yaml.v2 does.

It types plain scalars by YAML 1.1 with its own changes: ``y`` and ``on`` are booleans, ``017`` and ``0o17``
octal, ``1:30`` and dates strings, ``08`` and ``1e3`` floats.
"""

from __future__ import annotations

import base64
import math
import re
from calendar import monthrange
from sys import getsizeof
from typing import Any, Final

from injector.errors import InjectorError
from injector.golang.strconv import format_float, json_float
from injector.golang.unicode import to_valid
from injector.memo import Memo, process_wide

_TAG_OF: Final = {bool: "bool", int: "int", float: "float", str: "str", type(None): "null"}

Scalar = None | bool | int | float | str

MERGE: Final = "<<"
_TAG: Final = "tag:yaml.org,2002:"
MERGE_TAG: Final = _TAG + "merge"
_BINARY_TAG: Final = _TAG + "binary"
_RESOLVED_TAGS: Final = frozenset(_TAG + kind for kind in ("bool", "int", "float", "null", "timestamp"))

WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
}

TYPED_START: Final = frozenset("+-0123456789.yYnNtTfFoO~")
"""The first characters of plain scalars that may be something other than a string."""

_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))\Z",
    re.ASCII,
)
_LENIENT_BINARY = re.compile(r"(?:0b(?P<plus>[-+]?[01]+)|-0b(?P<minus>[01]+))\Z", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", re.ASCII)
_DOT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?\Z", re.ASCII)
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<join>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:[.,][0-9]+)?"
    r"(?P<zone>Z|[-+](?P<zone_hour>[0-9]{2}):(?P<zone_minute>[0-9]{2}))?)?\Z",
    re.ASCII,
)
_RADIX: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}

_RESOLVED: Final[Memo[str, Scalar]] = process_wide("plain_scalars")
_UNKNOWN: Final[Any] = object()


def plain(text: str) -> Scalar:
    """Return the value of a plain scalar without a tag; timestamps and ``<<`` are strings."""
    if text and text[0] not in TYPED_START:
        return text
    known = _RESOLVED.get(text, _UNKNOWN)
    if known is not _UNKNOWN:
        return known
    value = resolve(text)
    _RESOLVED.put(text, value, 2 * getsizeof(text))  # most values are the text or a number
    return value


def resolve(text: str) -> Scalar:
    """Do the work of `plain` without the cache."""
    if text in WORDS:
        return WORDS[text]
    if text[0] in "+-0123456789":
        number = _number(text)
        return text if number is None else number
    if text[0] == ".":
        return _dot_float(text)
    return text


def stays_plain(text: str) -> bool:
    """Return whether a plain scalar of this text is a string; a timestamp is not, as yaml.v2 quotes it."""
    return isinstance(plain(text), str) and not is_timestamp(text)


def is_timestamp(text: str) -> bool:
    """Return whether yaml.v2 reads ``text`` as a date or a point in time, as Go's time.Parse would."""
    if not ("0" <= text[:1] <= "9"):
        return False
    match = _TIMESTAMP.match(text)
    if match is None:
        return False
    year, month, day = int(match["year"]), int(match["month"]), int(match["day"])
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year or 2000, month)[1]:
        return False  # Go's year 0 is a leap year, Python has none
    return match["join"] is None or _is_time(match)


def _is_time(match: re.Match[str]) -> bool:
    """Check the part after the date: without a zone a space precedes it, with a zone ``T``."""
    if (match["join"] == " ") != (match["zone"] is None):
        return False
    if int(match["hour"]) > 23 or int(match["minute"]) > 59 or int(match["second"]) > 59:
        return False
    return match["zone_hour"] is None or (int(match["zone_hour"]) <= 24 and int(match["zone_minute"]) <= 60)


def _number(text: str) -> int | float | str | None:
    """Read a scalar that starts with a digit or a sign; None when it is not a number."""
    if is_timestamp(text):
        return None
    digits = text.replace("_", "")
    if match := _INTEGER.match(digits):
        integer = _integer(match)
        if integer is not None:
            return integer
    if _FLOAT.match(digits):
        number = float(digits)
        return None if math.isinf(number) else number
    if match := _LENIENT_BINARY.match(digits):
        integer = int(match["plus"], 2) if match["plus"] else -int(match["minus"], 2)
        return integer if -(2**63) <= integer < 2**64 else None
    return None


def _integer(match: re.Match[str]) -> int | None:
    """Return the integer as Go's ParseInt or ParseUint of 64 bits does, None when it does not fit."""
    kind = match.lastgroup or "dec"
    digits = match[kind]
    if len(digits.lstrip("0")) > 64:
        return None
    integer = int(digits.lstrip("0") or "0", _RADIX[kind])
    if match["sign"] == "-":
        integer = -integer
    return integer if -(2**63) <= integer < (2**63 if match["sign"] else 2**64) else None


def _dot_float(text: str) -> float | str:
    """Read ``.5``, where Go allows underscores between digits only; else a string, also for infinities."""
    if not _DOT_FLOAT.match(text):
        return text
    number = float(text.replace("_", ""))
    return text if math.isinf(number) else number


def json_number(number: float) -> int | float:
    """Return a finite float as JSON text shows it: integral ones are ints.

    Beyond 64 bits it stays a float, since that is what orjson reads and all it can write; so does -0.0.
    """
    if not number.is_integer() or (not number and math.copysign(1, number) < 0):
        return number
    if abs(number) >= 2.0**64:
        return number
    shown = int(
        json_float(number)
    )  # not int(number): beyond 2^53 the text has zeros where the float has digits
    return shown if -(2**63) <= shown < 2**64 else number


class ScalarError(InjectorError):
    """A scalar whose text does not fit its explicit tag; ``str()`` is yaml.v2's sentence."""


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with an explicit tag (long form), of a plain scalar if ``tag`` is empty.

    Unknown tags mean strings. Raises ScalarError where the text does not fit the tag.
    """
    if not tag:
        return plain(text)
    if tag == _BINARY_TAG:
        return _binary(text)
    if tag not in _RESOLVED_TAGS:
        return text
    kind, value = _typed(text, dates=tag == _TAG + "timestamp")
    if _TAG + kind == tag:
        return value
    if tag == _TAG + "float" and kind == "int" and isinstance(value, int) and value < 2**63:
        return float(value)
    raise ScalarError(f"cannot decode !!{kind} `{text}` as a !!{tag.removeprefix(_TAG)}")


def _typed(text: str, *, dates: bool) -> tuple[str, Scalar]:
    """Return the short tag and the value of a text as a plain scalar."""
    if is_timestamp(text):
        return ("timestamp" if dates else "str"), text
    value = plain(text)
    return _TAG_OF[type(value)], value


def _base64(text: str) -> str:
    """Drop line ends; refuse excess padding, which Python would accept."""
    text = text.replace("\r", "").replace("\n", "")
    if len(text) % 4:
        raise ValueError
    return text


def _binary(text: str) -> str:
    """Decode base64 as Go's StdEncoding: padding required, line ends ignored; bad UTF-8 becomes U+FFFD."""
    try:
        data = base64.b64decode(_base64(text), validate=True)
    except ValueError as error:
        raise ScalarError("!!binary value contains invalid base64 data") from error
    return to_valid(data.decode("utf-8", "surrogateescape"))


_SPECIAL: Final = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}


def yaml_float(number: float, *, bits: int = 64) -> str:
    """Return yaml.v2's text of a float: strconv's ``%g``, and ``.inf``, ``.nan``.

    ``bits=32`` is how sigs.k8s.io/yaml turns a float key into a string.
    """
    text = format_float(number, bits=bits)
    return _SPECIAL.get(text, text)
