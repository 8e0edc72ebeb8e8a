"""A ProxyConfig or MeshConfig in, Istio's sentences about its faults out. Knows no text and no pod.

Which checks a release makes is a table with a span in each row; their order is Istio's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from injector.golang.duration import MILLISECOND, SECOND, format_duration
from injector.golang.strconv import quote
from injector.injection.mesh.addresses import address_fault, port_fault
from injector.injection.mesh.message import Data, Message
from injector.injection.releases import Span

_HOUR: Final = 3600 * SECOND
_GOLANG: Final = Span(since=14)
_CORRECT_SPELLING: Final = Span(since=18)
_HAS_CRL: Final = Span(since=22)
_SIMPLE, _MUTUAL = 1, 2  # ClientTLSSettings.TLSmode


def multierror(faults: Iterable[str]) -> str:
    """Return the text of a hashicorp/go-multierror with these sentences; "" when there are none."""
    lines = list(faults)
    if not lines:
        return ""
    points = "\n\t".join(f"* {line}" for line in lines)
    return f"{len(lines)} error{'s' if len(lines) > 1 else ''} occurred:\n\t{points}\n\n"


def proxy_config_faults(config: Message) -> list[str]:
    """Return what Istio finds wrong with a ProxyConfig, one sentence each."""
    minor = config.type.schema.minor
    return [fault for row in _ROWS if row.span.covers(minor) for fault in row.check(config)]


def mesh_faults(mesh: Message, proxy_config: Message) -> list[str]:
    """Return what Istio finds wrong with a MeshConfig, as far as injection depends on it."""
    faults = _prefixed("invalid proxy listen port:", [port_fault(mesh.get("proxyListenPort", 0))])
    faults += _prefixed("invalid connect timeout:", _connect_timeout(mesh.get("connectTimeout", 0)))
    return [*faults, *proxy_config_faults(proxy_config)]


def _prefixed(prefix: str, faults: Iterable[str]) -> list[str]:
    return [f"{prefix} {fault}" for fault in faults if fault]


def _duration_fault(nanoseconds: int) -> str:
    if nanoseconds < MILLISECOND:
        return "duration must be greater than 1ms"
    return "only durations to ms precision are supported" if nanoseconds % MILLISECOND else ""


def _connect_timeout(nanoseconds: int) -> list[str]:
    fault = _duration_fault(nanoseconds)
    if not fault and nanoseconds > _HOUR:
        fault = f"time {format_duration(nanoseconds)} must be >1ms and <1h0m0s"
    return [fault]


def _required(name: str, sentence: str) -> Callable[[Message], list[str]]:
    return lambda config: [] if config.get(name) else [sentence]


def _cluster_name(config: Message) -> list[str]:
    if "tracingServiceName" in config.data or config.get("serviceCluster"):
        return []
    if "serviceCluster" in config.data:
        return ["service cluster must be specified"]
    return ["oneof service cluster or tracing service name must be specified"]


def _drain(config: Message) -> list[str]:
    drain = config.get("drainDuration", 0)
    fault = _duration_fault(drain)
    if fault:
        return [f"invalid drain duration: {fault}"]
    return ["drain time only supports durations to seconds precision"] if drain % SECOND else []


def _parent_and_drain(config: Message) -> list[str]:
    drain, parent = config.get("drainDuration", 0), config.get("parentShutdownDuration", 0)
    faults = _prefixed("invalid drain duration:", [_duration_fault(drain)])
    faults += _prefixed("invalid parent shutdown duration:", [_duration_fault(parent)])
    faults = faults or list(_parent_against_drain(drain, parent))
    return _prefixed("invalid parent and drain time combination", faults)


def _parent_against_drain(drain: int, parent: int) -> Iterator[str]:
    if drain % SECOND:
        yield "drain time only supports durations to seconds precision"
    if parent % SECOND:
        yield "parent shutdown time only supports durations to seconds precision"
    shown_drain, shown_parent = format_duration(drain), format_duration(parent)
    if parent <= drain:
        yield f"parent shutdown time {shown_parent} must be greater than drain time {shown_drain}"
    if drain > _HOUR:
        yield f"drain time {shown_drain} must be <1h0m0s"
    if parent > _HOUR:
        yield f"parent shutdown time {shown_parent} must be <1h0m0s"


def _discovery_address(config: Message) -> list[str]:
    address = config.get("discoveryAddress", "")
    if not address:
        return ["discovery address must be set to the proxy discovery service"]
    return _prefixed("invalid discovery address:", [address_fault(address)])


def _tracing(config: Message, member: str) -> Data | None:
    tracing = config.get("tracing")
    return None if tracing is None else tracing.get(member)


def _lightstep(config: Message) -> list[str]:
    tracer = _tracing(config, "lightstep")
    if tracer is None:
        return []
    address = tracer.get("address", "")
    faults = [] if address else ["address is required"]
    faults += _prefixed("invalid lightstep address:", [address_fault(address)])
    if not tracer.get("accessToken"):
        faults.append("access token is required")
    if tracer.get("secure") and not tracer.get("cacertPath"):
        faults.append("cacertPath is required")
    return _prefixed("invalid lightstep config:", faults)


def _collector(member: str, *, host_ip: bool) -> Callable[[Message], list[str]]:
    """Check a tracer that is only an address, in which ``$(HOST_IP)`` may stand for one."""

    def check(config: Message) -> list[str]:
        tracer = _tracing(config, member)
        if tracer is None:
            return []
        address = tracer.get("address", "")
        if host_ip:
            address = address.replace("$(HOST_IP)", "127.0.0.1", 1)
        return _prefixed(f"invalid {member} config:", [address_fault(address)])

    return check


def _tracing_tls(config: Message) -> list[str]:
    settings = _tracing(config, "tlsSettings")
    if settings is None:
        return []
    faults = _skip_verify(settings)
    authorities = ["clientCertificate", "caCertificates", "privateKey"]
    sentence = "cannot specify client certificates or CA certificate If credentialName is set"
    if _HAS_CRL.covers(config.type.schema.minor):
        authorities.append("caCrl")
        sentence = sentence.replace(" If", " or CA CRL If")
    mode = settings.get("mode")
    if mode in (_SIMPLE, _MUTUAL) and settings.get("credentialName"):
        if any(settings.get(name) for name in authorities):
            faults.append(sentence)
    elif mode == _MUTUAL:
        faults += [
            f"{shown} required for mutual tls"
            for name, shown in (("clientCertificate", "client certificate"), ("privateKey", "private key"))
            if not settings.get(name)
        ]
    return _prefixed("invalid tracing TLS config:", faults)


def _skip_verify(settings: Data) -> list[str]:
    if not settings.get("insecureSkipVerify"):
        return []
    names = {
        _SIMPLE: ("CaCertificates", "CredentialName", "SubjectAltNames"),
        _MUTUAL: ("CaCertificates", "SubjectAltNames"),
    }.get(settings.get("mode", 0), ())
    if not any(settings.get(name[0].lower() + name[1:]) for name in names):
        return []
    return [f"cannot specify {' or '.join(names)} when InsecureSkipVerify is set true"]


def _custom_tags(config: Message) -> list[str]:
    tags = _tracing(config, "customTags") or {}
    broken = [name for name, tag in tags.items() if tag is None][:1]
    return [f"invalid tracing custom tags: encountered nil value for custom tag: {name}" for name in broken]


def _address(name: str, shown: str) -> Callable[[Message], list[str]]:
    """Check an address that may be left out, or the address of a RemoteService."""

    def check(config: Message) -> list[str]:
        found = config.get(name, "")
        address = found if isinstance(found, str) else found.get("address", "")
        if not address:
            return []
        return _prefixed(f"invalid {shown} address {quote(address)}:", [address_fault(address)])

    return check


def _port(name: str, shown: str) -> Callable[[Message], list[str]]:
    return lambda config: _prefixed(f"invalid {shown} port:", [port_fault(config.get(name, 0))])


def _auth_policy(config: Message) -> list[str]:
    policy = config.get("controlPlaneAuthPolicy", 0)
    if policy in (0, 1):  # NONE, MUTUAL_TLS
        return []
    shown = "INHERIT" if policy == 1000 else str(policy)
    return [f"invalid authentication policy: unrecognized control plane auth policy {quote(shown)}"]


def _private_key_provider(config: Message) -> list[str]:
    provider = config.get("privateKeyProvider")
    if provider is None:
        return []
    word = "configuration" if _CORRECT_SPELLING.covers(config.type.schema.minor) else "confguration"
    members = [name for name in ("cryptomb", "qat") if name in provider]
    if not members:
        faults = [f"private key provider {word} is required", "unknown private key provider"]
    else:
        delay = (provider[members[0]] or {}).get("pollDelay")
        faults = [
            "pollDelay is required" if delay is None else "pollDelay must be non zero" if not delay else ""
        ]
    return _prefixed(f"invalid private key provider {word}:", faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    check: Callable[[Message], list[str]]
    span: Span = field(default_factory=Span)


_ROWS: Final = (
    _Row(check=_required("configPath", "config path must be set")),
    _Row(check=_required("binaryPath", "binary path must be set")),
    _Row(check=_required("serviceCluster", "service cluster must be set"), span=Span(until=12)),
    _Row(check=_cluster_name, span=Span(since=13)),
    _Row(check=_parent_and_drain, span=Span(until=16)),
    _Row(check=_drain, span=Span(since=17)),
    _Row(check=_discovery_address),
    _Row(check=_lightstep),
    _Row(check=_collector("zipkin", host_ip=False), span=Span(until=13)),
    _Row(check=_collector("zipkin", host_ip=True), span=_GOLANG),
    _Row(check=_collector("datadog", host_ip=True)),
    _Row(check=_tracing_tls, span=Span(since=6)),
    _Row(check=_custom_tags, span=Span(since=6)),
    _Row(check=_address("statsdUdpAddress", "statsd udp")),
    _Row(check=_address("envoyMetricsServiceAddress", "envoy metrics service")),
    _Row(check=_address("envoyMetricsService", "envoy metrics service")),
    _Row(check=_address("envoyAccessLogService", "envoy access log service")),
    _Row(check=_port("proxyAdminPort", "proxy admin")),
    _Row(check=_auth_policy),
    _Row(check=_port("statusPort", "status"), span=Span(since=6)),
    _Row(check=_private_key_provider, span=_GOLANG),
)
