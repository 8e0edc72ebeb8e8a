"""A ProxyConfig or MeshConfig in, Istio's sentences about its faults out. Knows no text and no pod.

Which checks a release makes is a table with a span in each row; their order is Istio's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from injector.gotemplate.quoting import quote
from injector.injection.facts import NEWEST, OLDEST, Fact, Span, source_in
from injector.injection.mesh.addresses import address_fault, port_fault
from injector.injection.mesh.duration import MILLISECOND, SECOND, format_duration
from injector.injection.mesh.message import Data, Message

_HOUR: Final = 3600 * SECOND
_checks = source_in(
    "pilot/pkg/model/validation.go pkg/config/validation/validation.go "
    "pkg/config/validation/agent/validation.go"
)
_CORRECT_SPELLING: Final = Span(since=21, source=_checks("private key provider configuration is required"))
_HAS_CREDENTIALS: Final = Span(
    since=7, source=_checks("client certificates or CA certificate .*If credential")
)
_HAS_SKIP: Final = Span(since=19, source=_checks("when InsecureSkipVerify is set true"))
_HAS_CRL: Final = Span(since=22, source=_checks("or CA CRL If credentialName is set"))
_NAMES_POLICY: Final = Span(since=11, source=_checks("invalid authentication policy:"))
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
    minor = config.type.schema.minor
    faults = _skip_verify(settings) if _HAS_SKIP.covers(minor) else []
    authorities = ["clientCertificate", "caCertificates", "privateKey"]
    sentence = "cannot specify client certificates or CA certificate If credentialName is set"
    if _HAS_CRL.covers(minor):
        authorities.append("caCrl")
        sentence = sentence.replace(" If", " or CA CRL If")
    mode = settings.get("mode")
    if mode in (_SIMPLE, _MUTUAL) and settings.get("credentialName") and _HAS_CREDENTIALS.covers(minor):
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


def _own_connect_timeout(config: Message) -> list[str]:
    return _prefixed("invalid connect timeout:", _connect_timeout(config.get("connectTimeout", 0)))


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
    prefix = "invalid authentication policy: " if _NAMES_POLICY.covers(config.type.schema.minor) else ""
    return [f"{prefix}unrecognized control plane auth policy {quote(shown)}"]


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


_LEAST_WINDOW: Final = 65_535  # HTTP/2's own initial window, below which Envoy does not go
_AT_LEAST: Final[Mapping[str, tuple[int, str]]] = {
    "listenerPerConnectionBufferLimitBytes": (0, "non-negative"),
    "clusterPerConnectionBufferLimitBytes": (0, "non-negative"),
    "httpIdleTimeout": (0, "non-negative"),
    "httpMaxConnectionDuration": (0, "non-negative"),
    "httpDrainTimeout": (0, "non-negative"),
    "httpRequestTimeout": (0, "non-negative"),
    "httpRequestHeadersTimeout": (0, "non-negative"),
    "httpStreamIdleTimeout": (0, "non-negative"),
    "httpMaxStreamDuration": (0, "non-negative"),
    "httpMaxConcurrentStreams": (1, "positive"),
    "http2InitialStreamWindowSize": (_LEAST_WINDOW, f"at least {_LEAST_WINDOW}"),
    "http2InitialConnectionWindowSize": (_LEAST_WINDOW, f"at least {_LEAST_WINDOW}"),
    "listenerConnectionLimit": (1, "positive"),
    "globalDownstreamConnectionLimit": (1, "positive"),
}
"""Fields of a ProxyConfig's connectionSettings, in Istio's order: the least value and how Istio calls it."""


def _connection_settings(config: Message) -> list[str]:
    settings = config.submessage("connectionSettings") if "connectionSettings" in config.data else None
    if settings is None:
        return []
    by_name = settings.type.by_json_name
    faults = [
        f"{by_name[name].name} must be {shown}"
        for name, (least, shown) in _AT_LEAST.items()
        if settings.get(name) is not None and settings.get(name) < least
    ]
    return _prefixed("invalid connection settings:", faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    check: Callable[[Message], list[str]]
    meaning: str
    span: Span


def _row(
    check: Callable[[Message], list[str]], meaning: str, words: str, since: int = OLDEST, until: int = NEWEST
) -> _Row:
    """Return a check; ``words`` of Istio's show it."""
    return _Row(check=check, meaning=meaning, span=Span(since=since, until=until, source=_checks(words)))


