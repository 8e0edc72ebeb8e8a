"""Check a pod's annotations as Istio does; raise its sentence about the invalid ones.

A table says which annotations a release checks, and how strictly; each row has a span of releases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Final, TypeAlias

from injector.errors import InjectionError
from injector.golang.strconv import parse_bool, quote, uint_fault
from injector.golang.unicode import trim_space
from injector.istio.facts import NEWEST, OLDEST, Fact, Span, inject
from injector.istio.mesh.addresses import classic_fault, prefix_fault
from injector.istio.mesh.defaults import default_proxy_config
from injector.istio.mesh.descriptors import MessageError
from injector.istio.mesh.effective import ANNOTATION, parse_annotation
from injector.istio.mesh.jsonpb import apply
from injector.istio.mesh.validation import multierror, proxy_config_faults
from injector.istio.releases import Behaviour
from injector.memo import remembered
from injector.patch.quantity import quantity_fault

Check = Callable[[str, Behaviour], str]
"""Returns the fault of a value; "" when there is none."""

_INTERFACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_LONGEST_INTERFACE: Final = 15  # bytes; Linux stores 16 with the zero at the end (IFNAMSIZ)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def validate(annotations: Mapping[str, str], behaviour: Behaviour) -> None:
    """Raise InjectionError with one line per invalid annotation.

    The lines are sorted by the annotation's name; Istio's order from 1.2 is that of a Go map, so random.
    """
    checks = _checks(behaviour)
    if checks.keys().isdisjoint(annotations):
        return
    faults = [
        _line(name, annotations[name], fault, behaviour)
        for name, check in checks.items()
        if name in annotations and (fault := check(annotations[name] or "", behaviour))
    ]
    if faults:
        raise InjectionError(_old_multierror(faults) if behaviour.old_multierror else multierror(faults))


# ---- sentences


def _line(name: str, value: str, fault: str, behaviour: Behaviour) -> str:
    if behaviour.old_multierror:
        return f"injection failed. Invalid value for annotation {name}: {value}. Error: {fault}"
    return f"invalid value '{value}' for annotation '{name}': {fault}"


def _old_multierror(faults: list[str]) -> str:
    """Return the text of hashicorp/go-multierror in its layout up to Istio 1.1."""
    noun = "error" if len(faults) == 1 else "errors"
    return "\n".join((f"{len(faults)} {noun} occurred:\n", *(f"* {fault}" for fault in faults)))


def _number_fault(text: str, bits: int) -> str:
    """Return strconv.ParseUint(text, 10, bits)'s error."""
    reason = uint_fault(text, bits)
    return f"strconv.ParseUint: parsing {quote(text)}: {reason}" if reason else ""


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
    number = (1 << 16) - 1 if fault.endswith("value out of range") else 0  # as ParseUint with its error
    return f"failed parsing port '{value if behaviour.port_errors_show_text else number}': {fault}"


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
    known = parse_bool(value) is not None
    return "" if known else f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"


def _quantity(value: str, _: Behaviour) -> str:
    return "value contains control characters" if _CONTROL.search(value) else quantity_fault(value)


def _interfaces(value: str, _: Behaviour) -> str:
    for interface in value.split(",") if value else ():
        name = trim_space(interface)
        if not name:
            return "empty interface name"
        if len(name.encode(errors="surrogatepass")) > _LONGEST_INTERFACE:
            return f"interface name {quote(name)} too long (max {_LONGEST_INTERFACE} chars)"
        if not _INTERFACE.fullmatch(name):
            return f"interface name {quote(name)} contains invalid characters"
    return ""


def proxy_config_fault(text: str, behaviour: Behaviour) -> str:
    """Return the error of Istio's webhook about the annotation of a ProxyConfig."""
    return _proxy_config_fault(text, behaviour.minor)


@remembered("annotation_faults")
def _proxy_config_fault(text: str, minor: int) -> str:
    try:
        config = apply(default_proxy_config(minor), parse_annotation(text))
    except MessageError as error:
        return f"failed to convert to apply proxy config: {error}"
    return multierror(proxy_config_faults(config))


_Row: TypeAlias = tuple[Fact, Check]
"""The name of an annotation with the minors that check it, and the check."""

_TRAFFIC: Final = "traffic.sidecar.istio.io"
_READINESS: Final = "readiness.status.sidecar.istio.io"


