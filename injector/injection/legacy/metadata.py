"""What code up to 1.8 writes into a pod's metadata: labels, and the annotation that says what it injected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Final

import orjson

from injector.errors import TypedError
from injector.golang.jsontext import go_json
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.injection.steps.environment import NETWORK_LABEL
from injector.injection.steps.pods import name_of
from injector.injection.steps.status import LISTS, STATUS, names_in
from injector.istio.releases import Behaviour

KNOWN_ANNOTATIONS: Final = frozenset(
    {
        "k8s.v1.cni.cncf.io/networks",
        "prometheus.istio.io/merge-metrics",
        "proxy.istio.io/config",
        "readiness.status.sidecar.istio.io/failureThreshold",
        "readiness.status.sidecar.istio.io/initialDelaySeconds",
        "readiness.status.sidecar.istio.io/periodSeconds",
        "sidecar.istio.io/bootstrapOverride",
        "sidecar.istio.io/controlPlaneAuthPolicy",
        "sidecar.istio.io/discoveryAddress",
        "sidecar.istio.io/enableCoreDump",
        "sidecar.istio.io/inject",
        "sidecar.istio.io/interceptionMode",
        "sidecar.istio.io/proxyCPU",
        "sidecar.istio.io/proxyImage",
        "sidecar.istio.io/proxyMemory",
        "sidecar.istio.io/rewriteAppHTTPProbers",
        "sidecar.istio.io/statsInclusionPrefixes",
        "sidecar.istio.io/statsInclusionRegexps",
        "sidecar.istio.io/statsInclusionSuffixes",
        "sidecar.istio.io/status",
        "sidecar.istio.io/userVolume",
        "sidecar.istio.io/userVolumeMount",
        "status.sidecar.istio.io/port",
        "traffic.sidecar.istio.io/excludeInboundPorts",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges",
        "traffic.sidecar.istio.io/excludeOutboundPorts",
        "traffic.sidecar.istio.io/includeInboundPorts",
        "traffic.sidecar.istio.io/includeOutboundIPRanges",
        "traffic.sidecar.istio.io/kubevirtInterfaces",
    }
)
"""The annotations that Istio knows; for the CNI plugin a template may set only these."""

_TLS_MODE: Final = "security.istio.io/tlsMode"
_REVISION: Final = "istio.io/rev"
_CANONICAL_NAME: Final = "service.istio.io/canonical-name"
_CANONICAL_REVISION: Final = "service.istio.io/canonical-revision"


def labels_to_add(
    labels: Mapping[str, str], workload: str, revision: str, network: str | None, behaviour: Behaviour
) -> dict[str, str]:
    """Return the labels that the webhook adds where the pod has no value for them."""
    added: dict[str, str] = {}
    if behaviour.revision_label:
        added[_REVISION] = revision
    if behaviour.tls_mode_label:
        added[_TLS_MODE] = "istio"
    if behaviour.canonical_labels:
        added[_CANONICAL_NAME] = _first(
            labels, (_CANONICAL_NAME, "app.kubernetes.io/name", "app"), otherwise=workload
        )
        added[_CANONICAL_REVISION] = _first(
            labels, (_CANONICAL_REVISION, "app.kubernetes.io/version", "version"), otherwise="latest"
        )
    if behaviour.network_label and network is not None:
        added[NETWORK_LABEL] = network
    return added


def _first(labels: Mapping[str, str], keys: tuple[str, ...], *, otherwise: str) -> str:
    return next((labels[key] or "" for key in keys if key in labels), otherwise)


def labels_by_hand(labels: Mapping[str, str], revision: str, behaviour: Behaviour) -> dict[str, str]:
    """Return the labels that kube-inject up to 1.7 sets; it overwrites the revision."""
    changed: dict[str, str] = {}
    if behaviour.revision_label:
        changed[_REVISION] = revision
    if behaviour.tls_mode_label and not labels.get(_TLS_MODE):
        changed[_TLS_MODE] = "istio"
    return changed


# ---- the status annotation

_BEFORE_STATUS: Final[Mapping[str, Collection[str]]] = {
    "initContainers": frozenset({"istio-init", "enable-core-dump"}),
    "containers": frozenset({"istio-proxy"}),
    "volumes": frozenset({"istio-certs", "istio-envoy"}),
    "imagePullSecrets": frozenset(),
}
"""What Istio added before it recorded what it adds; a user's own volume of such a name is removed, too."""


def written_status(spec: SidecarInjectionSpec, template: str) -> str:
    """Return the annotation's value, which names the template by its hash.

    An empty list is null, as Go writes a nil slice.
    """
    version = sha256(template.encode()).hexdigest()
    lists = {key: [name_of(item) for item in items] or None for key, items in spec.lists.items()}
    return go_json({"version": version, **lists}, sort_keys=False)


def earlier_injection(annotations: Mapping[str, str]) -> Mapping[str, Collection[str]]:
    """Return the names that an earlier injection added to each list, which the next one removes first.

    They are the fixed names of old where the annotation is missing, empty or unreadable.
    """
    try:
        lists = _read(annotations.get(STATUS) or "")
    except (orjson.JSONDecodeError, TypedError):
        return _BEFORE_STATUS
    return lists if any(lists.values()) else _BEFORE_STATUS


def _read(text: str) -> dict[str, Collection[str]]:
    status = orjson.loads(text)
    if not isinstance(status, dict) or not isinstance(status.get("version") or "", str):
        raise TypedError("a status is an object with a text as its version")
    return {key: frozenset(names_in(status.get(key))) for key in LISTS}
