"""One pod in, the injected pod out: the way of a pod through Istio 1.9 and newer.

Every step is a function pod -> pod in a module of its own; what a release
does differently is in their rules. The steps work on the pod as Go's types have it; at the end the
difference is carried over to the pod as it was received, so that nothing else of it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from injector.errors import InjectionError, LimitError, TemplateError, YAMLError
from injector.injection.annotations import validate
from injector.injection.mesh.annotation import ANNOTATION as PROXY_CONFIG
from injector.injection.overlay.containers import KINDS, annotations_of, labels_of, metadata_of, with_labels
from injector.injection.overlay.environment import CLUSTER, complete, set_environment
from injector.injection.overlay.merge import Overlay, PodTypes
from injector.injection.overlay.metrics import announce_secure_port, merge_metrics
from injector.injection.overlay.native import ANNOTATION as NATIVE
from injector.injection.overlay.native import detect_native, follow_template, native_for
from injector.injection.overlay.order import order_containers
from injector.injection.overlay.overrides import Overrides, overrides_of, reapply
from injector.injection.overlay.probes import rewrite_probes
from injector.injection.overlay.rebase import rebase
from injector.injection.overlay.selection import select_templates, template_of
from injector.injection.overlay.settings import DEFAULT_CLUSTER, Settings, settings_of
from injector.injection.overlay.status import NETWORK_LABEL, mark, status_text
from injector.injection.overlay.strip import reinsert, strip
from injector.injection.overlay.users import adjust_init_user, reset_openshift_user
from injector.injection.owner import without_deployment_config
from injector.injection.render import (
    Injected,
    InjectionTemplate,
    TemplateData,
    proxy_config_of,
    render_template,
    template_data,
)
from injector.injection.request import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.json_types import JSON, Pod

TPROXY_MODE: Final = 1
"""ProxyConfig.InboundInterceptionMode.TPROXY of Istio's API."""

_LINE: Final = 32
"""Characters of a line of YAML, as the templates of Istio's charts have them on average."""

UNREADABLE: Final = Overlay("")
"""Stands for an overlay whose YAML cannot be read: like any that is no mapping, merging refuses it."""


class _Saying:
    """Puts words before the sentence of anything that is wrong with this pod, and names the gate."""

    __slots__ = ("_gate", "_what")

    def __init__(self, what: str, gate: str) -> None:
        self._what = what
        self._gate = gate

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (InjectionError, TemplateError)) and not isinstance(error, LimitError):
            said = InjectionError(f"{self._what}: {error}")
            said.gate = (error.gate if isinstance(error, InjectionError) else "") or self._gate
            raise said from error


