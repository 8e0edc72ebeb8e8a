"""Validate a ProxyConfig; return Istio's sentences about its faults.

A table says which checks a release makes; each row has a span. Their order is Istio's (its
pkg/config/validation, ValidateMeshConfigProxyConfig). `mesh_validation` validates the rest of a MeshConfig.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from injector.golang.strconv import quote
from injector.golang.times import MILLISECOND, SECOND, format_duration
from injector.istio.facts import NEWEST, OLDEST, Fact, Span, source_in
from injector.istio.mesh.addresses import address_fault, port_fault
from injector.istio.mesh.descriptors import Data, Message, json_name

_HOUR: Final = 3600 * SECOND
_checks = source_in(
    "pilot/pkg/model/validation.go pkg/config/validation/validation.go "
    "pkg/config/validation/agent/validation.go"
)
_CORRECT_SPELLING: Final = Span(since=21, source=_checks("private key provider configuration is required"))
_LIMITS_DRAIN: Final = Span(until=21, source=_checks(r"drain time %v must be <"))
_NEEDS_CACERT: Final = Span(since=1, until=5, source=_checks("cacertPath is required"))
_PREFIXES_AUTH_POLICY: Final = Span(since=11, source=_checks("invalid authentication policy:"))
_HAS_CREDENTIAL_NAME: Final = Span(
    since=7, source=_checks("client certificates or CA certificate .*If credential")
)
_SKIPS_VERIFY: Final = Span(since=19, source=_checks("when InsecureSkipVerify is set true"))
_HAS_CONFIG_MAPS: Final = Span(since=26, source=_checks(r"invalid configmap:// credentialName"))
_SHORT_CONNECT_TIMEOUT: Final = Span(until=19, source=_checks(r"connectTimeoutMax += time.Second \* 30"))
_HAS_CRL: Final = Span(since=22, source=_checks("or CA CRL If credentialName is set"))
_CONFIG_MAP: Final = "configmap://"
_CONNECTION_SETTINGS: Final = (
    ("listener_per_connection_buffer_limit_bytes", 0),
    ("cluster_per_connection_buffer_limit_bytes", 0),
    ("http_idle_timeout", 0),
    ("http_max_connection_duration", 0),
    ("http_drain_timeout", 0),
    ("http_request_timeout", 0),
    ("http_request_headers_timeout", 0),
    ("http_stream_idle_timeout", 0),
    ("http_max_stream_duration", 0),
    ("http_max_concurrent_streams", 1),
    ("http2_initial_stream_window_size", 65535),
    ("http2_initial_connection_window_size", 65535),
    ("listener_connection_limit", 1),
    ("global_downstream_connection_limit", 1),
)
"""The fields of ProxyConfig.ConnectionSettings with a least value, in the order of Istio's checks."""
_LEAST_VALUES: Final = {0: "non-negative", 1: "positive", 65535: "at least 65535"}
_SIMPLE, _MUTUAL = 1, 2  # ClientTLSSettings.TLSmode


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of Istio's, what it checks, and the minors that make it."""

    check: Callable[[Message], list[str]]
    meaning: str
    span: Span


def made_by(
    check: Callable[[Message], list[str]], meaning: str, words: str, since: int = OLDEST, until: int = NEWEST
) -> Check:
    """Return a check of the minors whose validation contains ``words``, a pattern."""
    return Check(check=check, meaning=meaning, span=Span(since=since, until=until, source=_checks(words)))


def multierror(faults: Iterable[str]) -> str:
    """Return the text of a hashicorp/go-multierror with these sentences; "" when there are none."""
    lines = list(faults)
    if not lines:
        return ""
    points = "\n\t".join(f"* {line}" for line in lines)
    return f"{len(lines)} error{'s' if len(lines) > 1 else ''} occurred:\n\t{points}\n\n"


def proxy_config_faults(config: Message) -> list[str]:
    """Return Istio's faults of a ProxyConfig, one sentence each."""
    return faults_of(config, _CHECKS)


