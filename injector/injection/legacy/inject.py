"""One pod in, the injected pod out: the way of a pod through Istio 1.0 to 1.8.

The template makes a SidecarInjectionSpec; code appends it to the pod. The webhook and kube-inject do
that in two ways up to 1.7, and in one from 1.8 on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from injector.errors import InjectionError, TemplateError, YAMLError
from injector.injection.legacy.defaults import with_container_defaults, with_volume_defaults
from injector.injection.legacy.metadata import (
    KNOWN_ANNOTATIONS,
    NETWORK,
    SCRAPE_CONFIG,
    annotations_of,
    labels_by_hand,
    labels_of,
    labels_to_add,
    merged_annotations,
    merges_metrics,
    metadata_of,
    scrape_configuration,
)
from injector.injection.legacy.probes import agent_port, rewritten, told_probers, wants_rewriting
from injector.injection.legacy.sidecar import (
    PROXY,
    VALIDATION,
    find_proxy,
    name_of,
    with_account_token,
    with_concurrency,
    with_env,
    with_proxy,
    with_url_environment,
)
from injector.injection.legacy.spec import SidecarInjectionSpec, decode_spec, parsing_failed
from injector.injection.legacy.status import (
    STATUS,
    EarlierInjection,
    earlier_injection,
    template_version,
    written_status,
)
from injector.injection.render import render_template, template_data
from injector.injection.request import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.istio.annotations import validate
from injector.istio.mesh.message import Message
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod, at
from injector.patch import go_type, normalise

_GROUP: Final = 1337
_SECURITY_CONTEXT: Final = go_type("core/v1.PodSecurityContext")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    """What the template gave for one pod."""

    spec: SidecarInjectionSpec
    status: str
    environment: Mapping[str, str]
    mesh_port: int
    holds_application: bool


def inject_legacy(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the pod as Istio's webhook makes it; raises InjectionError where it refuses."""
    pod = _with_group(request.pod, snapshot)
    made = _render(replace(request, pod=pod), snapshot)
    annotations, labels = annotations_of(pod), labels_of(pod)
    spec, applications, added = _for_webhook(made, pod, snapshot)
    late = applications if snapshot.behaviour.probes_by_old_position else {}
    early = {} if late else applications
    pod = _strip(pod | {"spec": _spec_of(pod) | early}, earlier_injection(annotations))
    pod = _append(pod, spec, _spec_of(request.pod), _in_front(made, snapshot.behaviour))
    pod = _probed_by_position(pod, _spec_of(request.pod), late)
    network = made.environment.get(NETWORK)
    name = request.workload.metadata.get("name") or ""
    missing = labels_to_add(labels, name, snapshot.revision, network, snapshot.behaviour)
    return _with_metadata(
        pod,
        annotations={**added, STATUS: made.status, **snapshot.config.injected_annotations},
        labels={key: value for key, value in missing.items() if not labels.get(key)},
    )


