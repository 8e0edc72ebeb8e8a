"""Every annotation and label that injection of any release reads, in one table, the source of all others.

A row's minors are those whose templates and injection code name it, at the last tag of each minor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from injector.istio.facts import NEWEST, OLDEST, Span

Kind = Literal["annotation", "label", "label or annotation"]
Form = Literal[
    "switch", "boolean", "quantity", "number", "port", "ports", "CIDRs", "interfaces", "names", "text",
    "JSON", "YAML", "written by us", "mode", "targets",
]  # fmt: skip

FORMS: Final[Mapping[Form, str]] = {
    "switch": '`"true"` or `"false"`',
    "boolean": '`"true"` or `"false"` (also 1, t, T, TRUE, True, 0, f, F, FALSE, False)',
    "quantity": "a Kubernetes quantity: `100m`, `128Mi`",
    "number": "a whole number",
    "port": "a port",
    "ports": "ports, separated by commas",
    "CIDRs": "CIDRs, separated by commas",
    "interfaces": "network interfaces, separated by commas",
    "names": "names, separated by commas",
    "text": "any text",
    "JSON": "JSON",
    "YAML": "YAML or JSON of a ProxyConfig",
    "written by us": "written by the injector, not by you",
    "mode": "`REDIRECT`, `TPROXY` or (from 1.1) `NONE`",
    "targets": "`port:path`, separated by commas; without `:path` it is `/metrics`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownName:
    """One name: what it is, the form of its value, the minors that read it, its default."""

    kind: Kind
    form: Form
    span: Span
    default: str
    meaning: str


def _known(
    form: Form,
    meaning: str,
    default: str = "",
    *,
    since: int = OLDEST,
    until: int = NEWEST,
    kind: Kind = "annotation",
) -> KnownName:
    return KnownName(
        kind=kind, form=form, span=Span(since=since, until=until), default=default, meaning=meaning
    )


_SIDECAR, _TRAFFIC = "sidecar.istio.io", "traffic.sidecar.istio.io"
_READINESS: Final = "readiness.status.sidecar.istio.io"

KNOWN: Final[Mapping[str, KnownName]] = {
    # whether, and with what
    f"{_SIDECAR}/inject": _known(
        "switch",
        "whether the pod is injected; the label counts from 1.12, and hides the annotation",
        "the policy decides",
        kind="label or annotation",
    ),
    "inject.istio.io/templates": _known("names", "the templates to apply", "`defaultTemplates`", since=9),
    f"{_SIDECAR}/nativeSidecar": _known(
        "switch", "whether istio-proxy becomes a native sidecar", "ENABLE_NATIVE_SIDECARS", since=24
    ),
    f"{_SIDECAR}/status": _known("written by us", "the names of what was injected"),
    "proxy.istio.io/overrides": _known(
        "written by us", "what the pod itself declared of injected containers", since=9
    ),
    "proxy.istio.io/config": _known("YAML", "this pod's ProxyConfig, over the mesh's", "the mesh's", since=6),
    "istio.io/rev": _known(
        "text",
        "the revision whose injector the pod wants",
        "the namespace's",
        since=6,
        kind="label or annotation",
    ),
    # the proxy's container
    f"{_SIDECAR}/proxyImage": _known("text", "the proxy's image", "`global.proxy.image`"),
    f"{_SIDECAR}/proxyImageType": _known(
        "text",
        "the proxy image's type: debug, distroless, default",
        "the ProxyConfig's, `global.variant`",
        since=13,
    ),
    f"{_SIDECAR}/proxyCPU": _known("quantity", "the proxy's CPU request", "`global.proxy.resources`"),
    f"{_SIDECAR}/proxyCPULimit": _known(
        "quantity", "the proxy's CPU limit", "`global.proxy.resources`", since=5
    ),
    f"{_SIDECAR}/proxyMemory": _known("quantity", "the proxy's memory request", "`global.proxy.resources`"),
    f"{_SIDECAR}/proxyMemoryLimit": _known(
        "quantity", "the proxy's memory limit", "`global.proxy.resources`", since=5
    ),
    f"{_SIDECAR}/logLevel": _known("text", "Envoy's log level", "`global.proxy.logLevel`", since=5),
    f"{_SIDECAR}/componentLogLevel": _known(
        "text", "log levels of Envoy's components", "`global.proxy.componentLogLevel`", since=5
    ),
    f"{_SIDECAR}/agentLogLevel": _known("text", "the agent's log level", "`global.logging.level`", since=9),
    f"{_SIDECAR}/enableCoreDump": _known(
        "boolean", "whether Envoy may dump core", "`global.proxy.enableCoreDump`", since=5, until=24
    ),
    f"{_SIDECAR}/capNetBindService": _known(
        "switch", "whether the proxy may bind ports below 1024", '`"false"`', since=5
    ),
    f"{_SIDECAR}/bootstrapOverride": _known(
        "text", "the ConfigMap with a bootstrap for Envoy", "none", since=1
    ),
    f"{_SIDECAR}/userVolume": _known("JSON", "volumes for the proxy, by name or as a list", "none", since=1),
    f"{_SIDECAR}/userVolumeMount": _known(
        "JSON", "mounts of volumes in the proxy, by name or as a list", "none", since=1
    ),
    f"{_SIDECAR}/discoveryAddress": _known("text", "where the control plane is", "the mesh's", until=8),
    f"{_SIDECAR}/controlPlaneAuthPolicy": _known(
        "text", "NONE or MUTUAL_TLS to the control plane", "the mesh's", until=8
    ),
    # statistics: of the template up to 1.8, read by the agent since
    f"{_SIDECAR}/statsInclusionPrefixes": _known(
        "names", "prefixes of Envoy's statistics", "Istio's", since=1
    ),
    f"{_SIDECAR}/statsInclusionSuffixes": _known(
        "names", "suffixes of Envoy's statistics", "Istio's", since=2
    ),
    f"{_SIDECAR}/statsInclusionRegexps": _known(
        "names", "patterns of Envoy's statistics", "Istio's", since=2
    ),
    f"{_SIDECAR}/extraStatTags": _known("names", "more tags of Envoy's statistics", "none", since=5),
    f"{_SIDECAR}/statsHistogramBuckets": _known("JSON", "buckets of Envoy's histograms", "Envoy's", since=19),
    f"{_SIDECAR}/statsCompression": _known(
        "text", "how Envoy compresses its statistics in answers", "not at all", since=21, until=28
    ),
    f"{_SIDECAR}/statsFlushInterval": _known(
        "text", "how often Envoy writes statistics", "Envoy's", since=28
    ),
    f"{_SIDECAR}/statsEvictionInterval": _known("text", "when Envoy forgets statistics", "never", since=28),
    # traffic
    f"{_SIDECAR}/interceptionMode": _known(
        "mode", "how inbound traffic is redirected to Envoy", "the ProxyConfig's interceptionMode"
    ),
    f"{_TRAFFIC}/includeOutboundIPRanges": _known(
        "CIDRs", "destinations that go through Envoy; `*` all", "`global.proxy.includeIPRanges`"
    ),
    f"{_TRAFFIC}/excludeOutboundIPRanges": _known(
        "CIDRs", "destinations that do not go through Envoy", "`global.proxy.excludeIPRanges`"
    ),
    f"{_TRAFFIC}/includeOutboundPorts": _known(
        "ports",
        "outbound ports that go through Envoy, whatever the address",
        "`global.proxy.includeOutboundPorts`",
        since=7,
    ),
    f"{_TRAFFIC}/excludeOutboundPorts": _known(
        "ports", "outbound ports that do not go through Envoy", "`global.proxy.excludeOutboundPorts`", since=2
    ),
    f"{_TRAFFIC}/includeInboundPorts": _known(
        "ports", "inbound ports that go through Envoy; `*` all", "`global.proxy.includeInboundPorts`"
    ),
    f"{_TRAFFIC}/excludeInboundPorts": _known(
        "ports", "inbound ports that do not go through Envoy", "`global.proxy.excludeInboundPorts`"
    ),
    f"{_TRAFFIC}/excludeInterfaces": _known(
        "interfaces", "interfaces whose traffic is not redirected", "none", since=15
    ),
    f"{_TRAFFIC}/kubevirtInterfaces": _known(
        "interfaces",
        "interfaces of virtual machines: traffic that comes in on them counts as outbound",
        "none",
        since=1,
    ),
    "istio.io/reroute-virtual-interfaces": _known(
        "interfaces", "the newer name of `kubevirtInterfaces`, which it overrides", "none", since=25
    ),
    # health and metrics
    "status.sidecar.istio.io/port": _known(
        "port", "the agent's port; 0 for none", "the ProxyConfig's statusPort"
    ),
    f"{_READINESS}/initialDelaySeconds": _known(
        "number", "field of the proxy's readiness probe", "`global.proxy`"
    ),
    f"{_READINESS}/periodSeconds": _known("number", "field of the proxy's readiness probe", "`global.proxy`"),
    f"{_READINESS}/failureThreshold": _known(
        "number", "field of the proxy's readiness probe", "`global.proxy`"
    ),
    f"{_READINESS}/applicationPorts": _known(
        "ports", "ports that must be open before the pod is ready", "the containers' ports", until=4
    ),
    f"{_SIDECAR}/rewriteAppHTTPProbers": _known(
        "boolean",
        "whether the kubelet's probes go through the agent",
        "`sidecarInjectorWebhook.rewriteAppHTTPProbe`",
        since=2,
    ),
    "prometheus.istio.io/merge-metrics": _known(
        "boolean",
        "whether the agent also serves the application's metrics",
        "enablePrometheusMerge",
        since=6,
    ),
    "prometheus.istio.io/scrape-targets": _known(
        "targets",
        "where the application serves metrics, when that is more than one place",
        "the annotations of prometheus.io",
        since=31,
    ),
    "prometheus.istio.io/secure-port": _known("written by us", "the port of metrics by mTLS", since=31),
    # labels
    "security.istio.io/tlsMode": _known(
        "text", "whether others may use mTLS to the pod", "istio", since=4, kind="label"
    ),
    "service.istio.io/canonical-name": _known(
        "text",
        "the pod's service, in telemetry",
        "its app label, or its workload",
        since=5,
        kind="label",
    ),
    "service.istio.io/canonical-revision": _known(
        "text", "the pod's version, in telemetry", "its version label, or latest", since=5, kind="label"
    ),
    "service.istio.io/workload-name": _known(
        "text", "the pod's workload, in telemetry", "the owner's name", since=25, kind="label"
    ),
    "topology.istio.io/network": _known(
        "text", "the network that the pod is in", "the URL's, `global.network`", since=8, kind="label"
    ),
    "istio.io/dataplane-mode": _known(
        "text",
        "ambient, or none: a pod in ambient mode needs no sidecar",
        "the namespace's",
        since=22,
        kind="label",
    ),
}
"""By name."""

OF_NAMESPACES: Final = frozenset({"istio.io/rev", "istio.io/dataplane-mode", "topology.istio.io/network"})
"""Names of the table that also have a meaning on a Namespace."""

_OTHERS: Final = {
    "alpha.istio.io": ("canonical-serviceaccounts", "kubernetes-serviceaccounts"),
    "ambient.istio.io": ("bypass-inbound-capture", "dns-capture", "redirection", "waypoint-inbound-binding"),
    "galley.istio.io": ("analyze-suppress",),
    "gateway.istio.io": ("controller-version", "managed", "name-override", "service-account"),
    "install.operator.istio.io": ("owning-resource",),
    "istio.io": (
        *("autoRegistrationGroup", "connectedAt", "disconnectedAt", "dry-run", "gateway-name"),
        *("ingress-use-waypoint", "tag", "use-waypoint", "use-waypoint-namespace", "waypoint-for"),
        "workloadController",
    ),
    "networking.istio.io": (
        *("address-type", "enable-autoallocate-ip", "exportTo", "gatewayPort", "service-type"),
        *("traffic-distribution", "tunnel"),
    ),
    "operator.istio.io": ("component", "managed"),
    "topology.istio.io": ("cluster", "controlPlaneClusters", "subzone"),
    "traffic.istio.io": ("nodeSelector",),
}

ELSEWHERE: Final = frozenset(f"{domain}/{name}" for domain, names in _OTHERS.items() for name in names)
"""Names that other parts of Istio read: not misspellings of those above."""


def releases(span: Span) -> str:
    """Return the minors of a span as people write them."""
    if span.until < NEWEST:
        return f"1.{span.since} to 1.{span.until}"
    return f"1.{span.since} and newer" if span.since > OLDEST else "all"
