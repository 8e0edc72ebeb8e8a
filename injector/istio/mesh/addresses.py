"""A network address or a name of DNS in, Istio's sentence about what is wrong with it out.

The sentences are those of Istio's ValidateProxyAddress and of Go's net and strconv packages.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from injector.golang.strconv import int_fault, parse_int, quote

_LABEL: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_WILDCARD_LABEL: Final = re.compile(rf"\*|(?:\*-?)?{_LABEL.pattern}")
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 255


def address_fault(address: str) -> str:
    """Return what is wrong with ``host:port``; "" when nothing is."""
    host, port, fault = _split(address)
    if fault:
        where = f"address {address}: " if address else ""
        return f"unable to split {quote(address)}: {where}{fault}"
    if reason := int_fault(port):
        return f"port ({port}) is not a number: strconv.Atoi: parsing {quote(port)}: {reason}"
    fault = port_fault(int(port))
    if fault:
        return fault
    if _is_domain(host) or _is_ip(host):
        return ""
    return f"{quote(host)} is not a valid hostname or an IP address"


def port_fault(port: int) -> str:
    """Return what is wrong with a port; "" when nothing is."""
    return "" if 1 <= port <= 65535 else f"port number {port} must be in the range 1..65535"


def domain_fault(domain: str) -> str:
    """Return what is wrong with a domain; "" when nothing is. Its first label may be or begin with ``*``."""
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
        if not is_label(label):
            return f"domain name {quote(domain)} invalid (label {quote(label)} invalid)"
    return ""


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
    if parse_int(last) is not None or not all(is_label(part) for part in parts):
        return False
    return last == "" or is_label(last)


def is_label(text: str) -> bool:
    """Return whether a text is a label of DNS, in letters of either case."""
    return len(text) <= _LONGEST_LABEL and _LABEL.fullmatch(text) is not None


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
