"""A snapshot in, what the steps after the templates need of it out. Knows no pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from weakref import WeakKeyDictionary

from injector.golang.strconv import parse_bool
from injector.injection.snapshot import Snapshot
from injector.injection.steps.merge import PodTypes
from injector.injection.steps.metrics import MetricsRules, metrics_rules_of
from injector.injection.steps.overrides import OverrideRules
from injector.injection.steps.pods import Kind
from injector.injection.steps.probes import ProbeRules, rules_of
from injector.istio.releases import behaviour_of
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
        agent_port=mesh.proxy_config.get("statusPort", 0),
        merges_metrics=mesh.config.get("enablePrometheusMerge", fallback=True),
        rewrites_probes=_at(values, "sidecarInjectorWebhook", "rewriteAppHTTPProbe") is True,
        holds_application=_at(values, "global", "proxy", "holdApplicationUntilProxyStarts") is True,
        cluster=_text(values, "global", "multiCluster", "clusterName"),
        network=_text(values, "global", "network"),
        local_cluster=env.get("CLUSTER_ID") or DEFAULT_CLUSTER,
        openshift=env.get("PLATFORM") == OPENSHIFT,
        rules=rules_for(snapshot.behaviour.release, tcp_probes=tcp_probes),
    )


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
