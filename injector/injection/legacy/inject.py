"""Inject one pod as Istio 1.0 to 1.8 do: a template makes a SidecarInjectionSpec, code appends it to the pod.

Up to 1.7 the webhook and kube-inject have different steps, from 1.8 on the same. Each step is a function
``(pod, injection) -> pod``; it calls the steps of newer releases where they do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from injector.errors import InjectionError, TemplateError, TypedError, YAMLError
from injector.golang.jsontext import go_json
from injector.golang.strconv import parse_bool
from injector.injection.legacy.containers import (
    agent_port,
    rewritten,
    wants_rewriting,
    with_account_token,
    with_concurrency,
    with_probers,
    with_proxy,
    with_url_environment,
)
from injector.injection.legacy.defaults import with_container_defaults, with_volume_defaults
from injector.injection.legacy.metadata import (
    KNOWN_ANNOTATIONS,
    earlier_injection,
    labels_by_hand,
    labels_to_add,
    written_status,
)
from injector.injection.legacy.spec import SidecarInjectionSpec, decode_spec
from injector.injection.render import InjectionRequest, render_template, template_data
from injector.injection.snapshot import Snapshot
from injector.injection.steps.environment import NETWORK
from injector.injection.steps.metrics import EXACT_SPELLING, MERGE, SCRAPE_CONFIG, pointing_at, scrape_of
from injector.injection.steps.pods import (
    PROXY,
    VALIDATION,
    annotations_of,
    append_env,
    chosen,
    find,
    labels_of,
    metadata_of,
    name_of,
    texts,
    with_annotations,
    with_labels,
)
from injector.injection.steps.settings import Settings, settings_of
from injector.injection.steps.status import STATUS
from injector.istio.annotations import validate
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod
from injector.patch import go_type, normalise

_PARSING_FAILED: Final = (
    "failed parsing generated injected YAML (check Istio sidecar injector configuration): "
)
_GROUP: Final = 1337
_SECURITY_CONTEXT: Final = go_type("core/v1.PodSecurityContext")


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyInjection:
    """The state of one pod's injection up to 1.8, which every step may read.

    ``original`` is the spec of the pod as it was received, ``annotations`` are that pod's; ``spec`` is what
    the template adds, ``status`` the annotation's text that says so.
    """

    request: InjectionRequest
    snapshot: Snapshot
    settings: Settings
    original: JSONObject
    annotations: Mapping[str, str]
    spec: SidecarInjectionSpec
    status: str
    holds_application: bool

    @property
    def behaviour(self) -> Behaviour:
        """The behaviour of the release."""
        return self.snapshot.behaviour


LegacyStep = Callable[[Pod, LegacyInjection], Pod]


def inject_legacy(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the pod as Istio makes it; raises InjectionError where Istio refuses.

    The webhook sets the proxy's group before the template runs, kube-inject up to 1.7 at the end.
    """
    by_hand = request.by_hand and not snapshot.behaviour.kube_inject_decides
    pod = request.pod if by_hand else _with_group(request.pod, snapshot)
    injection = _rendered(msgspec.structs.replace(request, pod=pod), snapshot, _spec_of(request.pod))
    for step in STEPS_BY_HAND if by_hand else WEBHOOK_STEPS:
        pod = step(pod, injection)
    return _with_group(pod, snapshot) if by_hand else pod


# ---- rendering


def _rendered(request: InjectionRequest, snapshot: Snapshot, original: JSONObject) -> LegacyInjection:
    behaviour, annotations = snapshot.behaviour, texts(annotations_of(request.pod))
    validate(annotations, behaviour)
    data = template_data(request, snapshot, pod_for_template(request, snapshot))
    failed = _PARSING_FAILED if behaviour.explains_rendered_yaml else ""
    try:
        rendered = render_template(snapshot.templates["sidecar"], data, snapshot, request.budget).value
        spec = decode_spec(rendered, behaviour)
    except TemplateError as error:
        raise InjectionError(str(error)) from error
    except YAMLError as error:
        raise InjectionError(f"{failed}error converting YAML to JSON: {error}") from error
    except TypedError as error:
        raise InjectionError(f"{failed}error unmarshaling JSON: {error}") from error
    if behaviour.concurrency_from_cpu:
        spec = with_proxy(spec, with_concurrency)
    spec = with_url_environment(spec, request.url_environment)
    settings = settings_of(snapshot)
    of_pod = data.proxy_config.get("holdApplicationUntilProxyStarts")
    return LegacyInjection(
        request=request,
        snapshot=snapshot,
        settings=settings,
        original=original,
        annotations=annotations,
        spec=spec,
        status=written_status(spec, snapshot.config.templates["sidecar"]),
        holds_application=behaviour.holds_application and bool(of_pod or settings.holds_application),
    )


