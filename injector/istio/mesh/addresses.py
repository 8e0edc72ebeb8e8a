"""Check a network address, a DNS name or a CIDR; return Istio's sentence about what is wrong.

The sentences are those of Istio's ValidateProxyAddress and of Go's net, net/netip and strconv packages.
Python's ipaddress accepts and refuses other texts than Go does.
"""

from __future__ import annotations

import re
from typing import Final

from injector.golang.strconv import int_fault, parse_int, quote, to_int

_LABEL: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL: Final = re.compile(rf"\*|(?:\*-?)?{_LABEL.pattern}")
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255
_DIGITS: Final = re.compile("[0-9]+")
_HEXADECIMAL: Final = re.compile("[0-9a-fA-F]*")
_IPV6_BYTES: Final = 16


def address_fault(address: str) -> str:
    """Return the fault of ``host:port``; "" when there is none."""
    host, port, fault = _split(address)
    if fault:
        where = f"address {address}: " if address else ""
        return f"unable to split {quote(address)}: {where}{fault}"
    if reason := int_fault(port):
        return f"port ({port}) is not a number: strconv.Atoi: parsing {quote(port)}: {reason}"
    fault = port_fault(to_int(port))
    if fault:
        return fault
    if _is_domain(host) or _width_or_zero(host):
        return ""
    return f"{quote(host)} is not a valid hostname or an IP address"


def port_fault(port: int) -> str:
    """Return the fault of a port; "" when there is none."""
    return "" if 1 <= port <= 65535 else f"port number {port} must be in the range 1..65535"


def domain_fault(domain: str) -> str:
    """Return the fault of a domain; "" when there is none. Its first label may be or begin with ``*``."""
    if len(domain.encode()) > _LONGEST_NAME:
        return f"domain name {quote(domain)} too long (max {_LONGEST_NAME})"
    if not domain:
        return "empty domain name not allowed"
    first, dot, rest = domain.partition(".")
    if len(first) > _LONGEST_LABEL or not _WILDCARD_LABEL.fullmatch(first):
        return f"domain name {quote(domain)} invalid (label {quote(first)} invalid)"
    return _labels_fault(rest) if dot else ""


def _labels_fault(domain: str) -> str:
    *labels, last = domain.split(".")
    if parse_int(last) is not None:
        return f"domain name {quote(domain)} invalid (top level domain {quote(last)} cannot be all-numeric)"
    for label in (*labels, last) if last else labels:
        if not _is_label(label):
            return f"domain name {quote(domain)} invalid (label {quote(label)} invalid)"
    return ""


def _split(address: str) -> tuple[str, str, str]:
    """Return host, port and the fault, as Go's net.SplitHostPort does."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return "", "", "missing port in address"
    if address.startswith("["):
        return _split_bracketed(address)
    if ":" in host:
        return "", "", "too many colons in address"
    for bracket in "[]":
        if bracket in address:
            return "", "", f"unexpected '{bracket}' in address"
    return host, port, ""


def _split_bracketed(address: str) -> tuple[str, str, str]:
    end = address.find("]")
    if end < 0:
        return "", "", "missing ']' in address"
    if end + 1 != address.rfind(":"):
        many = address[end + 1 : end + 2] == ":"
        return "", "", "too many colons in address" if many else "missing port in address"
    for bracket, start in (("[", 1), ("]", end + 1)):
        if bracket in address[start:]:
            return "", "", f"unexpected '{bracket}' in address"
    return address[1:end], address[end + 2 :], ""


def _is_domain(name: str) -> bool:
    """Return whether a name is a fully qualified domain name.

    It consists of DNS labels, the last of which may be empty but not a number.
    """
    if not name or len(name.encode()) > _LONGEST_NAME:
        return False
    return parse_int(name.rpartition(".")[2]) is None and are_labels(name)


def are_labels(name: str) -> bool:
    """Return whether a name consists of DNS labels, in letters of either case; the last may be empty."""
    *labels, last = name.split(".")
    return all(map(_is_label, labels)) and (not last or _is_label(last))


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


# ---- CIDRs


class _AddressError(Exception):
    """net/netip's error about an address, and the text at which it stopped."""

    def __init__(self, message: str, at: str = "") -> None:
        super().__init__(message, at)
        self.message = message
        self.at = at


def classic_fault(text: str) -> str:
    """Return net.ParseCIDR's error for ``text``; "" when it is accepted."""
    address, slash, bits = text.partition("/")
    width = _width_or_zero(address)
    is_valid = width and slash and "%" not in address and _DIGITS.fullmatch(bits) and to_int(bits) <= width
    return "" if is_valid else f"invalid CIDR address: {text}"


def prefix_fault(text: str) -> str:
    """Return netip.ParsePrefix's error for ``text``; "" when it is accepted."""
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


def _width_or_zero(address: str) -> int:
    """Return the number of bits of an address, 0 for another text."""
    try:
        return _width(address)
    except _AddressError:
        return 0


def _width(address: str) -> int:
    """Return the number of bits of an address; raises _AddressError for another text."""
    kind = next((character for character in address if character in ".:%"), "")
    if kind == ".":
        _ipv4(address, address)
        return 32
    if kind == ":":
        _ipv6(address)
        return 128
    raise _AddressError("missing IPv6 address" if kind else "unable to parse IP")


def _ipv4(text: str, whole: str) -> None:
    """Check dotted decimals; ``whole`` is the text that contains them, for the sentence."""
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
    """Return the rest after a colon, and whether a second colon opens the gap."""
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
