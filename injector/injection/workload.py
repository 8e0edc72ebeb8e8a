"""Inject one document of a manifest by hand, as istioctl kube-inject does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from injector.budget import Budget
from injector.errors import InjectionError, TypedError
from injector.golang.strconv import quote
from injector.injection.config import InjectConfig
from injector.injection.cost import charge_annotations
from injector.injection.inject import inject, is_spelled_right
from injector.injection.kinds import PodPlace, is_list, place_of, put_at, schema_of
from injector.injection.owner import Workload, find_workload
from injector.injection.policy import Decision, decide
from injector.injection.render import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.injection.steps.pods import PROXY
from injector.injection.steps.rebase import rebase
from injector.injection.steps.status import STATUS
from injector.istio.mesh.descriptors import MessageError
from injector.istio.mesh.effective import ANNOTATION
from injector.istio.releases import Behaviour
from injector.json_types import JSON, JSONObject, Pod, at
from injector.patch import go_type, in_key_order, normalise

_LEFT_OUT: Final = (
    "the controller of such a kind may fill it in, but only after the sidecar was made for what is there: "
    'write it, or label the pod template sidecar.istio.io/inject: "false"'
)
_BY_HAND: Final = InjectConfig(policy="enabled", templates={})
"""The configuration by hand: who calls kube-inject wants injection, so policy and selectors do not count."""

_LEFT_AS_THEY_ARE: Final = ("host-network", "injected")
"""The rules that leave a pod alone before anything but its containers is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """One workload that was considered, and why it was injected or not."""

    kind: str
    namespace: str
    name: str
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOutcome:
    """The result for one document.

    ``document`` is the object given when nothing is printed anew (``reencoded`` is false); else it is the
    typed object, which istioctl also prints for a pod that it skips. ``as_written`` is the object given with
    only the injected parts added; the same object where nothing was injected. ``warnings`` are the lines that
    istioctl writes to stderr.
    """

    document: JSON
    as_written: JSON
    reencoded: bool = False
    considered: tuple[Considered, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def injected(self) -> bool:
        """Return whether a pod in it was injected."""
        return any(each.decision.inject for each in self.considered)


def inject_workload(
    document: JSON, snapshot: Snapshot, *, namespace: str = "", pod_template_path: str = ""
) -> WorkloadOutcome:
    """Inject the pods of a document; raises InjectionError where one of them cannot be injected.

    ``namespace`` applies to pods and workloads that name none.
    """
    if is_list(document):
        return _inject_list(document, snapshot, namespace, pod_template_path)
    place = place_of(document, pod_template_path)
    if place is None:
        return WorkloadOutcome(document=document, as_written=document)
    return _inject_place(document, place, snapshot, namespace)


def _inject_list(
    document: JSONObject, snapshot: Snapshot, namespace: str, pod_template_path: str
) -> WorkloadOutcome:
    outcomes = [
        inject_workload(item, snapshot, namespace=namespace, pod_template_path=pod_template_path)
        for item in document.get("items") or ()
    ]
    injected = any(outcome.injected for outcome in outcomes)
    return WorkloadOutcome(
        document={"metadata": {}} | document | {"items": [outcome.document for outcome in outcomes]},
        as_written=document | {"items": [outcome.as_written for outcome in outcomes]}
        if injected
        else document,
        reencoded=True,
        considered=tuple(each for outcome in outcomes for each in outcome.considered),
        warnings=tuple(line for outcome in outcomes for line in outcome.warnings),
    )


def typed_document(document: JSONObject, place: PodPlace, behaviour: Behaviour) -> JSONObject:
    """Return the document as Go decodes and prints it: numbers in place of strings become strings.

    Raises InjectionError where a value does not fit its type, or there is no pod template.
    """
    try:
        if schema := schema_of(place, behaviour.minor):
            typed = _read(document, schema, behaviour)
            # In a ReplicationController and a DeploymentConfig it is a pointer. Up to 1.2 istioctl crashes
            # instead.
            if at(typed, *place.spec[:-1]) is None:
                raise InjectionError("spec.template is required value")
            return typed
        if not isinstance(at(document, *place.spec[:-1]), dict):
            raise InjectionError(f"{'.'.join(place.spec[:-1])} is not a pod template")
        _read(document.get("metadata") or {}, "meta/v1.ObjectMeta", behaviour)
        spec = _read(at(document, *place.spec) or {}, "core/v1.PodSpec", behaviour)
        metadata = _read(at(document, *place.metadata) or {}, "meta/v1.ObjectMeta", behaviour)
    except TypedError as error:
        decoding = "while decoding JSON: " if behaviour.kube_inject_says_decoding else ""
        raise InjectionError(f"error unmarshaling JSON: {decoding}{error}") from error
    return put_at(put_at(document, place.spec, spec), place.metadata, metadata)


def _is_spelled_right(document: JSONObject, place: PodPlace, behaviour: Behaviour) -> bool:
    """Return whether every field that Go finds has exactly its own name."""
    version = behaviour.kubernetes
    if schema := schema_of(place, behaviour.minor):
        return is_spelled_right(document, go_type(schema, version))
    return is_spelled_right(_pod_at(document, place), go_type("core/v1.Pod", version))


def _refuse_defaults(given: JSONObject, document: JSONObject, place: PodPlace) -> None:
    """Raise InjectionError for a custom resource whose pods are not complete yet."""
    pair = at(given, *place.spec), at(document, *place.spec)
    if missing := list(_missing(*pair, ".".join(place.spec))):
        raise InjectionError(f"not set: {', '.join(missing)}; {_LEFT_OUT}")


def _missing(given: JSON, typed: JSON, path: str) -> Iterator[str]:
    """Yield the paths that a custom resource leaves to its controller, and Go would print as "" or 0."""
    if isinstance(typed, dict):
        given = given or {}
        for key, value in typed.items():
            if key in given:
                yield from _missing(given[key], value, f"{path}.{key}")
            elif value in ("", 0) and value is not False:
                yield f"{path}.{key}"
    elif isinstance(typed, list):
        for index, (before, value) in enumerate(zip(given, typed, strict=True)):
            yield from _missing(before, value, f"{path}[{index}]")


def _read(value: JSON, schema: str, behaviour: Behaviour) -> JSONObject:
    """Return what Go reads of ``value``, followed by the fields that its types do not have."""
    declared = go_type(schema, behaviour.kubernetes)
    typed: JSONObject = normalise(in_key_order(value), declared, coerce_strings=True, keep_unknown=True)
    return typed


def _inject_place(given: JSONObject, place: PodPlace, snapshot: Snapshot, namespace: str) -> WorkloadOutcome:
    document = typed_document(given, place, snapshot.behaviour)
    pod = _pod_at(document, place)
    owner: JSONObject = document.get("metadata") or {}
    # pkg/kube/inject/inject.go IntoObject asks for the pod template's, never for its owner's.
    own_namespace = pod["metadata"].get("namespace") or ("" if owner.get("namespace") else namespace)
    decision = _decide(pod, own_namespace, snapshot.behaviour)
    if decision.rule not in _LEFT_AS_THEY_ARE and snapshot.behaviour.kube_inject_lays_over_mesh:
        snapshot = _with_annotation(pod, snapshot)
    name = pod["metadata"].get("name") or owner.get("name") or ""
    considered = Considered(
        kind=document.get("kind") or "",
        namespace=owner.get("namespace") or namespace,
        name=name,
        decision=decision,
    )
    if not decision.inject:
        workload = _workload(document, pod, "", snapshot.behaviour)
        warning = _warning(decision, workload, pod["metadata"].get("name") or "", snapshot.behaviour)
        return WorkloadOutcome(
            document=document,
            as_written=given,
            reencoded=True,
            considered=(considered,),
            warnings=(warning,),
        )
    if not place.schema:
        _refuse_defaults(given, document, place)
    request = InjectionRequest(
        pod=pod,
        namespace=own_namespace,
        workload=_workload(document, pod, namespace, snapshot.behaviour),
        by_hand=True,
        budget=Budget(snapshot.limits),
    )
    injected = inject(request, snapshot).pod
    written = given if _is_spelled_right(given, place, snapshot.behaviour) else document
    declared = go_type("core/v1.Pod", snapshot.behaviour.kubernetes)
    carried_over = rebase(_pod_at(written, place), pod, injected, declared)
    return WorkloadOutcome(
        document=_with_pod(document, place, injected),
        as_written=_with_pod(written, place, carried_over),
        reencoded=True,
        considered=(considered,),
    )


def _with_annotation(pod: Pod, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the pod's ProxyConfig annotation laid over the mesh's ProxyConfig.

    Raises InjectionError for an unreadable annotation, even where the pod refuses injection.
    """
    annotations = pod["metadata"].get("annotations") or {}
    if ANNOTATION not in annotations:
        return snapshot
    charge_annotations(annotations, Budget(snapshot.limits))
    try:
        proxy_config = snapshot.proxy_configs.annotated(annotations[ANNOTATION])
    except MessageError as error:
        raise InjectionError(f"could not parse proxy config: {error}") from error
    config = snapshot.mesh.config.replace(defaultConfig=proxy_config.data)
    return replace(snapshot, mesh=replace(snapshot.mesh, config=config))


def _pod_at(document: JSONObject, place: PodPlace) -> Pod:
    return {"metadata": at(document, *place.metadata) or {}, "spec": at(document, *place.spec) or {}}


def _with_pod(document: JSONObject, place: PodPlace, pod: Pod) -> JSONObject:
    return put_at(put_at(document, place.spec, pod["spec"]), place.metadata, pod["metadata"])


def _workload(document: JSONObject, pod: Pod, namespace: str, behaviour: Behaviour) -> Workload:
    """Return the workload that templates see: the document, or from 1.22 the owner of a Pod."""
    owner: JSONObject = document.get("metadata") or {}
    if document.get("kind") == "Pod" and behaviour.kube_inject_finds_owners:
        return find_workload(pod, owner.get("namespace") or namespace, behaviour)
    return Workload(
        metadata=owner if owner.get("namespace") or not namespace else owner | {"namespace": namespace},
        api_version=document.get("apiVersion") or "",
        kind=document.get("kind") or "",
    )


# ---- whether


def _decide(pod: Pod, namespace: str, behaviour: Behaviour) -> Decision:
    """Decide as kube-inject of the release; up to 1.7 it reads neither annotation nor namespace."""
    if (pod["spec"].get("hostNetwork")) is True:
        return Decision(inject=False, rule="host-network", reason="has host networking enabled")
    if behaviour.kube_inject_skips_injected and _is_injected(pod, behaviour):
        return Decision(inject=False, rule="injected", reason=f'has injected "{PROXY}" sidecar already')
    if not behaviour.kube_inject_decides:
        return Decision(inject=True, rule="policy", reason="injection was asked for")
    return decide(pod, namespace, _BY_HAND, behaviour)


def _is_injected(pod: Pod, behaviour: Behaviour) -> bool:
    """Return whether kube-inject considers the pod injected before."""
    containers = pod["spec"].get("containers") or ()
    marked = STATUS in (pod["metadata"].get("annotations") or {})
    return (
        len(containers) > 1
        and (marked or not behaviour.kube_inject_skip_needs_status)
        and any((container or {}).get("name") == PROXY for container in containers)
    )


def _warning(decision: Decision, workload: Workload, own_name: str, behaviour: Behaviour) -> str:
    """Return the line in which istioctl says that it skips a workload whose pods are called ``own_name``."""
    reason = decision.reason if decision.rule in _LEFT_AS_THEY_ARE else "has sidecar injection disabled"
    name = quote(full_name := own_name or workload.metadata.get("name") or "")
    if behaviour.kube_inject_names_kind:
        if namespace := workload.metadata.get("namespace"):
            name = quote(full_name := f"{namespace}/{full_name}")
        if workload.kind and decision.rule == "injected":  # istioctl gives the other reason
            name, reason = f'{full_name} "{PROXY}"', "has host networking enabled"
        name = f"{workload.kind} {name}" if workload.kind else name
    arrow = "===> " if behaviour.kube_inject_decides else ""
    return f"{arrow}Skipping injection because {name} {reason}\n"
