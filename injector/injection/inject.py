"""Answer one AdmissionReview, or inject one pod.

Read ``answer_review`` first: decode → the known answer of a replica, or decide → inject → diff → encode.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from injector.budget import Budget
from injector.errors import BadReview, InjectionError, LimitError, TypedError
from injector.injection.admission import (
    Review,
    UndecodableReviewError,
    decode,
    decode_head,
    encode_allowed,
    encode_denied,
    encode_operations,
    encode_patch,
    in_base64,
    object_as_written,
)
from injector.injection.cost import charge_irregular, charge_pod
from injector.injection.dot.context import OPENSHIFT, PLATFORM
from injector.injection.legacy.inject import inject_legacy
from injector.injection.owner import find_workload, name_workload
from injector.injection.perpod import ALL_READ
from injector.injection.policy import Decision, decide
from injector.injection.render import Injected, InjectionRequest, has_read_names
from injector.injection.replicas import (
    LARGEST_BODY,
    CommonAnswer,
    Key,
    Likeness,
    is_common,
    likeness_of,
    not_in_likeness,
)
from injector.injection.snapshot import Snapshot
from injector.injection.steps.environment import environment_of
from injector.injection.steps.order import detect_native
from injector.injection.steps.pipeline import TEMPLATES, inject_overlay
from injector.istio.releases import Behaviour
from injector.json_types import JSON, JSONObject, Pod
from injector.patch import GoType, diff, fits, go_type, is_plain, normalise

Outcome = Literal["injected", "skipped", "denied"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answered review.

    ``body`` is the AdmissionReview to send. ``reason`` is from a fixed set: the rule that decided,
    ``undecodable``, ``object``, ``injection`` or ``limit``. ``message`` is the sentence of the denial or of
    the decision.
    """

    body: bytes
    outcome: Outcome
    reason: str
    message: str
    uid: str = ""
    namespace: str = ""
    name: str = ""


def answer_review(body: bytes, path: str, snapshot: Snapshot, budget: Budget) -> Answer:
    """Answer one AdmissionReview.

    Raises BadReview where the call itself is wrong, DeadlineError where the caller has stopped waiting.
    """
    behaviour = snapshot.behaviour
    try:
        review = decode(body, behaviour, budget)
    except LimitError as error:
        return _denied(decode_head(body), "injection", error, behaviour)
    except UndecodableReviewError as error:
        answer = encode_denied(None, str(error), behaviour)
        return Answer(body=answer, outcome="denied", reason="undecodable", message=str(error))
    workload = _workload_of(review, behaviour)
    replica = _replica(review, path, snapshot, workload) if len(body) <= LARGEST_BODY else None
    if replica is not None and (known := snapshot.replicas.get(replica.key)) is not None:
        return _injected(review, known, behaviour)
    plain = has_plain_spec(review.object, behaviour)
    try:
        pod = read_pod(review.object, behaviour, budget, plain_spec=plain)
    except InjectionError as error:
        return _denied(review, "object", _as_written(error, body, behaviour), behaviour)
    if pod is not review.object:
        replica, workload, plain = None, None, False
    return _answer_anew(
        review, pod, path, snapshot, budget, replica=replica, workload=workload, plain_spec=plain
    )


def _answer_anew(
    review: Review,
    pod: Pod,
    path: str,
    snapshot: Snapshot,
    budget: Budget,
    *,
    replica: _Replica | None,
    workload: tuple[str, str, str] | None,
    plain_spec: bool,
) -> Answer:
    """Answer for a pod that is not a known replica, and remember the answer for its replicas."""
    behaviour = snapshot.behaviour
    namespace = namespace_of(pod, review.namespace, behaviour)
    decision = decide(pod, namespace, snapshot.config, behaviour)
    warnings = snapshot.advise(pod, behaviour) if snapshot.advise else ()
    if not decision.inject:
        allowed = encode_allowed(review, behaviour, warnings)
        return _answer(review, allowed, "skipped", decision.rule, decision.reason)
    try:
        request = request_for(
            pod,
            namespace,
            review.namespace,
            path,
            snapshot,
            budget,
            workload=workload,
            plain_spec=plain_spec,
        )
        injected = inject(request, snapshot)
        text = patch_of(review.object, injected.pod, budget)
    except InjectionError as error:
        return _denied(review, "injection", error, behaviour)
    made = CommonAnswer(in_base64(text), decision.rule, decision.reason, warnings)
    if replica is not None and _is_common(request, injected, text, replica.likeness):
        snapshot.replicas.keep(replica.key, made)
    return _injected(review, made, behaviour)