def faults_of(message: Message, checks: Iterable[Check]) -> list[str]:
    """Return the faults found by those checks that the message's minor makes, in their order."""
    minor = message.type.schema.minor
    return [fault for each in checks if each.span.covers(minor) for fault in each.check(message)]


def prefixed(prefix: str, faults: Iterable[str]) -> list[str]:
    """Return the non-empty sentences, each with the prefix."""
    return [f"{prefix} {fault}" for fault in faults if fault]


def duration_fault(nanoseconds: int) -> str:
    """Return the fault of a required duration; "" when there is none."""
    if nanoseconds < MILLISECOND:
        return "duration must be greater than 1ms"
    return "only durations to ms precision are supported" if nanoseconds % MILLISECOND else ""


def _required(name: str, sentence: str, until: int = NEWEST) -> Check:
    return made_by(lambda config: [] if config.get(name) else [sentence], name, sentence, until=until)


def _cluster_name(config: Message) -> list[str]:
    if "tracingServiceName" in config.data or config.get("serviceCluster"):
        return []
    if "serviceCluster" in config.data:
        return ["service cluster must be specified"]
    return ["oneof service cluster or tracing service name must be specified"]


def _drain(config: Message) -> list[str]:
    drain = config.get("drainDuration", 0)
    fault = duration_fault(drain)
    if fault:
        return [f"invalid drain duration: {fault}"]
    faults = ["drain time only supports durations to seconds precision"] if drain % SECOND else []
    if drain > _HOUR and _LIMITS_DRAIN.covers(config.type.schema.minor):
        faults.append(f"drain time {format_duration(drain)} must be <1h0m0s")
    return faults


def range_fault(nanoseconds: int, least: int, most: int) -> str:
    """Return the fault of a duration with bounds; "" when there is none."""
    fault = duration_fault(nanoseconds)
    if fault or least <= nanoseconds <= most:
        return fault
    shown = [format_duration(each) for each in (nanoseconds, least, most)]
    return f"time {shown[0]} must be >{shown[1]} and <{shown[2]}"


def connect_timeout_faults(config: Message) -> list[str]:
    """Return the faults of the field connectTimeout of a MeshConfig, up to 1.5 of a ProxyConfig."""
    most = 30 * SECOND if _SHORT_CONNECT_TIMEOUT.covers(config.type.schema.minor) else _HOUR
    fault = range_fault(config.get("connectTimeout", 0), MILLISECOND, most)
    return prefixed("invalid connect timeout:", [fault])


def _parent_and_drain(config: Message) -> list[str]:
    drain, parent = config.get("drainDuration", 0), config.get("parentShutdownDuration", 0)
    faults = prefixed("invalid drain duration:", [duration_fault(drain)])
    faults += prefixed("invalid parent shutdown duration:", [duration_fault(parent)])
    faults = faults or list(_parent_against_drain(drain, parent))
    return prefixed("invalid parent and drain time combination", faults)


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
    return prefixed("invalid discovery address:", [address_fault(address)])


def _tracing(config: Message, member: str) -> Data | None:
    tracing = config.get("tracing")
    return None if tracing is None else tracing.get(member)


def _lightstep(config: Message) -> list[str]:
    tracer = _tracing(config, "lightstep")
    if tracer is None:
        return []
    address = tracer.get("address", "")
    faults = [] if address else ["address is required"]
    faults += prefixed("invalid lightstep address:", [address_fault(address)])
    if not tracer.get("accessToken"):
        faults.append("access token is required")
    needs_cacert = tracer.get("secure") and _NEEDS_CACERT.covers(config.type.schema.minor)
    if needs_cacert and not tracer.get("cacertPath"):
        faults.append("cacertPath is required")
    return prefixed("invalid lightstep config:", faults)


