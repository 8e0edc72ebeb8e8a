"""Validate a MeshConfig; return Istio's sentences about its faults.

A table says which checks a release makes; each row has a span. Their order is Istio's (its
pkg/config/validation, ValidateMeshConfig). Faults of its ProxyConfig are found by `validation`. Istio only
warns about extension providers and unknown ECDH curves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from injector.golang.strconv import quote
from injector.golang.times import MILLISECOND
from injector.istio.facts import Fact, Span
from injector.istio.mesh.addresses import are_labels, domain_fault
from injector.istio.mesh.descriptors import Data, Message
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
    refresh_check,
)

_UPGRADE: Final = 2  # ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy
_HTTP_COUNTS: Final = (
    ("http1MaxPendingRequests", "http1 max pending requests"),
    ("http2MaxRequests", "http2 max requests"),
    ("maxRequestsPerConnection", "max requests per connection"),
    ("maxRetries", "max retries"),
    ("maxConcurrentStreams", "max concurrent streams"),
)
_WHOLE: Final = 100
_UINT32: Final = 1 << 32
_TOPOLOGY: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)

_NOT_IN_RANGE: Final = Span(until=4)  # Istio's text before "has to be in range"
_BOUNDS_WEIGHTS: Final = Span(since=12)
_REGIONS_ONLY: Final = Span(since=13)
_NAMES_ALL: Final = Span(since=14)  # before 1.14, only the first fault is reported
_PRIORITY_AGAINST_FAILOVER: Final = Span(since=20)


def mesh_faults(mesh: Message, proxy_config: Message) -> list[str]:
    """Return Istio's faults of a MeshConfig whose defaultConfig is ``proxy_config``."""
    return [
        *faults_of(mesh, _BEFORE_PROXY_CONFIG),
        *proxy_config_faults(proxy_config),
        *faults_of(mesh, _BEHIND_PROXY_CONFIG),
    ]


def _mixer(name: str, shown: str) -> Check:
    """Check the address of a Mixer server; Mixer was removed in 1.8."""
    return address_check(name, f"{shown} Server", f"invalid {shown} Server", until=7, quotes=False)


def _auth_policy(mesh: Message) -> list[str]:
    policy = mesh.get("authPolicy", 0)
    if policy in (0, 1):  # NONE, MUTUAL_TLS
        return []
    return [f"unrecognized auth policy {quote(str(policy))}"]


def _detection_timeout(mesh: Message) -> list[str]:
    if mesh.get("protocolDetectionTimeout", 0) % MILLISECOND == 0:
        return []
    return ["invalid protocol detection timeout: only durations to ms precision are supported"]


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
    return "" if are_labels(domain) else f"trust domain name {quote(domain)} invalid"


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
    if abs(settings.get("idleTimeout", 0)) >= MILLISECOND:  # a shorter one disables the timeout
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


# ---- locality load balancing
# A locality is ``region``, ``region/zone`` or ``region/zone/subzone``; ``*`` may stand for the rest.


def locality_faults(mesh: Message) -> list[str]:
    """Return the faults of a mesh's LocalityLoadBalancerSetting."""
    minor = mesh.type.schema.minor
    faults = _settings_faults(mesh.get("localityLbSetting") or {}, minor)
    return faults if _NAMES_ALL.covers(minor) else faults[:1]


def zone_aware_faults(mesh: Message) -> list[str]:
    """Return the faults of a mesh's ZoneAwareLoadBalancerSetting (1.31)."""
    settings = mesh.get("zoneAwareLbSetting") or {}
    priorities = [
        f"'failover_priority' for zone aware lb must not use topology label '{label}'; "
        "region- and zone-level routing are handled automatically"
        for label in settings.get("failoverPriority", ())
        if label in _TOPOLOGY
    ]
    only_region = (
        "zone aware lb failover only specifies region; zone and subzone failover are handled automatically"
    )
    return [*priorities, *_failover_faults(settings, "zone aware lb", only_region, both_ends=True)]


def _settings_faults(settings: Data, minor: int) -> list[str]:
    distribute, failover = settings.get("distribute") or (), settings.get("failover") or ()
    if distribute and failover:
        return ["can not simultaneously specify 'distribute' and 'failover'"]
    labels = settings.get("failoverPriority", ()) if _PRIORITY_AGAINST_FAILOVER.covers(minor) else ()
    if failover and (label := next((each for each in labels if each in _TOPOLOGY), "")):
        return [f"can not simultaneously set 'failover' and topology label '{label}' in 'failover_priority'"]
    found: list[str] = []
    for each in distribute:
        to = (each or {}).get("to", {})
        if fault := _weights_fault(to.values(), minor):
            return [*found, fault]
        found += filter(None, [_overlap_fault(sorted(to))])
    found += filter(None, [_overlap_fault([(each or {}).get("from", "") for each in distribute])])
    regions_only = _REGIONS_ONLY.covers(minor)
    only_region = "locality lb failover only specify region" if regions_only else ""
    return [*found, *_failover_faults(settings, "locality lb", only_region, both_ends=regions_only)]


