"""A network address in, Istio's sentence about what is wrong with it out. Knows no message.

The sentences are those of Istio's ValidateProxyAddress and of Go's net and strconv packages.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from injector.golang.strconv import quote

_LABEL: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255


def address_fault(address: str) -> str:
    """Return what is wrong with ``host:port``; "" when nothing is."""
    host, port, fault = _split(address)
    if fault:
        where = f"address {address}: " if address else ""
        return f"unable to split {quote(address)}: {where}{fault}"
    number = _INTEGER.fullmatch(port)
    if number is None:
        return f"port ({port}) is not a number: strconv.Atoi: parsing {quote(port)}: invalid syntax"
    if not -(1 << 63) <= int(port) < 1 << 63:
        return f"port ({port}) is not a number: strconv.Atoi: parsing {quote(port)}: value out of range"
    fault = port_fault(int(port))
    if fault:
        return fault
    if _is_domain(host) or _is_ip(host):
        return ""
    return f"{quote(host)} is not a valid hostname or an IP address"


def port_fault(port: int) -> str:
    """Return what is wrong with a port; "" when nothing is."""
    return "" if 1 <= port <= 65535 else f"port number {port} must be in the range 1..65535"


def _split(address: str) -> tuple[str, str, str]:
    """Return host, port and the fault, as Go's net.SplitHostPort finds them."""
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
    """Tell a fully qualified domain name: DNS labels, the last of which may be empty but not a number."""
    if not name or len(name.encode()) > _LONGEST_NAME:
        return False
    *parts, last = name.split(".")
    if _INTEGER.fullmatch(last) or not all(_is_label(part) for part in parts):
        return False
    return last == "" or _is_label(last)


def _is_label(text: str) -> bool:
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