def _collector(member: str, *, host_ip: bool) -> Callable[[Message], list[str]]:
    """Check a tracer that is only an address, in which ``$(HOST_IP)`` may stand for one."""

    def check(config: Message) -> list[str]:
        tracer = _tracing(config, member)
        if tracer is None:
            return []
        address = tracer.get("address", "")
        if host_ip:
            address = address.replace("$(HOST_IP)", "127.0.0.1", 1)
        return prefixed(f"invalid {member} config:", [address_fault(address)])

    return check


def _tracing_tls(config: Message) -> list[str]:
    settings = _tracing(config, "tlsSettings")
    if settings is None:
        return []
    minor = config.type.schema.minor
    faults = _config_map(settings) if _HAS_CONFIG_MAPS.covers(minor) else []
    faults += _skip_verify(settings) if _SKIPS_VERIFY.covers(minor) else []
    authorities = ["clientCertificate", "caCertificates", "privateKey"]
    sentence = "cannot specify client certificates or CA certificate If credentialName is set"
    if _HAS_CRL.covers(minor):
        authorities.append("caCrl")
        sentence = sentence.replace(" If", " or CA CRL If")
    mode = settings.get("mode")
    has_name = settings.get("credentialName") and _HAS_CREDENTIAL_NAME.covers(minor)
    if mode in (_SIMPLE, _MUTUAL) and has_name:
        if any(settings.get(name) for name in authorities):
            faults.append(sentence)
    elif mode == _MUTUAL:
        faults += [
            f"{shown} required for mutual tls"
            for name, shown in (("clientCertificate", "client certificate"), ("privateKey", "private key"))
            if not settings.get(name)
        ]
    return prefixed("invalid tracing TLS config:", faults)


def _config_map(settings: Data) -> list[str]:
    """Check the name of a ConfigMap: it must be in the configuration's namespace, and a mesh has none."""
    name = settings.get("credentialName", "")
    if not name.startswith(_CONFIG_MAP):
        return []
    parts = name.removeprefix(_CONFIG_MAP).split("/")
    wanted = "namespace and name" if len(parts) == 1 else "" if all(parts[:2]) else "namespace"
    if wanted == "namespace" and parts[0]:
        wanted = "name"
    fault = (
        f"invalid resource name {quote(name)}. Expected {wanted}"
        if wanted
        else 'namespace must match the configuration namespace ""'
    )
    return [f"invalid configmap:// credentialName: {fault}"]


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


def address_check(
    name: str, shown: str, words: str, since: int = OLDEST, until: int = NEWEST, *, quotes: bool = True
) -> Check:
    """Check an optional address, or the address of a RemoteService."""

    def check(config: Message) -> list[str]:
        found = config.get(name, "")
        address = found if isinstance(found, str) else found.get("address", "")
        if not address:
            return []
        named = f" {quote(address)}" if quotes else ""
        return prefixed(f"invalid {shown} address{named}:", [address_fault(address)])

    return made_by(check, name, words, since, until)


def refresh_check(name: str, shown: str, words: str) -> Check:
    """Check the time between two fetches of Envoy, which 1.0 still asks for."""

    def check(message: Message) -> list[str]:
        fault = range_fault(message.get(name, 0), SECOND, 600 * SECOND)
        return prefixed(f"invalid {shown} delay:", [fault])

    return made_by(check, name, words, until=0)


def port_check(name: str, shown: str, since: int = OLDEST) -> Check:
    """Check a port, which has to be there."""
    prefix = f"invalid {shown} port:"
    return made_by(lambda message: prefixed(prefix, [port_fault(message.get(name, 0))]), name, prefix, since)


def _auth_policy(config: Message) -> list[str]:
    policy = config.get("controlPlaneAuthPolicy", 0)
    if policy in (0, 1):  # NONE, MUTUAL_TLS
        return []
    shown = "INHERIT" if policy == 1000 else str(policy)
    prefix = (
        "invalid authentication policy: " if _PREFIXES_AUTH_POLICY.covers(config.type.schema.minor) else ""
    )
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
    return prefixed(f"invalid private key provider {word}:", faults)


