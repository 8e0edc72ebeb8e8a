"""A CIDR's text in, Go's verdict on it out: net.ParseCIDR's, and net/netip's with its sentences.

Python's ipaddress accepts and refuses other texts than Go does.
"""

from __future__ import annotations

import re
from typing import Final

from injector.golang.strconv import quote, to_int

_DIGITS: Final = re.compile("[0-9]+")
_HEXADECIMAL: Final = re.compile("[0-9a-fA-F]*")
_IPV6_BYTES: Final = 16


class _AddressError(Exception):
    """What net/netip says about an address, and the text at which it stopped."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message, at)
        self.message = message
        self.at = at


def classic_fault(text: str) -> str:
    """Return what net.ParseCIDR says about ``text``; "" when it accepts it."""
    address, slash, bits = text.partition("/")
    try:
        width = _width(address)
    except _AddressError:
        width = 0
    if not slash or "%" in address or not _DIGITS.fullmatch(bits) or to_int(bits) > width:
        return f"invalid CIDR address: {text}"
    return "" if width else f"invalid CIDR address: {text}"


def prefix_fault(text: str) -> str:
    """Return what netip.ParsePrefix says about ``text``; "" when it accepts it."""
    reason = _prefix_reason(text)
    return f"netip.ParsePrefix({quote(text)}): {reason}" if reason else ""


def _prefix_reason(text: str) -> str:
    address, slash, bits = text.rpartition("/")
    if not slash:
        return "no '/'"
    try:
        width = _width(address)
    except _AddressError as error:
        at = f" (at {quote(error.at)})" if error.at else ""
        return f"ParseAddr({quote(address)}): {error.message}{at}"
    if "%" in address:
        return "IPv6 zones cannot be present in a prefix"
    if not _DIGITS.fullmatch(bits) or (len(bits) > 1 and bits[0] == "0"):
        return f"bad bits after slash: {quote(bits)}"
    return "prefix length out of range" if to_int(bits) > width else ""


def _width(address: str) -> int:
    """Return how many bits an address has; raises _AddressError for a text that is none."""
    kind = next((character for character in address if character in ".:%"), "")
    if kind == ".":
        _ipv4(address, address)
        return 32
    if kind == ":":
        _ipv6(address)
        return 128
    raise _AddressError("missing IPv6 address" if kind else "unable to parse IP")


def _ipv4(text: str, whole: str) -> None:
    """Check dotted decimals; ``whole`` is where they stand, for the sentence."""
    octets = 0
    value: int | None = None
    start = 0
    for position, character in enumerate(text):
        if "0" <= character <= "9":
            if value == 0 and position > start:
                raise _AddressError("IPv4 field has octet with leading zero")
            value = (value or 0) * 10 + int(character)
            if value > 255:
                raise _AddressError("IPv4 field has value >255")
        elif character != ".":
            raise _AddressError("unexpected character", text[position:])
        else:
            if value is None or position == len(text) - 1:
                raise _AddressError("IPv4 field must have at least one digit", text[position:])
            octets += 1
            if octets == 4:
                raise _AddressError("IPv4 address too long")
            value, start = None, position + 1
    if octets < 3:
        raise _AddressError("IPv4 address too short", whole if whole != text else "")


def _ipv6(address: str) -> None:  # noqa: C901 - one grammar rule, as netip has it
    """Check groups of hexadecimal digits, with one gap, a dotted end or a zone."""
    text, percent, zone = address.partition("%")
    if percent and not zone:
        raise _AddressError("zone must be a non-empty string")
    filled, gap = 0, text.startswith("::")
    rest = text[2:] if gap else text
    if gap and not rest:
        return
    while filled < _IPV6_BYTES:
        group = _group(rest)
        if rest[len(group) : len(group) + 1] == ".":
            _embedded(rest, filled, gap=gap)
            filled, rest = filled + 4, ""
            break
        filled, rest = filled + 2, rest[len(group) :]
        if not rest:
            break
        rest, opens_gap = _separator(rest, gap=gap)
        if opens_gap:
            gap = True
            if not rest:
                break
    if rest:
        raise _AddressError("trailing garbage after address", rest)
    if filled < _IPV6_BYTES and not gap:
        raise _AddressError("address string too short")
    if filled >= _IPV6_BYTES and gap:
        raise _AddressError("the :: must expand to at least one field of zeros")


def _group(rest: str) -> str:
    group = _HEXADECIMAL.match(rest)[0]  # type: ignore[index]
    if len(group) > 4:
        raise _AddressError("each group must have 4 or less digits", rest)
    if not group:
        raise _AddressError("each colon-separated field must have at least one digit", rest)
    return group


def _embedded(rest: str, filled: int, *, gap: bool) -> None:
    if (not gap and filled != 12) or filled + 4 > _IPV6_BYTES:
        raise _AddressError("embedded IPv4 address must replace the final 2 fields of the address", rest)
    _ipv4(rest, rest)


def _separator(rest: str, *, gap: bool) -> tuple[str, bool]:
    """Return what follows a colon, and whether a second colon opens the gap."""
    if rest[0] != ":":
        raise _AddressError("unexpected character, want colon", rest)
    if len(rest) == 1:
        raise _AddressError("colon must be followed by more characters", rest)
    rest = rest[1:]
    if rest[0] != ":":
        return rest, False
    if gap:
        raise _AddressError("multiple :: in address", rest)
    return rest[1:], True