def patch_of(received: JSON, injected: Pod, budget: Budget) -> bytes:
    """Return the JSON patch from the received pod to the injected one; LimitError if it is too large."""
    operations = diff(received, injected)
    budget.charge("operations", len(operations), "the patch has {} operations")
    text = encode_operations(operations)
    budget.charge("patch", len(text), "the patch has {} bytes")
    return text


def inject(request: InjectionRequest, snapshot: Snapshot) -> Injected:
    """Inject without asking whether to; raises InjectionError where the pod cannot be injected."""
    charge_pod(request.pod, request.budget)
    if snapshot.behaviour.overlays:
        return inject_overlay(request, snapshot)
    return Injected(inject_legacy(request, snapshot))


def inject_one(pod: Pod, namespace: str, snapshot: Snapshot) -> tuple[Pod, Decision]:
    """Return the pod as the webhook would leave it, and the decision; raises InjectionError."""
    behaviour = snapshot.behaviour
    budget = Budget(snapshot.limits)
    received = read_pod(pod, behaviour, budget)
    effective = namespace_of(received, namespace, behaviour)
    decision = decide(received, effective, snapshot.config, behaviour)
    if not decision.inject:
        return pod, decision
    request = request_for(received, effective, namespace, "/inject", snapshot, budget)
    injected = inject(request, snapshot).pod
    patch_of(pod, injected, budget)
    return injected, decision


# ---- what was received


def has_plain_spec(received: JSON, behaviour: Behaviour) -> bool:
    """Return whether the spec of the received object is written as an API server writes it.

    The spec, which is most of a pod, need not be checked again then.
    """
    declared = go_type("core/v1.PodSpec", behaviour.kubernetes)
    return isinstance(received, dict) and is_plain(received.get("spec"), declared)


def read_pod(received: JSON, behaviour: Behaviour, budget: Budget, *, plain_spec: bool = False) -> Pod:
    """Return the object of a review as a pod; raises InjectionError in encoding/json's words.

    It is returned as received. Only where its keys differ in case from Kubernetes' names, which Go accepts,
    the typed pod is returned. Both keep the fields that the release's types do not have. ``plain_spec`` is
    the result of `has_plain_spec`.
    """
    if received is None:
        raise InjectionError("unexpected end of JSON input")
    declared = go_type("core/v1.Pod", behaviour.kubernetes)
    if isinstance(received, dict) and fits(received | {"spec": None} if plain_spec else received, declared):
        return received
    charge_irregular(received, budget)
    try:
        typed: Pod = normalise(received, declared, keep_unknown=True)
    except TypedError as error:
        raise InjectionError(str(error)) from error
    pod: Pod = received
    return pod if is_spelled_right(received, declared) else typed


def is_spelled_right(value: JSON, declared: GoType) -> bool:
    """Return whether every field that Go finds has exactly its own name."""
    declared = declared.target
    if isinstance(value, list) and declared.kind == "list":
        return all(is_spelled_right(item, declared.element) for item in value)
    if not isinstance(value, dict) or declared.kind != "struct":
        return True
    found = ((key, item, declared.field(key)) for key, item in value.items())
    return all(
        field is None or (field.name == key and is_spelled_right(item, field.type))
        for key, item, field in found
    )


def _as_written(error: InjectionError, body: bytes, behaviour: Behaviour) -> InjectionError:
    """Return an error about a pod with its numbers as written in the body: ``1e3``, not ``1000.0``."""
    if "number" not in str(error) or isinstance(error, LimitError):
        return error
    try:
        read_pod(object_as_written(body), behaviour, Budget())
    except InjectionError as exact:
        return exact
    return error


def namespace_of(pod: Pod, requested: str, behaviour: Behaviour) -> str:
    """Return the pod's own namespace, else (from 1.1) the one of the request."""
    metadata: JSONObject = pod.get("metadata") or {}
    return metadata.get("namespace") or (requested if behaviour.namespace_from_request else "")


