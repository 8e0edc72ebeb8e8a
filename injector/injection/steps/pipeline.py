"""Inject one pod as Istio 1.9 and newer do: run the templates, then the steps in order.

Each of `STEPS` is a function of a module of its own that changes a `Draft` of the pod; what a release does
differently it asks of the release's facts. The steps work on the pod as Go's types have it; at the end the
difference is carried over to the pod as it was received, so that nothing else of it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from injector.budget import Budget
from injector.errors import InjectionError, LimitError, TemplateError, YAMLError
from injector.golang.strconv import quote
from injector.golang.unicode import trim_space
from injector.injection.config import InjectConfig
from injector.injection.owner import without_deployment_config
from injector.injection.render import Injected, InjectionRequest, TemplateData, render_template, template_data
from injector.injection.snapshot import Snapshot
from injector.injection.steps.environment import CLUSTER, NETWORK_LABEL, complete, set_environment
from injector.injection.steps.merge import Overlay, PodTypes
from injector.injection.steps.metrics import announce_secure_port, merge_metrics
from injector.injection.steps.order import (
    NATIVE,
    detect_native,
    follow_template,
    native_for,
    order_containers,
)
from injector.injection.steps.overrides import overrides_of, reapply, reinsert
from injector.injection.steps.pods import (
    KINDS,
    Draft,
    all_names,
    annotations_of,
    labels_of,
    metadata_of,
    with_labels,
)
from injector.injection.steps.probes import rewrite_probes
from injector.injection.steps.rebase import rebase
from injector.injection.steps.settings import DEFAULT_CLUSTER, Injection, Settings, Step, settings_of
from injector.injection.steps.status import mark, strip
from injector.injection.steps.users import adjust_init_user, reset_openshift_user
from injector.istio.annotations import validate
from injector.json_types import JSON, Pod

TEMPLATES: Final = "inject.istio.io/templates"

_NO_VALUES: Final = "failed to parse values.yaml; check Istiod logs for errors"

_LINE: Final = 32
"""Characters of a line of YAML: the average in the templates of Istio's charts."""

UNREADABLE: Final = Overlay("")
"""Stands for an overlay with unreadable YAML: merging refuses it, as it refuses all that are not mappings."""


class _Phase(NamedTuple):
    """A part of an injection: the prefix of its error messages, and the gate that they name."""

    words: str
    gate: str

    def said(self, error: InjectionError | TemplateError) -> InjectionError:
        """Return the error to report; a LimitError is reported unchanged.

        The caller raises it: an error in a local variable of the raising frame keeps that frame's objects
        alive, and so the whole pod, until the garbage collector runs.
        """
        gate = error.gate if isinstance(error, InjectionError) else ""
        return InjectionError(f"{self.words}: {error}", gate=gate or self.gate)


_READING: Final = _Phase("failed to run injection template", "values")
_RUNNING: Final = _Phase("failed to run injection template", "render")
_APPLYING: Final = _Phase("failed applying injection overlay", "merge")
_PARSING: Final = _Phase(
    "failed parsing generated injected YAML (check Istio sidecar injector configuration)", "merge"
)
_REAPPLYING: Final = _Phase("failed to re apply container", "merge")
_PROCESSING: Final = _Phase("failed to process pod", "post-processing")

STEPS: Final[tuple[Step, ...]] = (
    set_environment,
    merge_metrics,
    announce_secure_port,
    rewrite_probes,
    mark,
    order_containers,
)
"""The steps after the templates and the owner's own containers, in order."""


def inject_overlay(request: InjectionRequest, snapshot: Snapshot) -> Injected:
    """Inject the pod; ``request.pod`` is not changed, and the result shares its unchanged parts.

    Raises InjectionError in Istio's words when the pod cannot be injected, BadReview where Istio's
    process would crash on it.
    """
    injection = _begin(request, snapshot)
    original, types = injection.original, injection.settings.types
    annotations = injection.annotations
    phase = _READING
    try:
        validate(annotations, snapshot.behaviour)
        injection.kept = overrides_of(annotations, types, request.budget)
        data = _template_data(injection)
        phase = _RUNNING
        pod, overlays = _run_templates(injection, data)
        phase = _REAPPLYING
        pod = adjust_init_user(reapply(pod, injection), injection)
        phase = _PROCESSING
        draft = Draft(pod, injection.settings.proxies)
        for step in STEPS:
            step(draft, injection)
    except LimitError:
        raise
    except (InjectionError, TemplateError) as error:
        raise phase.said(error) from error
    return Injected(rebase(request.pod, original, draft.pod(), types.pod), data, overlays)


# ---- before the templates


def _begin(request: InjectionRequest, snapshot: Snapshot) -> Injection:
    settings = settings_of(snapshot)
    original = _original(request, snapshot, settings)
    environment = complete(
        request.url_environment,
        cluster=settings.cluster,
        network=settings.network,
        label=labels_of(original).get(NETWORK_LABEL),
    )
    if (environment.get(CLUSTER) or DEFAULT_CLUSTER) != settings.local_cluster:
        # Nodes and namespaces of another cluster are unknown; up to 1.21 Istio uses its own namespaces.
        namespaces = {} if snapshot.behaviour.namespaces_by_cluster else snapshot.namespaces
        snapshot = replace(snapshot, nodes=None, namespaces=namespaces)
    node = (original.get("spec") or {}).get("nodeName", "")
    return Injection(
        request=request,
        snapshot=snapshot,
        settings=settings,
        original=original,
        annotations=annotations_of(original),
        environment=environment,
        owned=all_names(original),
        native=detect_native(snapshot.behaviour, snapshot.env, snapshot.nodes, node),
    )


