"""Find what is wrong with a configuration: the errors of `serve`, and then every rule, with lines.

Read ``lint``: load → the trial that `serve` makes → what the texts show → what the templates make of sample
pods and of the given pods → minus what a comment silences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import chain
from typing import Any, Final

import orjson

from injector.budget import Budget
from injector.diagnosis.annotations import advise_metadata
from injector.diagnosis.findings import SEVERITIES, Finding, Place, found
from injector.diagnosis.items import (
    NO_TEMPLATE,
    Path,
    mapping,
    pod_specs,
    pods_metadata,
    steps_of,
    template_of,
    written,
)
from injector.diagnosis.rules_config import POLICIES, faults_of, names, static_rules, unused
from injector.diagnosis.rules_overlay import Traced, overlay_rules, trace, traced_template
from injector.diagnosis.rules_result import result_rules, security_rules
from injector.diagnosis.trial import SAMPLES, try_samples
from injector.diagnosis.unreadable import mended
from injector.errors import ConfigError, InjectionError, InjectorError, TemplateError
from injector.injection.config import line_of_template
from injector.injection.inject import read_pod, request_for
from injector.injection.injector import Injector
from injector.injection.kinds import PodPlace, is_list, place_of
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.render import template_data
from injector.injection.steps.order import detect_native
from injector.injection.steps.pipeline import select_templates
from injector.injection.steps.pods import annotations_of
from injector.injection.workload import typed_document
from injector.json_types import JSON, JSONObject, Pod, at
from injector.kubeyaml import Positions, line_of, load

_OF_GATEWAYS: Final = re.compile(r"[ (]\.(GatewayClass|DeploymentName|InfrastructureLabels)\b")
"""Fields of the data with which istiod's gateway controller runs templates of Istio's chart."""

_IGNORE: Final = re.compile(r"#\s*lint:\s*ignore=([A-Z0-9, ]+)")


@dataclass(frozen=True, kw_only=True)
class Given:
    """An object of -f: ``text`` is its document's, ``line`` where that starts in the file.

    ``unreadable`` says why there is no object: then ``line`` is the line of that error.
    """

    value: JSON
    source: str
    line: int = 1
    text: str = ""
    pod_template_path: str = ""
    unreadable: str = ""

    @cached_property
    def positions(self) -> Positions:
        """The positions of the values in the text."""
        return Positions(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings, by file and line. ``injector`` is None if the configuration cannot be loaded."""

    findings: tuple[Finding, ...]
    injector: Injector | None

    @property
    def failed(self) -> bool:
        """Return whether there is an error: `serve` would not start or inject, or deny a given pod."""
        return any(finding.severity == "error" for finding in self.findings)


def lint(sources: Sources, around: Surroundings, given: Sequence[Given] = ()) -> Report:
    """Return everything that is wrong with a configuration, and with the given objects."""
    try:
        injector = Injector(load_snapshot(sources, around))
    except ConfigError as error:
        faults = (*faults_of(error, sources), *_beyond(sources, around), *_unreadable(given))
        return Report(findings=_ordered(faults), injector=None)
    return lint_loaded(injector, sources, given)


def _beyond(sources: Sources, around: Surroundings) -> Iterator[Finding]:
    """Yield what else is wrong with a configuration that cannot be loaded."""
    (config, faults), (values, of_values) = mended(sources.config), mended(sources.values)
    mesh, of_mesh = mended(sources.mesh) if isinstance(sources.mesh, str) else (sources.mesh, ())
    files = (sources.config_file, sources.values_file, sources.mesh_file)
    for file, each in zip(files, (faults, of_values, of_mesh), strict=True):
        for fault in each:
            yield found("SI001", fault.reason, Place(file, fault.line))
    rest = replace(sources, config=config, values=values or "{}", mesh=mesh)
    try:
        load_snapshot(rest, around)
    except ConfigError as error:
        # Something may be missing because it was in an unreadable part.
        kept = mapping(load(config))
        for finding in faults_of(error, rest):
            is_there = finding.place.path.partition(".")[0] in kept
            if finding.place.line and (is_there or not faults or finding.place.source != sources.config_file):
                yield finding
    if not faults:
        with suppress(ConfigError):
            yield from names(load_snapshot(replace(rest, values="{}", mesh=""), around), sources)


