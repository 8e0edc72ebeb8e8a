"""One review in, its answer out; and the same for one pod. Knows no HTTP, no clock and no log.

Read ``answer_review``: decode → decide → inject → diff → encode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from injector.errors import InjectionError, TypedError
from injector.injection.admission import (
    Review,
    UndecodableReviewError,
    decode,
    encode_allowed,
    encode_denied,
    encode_patch,
)
from injector.injection.legacy.inject import inject_legacy
from injector.injection.overlay.pipeline import inject_overlay
from injector.injection.owner import find_workload
from injector.injection.policy import Decision, decide
from injector.injection.releases import Behaviour
from injector.injection.request import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.injection.url import environment_of
from injector.json_types import JSON, JSONObject, Pod
from injector.patch import POD, diff, fits, normalise

Outcome = Literal["injected", "skipped", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answered review.

    ``body`` is the AdmissionReview to send. ``reason`` comes from a fixed set: the rule that decided,
    ``undecodable``, ``object`` or ``injection``. ``message`` is the sentence of a refusal, or the
    decision's.
    """

    body: bytes
    outcome: Outcome
    reason: str
    message: str
    uid: str = ""
    namespace: str = ""
    name: str = ""


def answer_review(body: bytes, path: str, snapshot: Snapshot) -> Answer:
    """Answer one AdmissionReview; raises BadReview where the call itself is wrong."""
    behaviour = snapshot.behaviour
    try:
        review = decode(body, behaviour)
    except UndecodableReviewError as error:
        answer = encode_denied(None, str(error), behaviour)
        return Answer(body=answer, outcome="denied", reason="undecodable", message=str(error))
    try:
        pod = read_pod(review.object)
    except InjectionError as error:
        return _denied(review, "object", error, behaviour)
    namespace = namespace_of(pod, review.namespace, behaviour)
    decision = decide(pod, namespace, snapshot.config, behaviour)
    if not decision.inject:
        return _answer(review, encode_allowed(review, behaviour), "skipped", decision)
    try:
        request = request_for(pod, namespace, review.namespace, path, snapshot)
        injected = inject(request, snapshot)
    except InjectionError as error:
        return _denied(review, "injection", error, behaviour)
    operations = diff(review.object, injected)
    return _answer(review, encode_patch(review, operations, behaviour), "injected", decision)


def inject(request: InjectionRequest, snapshot: Snapshot) -> Pod:
    """Return the injected pod, whatever was decided; raises InjectionError where it cannot be injected."""
    if snapshot.behaviour.overlays:
        return inject_overlay(request, snapshot)
    return inject_legacy(request, snapshot)


def inject_one(pod: Pod, namespace: str, snapshot: Snapshot) -> tuple[Pod, Decision]:
    """Return the pod as the webhook would leave it, and why; raises InjectionError."""
    behaviour = snapshot.behaviour
    received = read_pod(pod)
    effective = namespace_of(received, namespace, behaviour)
    decision = decide(received, effective, snapshot.config, behaviour)
    if not decision.inject:
        return pod, decision
    return inject(request_for(received, effective, namespace, "/inject", snapshot), snapshot), decision


# ---- what was received


def read_pod(received: JSON) -> Pod:
    """Return the object of a review as a pod; raises InjectionError in encoding/json's words.

    It is returned as received, fields that Kubernetes does not know included; only where its keys are
    spelt in another case than Kubernetes spells them, which Go accepts, is it the typed pod.
    """
    if received is None:
        raise InjectionError("unexpected end of JSON input")
    if isinstance(received, dict) and fits(received, POD):
        return received
    try:
        typed: Pod = normalise(received, POD)
    except TypedError as error:
        raise InjectionError(str(error)) from error
    pod: Pod = received
    return pod if _spelled_as(received, typed) else typed


def _spelled_as(received: Any, typed: Any) -> bool:
    """Tell whether every field that Go found stands under its own name."""
    if isinstance(received, dict) and isinstance(typed, dict):
        if not typed.keys() <= received.keys():
            lowered = {key.lower() for key in received if key not in typed}
            if any(key not in received and key.lower() in lowered for key in typed):
                return False
        return all(_spelled_as(received[key], value) for key, value in typed.items() if key in received)
    if isinstance(received, list) and isinstance(typed, list):
        return all(map(_spelled_as, received, typed))
    return True


def namespace_of(pod: Pod, requested: str, behaviour: Behaviour) -> str:
    """Return the pod's own namespace, else (from 1.1) the one of the request."""
    metadata: JSONObject = pod.get("metadata") or {}
    return metadata.get("namespace") or (requested if behaviour.namespace_from_request else "")


def request_for(pod: Pod, namespace: str, requested: str, path: str, snapshot: Snapshot) -> InjectionRequest:
    """Return what is asked about a pod that came to ``path`` of the webhook."""
    behaviour = snapshot.behaviour
    shown = requested if behaviour.deployment_namespace_from_request else namespace
    return InjectionRequest(
        pod=pod,
        namespace=namespace,
        workload=find_workload(pod, shown, behaviour),
        url_environment=environment_of(path, pod, snapshot),
    )


# ---- answers


def _answer(review: Review, body: bytes, outcome: Outcome, decision: Decision) -> Answer:
    return Answer(
        body=body,
        outcome=outcome,
        reason=decision.rule,
        message=decision.reason,
        uid=review.uid,
        namespace=review.namespace,
        name=review.name,
    )


def _denied(review: Review, reason: str, error: InjectionError, behaviour: Behaviour) -> Answer:
    return Answer(
        body=encode_denied(review, str(error), behaviour),
        outcome="denied",
        reason=reason,
        message=str(error),
        uid=review.uid,
        namespace=review.namespace,
        name=review.name,
    )