def _original(request: InjectionRequest, snapshot: Snapshot, settings: Settings) -> Pod:
    """Return the pod as Go's types have it, with the request's namespace and without managedFields."""
    received = metadata_of(request.pod)
    metadata = {key: value for key, value in received.items() if key != "managedFields" and value is not None}
    types = settings.types
    if types.prints_unset_times:
        metadata.setdefault("creationTimestamp", None)
    pod = request.pod | {"metadata": metadata}
    pod = types.typed(pod, request.budget, has_plain_spec=request.has_plain_spec)
    if request.namespace and not request.by_hand and "namespace" not in metadata_of(pod):
        pod = pod | {"metadata": metadata_of(pod) | {"namespace": request.namespace}}
    if snapshot.behaviour.loses_deployment_config_label and request.workload.kind == "DeploymentConfig":
        pod = with_labels(pod, without_deployment_config(dict(labels_of(pod))))
    if settings.openshift and snapshot.behaviour.resets_openshift_user and not request.by_hand:
        pod = reset_openshift_user(pod, KINDS if snapshot.behaviour.compares_init_users else ("containers",))
    return pod


# ---- the templates


def select_templates(annotations: Mapping[str, str], config: InjectConfig, budget: Budget) -> tuple[str, ...]:
    """Return the templates to apply, in order; an alias is resolved once and may be empty.

    Raises LimitError where there are too many, whether they are named or stand behind aliases.
    """
    listed = annotations.get(TEMPLATES)
    if listed is None:
        asked: Iterable[str] = config.default_templates
        sentence = "{} templates apply to the pod by default"
    else:
        asked = (trim_space(name) for name in listed.split(","))
        sentence = f"{TEMPLATES} names {{}} templates"
        budget.hold("templates", listed.count(",") + 1, sentence)
    aliases = config.aliases
    templates = tuple([template for name in asked for template in aliases.get(name, (name,))])
    budget.hold("templates", len(templates), sentence)
    return templates


def _template_data(injection: Injection) -> TemplateData:
    """Return what templates see: the pod without an earlier injection."""
    behaviour, agent_port = injection.snapshot.behaviour, injection.settings.agent_port
    pod = reinsert(strip(injection.original, behaviour, agent_port=agent_port), injection.kept)
    data = template_data(injection.request, injection.snapshot, pod, native=injection.native)
    if injection.snapshot.denies_all:
        raise InjectionError(_NO_VALUES)
    return data


def _run_templates(injection: Injection, data: TemplateData) -> tuple[Pod, tuple[JSON, ...]]:
    """Return the pod with every template's overlay merged in, and the overlays; set the template pod."""
    original, snapshot = injection.original, injection.snapshot
    types = injection.settings.types
    merged: Pod = original
    template_pod: Pod | None = None
    overlays: list[JSON] = []
    budget = injection.request.budget
    entries = budget.spent.get("entries", 0)
    made: dict[str, tuple[Overlay, int]] = {}
    for name in select_templates(injection.annotations, snapshot.config, budget):
        # Merging an overlay again may change a list without a merge key: it is done as often as Istio does.
        if name not in made:
            made[name] = _overlay(name, data, injection)
        overlay, lines = made[name]
        budget.charge("merged", entries + lines, "{} entries of the pod and lines of templates are merged")
        overlays.append(overlay.value)
        if not snapshot.behaviour.template_pod_first:
            merged = _merged_with_owner(merged, overlay, types)
        try:
            template_pod = (
                types.on_empty_pod(overlay) if template_pod is None else types.merge(template_pod, overlay)
            )
        except LimitError:
            raise
        except InjectionError as error:
            raise _APPLYING.said(error) from error
        if snapshot.behaviour.template_pod_first:
            merged = _merged_with_owner(_followed(merged, template_pod, injection), overlay, types)
    injection.template_pod = types.typed({}) if template_pod is None else template_pod
    return merged, tuple(overlays)


def _overlay(name: str, data: TemplateData, injection: Injection) -> tuple[Overlay, int]:
    """Return the overlay of a template and about how many lines it has.

    From 1.14 Istio does not say what is wrong with its YAML.
    """
    snapshot, budget = injection.snapshot, injection.request.budget
    before = budget.spent.get("rendered", 0)
    template = snapshot.templates.get(name)
    if template is None:
        known = ", ".join(sorted(snapshot.templates))
        raise InjectionError(f"requested template {quote(name)} not found; have {known}", gate="templates")
    try:
        filled = render_template(template, data, snapshot, budget)
    except YAMLError as error:
        if snapshot.behaviour.overlays_are_yaml:
            return UNREADABLE, 0
        raise InjectionError(f"yaml to json: {error.reason}") from error
    lines = (budget.spent["rendered"] - before) // _LINE
    return injection.settings.types.overlay(filled), lines


def _merged_with_owner(merged: Pod, overlay: Overlay, types: PodTypes) -> Pod:
    try:
        return types.merge(merged, overlay)
    except LimitError:
        raise
    except InjectionError as error:
        raise _PARSING.said(error) from error


def _followed(merged: Pod, template_pod: Pod, injection: Injection) -> Pod:
    """Return the pod with the owner's proxy where this template's native sidecar will be."""
    annotation = annotations_of(merged).get(NATIVE)
    if native_for(annotation, injection.snapshot.behaviour, by_default=injection.native):
        return follow_template(merged, template_pod)
    return merged
