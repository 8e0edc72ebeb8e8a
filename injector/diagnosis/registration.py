"""Which webhook entries kube-apiserver calls for a pod's creation, and which selector prevents a call.

The order and the rules are those of ShouldCallHook in k8s.io/apiserver
(`pkg/admission/plugin/webhook/generic/webhook.go`): namespaceSelector, objectSelector, rules,
matchConditions. Here all four are always checked, so that one answer names everything that has to change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from injector.diagnosis.arrival import Arrival
from injector.diagnosis.conditions import evaluate
from injector.diagnosis.findings import Place
from injector.diagnosis.items import Item, Path
from injector.errors import InjectorError
from injector.injection.selector import Requirement, Selector
from injector.injection.steps.pods import labels_of
from injector.json_types import JSON, JSONObject, at

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label that every API server gives every namespace."""

FAMILY: Final = "sidecar-injector.istio.io"
"""The name of the entries of Istio's injector and ours, or its ending after a dot."""

Kind = Literal["no", "unknown", "rejected"]
Outcome = Literal["called", "skipped", "unknown", "rejected"]
Role = Literal["ours", "rival", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle:
    """Why an entry is not called for a pod.

    ``unknown``: it may be called, what decides is unknown. ``rejected``: the API server refuses the pod.
    ``rule`` is the field of the entry that decides.
    """

    kind: Kind
    rule: str
    message: str
    place: Place
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One webhook entry and what keeps it from one pod; without an obstacle it is called."""

    configuration: Item
    place: Place
    value: JSONObject
    role: Role
    obstacles: tuple[Obstacle, ...]
    weight: int
    """The number of conditions: of two entries that nearly match, the simpler one is probably meant."""

    @property
    def name(self) -> str:
        """The entry's name."""
        return str(self.value.get("name") or "")

    @property
    def outcome(self) -> Outcome:
        """The result of the call: a selector or a condition that says no beats all else."""
        kinds = {each.kind for each in self.obstacles}
        if "no" in kinds:
            return "skipped"
        return "unknown" if "unknown" in kinds else "rejected" if kinds else "called"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """How to recognise our entries: by their name, as in `serve --webhook-name`.

    Without a name, an injector's entry is ours unless its Service is istiod; if there are only istiod's, it
    is those.
    """

    name: str = ""

    def matches(self, entry: JSONObject) -> bool:
        """Return whether the entry has this name."""
        name = str(entry.get("name") or "")
        if self.name.startswith("*."):
            return name.endswith(self.name[1:]) or name == self.name[2:]
        return name == self.name


def entries(
    configurations: Sequence[Item], arrival: Arrival, namespace: Item | None, ours: Ours
) -> list[Entry]:
    """Return every entry of every configuration for one pod, in the order in which they are called.

    ``namespace`` is the pod's Namespace, None where it is unknown.
    """
    return [
        Entry(
            configuration=item,
            place=item.at("webhooks", index),
            value=entry,
            role=role,
            obstacles=tuple(_obstacles(item, index, entry, arrival, namespace)),
            weight=_weight(item, entry),
        )
        for item, index, entry, role in _all(configurations, ours)
    ]


def owned(configurations: Sequence[Item], ours: Ours) -> list[tuple[Item, JSONObject]]:
    """Return our entries, each with its configuration."""
    return [(item, entry) for item, _, entry, role in _all(configurations, ours) if role == "ours"]


def _all(configurations: Sequence[Item], ours: Ours) -> list[tuple[Item, int, JSONObject, Role]]:
    """Return every entry in the order in which they are called: that of their configurations' names."""
    found = [
        (item, index, entry)
        for item in sorted(configurations, key=lambda each: each.name)
        for index, entry in _objects(item.value.get("webhooks"))
    ]
    roles = _roles([entry for _, _, entry in found], ours)
    return [(*each, role) for each, role in zip(found, roles, strict=True)]


def _objects(values: JSON) -> list[tuple[int, JSONObject]]:
    """Return the objects of a list with their indices; an API server accepts only lists of objects."""
    if not isinstance(values, list):
        return []
    return [(index, each) for index, each in enumerate(values) if isinstance(each, dict)]


# ---- whose they are


def _roles(found: Sequence[JSONObject], ours: Ours) -> list[Role]:
    injectors = [_is_injector(entry) for entry in found]
    if ours.name:
        mine = [ours.matches(entry) for entry in found]
    else:
        mine = [_is_injector(entry) and not _is_of_istiod(entry) for entry in found]
        if not any(mine):
            mine = injectors
    return [
        "ours" if own else "rival" if injector else "other"
        for own, injector in zip(mine, injectors, strict=True)
    ]


def _is_injector(entry: JSONObject) -> bool:
    name = str(entry.get("name") or "")
    return name == FAMILY or name.endswith(f".{FAMILY}") or _path(entry).startswith("/inject")


def _is_of_istiod(entry: JSONObject) -> bool:
    return str(at(entry, "clientConfig", "service", "name") or "").startswith("istiod")


def _path(entry: JSONObject) -> str:
    url = str(at(entry, "clientConfig", "url") or "")
    _, _, path = url.partition("://")[2].partition("/")
    return f"/{path}" if url else str(at(entry, "clientConfig", "service", "path") or "")


# ---- whether they are called


def _obstacles(
    item: Item, index: int, entry: JSONObject, arrival: Arrival, namespace: Item | None
) -> Iterator[Obstacle]:
    at: Path = ("webhooks", index)
    if not any(_rule_matches(rule, arrival) for _, rule in _objects(entry.get("rules"))):
        message = 'no rule of it is for CREATE of pods (apiGroups [""], apiVersions [v1], resources [pods])'
        advice = "add such a rule to the webhook"
        yield _obstacle("no", item, (*at, "rules"), message, advice)
        return
    if arrival.namespace:
        place = (*at, "namespaceSelector")
        yield from _by_namespace(item, place, entry.get("namespaceSelector") or {}, arrival, namespace)
    yield from _by_labels(item, (*at, "objectSelector"), entry.get("objectSelector") or {}, arrival)
    yield from _by_conditions(item, (*at, "matchConditions"), entry, arrival)


def _weight(item: Item, entry: JSONObject) -> int:
    keys = ("namespaceSelector", "objectSelector")
    found = (each for key in keys for each in _parsed(item, (key,), entry.get(key) or {}))
    return sum(isinstance(each, Requirement) for each in found)


def _rule_matches(rule: JSONObject, arrival: Arrival) -> bool:
    """Return whether a rule is for the creation of a pod (k8s.io/apiserver, predicates/rules)."""
    resources = rule.get("resources")
    scope = "Namespaced" if arrival.namespace else "Cluster"
    return (
        (rule.get("scope") or "*") in ("*", scope)
        and _has(rule.get("operations"), "CREATE")
        and _has(rule.get("apiGroups"), "")
        and _has(rule.get("apiVersions"), "v1")
        and isinstance(resources, list)
        and any(_is_pods(str(resource)) for resource in resources)
    )


def _has(items: JSON, wanted: str) -> bool:
    return isinstance(items, list) and ("*" in items or wanted in items)


def _is_pods(resource: str) -> bool:
    name, _, subresource = resource.partition("/")
    return name in ("*", "pods") and subresource in ("", "*")


def _by_namespace(
    item: Item, path: Path, selector: JSONObject, arrival: Arrival, namespace: Item | None
) -> Iterator[Obstacle]:
    known = {NAME_LABEL: arrival.namespace}
    labels = known | (namespace.labels if namespace else {})
    for requirement in _parsed(item, path, selector):
        if isinstance(requirement, Obstacle):
            yield requirement
            continue
        wants = f"namespaceSelector wants {described(requirement)}"
        if namespace is None and requirement.key != NAME_LABEL:
            message = f"the labels of namespace {arrival.namespace} are not known, {wants}"
            advice = f"give its Namespace too: kubectl get namespace {arrival.namespace} -o yaml"
            yield _obstacle("unknown", item, path, message, advice)
        elif not requirement.matches(labels):
            message = f"namespace {arrival.namespace} has {_has_label(requirement.key, labels)}, {wants}"
            advice = _relabelled(requirement, f"kubectl label namespace {arrival.namespace}")
            if requirement.key == NAME_LABEL:
                advice = "this registration leaves the namespace out on purpose: use another namespace"
            yield _obstacle("no", item, path, message, advice)


def _by_labels(item: Item, path: Path, selector: JSONObject, arrival: Arrival) -> Iterator[Obstacle]:
    labels = labels_of(arrival.pod)
    for requirement in _parsed(item, path, selector):
        if isinstance(requirement, Obstacle):
            yield requirement
        elif not requirement.matches(labels):
            has = _has_label(requirement.key, labels)
            message = f"the pod has {has}, objectSelector wants {described(requirement)}"
            advice = _relabelled(requirement, "")
            yield _obstacle("no", item, path, message, advice)


def _by_conditions(item: Item, path: Path, entry: JSONObject, arrival: Arrival) -> Iterator[Obstacle]:
    """Yield what the matchConditions prevent; one that is false counts more than one with an error."""
    conditions = _objects(entry.get("matchConditions"))
    if not conditions:
        return
    fails = (entry.get("failurePolicy") or "Fail") == "Fail"
    variables = {"object": arrival.seen, "oldObject": None, "request": arrival.request}
    for index, condition in conditions:
        place = (*path, index)
        expression = str(condition.get("expression") or "")
        quoted = f"matchCondition {str(condition.get('name') or '')!r} ({' '.join(expression.split())})"
        answer, reason = evaluate(expression, variables)
        if answer == "false":
            yield _obstacle("no", item, place, f"{quoted} is false for this pod")
        elif answer == "unknown":
            yield _obstacle("unknown", item, place, f"{quoted} cannot be evaluated here: {reason}")
        elif answer == "error":
            advice = (
                "test with has() or the optional syntax (object.metadata.?labels) before reading the field"
            )
            message = f"{quoted} fails on this pod: {reason}"
            ends = "so the API server refuses the pod" if fails else "and failurePolicy is Ignore"
            kind: Kind = "rejected" if fails else "no"
            yield _obstacle(kind, item, place, f"{message}, {ends}", advice)


def _obstacle(kind: Kind, item: Item, path: Path, message: str, advice: str = "") -> Obstacle:
    rule = next(str(step) for step in reversed(path) if isinstance(step, str))
    return Obstacle(kind=kind, rule=rule, message=message, place=item.at(*path), advice=advice)


def _parsed(item: Item, path: Path, selector: JSONObject) -> Iterator[Requirement | Obstacle]:
    try:
        yield from Selector.parse(selector).requirements
    except InjectorError as error:
        message = f"the selector is not a valid one, and the API server would refuse it: {error}"
        yield _obstacle("no", item, path, message)


# ---- in words


def described(requirement: Requirement) -> str:
    """Return a requirement as kubectl writes it, an equality as ``key=value``."""
    key, values = requirement.key, requirement.values
    if requirement.operator == "Exists":
        return f"the label {key}"
    if requirement.operator == "DoesNotExist":
        return f"no label {key}"
    if len(values) == 1:
        return f"{key}{'=' if requirement.operator == 'In' else '!='}{values[0]}"
    return f"{key} {requirement.operator.lower()} ({', '.join(values)})"


def _has_label(key: str, labels: Mapping[str, str]) -> str:
    return f"{key}={labels[key]}" if key in labels else f"no label {key}"


def _relabelled(requirement: Requirement, command: str) -> str:
    """Return how to change a label so that the requirement holds; ``command`` "" means a pod template."""
    key = requirement.key
    removes = requirement.operator in ("NotIn", "DoesNotExist")
    if command:
        return f"{command} {key}-" if removes else f"{command} --overwrite {key}={_wanted(requirement)}"
    if removes:
        return f"remove the label {key} from the pod template (metadata.labels of the pod)"
    return f'label the pod template, not its owner: {key}: "{_wanted(requirement)}"'


def _wanted(requirement: Requirement) -> str:
    return requirement.values[0] if requirement.values else "true"