def pod_for_template(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the pod as templates see it: from 1.1 on the webhook fills in its namespace."""
    if request.by_hand or not snapshot.behaviour.namespace_from_request:
        return request.pod
    metadata = metadata_of(request.pod)
    if metadata.get("namespace") or not request.namespace:
        return request.pod
    return request.pod | {"metadata": metadata | {"namespace": request.namespace}}


# ---- the webhook


def _without_earlier_injection(pod: Pod, injection: LegacyInjection) -> Pod:
    """Return the pod without what an earlier injection added, by name; its probes ask the agent now."""
    spec = _spec_of(pod)
    if not injection.behaviour.probes_by_old_position and (changed := _rewritten(injection)):
        spec = spec | {"containers": changed}
    kept = {
        key: [item for item in spec[key] if name_of(item) not in names]
        for key, names in earlier_injection(injection.annotations).items()
        if spec.get(key)
    }
    return pod | {"spec": spec | kept}


def _rewritten(injection: LegacyInjection) -> list[JSONObject]:
    """Return the application's containers with probes led through the agent; [] if they are not rewritten."""
    port = _agent_port(find(injection.spec.containers, PROXY), injection)
    containers = injection.original.get("containers") or []
    return [] if port is None else [rewritten(each, port, injection.behaviour) for each in containers]


def _appended(pod: Pod, injection: LegacyInjection) -> Pod:
    """Return the pod with the spec's lists added.

    The first item for a list that the pod lacks becomes the list itself and is never put in front.
    """
    added, in_front = _for_webhook(injection), _in_front(injection)
    spec = dict(_spec_of(pod))
    for key, items in added.lists.items():
        front = in_front if key in ("initContainers", "containers") else ()
        result = list(spec.get(key) or ())
        first = not injection.original.get(key)
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


def _for_webhook(injection: LegacyInjection) -> SidecarInjectionSpec:
    """Return the spec with what code adds to the proxy."""
    behaviour, spec = injection.behaviour, injection.spec
    containers = injection.original.get("containers") or []
    if wants_rewriting(injection.annotations, spec, behaviour):
        spec = with_proxy(spec, lambda proxy: with_probers(proxy, containers, behaviour))
    if _merges_metrics(injection):
        scrape = scrape_of(EXACT_SPELLING.said(injection.annotations), targets=False)
        if scrape:
            text = go_json(scrape, sort_keys=False)
            spec = with_proxy(spec, lambda proxy: append_env(proxy, SCRAPE_CONFIG, text))
    if behaviour.sa_token_mount:
        spec = with_account_token(spec, containers)
    if not behaviour.api_defaults:
        return spec
    return replace(
        spec,
        init_containers=tuple(map(with_container_defaults, spec.init_containers)),
        containers=tuple(map(with_container_defaults, spec.containers)),
        volumes=tuple(map(with_volume_defaults, spec.volumes)),
    )


def _in_front(injection: LegacyInjection) -> Collection[str]:
    """Return the names of the containers that go before the others."""
    if not injection.behaviour.validation_first:
        return ()
    return (VALIDATION, PROXY) if injection.holds_application else (VALIDATION,)


def _probed_by_position(pod: Pod, injection: LegacyInjection) -> Pod:
    """Return the pod with rewritten probes where their containers *were*.

    Where an earlier sidecar stood before the application, that index is now the next container's.
    """
    changed = _rewritten(injection) if injection.behaviour.probes_by_old_position else ()
    if not changed:
        return pod
    containers = list(_spec_of(pod).get("containers") or ())
    for position, (old, new) in enumerate(zip(injection.original["containers"], changed, strict=True)):
        if new is not old and position < len(containers):
            probes = {key: probe for key, probe in new.items() if probe is not old.get(key)}
            containers[position] = containers[position] | probes
    return pod | {"spec": _spec_of(pod) | {"containers": containers}}


def _marked(pod: Pod, injection: LegacyInjection) -> Pod:
    request, snapshot = injection.request, injection.snapshot
    labels = texts(labels_of(pod))
    name = request.workload.metadata.get("name") or ""
    network = request.url_environment.get(NETWORK)
    missing = labels_to_add(labels, name, snapshot.revision, network, injection.behaviour)
    added = pointing_at(injection.settings.agent_port) if _merges_metrics(injection) else {}
    return _with_metadata(
        pod,
        annotations={**added, STATUS: injection.status, **snapshot.config.injected_annotations},
        labels={key: value for key, value in missing.items() if not labels.get(key)},
    )


WEBHOOK_STEPS: Final[tuple[LegacyStep, ...]] = (
    _without_earlier_injection,
    _appended,
    _probed_by_position,
    _marked,
)


# ---- kube-inject


def _appended_by_hand(pod: Pod, injection: LegacyInjection) -> Pod:
    """Return the pod with the spec's lists at the end of its own."""
    behaviour, spec, before = injection.behaviour, injection.spec, _spec_of(pod)
    lists = {key: [*(before.get(key) or ()), *items] for key, items in spec.lists.items()}
    lists["containers"] = _containers_by_hand(before.get("containers") or (), injection)
    if not behaviour.kube_inject_pull_secrets:
        del lists["imagePullSecrets"]
    after = before | {key: value for key, value in lists.items() if value or key in before}
    if behaviour.has_dns_config:
        after = {key: value for key, value in after.items() if key != "dnsConfig"}
        after |= {} if spec.dns_config is None else {"dnsConfig": spec.dns_config}
    return pod | {"spec": after}


def _containers_by_hand(before: Iterable[JSONObject], injection: LegacyInjection) -> list[JSONObject]:
    """Return the pod's containers and the injected ones; a proxy to wait for comes first."""
    injected = injection.spec.containers
    proxy = find(injected, PROXY) if injection.holds_application else None
    after = [container for container in injected if container is not proxy]
    return [*([] if proxy is None else [proxy]), *before, *after]


def _probed_by_hand(pod: Pod, injection: LegacyInjection) -> Pod:
    """Return the pod with probes led through the agent, for every container, the injected ones included."""
    behaviour, containers = injection.behaviour, _spec_of(pod)["containers"]
    proxy = find(containers, PROXY)
    port = _agent_port(proxy, injection)
    if proxy is None or port is None:
        return pod
    told = with_probers(proxy, containers, behaviour)
    changed = [
        told if container is proxy else rewritten(container, port, behaviour) for container in containers
    ]
    return pod | {"spec": _spec_of(pod) | {"containers": changed}}


def _marked_by_hand(pod: Pod, injection: LegacyInjection) -> Pod:
    behaviour = injection.behaviour
    # The agent is not told about the pod's own annotations.
    merges = behaviour.kube_inject_merges_metrics and _merges_metrics(injection)
    added = pointing_at(injection.settings.agent_port) if merges else {}
    return _with_metadata(
        pod,
        annotations={**added, **_redirection(injection), STATUS: injection.status},
        labels=labels_by_hand(texts(labels_of(pod)), injection.snapshot.revision, behaviour),
    )


def _redirection(injection: LegacyInjection) -> dict[str, str]:
    """Return the annotations that tell the CNI plugin what istio-init would have done."""
    if not injection.behaviour.cni_annotations:
        return {}
    redirect = injection.spec.redirect_annotations or {}
    return {key: value for key, value in redirect.items() if value and key in KNOWN_ANNOTATIONS}


STEPS_BY_HAND: Final[tuple[LegacyStep, ...]] = (_appended_by_hand, _probed_by_hand, _marked_by_hand)


# ---- both


def _agent_port(proxy: JSONObject | None, injection: LegacyInjection) -> int | None:
    """Return the port that probes are led to; None where they are not rewritten."""
    behaviour, annotations = injection.behaviour, injection.annotations
    if proxy is None or not wants_rewriting(annotations, injection.spec, behaviour):
        return None
    return agent_port(annotations, proxy, injection.settings.agent_port, behaviour)


def _merges_metrics(injection: LegacyInjection) -> bool:
    by_default = injection.settings.merges_metrics
    merges = chosen(injection.annotations, MERGE, by_default=by_default)
    return injection.behaviour.merges_prometheus and merges


def _with_group(pod: Pod, snapshot: Snapshot) -> Pod:
    """Return the pod whose volumes belong to the proxy's group, so that the proxy may read its token."""
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
        choice = parse_bool(snapshot.env.get("ENABLE_LEGACY_FSGROUP_INJECTION", ""))
        # Only a projected token (third-party-jwt) needs the group.
        return snapshot.env.get("JWT_POLICY") != "first-party-jwt" if choice is None else choice
    if not behaviour.fs_group_with_sds:
        return False
    mesh = snapshot.mesh.config
    return bool(mesh.get("sdsUdsPath")) and (
        not behaviour.fs_group_needs_mount or bool(mesh.get("enableSdsTokenMount"))
    )


def _spec_of(pod: Pod) -> JSONObject:
    return pod.get("spec") or {}


def _with_metadata(pod: Pod, *, annotations: Mapping[str, str], labels: Mapping[str, str]) -> Pod:
    """Return the pod with these annotations and labels set; the others stay as received."""
    pod = with_annotations(pod, {**annotations_of(pod), **annotations})
    return with_labels(pod, {**labels_of(pod), **labels}) if labels else pod