def _unreadable(given: Iterable[Given]) -> Iterator[Finding]:
    for each in given:
        if each.unreadable:
            yield found("SI005", each.unreadable, Place(each.source, each.line))


def lint_loaded(injector: Injector, sources: Sources, given: Sequence[Given] = ()) -> Report:
    """Return the same for an injector that has been loaded from ``sources``."""
    everything = _ordered(
        (*names(injector.snapshot, sources), *_Linter(_enabled(injector), sources).findings(given))
    )
    return Report(findings=_unsilenced(everything, sources), injector=injector)


def _enabled(injector: Injector) -> Injector:
    """Return an injector with a valid policy, so that one run finds the other faults too."""
    snapshot = injector.snapshot
    if snapshot.config.policy in POLICIES:
        return injector
    return Injector(replace(snapshot, config=replace(snapshot.config, policy="enabled")))


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return them without repetitions, by file and line, the gravest of a line first."""
    first: dict[Any, Finding] = {}
    for finding in findings:
        first.setdefault((finding.rule, finding.message, finding.place.source, finding.place.line), finding)

    def key(finding: Finding) -> tuple[str, int, int]:
        return finding.place.source, finding.place.line, SEVERITIES.index(finding.severity)

    return tuple(sorted(first.values(), key=key))


def _unsilenced(findings: Iterable[Finding], sources: Sources) -> tuple[Finding, ...]:
    """Leave out what a comment in the configuration silences; errors stay."""
    silenced: dict[int, set[str]] = {}
    for number, line in enumerate(sources.config.split("\n"), 1):
        if match := _IGNORE.search(line):
            rules = {rule.strip() for rule in match[1].split(",")}
            at = number + 1 if line.lstrip().startswith("#") else number
            silenced.setdefault(at, set()).update(rules)
    everywhere = set().union(*silenced.values())

    def stays(finding: Finding) -> bool:
        if finding.severity == "error" or finding.place.source != sources.config_file:
            return True
        line = finding.place.line
        return finding.rule not in (silenced.get(line, ()) if line else everywhere)

    return tuple(filter(stays, findings))


class _Linter:
    """One run over a configuration that loads."""

    def __init__(self, injector: Injector, sources: Sources) -> None:
        self._injector = injector
        self._sources = sources
        self._marked = cache(partial(traced_template, snapshot=injector.snapshot))
        self._last: list[Traced] = []

    def findings(self, given: Sequence[Given]) -> Iterator[Finding]:
        yield from unused(self._injector.warnings, self._sources)
        yield from self._texts()
        yield from self._trial()
        yield from _unreadable(given)
        for each in given:
            if not each.unreadable:
                yield from self._object(each, each.value)

    # ---- the texts

    def _texts(self) -> Iterator[Finding]:
        snapshot = self._injector.snapshot
        for name, template in snapshot.templates.items():
            if _OF_GATEWAYS.search(snapshot.config.templates[name]):
                continue
            try:
                usual = template.usual
            except TemplateError as error:
                yield found("SI201", str(error), self._in_template(name, error.line))
                continue
            for fault in usual.faults():
                yield found("SI201", str(fault), self._in_template(name, fault.line))
            for rule, message, line in static_rules(usual.tree, snapshot.values, snapshot.behaviour.minor):
                yield found(rule, message, self._in_template(name, line))

    def _in_template(self, name: str, line: int) -> Place:
        """Return the position of a template's line in the file."""
        overlays = self._injector.snapshot.behaviour.overlays
        start = line_of_template(self._sources.config, name if overlays else "template")
        path = f"templates.{name}" if overlays else "template"
        return Place(self._sources.config_file, start + line - 1 if start and line else start, path=path)

    # ---- the trial

    def _trial(self) -> Iterator[Finding]:
        """Yield what `serve` says at start, and then what the rules say about each sample."""
        refusal = empty = ""
        try:
            empty = try_samples(self._injector)
        except InjectorError as error:
            refusal = error.reason if isinstance(error, ConfigError) else str(error)
        if empty:
            path = "neverInjectSelector"
            place = Place(self._sources.config_file, line_of(self._sources.config, (path,)), path=path)
            yield found("SI107", empty, place)
        explained: list[Finding] = []
        denials: list[tuple[str, Place]] = []
        for name, review in SAMPLES:
            pod: Pod = orjson.loads(review.body)["request"]["object"]
            made, result, denial = self._one(pod, review.namespace)
            explained += made
            if denial:
                denials.append((f"{name} is denied: {denial}", self._cause(made)))
            if result is not None:
                explained += self._of_sample(pod, result, review.namespace)
        if refusal:
            place = next((place for message, place in denials if message == refusal), self._cause(explained))
            yield found("SI002", refusal, place)
        else:
            for message, place in denials:
                yield found("SI002", message, place, severity="warning")
        yield from explained

    def _cause(self, made: Iterable[Finding]) -> Place:
        """Return the place of the first finding that may be why the last pod is denied, or its template's."""
        causes = (each.place for each in made if each.rule in ("SI201", "SI204", "SI205"))
        start = (self._in_template(traced.template, 1) for traced in self._last)
        return next(causes, next(start, Place(self._sources.config_file)))

    def _of_sample(self, pod: Pod, result: Pod, namespace: str) -> Iterator[Finding]:
        rules = chain(result_rules(pod, result, self._injector, namespace), security_rules(pod, result))
        for rule, message, path in rules:
            place = replace(self._place_of(path, result), path=path)
            yield found(rule, message, place, severity="warning" if rule == "SI302" else None)

    def _place_of(self, path: str, pod: Pod) -> Place:
        """Return the template's line that wrote the value at a path of the injected pod."""
        for traced in self._last:
            if line := traced.line_behind(path, pod):
                return self._in_template(traced.template, line)
        return Place(self._sources.config_file)

    # ---- one pod

    def _one(self, pod: Pod, namespace: str) -> tuple[list[Finding], Pod | None, str]:
        """Return the rules' findings about the templates, the pod if it is injected, and why it is denied."""
        self._last = []
        try:
            result, decision = self._injector.inject_pod(pod, namespace)
        except InjectorError as error:
            return self._rendered(pod, namespace), None, str(error)
        if not decision.inject:
            return [], None, ""
        return self._rendered(pod, namespace), result, ""

    def _rendered(self, pod: Pod, namespace: str) -> list[Finding]:
        snapshot = self._injector.snapshot
        budget = Budget(snapshot.limits)
        made: list[Finding] = []
        try:
            pod = read_pod(pod, snapshot.behaviour, budget)
            request = request_for(pod, namespace, namespace, "/inject", snapshot, budget)
            node = (pod.get("spec") or {}).get("nodeName", "")
            native = detect_native(snapshot.behaviour, snapshot.env, snapshot.nodes, node)
            data = template_data(request, snapshot, pod, native=native)
            chosen = self._chosen(pod, budget)
        except InjectorError:
            return made
        for name in chosen:
            try:
                traced = trace(name, self._marked(name), data)
            except TemplateError as error:
                place = self._in_template(name, error.line)
                made.append(found("SI201", _own_words(error), place))
                continue
            self._last.append(traced)
            for rule, message, line in overlay_rules(traced, snapshot):
                info = rule == "SI206" and snapshot.untrusted_values == "scalar"
                place = self._in_template(name, line)
                made.append(found(rule, message, place, severity="info" if info else None))
        return made

    def _chosen(self, pod: Pod, budget: Budget) -> tuple[str, ...]:
        snapshot = self._injector.snapshot
        if not snapshot.behaviour.overlays:
            return ("sidecar",)
        chosen = select_templates(annotations_of(pod), snapshot.config, budget)
        return tuple(name for name in dict.fromkeys(chosen) if name in snapshot.templates)

    # ---- objects of -f

    def _object(self, given: Given, value: JSON, base: Path = ()) -> Iterator[Finding]:
        """Yield what is wrong with an object at ``base`` of a document."""
        if is_list(value):
            yield from self._items(given, value, base)
            return
        if not isinstance(value, dict) or not _is_named(value):
            yield found(
                "SI004",
                "this is not an object: it has no apiVersion and kind",
                _in_file(given, base),
                advice="give it both, or leave it out",
            )
            return
        path = given.pod_template_path
        release = self._injector.snapshot.behaviour
        for finding in advise_metadata(value, behaviour=release, source=given.source, pod_template_path=path):
            yield replace(finding, place=_in_file(given, base, finding.place.path))
        found_at = place_of(value, path)
        if found_at is not None:
            yield from self._workload(given, value, found_at, base)
        else:
            yield from _unknown_workload(given, value, base)

    def _items(self, given: Given, value: JSONObject, base: Path) -> Iterator[Finding]:
        items = value.get("items") or []
        if not isinstance(items, list):
            words, advice = "the items of this List are not a list", "write each as an element: - kind: …"
            yield found("SI004", words, _in_file(given, base, "items"), advice=advice)
            return
        for index, item in enumerate(items):
            yield from self._object(given, item, (*base, "items", index))

    def _workload(self, given: Given, value: JSONObject, place: PodPlace, base: Path) -> Iterator[Finding]:
        owner = mapping(value.get("metadata"))
        name = f"{value['kind']} {owner.get('name') or '?'}"
        try:
            typed_document(value, place, self._injector.snapshot.behaviour)
        except InjectionError as error:
            yield found("SI003", f"{name} is denied: {error}", _in_file(given, base))
            return
        in_template = pods_metadata(place)
        metadata = at(value, *in_template) or {}
        namespace = mapping(metadata).get("namespace") or owner.get("namespace") or "default"
        spec = at(value, *place.spec) or {}
        pod: Pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        made, result, denial = self._one(pod, namespace)
        yield from made
        if denial:
            yield found("SI003", f"{name} is denied: {denial}", _in_file(given, base))
        if result is None:
            return
        for rule, message, path in result_rules(pod, result, self._injector, namespace):
            prefix = ".".join(place.spec if path.startswith("spec") else in_template)
            own = prefix + path.removeprefix("spec").removeprefix("metadata")
            yield found(rule, f"{name}: {message}", _in_file(given, base, own))


