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
from typing import Final, TypeAlias

from injector.errors import InjectionError
from injector.golang.jsontext import go_json
from injector.golang.strconv import parse_bool, parse_int, quote
from injector.golang.unicode import trim_space
from injector.injection.steps.pods import Draft, append_env, chosen
from injector.injection.steps.settings import Injection
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject

SCRAPE: Final = "prometheus.io/scrape"
PATH: Final = "prometheus.io/path"
PORT: Final = "prometheus.io/port"
TARGETS: Final = "prometheus.istio.io/scrape-targets"
SECURE_PORT: Final = "prometheus.istio.io/secure-port"

_NO_LABEL_CHARACTER: Final = re.compile(r"[^a-zA-Z0-9_]")

# The data plane's own ports and what listens there (Istio 1.31). Scraping one of them would loop, count
# twice, or reach no application.
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
"""Annotation names, and for each the values of all its spellings; the value that counts is the first."""

_NAMES: Final = frozenset({SCRAPE, PATH, PORT, TARGETS, SECURE_PORT})
_MEANT: Final = {sanitised(name): name for name in _NAMES}
_LENGTHS: Final = frozenset(map(len, _NAMES))
"""Their lengths, which sanitising does not change: most annotations have another length."""


def first(said: Said, meant: str) -> str | None:
    """Return the value that counts, None if there is none."""
    return said[meant][0] if meant in said else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Which annotation names count as one of Prometheus': the exact ones, or every spelling."""

    exact: bool

    def meanings(self, annotations: Mapping[str, str]) -> dict[str, str]:
        """Return the annotations that are a spelling of one of the names above, each with that name."""
        found = {}
        for name in annotations:
            if name in _NAMES:
                found[name] = name
            elif len(name) in _LENGTHS and not self.exact and (meant := _MEANT.get(sanitised(name))):
                found[name] = meant
        return found

    def said(self, annotations: Mapping[str, str]) -> Said:
        """Return the values for each of the names above: the exact spelling first, then by spelling."""
        meanings = self.meanings(annotations)
        found: dict[str, list[str]] = {}
        for name in sorted(meanings, key=lambda name: (name != meanings[name], name)):
            found.setdefault(meanings[name], []).append(annotations[name])
        return found

    def value(self, annotations: Mapping[str, str], meant: str) -> str | None:
        """Return the value that counts. Of several spellings Istio takes any, this the first."""
        return first(self.said(annotations), meant)

    def cleared(self, annotations: Mapping[str, str], *meant: str) -> dict[str, str]:
        """Return the annotations without these."""
        kept = dict(annotations)
        for name, meaning in self.meanings(annotations).items():
            if meaning in meant:
                del kept[name]
        return kept


EXACT_SPELLING: Final = Spelling(exact=True)
EVERY_SPELLING: Final = Spelling(exact=False)


def scrape_of(said: Said, *, targets: bool) -> JSONObject:
    """Return the scrape configuration in the annotations, as the agent reads it; {} if there is none.

    ``targets`` tells whether the list of targets is known.
    """
    listed = _targets(said[TARGETS][0]) if targets and TARGETS in said else []
    scrape: JSONObject = {
        "scrape": said[SCRAPE][0] if SCRAPE in said else "",
        "path": listed[0]["path"] if listed else said[PATH][0] if PATH in said else "",
        "port": listed[0]["port"] if listed else said[PORT][0] if PORT in said else "",
    }
    if listed:
        scrape["targets"] = listed
    return scrape if any(scrape.values()) else {}


def _targets(text: str) -> list[dict[str, str]]:
    """Return ``port[:path]`` entries; one without a port drops the whole list, as in Istio."""
    found = []
    for entry in filter(None, map(trim_space, text.split(","))):
        port, _, path = entry.partition(":")
        if not trim_space(port):
            return []
        found.append({"port": trim_space(port), "path": trim_space(path) or "/metrics"})
    return found


