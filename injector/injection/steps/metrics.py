"""A pod in, the pod whose metrics are scraped through the proxy's agent out. Knows no other part of it.

The agent serves Envoy's, its own and the application's metrics at one port. So the pod's Prometheus
annotations move into the proxy's environment and are replaced by ones that point at the agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from injector.golang.strconv import parse_bool
from injector.injection.steps.containers import (
    PROXY,
    Kind,
    annotations_of,
    append_env,
    container_at,
    place_of,
    with_annotations,
    with_container,
)
from injector.injection.steps.scrape import (
    PATH,
    PORT,
    SCRAPE,
    SECURE_PORT,
    TARGETS,
    Spelling,
    check_ports,
    first,
    scrape_of,
    wants_scraping,
)
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod

MERGE: Final = "prometheus.istio.io/merge-metrics"
SCRAPE_CONFIG: Final = "ISTIO_PROMETHEUS_ANNOTATIONS"
SECURE_PORT_VARIABLE: Final = "ENVOY_SECURE_MERGED_METRICS_PORT"
MERGED_PATH: Final = "/stats/prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsRules:
    """How a release merges metrics: the spelling of annotations, whether the pod may refuse, targets."""

    spelling: Spelling
    may_refuse: bool
    targets: bool
    proxies: tuple[Kind, ...]

    @property
    def moved(self) -> tuple[str, ...]:
        """The annotations that move into the proxy's environment."""
        return (PORT, PATH, SCRAPE, TARGETS) if self.targets else (PORT, PATH, SCRAPE)


def metrics_rules_of(behaviour: Behaviour) -> MetricsRules:
    """Return the rules of a release."""
    native = behaviour.native_sidecars_by_feature
    return MetricsRules(
        spelling=Spelling(exact=not behaviour.prometheus_any_spelling),
        may_refuse=behaviour.prometheus_respects_false,
        targets=behaviour.prometheus_targets,
        proxies=("containers", "initContainers") if native else ("containers",),
    )


def merge_metrics(pod: Pod, rules: MetricsRules, *, by_default: bool, agent_port: int) -> Pod:
    """Return the pod scraped at the agent; raises InjectionError for a port that cannot be scraped.

    ``by_default`` is the mesh's enablePrometheusMerge, which the pod's annotation overrides. A pod
    whose port is the agent's already is left alone: it was injected before, or its owner knows.
    """
    annotations = annotations_of(pod)
    chosen = parse_bool(annotations.get(MERGE, ""))
    merges = by_default if chosen is None else chosen
    if not merges:
        return pod
    said = rules.spelling.said(annotations)
    if (rules.may_refuse and not wants_scraping(said)) or first(said, PORT) == str(agent_port):
        return pod
    scrape = scrape_of(said, targets=rules.targets)
    if rules.targets:
        check_ports(scrape, agent_port)
    proxy = place_of(pod, PROXY, rules.proxies)
    if proxy is not None and scrape:
        pod = with_container(pod, proxy, append_env(container_at(pod, proxy), SCRAPE_CONFIG, scrape.text))
    pointing = {PORT: str(agent_port), PATH: MERGED_PATH, SCRAPE: "true"}
    return with_annotations(pod, rules.spelling.cleared(annotations, *rules.moved) | pointing)


def announce_secure_port(pod: Pod, rules: MetricsRules) -> Pod:
    """Return the pod with the annotation that tells the proxy's mTLS metrics port, unless it has one."""
    proxy = place_of(pod, PROXY, rules.proxies)
    annotations = annotations_of(pod)
    if proxy is None or rules.spelling.value(annotations, SECURE_PORT) is not None:
        return pod
    port = _variable(container_at(pod, proxy), SECURE_PORT_VARIABLE)
    if port in ("", "0"):
        return pod
    return with_annotations(pod, {**annotations, SECURE_PORT: port})


def _variable(container: JSONObject, name: str) -> str:
    env = container.get("env") or ()
    return next((variable.get("value", "") for variable in env if variable.get("name") == name), "")