def _weights_fault(weights: Iterable[int], minor: int) -> str:
    most = _WHOLE if _BOUNDS_WEIGHTS.covers(minor) else _UINT32
    total = 0
    for weight in weights:
        if not 0 < weight <= most:
            word = "not be" if _NOT_IN_RANGE.covers(minor) else "be"
            return f"locality weight must {word} in range [1, 100]"
        total = (total + weight) % _UINT32
    return "" if total == _WHOLE else f"total locality weight {total} != 100"


def _failover_faults(settings: Data, shown: str, only_region: str, *, both_ends: bool) -> list[str]:
    """Return the faults of a list of failovers; ``only_region`` is the error about zones, "" for no check."""
    found = []
    for each in settings.get("failover") or ():
        start, end = (each or {}).get("from", ""), (each or {}).get("to", "")
        if start == end:
            found.append(f"{shown} failover settings must specify different regions")
        if only_region and "/" in start + end:
            found.append(only_region)
        if "*" in end or (both_ends and "*" in start):
            found.append(f"{shown} failover region should not contain '*' wildcard")
    return found


def _overlap_fault(localities: Iterable[str]) -> str:
    """Return the first fault of localities that must not overlap; "" when there is none."""
    seen: list[tuple[str, str, str]] = []
    for locality in localities:
        if "*" in locality[:-1]:
            return f"locality {locality} wildcard '*' number can not exceed 1 and must be in the end"
        parts = locality.split("/", 2)
        if ("*", "*", "*") not in seen and "" in parts:
            return f"locality {locality} must not contain empty region/zone/subzone info"
        if any(_overlaps(parts, other) for other in seen):
            return f"locality {locality} overlap with previous specified ones"
        region, zone, subzone = (*parts, "*", "*")[:3]
        seen.append((region, zone, subzone))
    return ""


def _overlaps(parts: Sequence[str], seen: tuple[str, str, str]) -> bool:
    """Return whether a locality is inside an earlier one, or a whole region contains an earlier one.

    As in Istio it is not an overlap when a ``*`` comes after what it includes.
    """
    region, zone, subzone = seen
    if region in ("*", parts[0]):
        if region == "*" or len(parts) == 1 or zone == "*":
            return True
        return zone == parts[1] and (len(parts) == 2 or subzone in ("*", parts[2]))
    return False


# ---- the checks

_BEFORE_PROXY_CONFIG: Final = (
    _mixer("mixerCheckServer", "Policy Check"),
    _mixer("mixerReportServer", "Telemetry"),
    port_check("proxyListenPort", "proxy listen"),
    made_by(connect_timeout_faults, "connectTimeout", "invalid connect timeout:"),
    made_by(_auth_policy, "authPolicy", r"mesh\.AuthPolicy", until=0),
    refresh_check("rdsRefreshDelay", "rds refresh", "invalid rds refresh delay"),
    refresh_check("sdsRefreshDelay", "sds refresh", "invalid sds refresh delay"),
    made_by(_detection_timeout, "protocolDetectionTimeout", "invalid protocol detection timeout", 5),
)
_BEHIND_PROXY_CONFIG: Final = (
    made_by(locality_faults, "localityLbSetting", r"LocalityLbSetting\(", 1),
    made_by(zone_aware_faults, "localityLbSetting.zoneAware", r"[Zz]oneAware", 31),
    made_by(_service_settings, "serviceSettings", "validateServiceSettings", 6),
    made_by(_trust_domains, "trustDomain and its aliases", "validateTrustDomainConfig", 8),
    made_by(_mesh_tls, "meshMTLS and tlsDefaults", "validateMeshTLSConfig|ValidateMeshTLSConfig", 18),
    made_by(_default_traffic_policy, "defaultTrafficPolicy", "DefaultTrafficPolicy", 31),
)

FACTS: Final = tuple(
    Fact(name="MeshConfig", meaning=f"{each.meaning} is checked", span=each.span)
    for each in (*_BEFORE_PROXY_CONFIG, *_BEHIND_PROXY_CONFIG)
)
