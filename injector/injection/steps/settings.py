"""What the steps of an injection go by: what a snapshot says of them, and the pod that is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final
from weakref import WeakKeyDictionary

import msgspec

from injector.golang.strconv import parse_bool
from injector.injection.dot.context import OPENSHIFT, PLATFORM
from injector.injection.render import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.injection.steps.merge import PodTypes
from injector.injection.steps.pods import KINDS, PROXY, Draft, Kind
from injector.istio.mesh.loading import Mesh
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod, at, text_at
from injector.patch import go_type

DEFAULT_CLUSTER: Final = "Kubernetes"
"""The id of a cluster that nobody names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What release, mesh configuration, values and environment say about the steps around the templates.

    ``proxies`` are the lists in which the proxy is looked for; ``handlers`` the fields of probes that are led
    through the agent, the strongest first. ``mesh_holds_application`` is what counts unless a pod's
    annotation lays something over the mesh's ProxyConfig.
    """

    types: PodTypes
    proxies: tuple[Kind, ...]
    agent_port: int
    merges_metrics: bool
    rewrites_probes: bool
    handlers: tuple[str, ...]
    holds_application: bool
    mesh_holds_application: bool
    cluster: str
    network: str
    local_cluster: str
    openshift: bool


class Injection(msgspec.Struct, kw_only=True):
    """One pod on its way: what every step may look at, and none but the pipeline sets.

    ``original`` is the pod before injection, as Go's types have it, ``annotations`` are its own and ``owned``
    the names of its containers; ``environment`` is what the URL, the values and the pod's label set for the
    proxy; ``kept`` the owner's containers that an earlier injection kept; ``template_pod`` an empty pod with
    all overlays, once the templates have run.
    """

    request: InjectionRequest
    snapshot: Snapshot
    settings: Settings
    original: Pod
    annotations: Mapping[str, str]
    environment: Mapping[str, str]
    native: bool
    owned: frozenset[str]
    kept: Mapping[Kind, Sequence[JSONObject]] = {}
    template_pod: Pod = {}


Step = Callable[[Draft, Injection], None]


@cache
def pod_types(kubernetes: int) -> PodTypes:
    """Return the types of a version of Kubernetes: one value, since overlays are kept for the very types."""
    return PodTypes(pod=go_type("core/v1.Pod", kubernetes))


_SETTINGS: Final[WeakKeyDictionary[Snapshot, Settings]] = WeakKeyDictionary()


def settings_of(snapshot: Snapshot) -> Settings:
    """Return the settings of a snapshot; what is not set has Istio's default. Read once a snapshot."""
    settings = _SETTINGS.get(snapshot)
    if settings is None:
        settings = _SETTINGS[snapshot] = _read(snapshot)
    return settings


def _read(snapshot: Snapshot) -> Settings:
    behaviour, mesh, values, env = snapshot.behaviour, snapshot.mesh, snapshot.values, snapshot.env
    return Settings(
        types=pod_types(behaviour.kubernetes),
        proxies=KINDS if behaviour.native_sidecars_by_feature else ("containers",),
        agent_port=mesh.proxy_config.get("statusPort", 0),
        merges_metrics=_merges_metrics(mesh, snapshot.config.templates.values()),
        rewrites_probes=at(values, "sidecarInjectorWebhook", "rewriteAppHTTPProbe") is True,
        handlers=_handlers(behaviour, env),
        holds_application=at(values, "global", "proxy", "holdApplicationUntilProxyStarts") is True,
        mesh_holds_application=mesh.proxy_config.get("holdApplicationUntilProxyStarts") is True,
        cluster=text_at(values, "global", "multiCluster", "clusterName"),
        network=text_at(values, "global", "network"),
        local_cluster=env.get("CLUSTER_ID") or DEFAULT_CLUSTER,
        openshift=env.get(PLATFORM) == OPENSHIFT,
    )


def _handlers(behaviour: Behaviour, env: Mapping[str, str]) -> tuple[str, ...]:
    by_feature = parse_bool(env.get("REWRITE_TCP_PROBES", "")) is not False
    tcp = behaviour.rewrites_tcp_probes or (behaviour.rewrites_tcp_probes_by_feature and by_feature)
    grpc = behaviour.rewrites_grpc_probes
    return ("httpGet", *(("tcpSocket",) if tcp else ()), *(("grpc",) if grpc else ()))


def _merges_metrics(mesh: Mesh, templates: Iterable[str]) -> bool:
    """Return whether the agent serves a pod's metrics where the pod itself does not say.

    Where no template brings an agent, nobody would listen at its port: then only a mesh that asks counts.
    Istio sends Prometheus there all the same, and so do we where a mesh names no port at all.
    """
    has_port = bool(mesh.proxy_config.get("statusPort", 0))
    if has_port and mesh.asks_for_merge is None and not any(PROXY in text for text in templates):
        return False
    return bool(mesh.config.get("enablePrometheusMerge", fallback=True))