def _row(name: str, check: Check, listed: str, since: int = OLDEST, until: int = NEWEST) -> _Row:
    """Return a check; ``listed`` is the entry of Istio's list of annotations, as a pattern."""
    span = Span(since=since, until=until, source=inject(listed))
    return Fact(name=name, meaning="its value is checked", span=span), check


def _either(name: str, check: Check, function: str, since: int = OLDEST) -> _Row:
    """Return a check of an annotation that Istio's lists name directly or by a constant."""
    return _row(name, check, rf'("{name}"|annotation\.{_constant(name)}\.Name).*[ ,]{function}\b', since)


def _traffic(
    name: str, check: Callable[..., str], parameter: str, since: int = OLDEST, *, star: bool = False
) -> _Row:
    """Return a check of a list of ports or ranges; its fault names Istio's own ``parameter``."""
    function = f"Validate{parameter[0].upper()}{parameter[1:]}"
    return _either(f"{_TRAFFIC}/{name}", partial(check, parameter=parameter, star=star), function, since)


def _constant(name: str) -> str:
    """Return istio.io/api's constant: ``status.sidecar.istio.io/port`` is SidecarStatusPort."""
    domain, _, own = name.partition("/")
    words = [*reversed(domain.removesuffix(".istio.io").split(".")), own]
    return "".join(word[0].upper() + word[1:] for word in words)


_ROWS: Final = (
    _either("sidecar.istio.io/interceptionMode", _interception_mode, "validateInterceptionMode"),
    _either("status.sidecar.istio.io/port", _status_port, "validateStatusPort"),
    _either(f"{_READINESS}/initialDelaySeconds", _uint32, "validateUInt32"),
    _either(f"{_READINESS}/periodSeconds", _uint32, "validateUInt32"),
    _either(f"{_READINESS}/failureThreshold", _uint32, "validateUInt32"),
    _row(
        f"{_READINESS}/applicationPorts",
        partial(_ports, parameter="readinessApplicationPorts", star=True),
        "validateReadinessApplicationPorts[,}]",
        until=4,
    ),
    _traffic("includeOutboundIPRanges", _ranges, "includeIPRanges", star=True),
    _traffic("excludeOutboundIPRanges", _ranges, "excludeIPRanges"),
    _traffic("includeInboundPorts", _ports, "includeInboundPorts", star=True),
    _traffic("excludeInboundPorts", _ports, "excludeInboundPorts"),
    _traffic("excludeOutboundPorts", _ports, "excludeOutboundPorts", 2),
    _row("sidecar.istio.io/enableCoreDump", _boolean, "SidecarEnableCoreDump.Name: +validateBool", 5, 24),
    _row("prometheus.istio.io/merge-metrics", _boolean, "PrometheusMergeMetrics.Name: +validateBool", 6),
    _row(ANNOTATION, proxy_config_fault, "annotation.ProxyConfig.Name: +validateProxyConfig", 6),
    _row("sidecar.istio.io/proxyCPU", _quantity, "SidecarProxyCPU.Name: +validateResource", 27),
    _row("sidecar.istio.io/proxyCPULimit", _quantity, "SidecarProxyCPULimit.Name: +validateResource", 27),
    _row("sidecar.istio.io/proxyMemory", _quantity, "SidecarProxyMemory.Name: +validateResource", 27),
    _row(
        "sidecar.istio.io/proxyMemoryLimit", _quantity, "SidecarProxyMemoryLimit.Name: +validateResource", 27
    ),
    _row(f"{_TRAFFIC}/excludeInterfaces", _interfaces, "ExcludeInterfaces.Name: +ValidateExclude", 30),
    _row(f"{_TRAFFIC}/kubevirtInterfaces", _interfaces, "KubevirtInterfaces.Name: +ValidateExclude", 30),
    _row("istio.io/reroute-virtual-interfaces", _interfaces, "RerouteVirtualInterfaces.Name: +Validate", 30),
)
"""In the order in which 1.0 and 1.1 check them."""

FACTS: Final = tuple(fact for fact, _ in _ROWS)


@cache
def _checks(behaviour: Behaviour) -> Mapping[str, Check]:
    """Return the checks of a release by the names of annotations, in the order in which they are made."""
    checks = {fact.name: check for fact, check in _ROWS if fact.span.covers(behaviour.minor)}
    return checks if behaviour.checks_annotations_in_order else dict(sorted(checks.items()))
