"""Let a pod's metrics be scraped through the proxy's agent.

The agent serves Envoy's, its own and the application's metrics at one port. So the pod's Prometheus
annotations move into the proxy's environment and are replaced by ones that point at the agent.

Prometheus sanitises annotation names, so ``prometheus.io/scrape`` and ``prometheus-io.scrape`` are
one to it, and from 1.13 to Istio as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from injector.errors import InjectionError
from injector.golang.jsontext import go_json
from injector.golang.strconv import parse_bool, parse_int, quote
from injector.injection.steps.pods import (
    PROXY,
    Kind,
    annotations_of,
    append_env,
    container_at,
    place_of,
    with_annotations,
    with_container,
)
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod

SCRAPE: Final = "prometheus.io/scrape"
PATH: Final = "prometheus.io/path"
PORT: Final = "prometheus.io/port"
TARGETS: Final = "prometheus.istio.io/scrape-targets"
SECURE_PORT: Final = "prometheus.istio.io/secure-port"

_NO_LABEL_CHARACTER: Final = re.compile(r"[^a-zA-Z0-9_]")

# The data plane's own ports and what answers there (Istio 1.31). Scraping one of them would loop,
# count twice or reach no application.
RESERVED_PORTS: Final[Mapping[str, str]] = {
    "15000": "Envoy admin",
    "15001": "outbound traffic capture",
    "15004": "pilot debug",
    "15006": "inbound traffic capture",
    "15008": "HBONE tunnel",
    "15020": "pilot-agent status / merged Prometheus",
    "15021": "Envoy health",
    "15053": "DNS proxy",
    "15090": "Envoy Prometheus (already merged)",
}


def sanitised(name: str) -> str:
    """Return an annotation's name as Prometheus makes a label of it."""
    return _NO_LABEL_CHARACTER.sub("_", name)


Said: TypeAlias = Mapping[str, Sequence[str]]
"""Names and the values of all their spellings that are there, the one that counts first."""

_NAMES: Final = frozenset({SCRAPE, PATH, PORT, TARGETS, SECURE_PORT})
_MEANT: Final = {sanitised(name): name for name in _NAMES}
_LENGTHS: Final = frozenset(map(len, _NAMES))
"""What they have once they are sanitised, which changes no length: most annotations have another one."""


def first(said: Said, meant: str) -> str | None:
    """Return the value that counts, None where nothing is said."""
    return said[meant][0] if meant in said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Which annotation names count as one of Prometheus': the exact ones, or every spelling."""

    exact: bool

    def meaning(self, name: str) -> str | None:
        """Return which of the names above ``name`` is a spelling of."""
        if self.exact or name in _NAMES:
            return name
        return _MEANT.get(sanitised(name)) if len(name) in _LENGTHS else None

    def said(self, annotations: Mapping[str, str]) -> Said:
        """Return what each of the names above is said to be: by the exact one first, then by name."""
        found: dict[str, list[str]] = {}
        for name in annotations:
            meant = self.meaning(name)
            if meant in _NAMES:
                found.setdefault(meant, []).append(name)
        return {
            meant: [annotations[name] for name in sorted(names, key=lambda name: (name != meant, name))]
            for meant, names in found.items()
        }

    def value(self, annotations: Mapping[str, str], meant: str) -> str | None:
        """Return the value that counts; with several spellings Istio takes any, we the first."""
        return first(self.said(annotations), meant)

    def cleared(self, annotations: Mapping[str, str], *meant: str) -> dict[str, str]:
        """Return the annotations without these."""
        return {name: value for name, value in annotations.items() if self.meaning(name) not in meant}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One endpoint that the agent scrapes."""

    port: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """The value of ISTIO_PROMETHEUS_ANNOTATIONS."""

    scrape: str = ""
    path: str = ""
    port: str = ""
    targets: tuple[Target, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.scrape or self.path or self.port or self.targets)

    @property
    def text(self) -> str:
        """The JSON that the agent reads."""
        value: dict[str, Any] = {"scrape": self.scrape, "path": self.path, "port": self.port}
        if self.targets:
            value["targets"] = [{"port": target.port, "path": target.path} for target in self.targets]
        return go_json(value, sort_keys=False)


def scrape_of(said: Said, *, targets: bool) -> Scrape:
    """Return what the annotations ask for; ``targets`` tells whether the list of targets is known."""
    listed = _targets(first(said, TARGETS) or "") if targets else ()
    return Scrape(
        scrape=first(said, SCRAPE) or "",
        path=listed[0].path if listed else first(said, PATH) or "",
        port=listed[0].port if listed else first(said, PORT) or "",
        targets=listed,
    )


def _targets(text: str) -> tuple[Target, ...]:
    """Return ``port[:path]`` entries; one without a port drops the whole list, as in Istio."""
    found = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        port, _, path = entry.partition(":")
        if not port.strip():
            return ()
        found.append(Target(port=port.strip(), path=path.strip() or "/metrics"))
    return tuple(found)


def check_ports(scrape: Scrape, agent_port: int) -> None:
    """Raise InjectionError for a port that is none, the agent's, or one of the data plane's (1.31)."""
    if scrape.targets:
        for target in scrape.targets:
            _check(target.port, agent_port, head="invalid prometheus scrape targets: ", word="target port")
    elif scrape.port:
        _check(scrape.port, agent_port, head="invalid prometheus scrape configuration: ", word="port")


def _check(port: str, agent_port: int, *, head: str, word: str) -> None:
    number = parse_int(port)
    if number is None or not 1 <= number <= 65535:
        raise InjectionError(f"{head}invalid {word} {quote(port)}")
    if number == agent_port:
        raise InjectionError(f"{head}{word} {port} conflicts with agent port")
    if reason := RESERVED_PORTS.get(str(number)):
        raise InjectionError(f"{head}{word} {port} is reserved for Istio ({reason}) and cannot be scraped")


def wants_scraping(said: Said) -> bool:
    """Return what the pod says about being scraped; what is no bool does not count, silence means yes."""
    choices = map(parse_bool, said.get(SCRAPE, ()))
    return next((choice for choice in choices if choice is not None), True)


# ---- the pod

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
