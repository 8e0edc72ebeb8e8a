"""A snapshot in, what the steps after the templates need of it out. Knows no pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from weakref import WeakKeyDictionary

from injector.golang.strconv import parse_bool
from injector.injection.mesh.loading import Mesh
from injector.injection.overlay.containers import PROXY, Kind
from injector.injection.overlay.merge import PodTypes
from injector.injection.overlay.metrics import MetricsRules, metrics_rules_of
from injector.injection.overlay.overrides import OverrideRules
from injector.injection.overlay.probes import ProbeRules, rules_of
from injector.injection.releases import behaviour_of
from injector.injection.snapshot import Snapshot
from injector.json_types import JSONObject
from injector.patch import go_type

OPENSHIFT: Final = "openshift"
DEFAULT_CLUSTER: Final = "Kubernetes"
"""The id of a cluster that nobody names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a release does each step."""

    types: PodTypes
    proxies: tuple[Kind, ...]
    metrics: MetricsRules
    overrides: OverrideRules
    probes: ProbeRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What mesh configuration, values and environment say about the steps around the templates."""

    agent_port: int
    merges_metrics: bool
    rewrites_probes: bool
    holds_application: bool
    cluster: str
    network: str
    local_cluster: str
    openshift: bool
    rules: Rules


@cache
def rules_for(release: str, *, tcp_probes: bool) -> Rules:
    """Return the rules of a release; ``tcp_probes`` is the feature REWRITE_TCP_PROBES."""
    behaviour = behaviour_of(release)
    native = behaviour.native_sidecars_by_feature
    types = PodTypes(pod=go_type("core/v1.Pod", behaviour.kubernetes))
    return Rules(
        types=types,
        proxies=("containers", "initContainers") if native else ("containers",),
        metrics=metrics_rules_of(behaviour),
        overrides=OverrideRules(
            skips_injected=behaviour.parses_status_always,
            init_anywhere=native,
            types=types,
        ),
        probes=rules_of(behaviour, tcp_feature=tcp_probes),
    )


_SETTINGS: Final[WeakKeyDictionary[Snapshot, Settings]] = WeakKeyDictionary()


def settings_of(snapshot: Snapshot) -> Settings:
    """Return the settings of a snapshot; what is not set has Istio's default. Read once a snapshot."""
    settings = _SETTINGS.get(snapshot)
    if settings is None:
        settings = _SETTINGS[snapshot] = _read(snapshot)
    return settings


def _read(snapshot: Snapshot) -> Settings:
    mesh, values, env = snapshot.mesh, snapshot.values, snapshot.env
    tcp_probes = parse_bool(env.get("REWRITE_TCP_PROBES", "")) is not False
    return Settings(
        agent_port=0 if mesh is None else mesh.proxy_config.get("statusPort", 0),
        merges_metrics=_merges_metrics(mesh, snapshot.config.templates.values()),
        rewrites_probes=_at(values, "sidecarInjectorWebhook", "rewriteAppHTTPProbe") is True,
        holds_application=_at(values, "global", "proxy", "holdApplicationUntilProxyStarts") is True,
        cluster=_text(values, "global", "multiCluster", "clusterName"),
        network=_text(values, "global", "network"),
        local_cluster=env.get("CLUSTER_ID") or DEFAULT_CLUSTER,
        openshift=env.get("PLATFORM") == OPENSHIFT,
        rules=rules_for(snapshot.behaviour.release, tcp_probes=tcp_probes),
    )


def _merges_metrics(mesh: Mesh | None, templates: Iterable[str]) -> bool:
    """Return whether the agent serves a pod's metrics where the pod itself does not say.

    Where no template brings an agent, nobody would listen at its port: then only a mesh that asks counts.
    Istio sends Prometheus there all the same.
    """
    if mesh is None:
        return True
    if mesh.asks_for_merge is None and not any(PROXY in text for text in templates):
        return False
    return bool(mesh.config.get("enablePrometheusMerge", fallback=True))


def _at(values: Mapping[str, Any], *path: str) -> Any:
    """Return what stands at a path of the values, None where something is missing on the way."""
    found: Any = values
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def _text(values: JSONObject, *path: str) -> str:
    found = _at(values, *path)
    return found if isinstance(found, str) else ""
