"""Walk a pod through everything that decides on its sidecar, and record the result of each gate.

registration → policy → templates → values → render → merge → post-processing → accepted

Nothing is decided here: the registration is judged as kube-apiserver does it (`diagnosis.registration`), and
from the policy on the functions are those that answer a review.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from injector.budget import Budget
from injector.diagnosis.accepts import REFUSED, Fault, accepted
from injector.diagnosis.arrival import Arrival, arrival_of
from injector.diagnosis.findings import Gate, Name, Place, Status, Verdict
from injector.diagnosis.items import NOT_GIVEN, Item, Path
from injector.diagnosis.registration import Entry, Ours, Outcome, entries
from injector.errors import BadReview, InjectionError, LimitError
from injector.injection.inject import inject, namespace_of, patch_of, read_pod, request_for
from injector.injection.kinds import PodPlace
from injector.injection.policy import SWITCH, Decision, Rule, decide
from injector.injection.snapshot import Snapshot
from injector.injection.steps.pipeline import TEMPLATES, select_templates
from injector.injection.steps.pods import annotations_of
from injector.injection.workload import typed_document
from injector.json_types import JSONObject, Pod

INJECTING: Final[tuple[Name, ...]] = ("templates", "values", "render", "merge", "post-processing")
"""The gates of injection itself, in the order in which a pod reaches them."""


_CONFIG: Final = Item(value={}, source="config")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSurroundings:
    """What decides about pods besides themselves.

    ``registration`` are the MutatingWebhookConfigurations, None if they were not read: ``unseen`` then says
    why. ``namespaces`` are the known Namespaces, by name. ``config`` is where the configuration is.
    """

    snapshot: Snapshot
    registration: Sequence[Item] | None = None
    unseen: str = NOT_GIVEN
    namespaces: Mapping[str, Item] = field(default_factory=dict)
    ours: Ours = field(default_factory=Ours)
    config: Item = _CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """The way of one workload's pod: its gates in order, up to the first that stopped it.

    ``pod`` is the pod as it arrives, ``injected`` as it leaves: the same object if it is not injected.
    """

    item: Item
    namespace: str
    verdict: Verdict
    gates: tuple[Gate, ...]
    pod: Pod
    injected: Pod

    @property
    def decisive(self) -> Gate:
        """The gate that stopped it or left it open, else the one that let it in: the policy."""
        stopped = next((gate for gate in self.gates if gate.status == "stopped"), None)
        if stopped:
            return stopped
        wanted = "registration" if self.verdict == "unknown" else "policy"
        return next(gate for gate in self.gates if gate.name == wanted)

    @property
    def warnings(self) -> tuple[Gate, ...]:
        """Further remarks."""
        return tuple(gate for gate in self.gates if gate.status == "warned" and gate is not self.decisive)


def walk(item: Item, place: PodPlace, namespace: str, around: PodSurroundings) -> Walk:
    """Walk the pod of one workload through the gates; ``namespace`` applies where it names none."""
    path = place.spec[:-1]
    try:
        document = typed_document(item.value, place, around.snapshot.behaviour)
    except InjectionError as error:
        gate = Gate(name="values", status="stopped", rule="object", message=str(error), place=item.at(*path))
        return Walk(
            item=item, namespace=namespace, verdict="denied", gates=(gate,), pod=_NO_POD, injected=_NO_POD
        )
    owner: JSONObject = document.get("metadata") or {}
    arrival = arrival_of(document, place, owner.get("namespace") or namespace)
    verdict, gates = registration_gates(item, arrival, around)
    injected = arrival.pod
    if verdict in ("injected", "unknown"):
        injected, ours = injection_gates(item, path, arrival, around)
        gates += ours
        if stopped := next((gate for gate in ours if gate.status == "stopped"), None):
            verdict = "skipped" if stopped.name == "policy" else "denied"
    return Walk(
        item=item,
        namespace=arrival.namespace,
        verdict=verdict,
        gates=tuple(gates),
        pod=arrival.pod,
        injected=injected,
    )


# ---- whether kube-apiserver calls our webhook for it, and what else may come of that


_MEANING: Final[dict[Outcome, tuple[Verdict, Status]]] = {
    "rejected": ("denied", "stopped"),
    "called": ("injected", "passed"),
    "unknown": ("unknown", "warned"),
    "skipped": ("skipped", "stopped"),
}
"""The result of several entries: the first of these that one of them has."""


def registration_gates(item: Item, arrival: Arrival, around: PodSurroundings) -> tuple[Verdict, list[Gate]]:
    """Return whether the injector is called for a pod (`injected` if it is), and the gate."""
    if around.registration is None:
        message = f"not looked at: {around.unseen}"
        return "unknown", [_of_registration("warned", "unseen", message, item.at(), _SHOW_REGISTRATION)]
    namespace = around.namespaces.get(arrival.namespace)
    found = entries(around.registration, arrival, namespace, around.ours)
    if mine := [entry for entry in found if entry.role == "ours"]:
        return _judged(mine, found)
    message = "no MutatingWebhookConfiguration has an entry of the injector: it is never asked"
    advice = "apply k8s/, or `serve --create-webhook`; `--webhook-name` says how the entry is called"
    return "skipped", [_of_registration("stopped", "unregistered", message, item.at(), advice)]


def _of_registration(status: Status, rule: str, message: str, place: Place, advice: str = "") -> Gate:
    return Gate(name="registration", status=status, rule=rule, message=message, place=place, advice=advice)


def _judged(mine: Sequence[Entry], found: Sequence[Entry]) -> tuple[Verdict, list[Gate]]:
    """Return the result of the call to our entries, of which there is at least one, and why.

    ``found`` are all entries, in the order in which they are called.
    """
    outcome = next(each for each in _MEANING if any(entry.outcome == each for entry in mine))
    verdict, status = _MEANING[outcome]
    entry = _nearest([entry for entry in mine if entry.outcome == outcome])
    if outcome != "called":
        return verdict, list(_hindered(entry, status))
    message = f"the API server calls webhook {entry.name} for it"
    return verdict, [_of_registration(status, "called", message, entry.place), *_company(entry, found)]


def _nearest(candidates: Sequence[Entry]) -> Entry:
    """Return the entry that the pod misses by the least, of several such the simplest."""
    return min(candidates, key=lambda each: (len(each.obstacles), each.weight))


def _hindered(entry: Entry, status: Status) -> Iterator[Gate]:
    """Yield what prevents the call; after the first only what would have to change as well."""
    kind = "no" if entry.outcome == "skipped" else entry.outcome
    obstacles = [each for each in entry.obstacles if each.kind == kind]
    words = f"webhook {entry.name} is not called: " if kind == "no" else f"webhook {entry.name}: "
    for each in obstacles:
        yield _of_registration(status, each.rule, f"{words}{each.message}", each.place, each.advice)
        status, words = "warned", "and "


def _company(entry: Entry, found: Sequence[Entry]) -> Iterator[Gate]:
    """Yield what can go wrong although the entry is called."""

    def warned(rule: str, message: str, about: Entry, advice: str) -> Gate:
        return _of_registration("warned", rule, message, about.place, advice)

    if entry.value.get("failurePolicy") == "Ignore":
        message = (
            f"webhook {entry.name} has failurePolicy Ignore: while it does not answer, pods lack the sidecar"
        )
        yield warned("failurePolicy", message, entry, "set failurePolicy: Fail")
    for other in found:
        if other.role == "ours" or other.outcome not in ("called", "rejected"):
            continue
        if other.outcome == "rejected":
            yield warned("matchConditions", f"webhook {other.name}: {other.obstacles[0].message}", other, "")
        elif other.role == "rival":
            message = f"webhook {other.name} of {other.configuration.name} is called too, and injects as well"
            advice = "have one injector answer for the namespace: change its label or one of the selectors"
            yield warned("rival", message, other, advice)
        elif found.index(other) > found.index(entry) and entry.value.get("reinvocationPolicy") != "IfNeeded":
            message = f"webhook {other.name} is called later: what it changes, the injector does not see"
            yield warned("reinvocationPolicy", message, other, "set reinvocationPolicy: IfNeeded of ours")


# ---- what the injector makes of it


def injection_gates(
    item: Item, path: Path, arrival: Arrival, around: PodSurroundings
) -> tuple[Pod, list[Gate]]:
    """Return the pod as the injector leaves it, and its gates from the policy on.

    ``path`` is where the pod's template is in the workload.
    """
    record = _Record(item, path, around.config)
    try:
        injected = _injected(arrival, around, record)
    except (InjectionError, BadReview) as error:
        record.stopped_by(error, arrival)
        return arrival.pod, record.gates
    if injected is not arrival.pod:
        record.judged(accepted(injected))
    return injected, record.gates


def _injected(arrival: Arrival, around: PodSurroundings, record: _Record) -> Pod:
    """Do what a review does (`injection.inject.inject_one`), and record every step."""
    snapshot = around.snapshot
    behaviour, budget = snapshot.behaviour, Budget(snapshot.limits)
    received = read_pod(arrival.pod, behaviour, budget)
    namespace = namespace_of(received, arrival.namespace, behaviour)
    decision = decide(received, namespace, snapshot.config, behaviour)
    record.decided(decision, snapshot.config.policy)
    if not decision.inject:
        return arrival.pod
    request = request_for(received, namespace, arrival.namespace, "/inject", snapshot, budget)
    injected = inject(request, snapshot).pod
    try:
        patch_of(arrival.pod, injected, budget)
    except LimitError as error:
        error.gate = "post-processing"  # our last gate: all others have passed
        raise
    record.injected(received, injected, snapshot)
    return injected


class _Record:
    """The gates of one pod so far, each with its place."""

    def __init__(self, item: Item, path: Path, config: Item) -> None:
        self._item = item
        self._path = path
        self._config = config
        self.gates: list[Gate] = []

    def say(
        self, name: Name, status: Status, rule: str, message: str, place: Place, advice: str = ""
    ) -> None:
        """Record one gate."""
        gate = Gate(name=name, status=status, rule=rule, message=message, place=place, advice=advice)
        self.gates.append(gate)

    def decided(self, decision: Decision, policy: str) -> None:
        """Record the policy's decision, which is the review's own."""
        status: Status = "passed" if decision.inject else "stopped"
        holder, path, advice = RULES_OF_POLICY[decision.rule]
        if decision.inject:
            advice = ""
        elif decision.rule == "policy" and policy not in ("enabled", "disabled"):
            advice = "write policy: enabled or policy: disabled"
        self.say("policy", status, decision.rule, decision.reason, self._at(holder, path), advice)

    def injected(self, received: Pod, injected: Pod, snapshot: Snapshot) -> None:
        """Record the gates that an injected pod has passed."""
        self._templates(received, snapshot)
        passed: tuple[tuple[Name, str, Place], ...] = (
            ("values", "the pod's annotations can be used", self._in_pod("metadata", "annotations")),
            ("render", "every template becomes YAML", self._config.at("templates")),
            ("merge", _added(received, injected), self._in_pod("spec")),
            ("post-processing", "environment, metrics, probes and status are set", self._in_pod()),
        )
        for name, message, place in passed:
            self.say(name, "passed", name, message, place)

    def stopped_by(self, error: InjectionError | BadReview, arrival: Arrival) -> None:
        """Record the gate that stopped the pod, at the annotation that the error names, if any."""
        known = error.gate if isinstance(error, InjectionError) else ""
        gate: Name = next((name for name in INJECTING if name == known), "render")
        annotations = annotations_of(arrival.pod)
        longest = sorted(annotations, key=len, reverse=True)
        named = next((key for key in longest if key in str(error)), None)
        if gate == "templates" and TEMPLATES in annotations:
            named = TEMPLATES
        if named:
            place = self._in_pod("metadata", "annotations", named)
        else:
            place = self._config.at("templates") if gate in ("templates", "render") else self._in_pod()
        self.say(gate, "stopped", gate, str(error), place)

    def judged(self, faults: Sequence[Fault]) -> None:
        """Record what an API server refuses of the injected pod."""
        for path, message in faults:
            self.say("accepted", "stopped", REFUSED, message, Place(self._item.source, path=path))
        if not faults:
            message = "an API server finds nothing wrong with it"
            self.say("accepted", "passed", "accepted", message, self._in_pod())

    def _templates(self, received: Pod, snapshot: Snapshot) -> None:
        annotations = annotations_of(received)
        names: tuple[str, ...] = ("sidecar",)
        place = self._config.at("template")
        if snapshot.behaviour.overlays:
            names = select_templates(annotations, snapshot.config, Budget(snapshot.limits))
            place = self._config.at("defaultTemplates")
            if TEMPLATES in annotations:
                place = self._in_pod("metadata", "annotations", TEMPLATES)
        self.say("templates", "passed", "templates", f"templates: {', '.join(names) or 'none'}", place)

    def _at(self, holder: Holder, path: Path) -> Place:
        if holder == "configuration":
            return self._config.at(*path)
        return self._item.at(*path) if holder == "workload" else self._in_pod(*path)

    def _in_pod(self, *path: str | int) -> Place:
        return self._item.at(*self._path, *path)


_NO_POD: Final[Pod] = {"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {}}

_SHOW_REGISTRATION: Final = (
    "give it too, and the namespaces: "
    "kubectl get mutatingwebhookconfigurations,namespaces -o yaml > cluster.yaml; -f cluster.yaml"
)

_ON_TEMPLATE: Final = f'{SWITCH}: "true"'

Holder = Literal["pod", "workload", "configuration"]

RULES_OF_POLICY: Final[Mapping[Rule, tuple[Holder, Path, str]]] = {
    "host-network": (
        "pod",
        ("spec", "hostNetwork"),
        "such a pod cannot be injected: its traffic is the node's; set hostNetwork to false",
    ),
    "ignored-namespace": (
        "workload",
        ("metadata", "namespace"),
        "deploy it to another namespace: this one is the cluster's own",
    ),
    "label": (
        "pod",
        ("metadata", "labels", SWITCH),
        f"change the label on the pod template to {_ON_TEMPLATE}, or remove it",
    ),
    "annotation": (
        "pod",
        ("metadata", "annotations", SWITCH),
        f"change the annotation on the pod template to {_ON_TEMPLATE}, or remove it",
    ),
    "never-selector": (
        "configuration",
        ("neverInjectSelector",),
        "change the pod's labels, or neverInjectSelector in the configuration",
    ),
    "always-selector": ("configuration", ("alwaysInjectSelector",), ""),
    "policy": (
        "configuration",
        ("policy",),
        f"label the pod template {_ON_TEMPLATE}, or set policy: enabled in the configuration",
    ),
}
"""Where each rule of `decide` is written, and what to change if it has stopped the pod."""


_KINDS: Final = (("initContainers", "init containers"), ("containers", "containers"))


def _added(before: Pod, after: Pod) -> str:
    """Return what injection has added or moved: the names of containers, the number of volumes."""
    known = {name for key, _ in _KINDS for name in _names(before, key)}
    added, moved = [], []
    for key, word in _KINDS:
        here = _names(before, key)
        new = [name for name in _names(after, key) if name not in here]
        if names := [name for name in new if name not in known]:
            added.append(f"{word} {', '.join(names)}")
        if names := [name for name in new if name in known]:
            moved.append(f"moves {', '.join(names)} to {word}")
    if volumes := len({*_names(after, "volumes")} - {*_names(before, "volumes")}):
        added.append(f"{volumes} volumes" if volumes > 1 else "1 volume")
    parts = [f"adds {'; '.join(added)}"] if added else []
    return "; ".join([*parts, *moved]) or "adds no container and no volume"


def _names(pod: Pod, key: str) -> list[str]:
    return [str(each.get("name")) for each in (pod.get("spec") or {}).get(key) or ()]