_ROWS: Final = (
    _row(_required("configPath", "config path must be set"), "configPath", "config path must be set"),
    _row(_required("binaryPath", "binary path must be set"), "binaryPath", "binary path must be set"),
    _row(
        _required("serviceCluster", "service cluster must be set"),
        "serviceCluster",
        "service cluster must be set",
        until=12,
    ),
    _row(
        _cluster_name,
        "serviceCluster or tracingServiceName",
        "oneof service cluster or tracing service name",
        13,
    ),
    _row(_parent_and_drain, "parentShutdownDuration", r"ValidateParentAndDrain\(config", until=16),
    _row(_drain, "drainDuration", r"ValidateDrainDuration\(config", 17),
    _row(_discovery_address, "discoveryAddress", "invalid discovery address:"),
    _row(_lightstep, "tracing.lightstep", "invalid lightstep config:", 1),
    _row(_collector("zipkin", host_ip=False), "tracing.zipkin", r"Address\(z\.GetAddress", 1, 7),
    _row(_collector("zipkin", host_ip=True), "tracing.zipkin", r"Replace\(z\.GetAddress", 8),
    _row(_collector("datadog", host_ip=True), "tracing.datadog", "invalid datadog config:", 1),
    _row(_tracing_tls, "tracing.tlsSettings", "invalid tracing TLS config:", 6),
    _row(_custom_tags, "tracing.customTags", "invalid tracing custom tags:", 13),
    _row(_own_connect_timeout, "connectTimeout", r"ValidateConnectTimeout\(config\.", until=5),
    _row(_address("statsdUdpAddress", "statsd udp"), "statsdUdpAddress", "invalid statsd udp address"),
    _row(
        _address("envoyMetricsServiceAddress", "envoy metrics service"),
        "envoyMetricsServiceAddress",
        r"ValidateProxyAddress\(config\.EnvoyMetricsServiceAddress",
        1,
    ),
    _row(
        _address("envoyMetricsService", "envoy metrics service"),
        "envoyMetricsService",
        r"config\.EnvoyMetricsService != nil",
        3,
    ),
    _row(
        _address("envoyAccessLogService", "envoy access log service"),
        "envoyAccessLogService",
        r"config\.EnvoyAccessLogService != nil",
        3,
    ),
    _row(_port("proxyAdminPort", "proxy admin"), "proxyAdminPort", "invalid proxy admin port:"),
    _row(_auth_policy, "controlPlaneAuthPolicy", "unrecognized control plane auth policy"),
    _row(_port("statusPort", "status"), "statusPort", "invalid status port:", 11),
    _row(_private_key_provider, "privateKeyProvider", "func validatePrivateKeyProvider", 14),
    _row(_connection_settings, "connectionSettings", "invalid connection settings:", 31),
)

FACTS: Final = (
    *(Fact(name="ProxyConfig", meaning=f"{row.meaning} is checked", span=row.span) for row in _ROWS),
    Fact(name="privateKeyProvider", meaning="is spelt correctly in errors", span=_CORRECT_SPELLING),
    Fact(name="tlsSettings.credentialName", meaning="excludes certificates", span=_HAS_CREDENTIALS),
    Fact(name="tlsSettings.insecureSkipVerify", meaning="excludes authorities", span=_HAS_SKIP),
    Fact(name="tlsSettings.caCrl", meaning="counts among certificates", span=_HAS_CRL),
    Fact(name="controlPlaneAuthPolicy", meaning="is named in its error", span=_NAMES_POLICY),
)