def _is_named(value: JSONObject) -> bool:
    return all(isinstance(value.get(key), str) for key in ("apiVersion", "kind"))


def _unknown_workload(given: Given, value: JSONObject, base: Path) -> Iterator[Finding]:
    """Yield a finding for an object of an unknown kind that has containers."""
    # For a list of them there is no finding: no --pod-template-path can name one.
    named = [spec for spec in pod_specs(value) if all(isinstance(step, str) for step in spec)]
    if not named:
        return
    holder = next(filter(template_of, named), named[0])
    words = f"no workload is known: {value['kind']} has containers at {written(holder)}"
    template, place = template_of(holder), _in_file(given, base, written(holder))
    advice = f"give --pod-template-path {template}" if template else "lint the pods that it makes"
    yield found("SI004", words if template else f"{words}, {NO_TEMPLATE}", place, advice=advice)


def _own_words(error: TemplateError) -> str:
    """Return an error of a marked template without its column, which the marks have moved."""
    return re.sub(r"(template: \w+:\d+):\d+", r"\1", error.message)


def _in_file(given: Given, base: Path, path: str = "") -> Place:
    """Return the position of a path in the object at ``base`` of a document; without one, the object's."""
    whole = (*base, *steps_of(path))
    line, _ = given.positions.at(whole) if given.text and whole else (0, 0)
    return Place(given.source, given.line + max(line - 1, 0), path=written(whole))