def _connection_settings(config: Message) -> list[str]:
    settings = config.get("connectionSettings") or {}
    faults = [
        f"{name} must be {_LEAST_VALUES[least]}"
        for name, least in _CONNECTION_SETTINGS
        if settings.get(json_name(name), least) < least
    ]
    return prefixed("invalid connection settings:", faults)


_CHECKS: Final = (
    _required("configPath", "config path must be set"),
    _required("binaryPath", "binary path must be set"),
    _required("serviceCluster", "service cluster must be set", until=12),
    made_by(
        _cluster_name,
        "serviceCluster or tracingServiceName",
        "oneof service cluster or tracing service name",
        13,
    ),
    made_by(_parent_and_drain, "parentShutdownDuration", r"ValidateParentAndDrain\(config", until=16),
    made_by(_drain, "drainDuration", r"ValidateDrainDuration\(config", 17),
    refresh_check("discoveryRefreshDelay", "refresh", "invalid refresh delay:"),
    made_by(_discovery_address, "discoveryAddress", "invalid discovery address:"),
    address_check("zipkinAddress", "zipkin", "invalid zipkin address:", until=0, quotes=False),
    made_by(_lightstep, "tracing.lightstep", "invalid lightstep config:", 1),
    made_by(_collector("zipkin", host_ip=False), "tracing.zipkin", r"Address\(z\.GetAddress", 1, 7),
    made_by(_collector("zipkin", host_ip=True), "tracing.zipkin", r"Replace\(z\.GetAddress", 8),
    made_by(_collector("datadog", host_ip=True), "tracing.datadog", "invalid datadog config:", 1),
    made_by(connect_timeout_faults, "connectTimeout", r"ValidateConnectTimeout\(config\.", until=5),
    made_by(_tracing_tls, "tracing.tlsSettings", "invalid tracing TLS config:", 6),
    made_by(_custom_tags, "tracing.customTags", "invalid tracing custom tags:", 13),
    address_check("statsdUdpAddress", "statsd udp", "invalid statsd udp address"),
    address_check(
        "envoyMetricsServiceAddress",
        "envoy metrics service",
        r"ValidateProxyAddress\(config\.EnvoyMetricsServiceAddress",
        1,
    ),
    address_check("envoyMetricsService", "envoy metrics service", r"config\.EnvoyMetricsService != nil", 3),
    address_check(
        "envoyAccessLogService", "envoy access log service", r"config\.EnvoyAccessLogService != nil", 3
    ),
    port_check("proxyAdminPort", "proxy admin"),
    made_by(_auth_policy, "controlPlaneAuthPolicy", "unrecognized control plane auth policy"),
    port_check("statusPort", "status", 11),
    made_by(_private_key_provider, "privateKeyProvider", "func validatePrivateKeyProvider", 14),
    made_by(_connection_settings, "connectionSettings", "invalid connection settings:", 31),
)

FACTS: Final = (
    *(Fact(name="ProxyConfig", meaning=f"{each.meaning} is checked", span=each.span) for each in _CHECKS),
    Fact(name="privateKeyProvider", meaning="is spelt correctly in errors", span=_CORRECT_SPELLING),
    Fact(name="drainDuration", meaning="is an hour at the most", span=_LIMITS_DRAIN),
    Fact(name="tracing.lightstep", meaning="needs cacertPath where it is secure", span=_NEEDS_CACERT),
    Fact(name="connectTimeout", meaning="is 30 s at the most", span=_SHORT_CONNECT_TIMEOUT),
    Fact(name="tlsSettings.credentialName", meaning="excludes certificates", span=_HAS_CREDENTIAL_NAME),
    Fact(name="tlsSettings.credentialName", meaning="may name a ConfigMap", span=_HAS_CONFIG_MAPS),
    Fact(name="tlsSettings.insecureSkipVerify", meaning="excludes authorities", span=_SKIPS_VERIFY),
    Fact(name="tlsSettings.caCrl", meaning="counts among certificates", span=_HAS_CRL),
    Fact(name="controlPlaneAuthPolicy", meaning="is named in its error", span=_PREFIXES_AUTH_POLICY),
)
