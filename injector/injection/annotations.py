"""A pod's annotations in; nothing, or Istio's sentence about the invalid ones, out.

Which annotations are looked at, and how strictly, is a table with a span of releases in each row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from injector.errors import InjectionError
from injector.golang.strconv import quote
from injector.injection.cidr import classic_fault, prefix_fault
from injector.injection.mesh.annotation import proxy_config_fault
from injector.injection.releases import EVER, Behaviour, Span
from injector.patch.quantity import quantity_fault

Check = Callable[[str, Behaviour], str]
"""Says what is wrong with a value; "" when nothing is."""

_BOOLEANS: Final = frozenset(
    {"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"}
)
_INTERFACE: Final = re.compile(r"[A-Za-z0-9._@:-]+")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
# unicode.IsSpace, which strings.TrimSpace follows; str.strip also takes \x1c to \x1f.
_SPACES: Final = (0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
_SPACE: Final = "".join(map(chr, (*b"\t\n\v\f\r \x85\xa0", *_SPACES)))


def validate(annotations: Mapping[str, str], behaviour: Behaviour) -> None:
    """Raise InjectionError with one line per invalid annotation.

    The lines are sorted by the annotation's name; Istio's order is that of a Go map, so any.
    """
    faults = [
        _line(name, annotations[name], fault, behaviour)
        for name, check in _checks(behaviour)
        if name in annotations and (fault := check(annotations[name] or "", behaviour))
    ]
    if faults:
        raise InjectionError(_multierror(faults, behaviour))


def parse_bool(text: str) -> bool | None:
    """Return what strconv.ParseBool makes of ``text``; None where that is an error."""
    return text in ("1", "t", "T", "TRUE", "true", "True") if text in _BOOLEANS else None


def trim_space(text: str) -> str:
    """Return what strings.TrimSpace leaves."""
    return text.strip(_SPACE)


# ---- sentences


def _line(name: str, value: str, fault: str, behaviour: Behaviour) -> str:
    if behaviour.old_multierror:
        return f"injection failed. Invalid value for annotation {name}: {value}. Error: {fault}"
    return f"invalid value '{value}' for annotation '{name}': {fault}"


def _multierror(faults: list[str], behaviour: Behaviour) -> str:
    """Return the text of hashicorp/go-multierror, whose layout changed between Istio 1.0 and 1.2."""
    noun = "error" if len(faults) == 1 else "errors"
    if behaviour.old_multierror:
        return "\n".join((f"{len(faults)} {noun} occurred:\n", *(f"* {fault}" for fault in faults)))
    points = "\n\t".join(f"* {fault}" for fault in faults)
    return f"{len(faults)} {noun} occurred:\n\t{points}\n\n"


def _number_fault(text: str, bits: int) -> str:
    """Return what strconv.ParseUint(text, 10, bits) says."""
    if not text.isascii() or not text.isdigit():
        reason = "invalid syntax"
    elif int(text) >= 1 << bits:
        reason = "value out of range"
    else:
        return ""
    return f"strconv.ParseUint: parsing {quote(text)}: {reason}"


# ---- checks


def _interception_mode(value: str, behaviour: Behaviour) -> str:
    modes = ("REDIRECT", "TPROXY", "NONE") if behaviour.interception_none else ("REDIRECT", "TPROXY")
    if value in modes:
        return ""
    hint = f", use {','.join(modes)}" if behaviour.interception_none else ""
    return f"interceptionMode invalid{hint}: {value}"


def _port(value: str, behaviour: Behaviour) -> str:
    trimmed = trim_space(value)
    fault = _number_fault(trimmed, 16)
    if not fault:
        return ""
    shown = value if behaviour.port_errors_show_text else _parsed(fault)
    return f"failed parsing port '{shown}': {fault}"


def _parsed(fault: str) -> str:
    """Return the number that ParseUint returns beside its error."""
    return str((1 << 16) - 1) if fault.endswith("value out of range") else "0"


def _status_port(value: str, behaviour: Behaviour) -> str:
    fault = _port(value, behaviour)
    return f"excludeInboundPorts invalid: {fault}" if fault else ""


def _ports(value: str, behaviour: Behaviour, *, parameter: str, star: bool = False) -> str:
    if star and value == "*":
        return ""
    trimmed = trim_space(value)
    for port in trimmed.split(",") if trimmed else ():
        if fault := _port(port, behaviour):
            shown = port if behaviour.port_errors_show_text else "0"
            return f"{parameter} invalid: failed parsing port '{shown}': {fault}"
    return ""


def _ranges(value: str, behaviour: Behaviour, *, parameter: str, star: bool = False) -> str:
    if star and value == "*":
        return ""
    cidr_fault = prefix_fault if behaviour.netip_prefixes else classic_fault
    for cidr in value.split(",") if value else ():
        if fault := cidr_fault(cidr):
            return f"{parameter} invalid: failed parsing cidr '{cidr}': {fault}"
    return ""


def _uint32(value: str, _: Behaviour) -> str:
    return _number_fault(value, 32)


def _boolean(value: str, _: Behaviour) -> str:
    return "" if value in _BOOLEANS else f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"


def _quantity(value: str, _: Behaviour) -> str:
    return "value contains control characters" if _CONTROL.search(value) else quantity_fault(value)


def _interfaces(value: str, _: Behaviour) -> str:
    for interface in value.split(",") if value else ():
        name = trim_space(interface)
        if name and not _INTERFACE.fullmatch(name):
            return f"interface name {quote(name)} contains invalid characters"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    name: str
    check: Check
    span: Span = EVER


_TRAFFIC: Final = "traffic.sidecar.istio.io"
_READINESS: Final = "readiness.status.sidecar.istio.io"

_ROWS: Final = (
    _Row(name="istio.io/reroute-virtual-interfaces", check=_interfaces, span=Span(since=29)),
    _Row(name="prometheus.istio.io/merge-metrics", check=_boolean, span=Span(since=6)),
    _Row(name="proxy.istio.io/config", check=proxy_config_fault, span=Span(since=6)),
    _Row(
        name=f"{_READINESS}/applicationPorts",
        check=partial(_ports, parameter="readinessApplicationPorts", star=True),
        span=Span(until=5),
    ),
    _Row(name=f"{_READINESS}/failureThreshold", check=_uint32),
    _Row(name=f"{_READINESS}/initialDelaySeconds", check=_uint32),
    _Row(name=f"{_READINESS}/periodSeconds", check=_uint32),
    _Row(name="sidecar.istio.io/enableCoreDump", check=_boolean, span=Span(since=5, until=10)),
    _Row(name="sidecar.istio.io/interceptionMode", check=_interception_mode),
    _Row(name="sidecar.istio.io/proxyCPU", check=_quantity, span=Span(since=28)),
    _Row(name="sidecar.istio.io/proxyCPULimit", check=_quantity, span=Span(since=28)),
    _Row(name="sidecar.istio.io/proxyMemory", check=_quantity, span=Span(since=28)),
    _Row(name="sidecar.istio.io/proxyMemoryLimit", check=_quantity, span=Span(since=28)),
    _Row(name="status.sidecar.istio.io/port", check=_status_port),
    _Row(name=f"{_TRAFFIC}/excludeInboundPorts", check=partial(_ports, parameter="excludeInboundPorts")),
    _Row(name=f"{_TRAFFIC}/excludeInterfaces", check=_interfaces, span=Span(since=29)),
    _Row(name=f"{_TRAFFIC}/excludeOutboundIPRanges", check=partial(_ranges, parameter="excludeIPRanges")),
    _Row(
        name=f"{_TRAFFIC}/excludeOutboundPorts",
        check=partial(_ports, parameter="excludeOutboundPorts"),
        span=Span(since=2),
    ),
    _Row(
        name=f"{_TRAFFIC}/includeInboundPorts",
        check=partial(_ports, parameter="includeInboundPorts", star=True),
    ),
    _Row(
        name=f"{_TRAFFIC}/includeOutboundIPRanges",
        check=partial(_ranges, parameter="includeIPRanges", star=True),
    ),
    _Row(name=f"{_TRAFFIC}/kubevirtInterfaces", check=_interfaces, span=Span(since=29)),
)


@cache
def _checks(behaviour: Behaviour) -> tuple[tuple[str, Check], ...]:
    return tuple((row.name, row.check) for row in _ROWS if row.span.covers(behaviour.minor))
