"""The built-in ProxyConfig and MeshConfig of each minor of Istio.

Each row is one field by its JSON name, its value, and the minors of 1.x that have it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

from injector.istio.facts import NEWEST, OLDEST, Fact, Span, mesh_code
from injector.istio.mesh.descriptors import MESH_CONFIG, PROXY_CONFIG, Message, schema_of
from injector.istio.mesh.jsonpb import apply
from injector.json_types import JSON, JSONObject

_SOURCE: Final = mesh_code(r"func Default(Proxy|Mesh)Config\(\)", exact=False)


def _row(name: str, value: JSON, since: int = OLDEST, until: int = NEWEST) -> Fact:
    """Return one default; a later row replaces an earlier one of the same name."""
    span = Span(since=since, until=until, source=_SOURCE)
    return Fact(name=name, meaning="is by default", span=span, value=value)


_PROXY_DEFAULTS: Final = (
    _row("configPath", "/etc/istio/proxy", 0, 5),
    _row("configPath", "./etc/istio/proxy", 6),
    _row("binaryPath", "/usr/local/bin/envoy"),
    _row("serviceCluster", "istio-proxy"),
    _row("drainDuration", "2s", 0, 0),
    _row("drainDuration", "45s", 1),
    _row("parentShutdownDuration", "3s", 0, 0),
    _row("parentShutdownDuration", "60s", 1, 16),
    _row("terminationDrainDuration", "5s", 7),
    _row("discoveryAddress", "istio-pilot:15007", 0, 0),
    _row("discoveryAddress", "istio-pilot:15010", 1, 5),
    _row("discoveryAddress", "istiod.istio-system.svc:15012", 6),
    _row("discoveryRefreshDelay", "1s", 0, 0),
    _row("connectTimeout", "1s", 0, 5),
    _row("envoyMetricsService", {}, 3, 8),
    _row("envoyAccessLogService", {}, 3, 8),
    _row("proxyAdminPort", 15000),
    _row("controlPlaneAuthPolicy", "MUTUAL_TLS", 7),
    _row("statNameLength", 189, 1),
    _row("concurrency", 2, 6, 17),
    _row("tracing", {"zipkin": {"address": "zipkin.istio-system:9411"}}, 6, 21),
    _row("statusPort", 15020, 6),
)

_ENVOY: Final = {"name": "envoy", "envoyFileAccessLog": {"path": "/dev/stdout"}}
_PROVIDERS: Final = [
    {"name": "prometheus", "prometheus": {}},
    {"name": "stackdriver", "stackdriver": {}},
    _ENVOY,
]

_MESH_DEFAULTS: Final = (
    _row("proxyListenPort", 15001),
    _row("proxyInboundListenPort", 15006, 18),
    _row("connectTimeout", "1s", 0, 5),
    _row("connectTimeout", "10s", 6),
    _row("enableTracing", value=True),
    _row("accessLogFile", "/dev/stdout", 0, 5),
    _row("ingressService", "istio-ingressgateway", 1),
    _row("ingressClass", "istio", 0, 0),
    _row("ingressClass", "istio", 6),
    _row("ingressControllerMode", "STRICT", 0, 0),
    _row("ingressControllerMode", "STRICT", 6),
    _row("rdsRefreshDelay", "1s", 0, 0),
    _row("sdsRefreshDelay", "15s", 0, 0),
    _row("sdsUdsPath", "unix:./etc/istio/proxy/SDS", 6, 7),
    _row("disablePolicyChecks", True, 1, 7),
    _row("disableMixerHttpReports", True, 6, 7),
    _row("reportBatchMaxEntries", 100, 6, 7),
    _row("reportBatchMaxTime", "1s", 6, 7),
    _row("outboundTrafficPolicy", {"mode": "ALLOW_ANY"}, 1),
    _row("inboundTrafficPolicy", {"mode": "PASSTHROUGH"}, 22),
    _row("rootNamespace", "istio-system", 1),
    _row("defaultServiceExportTo", ["*"], 1),
    _row("defaultVirtualServiceExportTo", ["*"], 1),
    _row("defaultDestinationRuleExportTo", ["*"], 1),
    _row("dnsRefreshRate", "5s", 1, 13),
    _row("dnsRefreshRate", "60s", 14),
    _row("protocolDetectionTimeout", "100ms", 3, 5),
    _row("protocolDetectionTimeout", "5s", 6, 7),
    _row("protocolDetectionTimeout", "0s", 8),
    _row("enableAutoMtls", False, 4, 5),
    _row("enableAutoMtls", True, 6),
    _row("trustDomain", "cluster.local", 6),
    _row("trustDomainAliases", [], 4),
    _row("localityLbSetting", {"enabled": True}, 6),
    _row("certificates", [], 6),
    _row("serviceSettings", [], 6),
    _row("thriftConfig", {}, 6, 16),
    _row("enablePrometheusMerge", True, 18),
    _row("extensionProviders", [_ENVOY], 11, 11),
    _row("extensionProviders", _PROVIDERS, 12),
    _row("defaultProviders", {"accessLogging": ["envoy"]}, 11, 11),
    _row("defaultProviders", {}, 12),
)


FACTS: Final = tuple(
    replace(row, name=f"{message}.{row.name}")
    for message, rows in (("ProxyConfig", _PROXY_DEFAULTS), ("MeshConfig", _MESH_DEFAULTS))
    for row in rows
)


def _in_force(rows: tuple[Fact, ...], minor: int) -> JSONObject:
    return {row.name: row.value for row in rows if row.span.covers(minor)}


@cache
def default_proxy_config(minor: int) -> Message:
    """Return Istio 1.``minor``'s DefaultProxyConfig."""
    empty = Message(type=schema_of(minor).message(PROXY_CONFIG))
    return apply(empty, _in_force(_PROXY_DEFAULTS, minor))


@cache
def default_mesh_config(minor: int) -> Message:
    """Return Istio 1.``minor``'s DefaultMeshConfig, which applies without any mesh configuration."""
    empty = Message(type=schema_of(minor).message(MESH_CONFIG))
    mesh = apply(empty, _in_force(_MESH_DEFAULTS, minor))
    return mesh.replace(defaultConfig=default_proxy_config(minor).data)
