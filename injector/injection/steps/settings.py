"""The inputs of the injection steps: settings of the snapshot, and the state of the pod being injected."""

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
"""The id of a cluster without a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What release, mesh configuration, values and environment say about the steps around the templates.

    ``proxies`` are the lists in which the proxy is looked for; ``handlers`` are the probe fields that are led
    through the agent, by precedence. ``mesh_holds_application`` applies unless a pod's annotation lays
    something over the mesh's ProxyConfig.
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
    """The state of one pod's injection: every step may read it, only the pipeline sets it.

    ``original`` is the pod before injection, in the form of Go's types; ``annotations`` are its own and
    ``owned`` the names of its containers. ``environment`` holds the variables that the URL, the values and
    the pod's label set for the proxy. ``kept`` are the owner's containers that an earlier injection kept.
    ``template_pod`` is an empty pod with all overlays, once the templates have run.
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
    """Return the types of a Kubernetes version: always the same object, since overlays are cached by it."""
    return PodTypes(pod=go_type("core/v1.Pod", kubernetes))


_SETTINGS: Final[WeakKeyDictionary[Snapshot, Settings]] = WeakKeyDictionary()


def settings_of(snapshot: Snapshot) -> Settings:
    """Return the settings of a snapshot, with Istio's defaults. Read once per snapshot."""
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

    Without a template that adds an agent, nothing would listen at its port: then only a mesh that asks
    counts. Istio sends Prometheus there all the same, and so do we, but only where the mesh names no port.
    """
    has_port = bool(mesh.proxy_config.get("statusPort", 0))
    if has_port and mesh.asks_for_merge is None and not any(PROXY in text for text in templates):
        return False
    return bool(mesh.config.get("enablePrometheusMerge", fallback=True))
