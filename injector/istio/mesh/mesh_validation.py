"""A MeshConfig in, Istio's sentences about its faults out.

Which checks a release makes is a table with a span in each row; their order is Istio's (its
pkg/config/validation, ValidateMeshConfig). Faults of the ProxyConfig in it are those of `validation`. Istio
only warns of extension providers and of unknown ECDH curves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from injector.golang.strconv import quote
from injector.golang.times import MILLISECOND
from injector.istio.facts import Fact
from injector.istio.mesh.addresses import domain_fault, is_label
from injector.istio.mesh.descriptors import Data, Message
from injector.istio.mesh.localities import locality_faults, zone_aware_faults
from injector.istio.mesh.validation import (
    Check,
    address_check,
    connect_timeout_faults,
    duration_fault,
    faults_of,
    made_by,
    port_check,
    prefixed,
    proxy_config_faults,
    refresh_fault,
)

_UPGRADE: Final = 2  # ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy
_HTTP_COUNTS: Final = (
    ("http1MaxPendingRequests", "http1 max pending requests"),
    ("http2MaxRequests", "http2 max requests"),
    ("maxRequestsPerConnection", "max requests per connection"),
    ("maxRetries", "max retries"),
    ("maxConcurrentStreams", "max concurrent streams"),
)


def mesh_faults(mesh: Message, proxy_config: Message) -> list[str]:
    """Return what Istio finds wrong with a MeshConfig whose defaultConfig is ``proxy_config``."""
    return [
        *faults_of(mesh, _BEFORE_PROXY_CONFIG),
        *proxy_config_faults(proxy_config),
        *faults_of(mesh, _BEHIND_PROXY_CONFIG),
    ]


def _mixer(name: str, shown: str) -> Check:
    """Check the address of a server of Mixer, which went with 1.8."""
    return address_check(name, f"{shown} Server", f"invalid {shown} Server", until=7, quotes=False)


def _auth_policy(mesh: Message) -> list[str]:
    policy = mesh.get("authPolicy", 0)
    if policy in (0, 1):  # NONE, MUTUAL_TLS
        return []
    return [f"unrecognized auth policy {quote(str(policy))}"]


def _refresh_delay(name: str, shown: str) -> Check:
    """Check the time between two fetches of Envoy, which 1.0 still asks for."""

    def check(mesh: Message) -> list[str]:
        return prefixed(f"invalid {shown} refresh delay:", [refresh_fault(mesh.get(name, 0))])

    return made_by(check, name, f"invalid {shown} refresh delay", until=0)


def _detection_timeout(mesh: Message) -> list[str]:
    if mesh.get("protocolDetectionTimeout", 0) % MILLISECOND == 0:
        return []
    return ["invalid protocol detection timeout: only durations to ms precision are supported"]


def _localities(mesh: Message) -> list[str]:
    return locality_faults(mesh.get("localityLbSetting") or {}, mesh.type.schema.minor)


def _zones(mesh: Message) -> list[str]:
    return zone_aware_faults(mesh.get("zoneAwareLbSetting") or {})


def _service_settings(mesh: Message) -> list[str]:
    return [
        f"serviceSettings[{index}], host `{host}`: {fault}"
        for index, settings in enumerate(mesh.get("serviceSettings", ()))
        for host in (settings or {}).get("hosts", ())
        if (fault := domain_fault(host))
    ]


def _trust_domains(mesh: Message) -> list[str]:
    aliases = enumerate(mesh.get("trustDomainAliases", ()))
    return [
        *prefixed("trustDomain:", [_trust_domain_fault(mesh.get("trustDomain", ""))]),
        *(
            f"trustDomainAliases[{index}], domain `{alias}` : {fault}"
            for index, alias in aliases
            if (fault := _trust_domain_fault(alias))
        ),
    ]


def _trust_domain_fault(domain: str) -> str:
    if not domain:
        return "empty domain name not allowed"
    *labels, last = domain.split(".")
    if all(map(is_label, labels)) and (is_label(last) or not last):
        return ""
    return f"trust domain name {quote(domain)} invalid"


def _mesh_tls(mesh: Message) -> list[str]:
    has_curves = (mesh.get("meshMTLS") or {}).get("ecdhCurves")
    return ["mesh TLS does not support ECDH curves configuration"] if has_curves else []


def _default_traffic_policy(mesh: Message) -> list[str]:
    policy = mesh.get("defaultTrafficPolicy") or {}
    return [*_connection_pool(policy.get("connectionPool")), *_outliers(policy.get("outlierDetection") or {})]


def _connection_pool(pool: Data | None) -> Iterator[str]:
    if pool is None:
        return
    if "http" not in pool and "tcp" not in pool:
        yield "connection pool must have at least one field"
    yield from _http(pool.get("http") or {})
    yield from _tcp(pool.get("tcp") or {})


def _http(settings: Data) -> Iterator[str]:
    for name, shown in _HTTP_COUNTS:
        if settings.get(name, 0) < 0:
            yield f"{shown} must be non-negative"
    yield from _durations(settings, ["idleTimeout"])
    if settings.get("h2UpgradePolicy") == _UPGRADE and settings.get("useClientProtocol"):
        yield "use client protocol must not be true when H2UpgradePolicy is UPGRADE"


def _tcp(settings: Data) -> Iterator[str]:
    if settings.get("maxConnections", 0) < 0:
        yield "max connections must be non-negative"
    yield from _durations(settings, ["connectTimeout", "maxConnectionDuration"])
    if abs(settings.get("idleTimeout", 0)) >= MILLISECOND:  # what is shorter switches the timeout off
        yield from _durations(settings, ["idleTimeout"])
    yield from _durations(settings.get("tcpKeepalive") or {}, ["time", "interval"])


def _outliers(settings: Data) -> Iterator[str]:
    yield from _durations(settings, ["baseEjectionTime", "interval"])
    if settings.get("consecutiveLocalOriginFailures", 0) and not settings.get(
        "splitExternalLocalOriginErrors"
    ):
        yield (
            "outlier detection consecutive local origin failures is specified, "
            "but split external local origin errors is set to false"
        )
    for name in ("maxEjectionPercent", "minHealthPercent"):
        if not 0 <= settings.get(name, 0) <= 100:
            yield f"percentage {settings[name]} is not in range 0..100"


def _durations(settings: Data, names: Sequence[str]) -> Iterator[str]:
    given: list[Any] = [settings[name] for name in names if settings.get(name) is not None]
    yield from filter(None, map(duration_fault, given))


_BEFORE_PROXY_CONFIG: Final = (
    _mixer("mixerCheckServer", "Policy Check"),
    _mixer("mixerReportServer", "Telemetry"),
    port_check("proxyListenPort", "proxy listen"),
    made_by(connect_timeout_faults, "connectTimeout", "invalid connect timeout:"),
    made_by(_auth_policy, "authPolicy", r"mesh\.AuthPolicy", until=0),
    _refresh_delay("rdsRefreshDelay", "rds"),
    _refresh_delay("sdsRefreshDelay", "sds"),
    made_by(_detection_timeout, "protocolDetectionTimeout", "invalid protocol detection timeout", 5),
)
_BEHIND_PROXY_CONFIG: Final = (
    made_by(_localities, "localityLbSetting", r"LocalityLbSetting\(", 1),
    made_by(_zones, "localityLbSetting.zoneAware", r"[Zz]oneAware", 31),
    made_by(_service_settings, "serviceSettings", "validateServiceSettings", 6),
    made_by(_trust_domains, "trustDomain and its aliases", "validateTrustDomainConfig", 8),
    made_by(_mesh_tls, "meshMTLS and tlsDefaults", "validateMeshTLSConfig|ValidateMeshTLSConfig", 18),
    made_by(_default_traffic_policy, "defaultTrafficPolicy", "DefaultTrafficPolicy", 31),
)

FACTS: Final = tuple(
    Fact(name="MeshConfig", meaning=f"{each.meaning} is checked", span=each.span)
    for each in (*_BEFORE_PROXY_CONFIG, *_BEHIND_PROXY_CONFIG)
)