def request_for(
    pod: Pod,
    namespace: str,
    requested: str,
    path: str,
    snapshot: Snapshot,
    budget: Budget,
    *,
    workload: tuple[str, str, str] | None = None,
    plain_spec: bool = False,
) -> InjectionRequest:
    """Return the request to inject a pod that came to ``path`` of the webhook.

    ``workload`` and ``plain_spec`` are the results of `name_workload` and `has_plain_spec`, where known.
    """
    behaviour = snapshot.behaviour
    shown = requested if behaviour.deployment_namespace_from_request else namespace
    return InjectionRequest(
        pod=pod,
        namespace=namespace,
        workload=find_workload(pod, shown, behaviour, workload),
        url_environment=environment_of(path, pod, snapshot),
        has_plain_spec=plain_spec,
        budget=budget,
    )


# ---- replicas


class _Replica(NamedTuple):
    """A pod as one of several replicas: the key of their common answer, and their likeness."""

    key: Key
    likeness: Likeness


def _workload_of(review: Review, behaviour: Behaviour) -> tuple[str, str, str] | None:
    """Return the result of `name_workload` for the received object; None where it cannot tell."""
    pod: Any = review.object
    try:
        return name_workload(pod, behaviour)
    except (TypeError, AttributeError, BadReview):
        return None


def _replica(
    review: Review, path: str, snapshot: Snapshot, workload: tuple[str, str, str] | None
) -> _Replica | None:
    """Return the pod as a replica; None where more than the pod, its place and the nodes decides the answer.

    None also for the first pod of a workload: many come once and never again, and to work out a likeness and
    keep an answer takes a fifth of a small pod's time. Only those parts of the object are checked that the
    likeness leaves out; the rest equals the pod whose answer was kept. An object that has no likeness is not
    a pod, and is left to `read_pod`.
    """
    behaviour = snapshot.behaviour
    if workload is None or not behaviour.overlays or snapshot.env.get(PLATFORM) == OPENSHIFT:
        return None  # on OpenShift the namespace's annotations count too
    pod: Any = review.object
    try:
        metadata = pod["metadata"]
        if not (metadata["generateName"] and snapshot.workloads.has_met((review.namespace, workload))):
            return None
        declared = go_type("core/v1.Pod", behaviour.kubernetes).by_name["metadata"].type
        if not fits(not_in_likeness(metadata), declared):
            return None
        names_templates = TEMPLATES in (metadata.get("annotations") or ())
        likeness = likeness_of(pod, workload, ALL_READ if names_templates else snapshot.unread)
        node = (pod.get("spec") or {}).get("nodeName", "")
        native = detect_native(behaviour, snapshot.env, snapshot.nodes, node)
    except (TypeError, AttributeError, LookupError):
        return None
    if likeness is None:
        return None
    return _Replica((path, review.namespace, native, likeness.text), likeness)


def _is_common(request: InjectionRequest, injected: Injected, patch: bytes, likeness: Likeness) -> bool:
    """Return whether every pod with this likeness gets this patch."""
    pod, data = request.pod, injected.data
    if data is None or has_read_names(data):
        return False
    is_its_own_workload = request.workload.metadata.get("name") == pod["metadata"].get("name")
    if is_its_own_workload:
        return False
    return is_common(pod, injected.overlays, patch, likeness)


# ---- answers


def _injected(review: Review, answer: CommonAnswer, behaviour: Behaviour) -> Answer:
    body = encode_patch(review, answer.patch, behaviour, answer.warnings)
    return _answer(review, body, "injected", answer.reason, answer.message)


def _answer(review: Review, body: bytes, outcome: Outcome, reason: str, message: str) -> Answer:
    return Answer(
        body=body,
        outcome=outcome,
        reason=reason,
        message=message,
        uid=review.uid,
        namespace=review.namespace,
        name=review.name,
    )


def _denied(review: Review, reason: str, error: InjectionError, behaviour: Behaviour) -> Answer:
    if isinstance(error, LimitError):
        reason = "limit"
    return _answer(review, encode_denied(review, str(error), behaviour), "denied", reason, str(error))