_READING: Final = _Saying("failed to run injection template", "values")
_RUNNING: Final = _Saying("failed to run injection template", "render")
_APPLYING: Final = _Saying("failed applying injection overlay", "merge")
_PARSING: Final = _Saying(
    "failed parsing generated injected YAML (check Istio sidecar injector configuration)", "merge"
)
_REAPPLYING: Final = _Saying("failed to re apply container", "merge")
_PROCESSING: Final = _Saying("failed to process pod", "post-processing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One pod on its way: what every step may look at.

    ``original`` is the pod before injection, as Go's types have it; ``environment`` what the URL, the
    values and the pod's label set for the proxy.
    """

    request: InjectionRequest
    snapshot: Snapshot
    settings: Settings
    original: Pod
    environment: Mapping[str, str]
    native: bool


def inject_overlay(request: InjectionRequest, snapshot: Snapshot) -> Injected:
    """Inject the pod; ``request.pod`` stays as it is and shares what did not change.

    Raises InjectionError in Istio's words when the pod cannot be injected, BadReview where Istio's
    process would crash on it.
    """
    injection = _begin(request, snapshot)
    original, types = injection.original, injection.settings.rules.types
    with _READING:
        validate(annotations_of(original), snapshot.behaviour)
        kept = overrides_of(annotations_of(original), types, request.budget)
        data = _template_data(injection, kept)
    with _RUNNING:
        merged, template_pod, overlays = _run_templates(injection, data)
    with _REAPPLYING:
        merged = reapply(
            merged, original, template_pod, kept, injection.settings.rules.overrides, request.budget
        )
        merged = _adjust_users(merged, injection)
    with _PROCESSING:
        final = _post_process(merged, template_pod, injection)
    return Injected(rebase(request.pod, original, final, types.pod), data, overlays)


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
        # Nothing is known of another cluster; up to 1.21 Istio looks into its own instead.
        namespaces = {} if snapshot.behaviour.namespaces_by_cluster else snapshot.namespaces
        snapshot = replace(snapshot, nodes=None, namespaces=namespaces)
    node = (original.get("spec") or {}).get("nodeName", "")
    return Injection(
        request=request,
        snapshot=snapshot,
        settings=settings,
        original=original,
        environment=environment,
        native=detect_native(snapshot.behaviour, snapshot.env, snapshot.nodes, node),
    )


def _original(request: InjectionRequest, snapshot: Snapshot, settings: Settings) -> Pod:
    """Return the pod as Go's types have it, with the request's namespace and without managedFields."""
    received = metadata_of(request.pod)
    metadata = {key: value for key, value in received.items() if key != "managedFields" and value is not None}
    types = settings.rules.types
    if types.prints_unset_times:
        metadata.setdefault("creationTimestamp", None)
    pod = types.typed(request.pod | {"metadata": metadata}, request.budget)
    if request.namespace and not request.by_hand and "namespace" not in metadata_of(pod):
        pod = pod | {"metadata": metadata_of(pod) | {"namespace": request.namespace}}
    if snapshot.behaviour.loses_deployment_config_label and request.workload.kind == "DeploymentConfig":
        pod = with_labels(pod, without_deployment_config(dict(labels_of(pod))))
    if settings.openshift and snapshot.behaviour.resets_openshift_user and not request.by_hand:
        pod = reset_openshift_user(pod, KINDS if snapshot.behaviour.compares_init_users else ("containers",))
    return pod


# ---- the templates


def _template_data(injection: Injection, kept: Overrides) -> TemplateData:
    """Return what templates see: the pod without an earlier injection."""
    settings = injection.settings
    stripped = strip(injection.original, settings.rules.metrics, agent_port=settings.agent_port)
    pod = reinsert(stripped, kept)
    return template_data(injection.request, injection.snapshot, pod, native=injection.native)


def _run_templates(injection: Injection, data: TemplateData) -> tuple[Pod, Pod, tuple[JSON, ...]]:
    """Return the pod and an empty pod, each with every template's overlay merged in, and the overlays."""
    original, snapshot = injection.original, injection.snapshot
    types = injection.settings.rules.types
    merged: Pod = original
    template_pod: Pod | None = None
    overlays: list[JSON] = []
    budget = injection.request.budget
    entries = budget.spent.get("entries", 0)
    made: dict[str, tuple[Overlay, int]] = {}
    for name in select_templates(annotations_of(original), snapshot.config, budget):
        # Merging an overlay again may change a list without a merge key: it is done as often as Istio does.
        if name not in made:
            made[name] = _overlay(name, data, injection)
        overlay, lines = made[name]
        budget.charge("merged", entries + lines, "{} entries of the pod and lines of templates are merged")
        overlays.append(overlay.value)
        if not snapshot.behaviour.template_pod_first:
            merged = _merged_with_owner(merged, overlay, types)
        with _APPLYING:
            template_pod = _added(template_pod, overlay, types)
        if snapshot.behaviour.template_pod_first:
            merged = _merged_with_owner(_followed(merged, template_pod, injection), overlay, types)
    return merged, types.typed({}) if template_pod is None else template_pod, tuple(overlays)


def _overlay(name: str, data: TemplateData, injection: Injection) -> tuple[Overlay, int]:
    """Return the overlay of a template and about how many lines it has.

    From 1.14 Istio does not say what is wrong with its YAML.
    """
    snapshot, budget = injection.snapshot, injection.request.budget
    before = budget.spent.get("rendered", 0)
    template: InjectionTemplate = template_of(name, snapshot.templates)
    try:
        filled = render_template(template, data, snapshot, budget)
    except YAMLError as error:
        if snapshot.behaviour.overlays_are_yaml:
            return UNREADABLE, 0
        raise InjectionError(f"yaml to json: {error.reason}") from error
    lines = (budget.spent["rendered"] - before) // _LINE
    return injection.settings.rules.types.overlay(filled), lines


def _added(template_pod: Pod | None, overlay: Overlay, types: PodTypes) -> Pod:
    return types.on_empty_pod(overlay) if template_pod is None else types.merge(template_pod, overlay)


def _merged_with_owner(merged: Pod, overlay: Overlay, types: PodTypes) -> Pod:
    with _PARSING:
        return types.merge(merged, overlay)


def _followed(merged: Pod, template_pod: Pod, injection: Injection) -> Pod:
    """Return the pod with the owner's proxy where this template's native sidecar will be."""
    annotation = annotations_of(merged).get(NATIVE)
    if native_for(annotation, injection.snapshot.behaviour, by_default=injection.native):
        return follow_template(merged, template_pod)
    return merged


# ---- after the templates


def _adjust_users(pod: Pod, injection: Injection) -> Pod:
    if not injection.snapshot.behaviour.adjusts_init_user:
        return pod
    config = proxy_config_of(injection.request, injection.snapshot)
    tproxy = config is not None and config.get("interceptionMode") == TPROXY_MODE
    return adjust_init_user(pod, injection.original, tproxy=tproxy)


def _post_process(pod: Pod, template_pod: Pod, injection: Injection) -> Pod:
    settings, behaviour = injection.settings, injection.snapshot.behaviour
    rules = settings.rules
    pod = set_environment(pod, injection.environment, rules.proxies)
    pod = merge_metrics(
        pod, rules.metrics, by_default=settings.merges_metrics, agent_port=settings.agent_port
    )
    if rules.metrics.targets:
        pod = announce_secure_port(pod, rules.metrics)
    pod = rewrite_probes(
        pod,
        rules.probes,
        by_default=settings.rewrites_probes,
        mesh_port=settings.agent_port,
        budget=injection.request.budget,
    )
    revision = injection.snapshot.revision if behaviour.status_revision else None
    pod = mark(
        pod,
        status_text(template_pod, revision),
        environment=injection.environment,
        injected=injection.snapshot.config.injected_annotations,
    )
    native = behaviour.native_sidecars_by_feature
    return order_containers(pod, holds_application=_holds_application(injection), native=native)


def _holds_application(injection: Injection) -> bool:
    """Tell whether the application waits for the proxy: ProxyConfig resources have no say in it."""
    if injection.settings.holds_application:
        return True
    configs = injection.snapshot.proxy_configs
    own = configs.annotated(annotations_of(injection.original).get(PROXY_CONFIG)) if configs else None
    return own is not None and own.get("holdApplicationUntilProxyStarts") is True