def check_ports(scrape: JSONObject, agent_port: int) -> None:
    """Raise InjectionError for an invalid port, the agent's, or one of the data plane's (1.31)."""
    if "targets" in scrape:
        for target in scrape["targets"]:
            _check(target["port"], agent_port, head="invalid prometheus scrape targets: ", word="target port")
    elif port := scrape.get("port"):
        _check(port, agent_port, head="invalid prometheus scrape configuration: ", word="port")


def _check(port: str, agent_port: int, *, head: str, word: str) -> None:
    number = parse_int(port)
    if number is None or not 1 <= number <= 65535:
        raise InjectionError(f"{head}invalid {word} {quote(port)}")
    if number == agent_port:
        raise InjectionError(f"{head}{word} {port} conflicts with agent port")
    if reason := RESERVED_PORTS.get(str(number)):
        raise InjectionError(f"{head}{word} {port} is reserved for Istio ({reason}) and cannot be scraped")


def wants_scraping(said: Said) -> bool:
    """Return whether the pod may be scraped: the first bool in its annotations, True without one."""
    choices = map(parse_bool, said.get(SCRAPE, ()))
    return next((choice for choice in choices if choice is not None), True)


# ---- the pod

MERGE: Final = "prometheus.istio.io/merge-metrics"
SCRAPE_CONFIG: Final = "ISTIO_PROMETHEUS_ANNOTATIONS"
SECURE_PORT_VARIABLE: Final = "ENVOY_SECURE_MERGED_METRICS_PORT"
MERGED_PATH: Final = "/stats/prometheus"


def spelling_of(behaviour: Behaviour) -> Spelling:
    """Return which names of annotations count in a release."""
    return EVERY_SPELLING if behaviour.prometheus_any_spelling else EXACT_SPELLING


def moved_annotations(behaviour: Behaviour) -> tuple[str, ...]:
    """Return the annotations that move into the proxy's environment."""
    return (PORT, PATH, SCRAPE, TARGETS) if behaviour.prometheus_targets else (PORT, PATH, SCRAPE)


def pointing_at(port: int) -> dict[str, str]:
    """Return the annotations that lead Prometheus to the agent."""
    return {PORT: str(port), PATH: MERGED_PATH, SCRAPE: "true"}


def merge_metrics(draft: Draft, injection: Injection) -> None:
    """Have the pod scraped at the agent; raises InjectionError for a port that cannot be scraped.

    A pod whose port is the agent's already is left alone: it was injected before, or its owner knows.
    """
    settings, behaviour = injection.settings, injection.snapshot.behaviour
    annotations = draft.annotations
    if not chosen(annotations, MERGE, by_default=settings.merges_metrics):
        return
    spelling, targets, agent_port = spelling_of(behaviour), behaviour.prometheus_targets, settings.agent_port
    said = spelling.said(annotations)
    refused = behaviour.prometheus_respects_false and not wants_scraping(said)
    if refused or first(said, PORT) == str(agent_port):
        return
    scrape = scrape_of(said, targets=targets)
    if targets:
        check_ports(scrape, agent_port)
    if draft.proxy is not None and scrape:
        draft.change_proxy(append_env(draft.proxy, SCRAPE_CONFIG, go_json(scrape, sort_keys=False)))
    kept = spelling.cleared(annotations, *moved_annotations(behaviour))
    draft.annotate(kept | pointing_at(agent_port))


def announce_secure_port(draft: Draft, injection: Injection) -> None:
    """Add the annotation that tells the proxy's mTLS metrics port, unless the pod has one."""
    behaviour = injection.snapshot.behaviour
    if draft.proxy is None or not behaviour.prometheus_targets:
        return
    port = _secure_port(draft.proxy)
    if port and spelling_of(behaviour).value(draft.annotations, SECURE_PORT) is None:
        draft.annotate({**draft.annotations, SECURE_PORT: port})


def _secure_port(proxy: JSONObject) -> str:
    """Return the first port in the variable, "" if there is none; "0" is not a port."""
    variables = [each for each in proxy.get("env") or () if each.get("name") == SECURE_PORT_VARIABLE]
    ports = [str(variable.get("value", "")) for variable in variables]
    return next((port for port in ports if port not in ("", "0")), "")