def inject_legacy_by_hand(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the pod as kube-inject makes it up to 1.7; raises InjectionError where it refuses."""
    behaviour = snapshot.behaviour
    pod = request.pod
    made = _render(request, snapshot)
    spec, before = made.spec, _spec_of(pod)
    lists = {
        "initContainers": [*(before.get("initContainers") or ()), *spec.init_containers],
        "containers": _containers_by_hand(before.get("containers") or (), made),
        "volumes": [*(before.get("volumes") or ()), *spec.volumes],
    }
    if behaviour.kube_inject_pull_secrets:
        lists["imagePullSecrets"] = [*(before.get("imagePullSecrets") or ()), *spec.image_pull_secrets]
    after = before | {key: value for key, value in lists.items() if value or key in before}
    if behaviour.has_dns_config:
        after = {key: value for key, value in after.items() if key != "dnsConfig"}
        after |= {} if spec.dns_config is None else {"dnsConfig": spec.dns_config}
    annotations = annotations_of(pod)
    after |= _probed_by_hand(after["containers"], annotations, made, snapshot)
    pod = _with_group(pod | {"spec": after}, snapshot)
    added = _metrics_by_hand(annotations, made, snapshot) | _redirection(spec, snapshot)
    return _with_metadata(
        pod,
        annotations={**added, STATUS: made.status},
        labels=labels_by_hand(labels_of(pod), snapshot.revision, behaviour),
    )


# ---- rendering


def _render(request: InjectionRequest, snapshot: Snapshot) -> _Rendered:
    behaviour = snapshot.behaviour
    validate(annotations_of(request.pod), behaviour)
    data = template_data(request, snapshot, seen_pod(request, snapshot))
    try:
        rendered = render_template(snapshot.templates["sidecar"], data, snapshot, request.budget).value
    except TemplateError as error:
        raise InjectionError(str(error)) from error
    except YAMLError as error:
        raise InjectionError(f"{parsing_failed(behaviour)}error converting YAML to JSON: {error}") from error
    spec = decode_spec(rendered, behaviour)
    if behaviour.concurrency_from_cpu:
        spec = with_concurrency(spec)
    spec = with_url_environment(spec, request.url_environment)
    version = template_version(snapshot.config.templates["sidecar"])
    return _Rendered(
        spec=spec,
        status=written_status(spec, version),
        environment=request.url_environment,
        mesh_port=_mesh_port(snapshot),
        holds_application=_holds(data.proxy_config, snapshot),
    )


def _holds(proxy_config: Message, snapshot: Snapshot) -> bool:
    """Tell whether the proxy goes in front of the application's containers."""
    if not snapshot.behaviour.holds_application:
        return False
    of_values = at(snapshot.values, "global", "proxy", "holdApplicationUntilProxyStarts")
    return bool(proxy_config.get("holdApplicationUntilProxyStarts")) or of_values is True


def _mesh_port(snapshot: Snapshot) -> int:
    """Return the agent's port as the mesh has it; a pod's own ProxyConfig has no say."""
    return snapshot.mesh.proxy_config.get("statusPort", 0) if snapshot.mesh else 0


def seen_pod(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the pod as templates see it: the webhook fills in its namespace, from 1.1 on."""
    if request.by_hand or not snapshot.behaviour.namespace_from_request:
        return request.pod
    metadata = metadata_of(request.pod)
    if metadata.get("namespace") or not request.namespace:
        return request.pod
    return request.pod | {"metadata": metadata | {"namespace": request.namespace}}


# ---- the webhook


def _for_webhook(
    made: _Rendered, pod: Pod, snapshot: Snapshot
) -> tuple[SidecarInjectionSpec, JSONObject, dict[str, str]]:
    """Return the spec to append, the application's changed containers and the annotations for metrics."""
    behaviour = snapshot.behaviour
    spec, annotations, containers = made.spec, annotations_of(pod), _spec_of(pod).get("containers") or []
    applications: JSONObject = {}
    proxy = find_proxy(spec.containers)
    if proxy is not None and wants_rewriting(annotations, spec, behaviour):
        spec = with_proxy(spec, lambda proxy: told_probers(proxy, containers, behaviour))
        port = agent_port(annotations, proxy, made.mesh_port, behaviour)
        if port is not None:
            applications["containers"] = [rewritten(container, port, behaviour) for container in containers]
    added: dict[str, str] = {}
    if snapshot.mesh and merges_metrics(
        annotations, snapshot.mesh.config.get("enablePrometheusMerge"), behaviour
    ):
        if configuration := scrape_configuration(annotations):
            spec = with_proxy(spec, lambda proxy: with_env(proxy, {SCRAPE_CONFIG: configuration}))
        added = merged_annotations(made.mesh_port)
    if behaviour.sa_token_mount:
        spec = with_account_token(spec, containers)
    if behaviour.api_defaults:
        spec = replace(
            spec,
            init_containers=tuple(map(with_container_defaults, spec.init_containers)),
            containers=tuple(map(with_container_defaults, spec.containers)),
            volumes=tuple(map(with_volume_defaults, spec.volumes)),
        )
    return spec, applications, added


def _strip(pod: Pod, earlier: EarlierInjection) -> Pod:
    """Return the pod without what an earlier injection added, told by name."""
    spec = _spec_of(pod)
    gone = {
        "initContainers": earlier.init_containers,
        "containers": earlier.containers,
        "volumes": earlier.volumes,
        "imagePullSecrets": earlier.image_pull_secrets,
    }
    kept = {
        key: [item for item in spec[key] if name_of(item) not in names]
        for key, names in gone.items()
        if spec.get(key)
    }
    return pod | {"spec": spec | kept}


def _append(
    pod: Pod, added: SidecarInjectionSpec, original: JSONObject, in_front: Mapping[str, Collection[str]]
) -> Pod:
    """Return the pod with the spec's lists put in; the first of a list that the pod lacks is the list.

    ``in_front`` names the containers that go before the others, by the list that they are in.
    """
    spec = dict(_spec_of(pod))
    lists: dict[str, Iterable[JSONObject]] = {
        "initContainers": added.init_containers,
        "containers": added.containers,
        "volumes": added.volumes,
        "imagePullSecrets": added.image_pull_secrets,
    }
    for key, items in lists.items():
        front = in_front.get(key, ())
        result = list(spec.get(key) or ())
        first = not original.get(key)
        for item in items:
            if not first and item.get("name") in front:
                result.insert(0, item)
            else:
                result.append(item)
            first = False
        if result or key in spec:
            spec[key] = result
    if added.dns_config is not None:
        spec["dnsConfig"] = added.dns_config
    return pod | {"spec": spec}


def _probed_by_position(pod: Pod, original: JSONObject, applications: JSONObject) -> Pod:
    """Return the pod with rewritten probes where their containers *were*.

    Where an earlier sidecar stood before the application, that is the container that follows.
    """
    if not applications:
        return pod
    containers = list(_spec_of(pod).get("containers") or ())
    for position, (old, new) in enumerate(
        zip(original.get("containers") or (), applications["containers"], strict=True)
    ):
        if new is not old and position < len(containers):
            probes = {key: probe for key, probe in new.items() if probe is not old.get(key)}
            containers[position] = containers[position] | probes
    return pod | {"spec": _spec_of(pod) | {"containers": containers}}


def _in_front(made: _Rendered, behaviour: Behaviour) -> dict[str, tuple[str, ...]]:
    if not behaviour.validation_first:
        return {}
    names = (VALIDATION, PROXY) if made.holds_application else (VALIDATION,)
    return {"initContainers": names, "containers": names}


# ---- kube-inject


def _probed_by_hand(
    containers: list[JSONObject], annotations: Mapping[str, str], made: _Rendered, snapshot: Snapshot
) -> JSONObject:
    """Return the containers with probes led through the agent: every one, the injected ones too."""
    behaviour = snapshot.behaviour
    proxy = find_proxy(containers)
    if proxy is None or not wants_rewriting(annotations, made.spec, behaviour):
        return {}
    port = agent_port(annotations, proxy, made.mesh_port, behaviour)
    if port is None:
        return {}
    told = told_probers(proxy, containers, behaviour)
    return {
        "containers": [
            told if container is proxy else rewritten(container, port, behaviour) for container in containers
        ]
    }


def _containers_by_hand(before: Iterable[JSONObject], made: _Rendered) -> list[JSONObject]:
    """Return the pod's containers and the injected ones; a proxy that is waited for is the first of all."""
    proxy = find_proxy(made.spec.containers) if made.holds_application else None
    after = [container for container in made.spec.containers if container is not proxy]
    return [*([] if proxy is None else [proxy]), *before, *after]


def _metrics_by_hand(annotations: Mapping[str, str], made: _Rendered, snapshot: Snapshot) -> dict[str, str]:
    """Return the annotations that lead Prometheus to the agent, which is not told what the pod's own said."""
    if not snapshot.behaviour.kube_inject_merges_metrics:
        return {}
    setting = snapshot.mesh.config.get("enablePrometheusMerge")
    return (
        merged_annotations(made.mesh_port) if merges_metrics(annotations, setting, snapshot.behaviour) else {}
    )


def _redirection(spec: SidecarInjectionSpec, snapshot: Snapshot) -> dict[str, str]:
    """Return the annotations that tell the CNI plugin what istio-init would have done."""
    if not snapshot.behaviour.cni_annotations:
        return {}
    redirect = spec.redirect_annotations or {}
    return {key: value for key, value in redirect.items() if value and key in KNOWN_ANNOTATIONS}


# ---- both


def _with_group(pod: Pod, snapshot: Snapshot) -> Pod:
    """Return the pod whose volumes belong to the proxy's group, which is how it may read its token."""
    if not _needs_group(snapshot):
        return pod
    context = _spec_of(pod).get("securityContext")
    kept = (
        {}
        if context is None or snapshot.behaviour.fs_group_replaces
        else normalise(context, _SECURITY_CONTEXT, keep_unknown=True)
    )
    return pod | {"spec": _spec_of(pod) | {"securityContext": kept | {"fsGroup": _GROUP}}}


def _needs_group(snapshot: Snapshot) -> bool:
    behaviour = snapshot.behaviour
    if behaviour.fs_group_by_feature:
        return snapshot.env.get("ENABLE_LEGACY_FSGROUP_INJECTION", "true") != "false"
    if not behaviour.fs_group_with_sds:
        return False
    mesh = snapshot.mesh.config
    return bool(mesh.get("sdsUdsPath")) and (
        not behaviour.fs_group_needs_mount or bool(mesh.get("enableSdsTokenMount"))
    )


def _spec_of(pod: Pod) -> JSONObject:
    return pod.get("spec") or {}


def _with_metadata(pod: Pod, *, annotations: Mapping[str, str], labels: Mapping[str, str]) -> Pod:
    """Return the pod with these annotations and labels set; its others stay as they were received."""
    metadata = metadata_of(pod)
    changed: JSONObject = {"annotations": {**(metadata.get("annotations") or {}), **annotations}}
    if labels:
        changed["labels"] = {**(metadata.get("labels") or {}), **labels}
    return pod | {"metadata": metadata | changed}
