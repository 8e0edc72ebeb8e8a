"""Try a new configuration out beside the current one, before it serves: ConfigError where it may not.

Built-in sample pods decide. Pods seen lately only warn, since each is one tenant's; where all of them would
be denied, and they are of several namespaces, the configuration is at fault.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import orjson

from injector import patch as json_patch
from injector.errors import ConfigError, InjectorError, PatchError
from injector.injection.inject import Answer
from injector.json_types import JSONObject
from injector.service.logs import shorten
from injector.service.reviews import Reviewer

PODS_OF_ONE: Final = 2
"""Pods remembered of one namespace: whoever deploys all day does not push the others out."""

NAMESPACES: Final = 8
"""Namespaces of which pods are remembered, those that had a pod injected last."""

LARGEST_REMEMBERED: Final = 64 << 10
"""Bytes of a review that is worth remembering: sixteen of them are a mebibyte."""

SECONDS_BETWEEN: Final = 1.0
"""Remembering every review would keep the last burst of one Deployment; one a second keeps a mixture."""

SEVERAL: Final = 2
"""Namespaces whose pods together may refuse a configuration: one namespace alone is one tenant's."""


class Seen(NamedTuple):
    """One review as it was posted; ``namespace`` is the request's, which a pod cannot choose."""

    body: bytes
    path: str
    namespace: str = ""


class Loss(NamedTuple):
    """A pod that is injected today and would not be by the new configuration.

    ``rule`` is of a fixed set (an Answer's reason, ``patch``, ``call`` or ``crash``); ``message`` may quote
    the pod, and is cut to what a line of the log may hold.
    """

    namespace: str
    rule: str
    message: str


class LastPods:
    """The last reviews that led to an injection: kept in memory alone, and never logged or shown."""

    __slots__ = ("_next", "_reviews")

    def __init__(self) -> None:
        self._reviews: dict[str, deque[Seen]] = {}
        self._next = 0.0

    def see(self, body: bytes, path: str, namespace: str) -> None:
        """Remember a review: the first of a namespace, else at most one a second."""
        now = time.monotonic()
        if (now < self._next and namespace in self._reviews) or len(body) > LARGEST_REMEMBERED:
            return
        self._next = now + SECONDS_BETWEEN
        # Put back at the end, so that the namespace at the front is the one seen longest ago.
        own = self._reviews.pop(namespace, None) or deque(maxlen=PODS_OF_ONE)
        own.append(Seen(body, path, namespace))
        self._reviews[namespace] = own
        if len(self._reviews) > NAMESPACES:
            del self._reviews[next(iter(self._reviews))]

    def reviews(self) -> tuple[Seen, ...]:
        """Return what is remembered by namespace, that of the longest silence first; safe in any thread."""
        return tuple(seen for own in tuple(self._reviews.values()) for seen in tuple(own))


def try_out(candidate: Reviewer, current: Reviewer | None, seen: Iterable[Seen] = ()) -> tuple[Loss, ...]:
    """Return the pods seen lately that ``current`` injects and ``candidate`` would not.

    Raises ConfigError where ``candidate`` denies or breaks a sample that ``current`` injects, or all pods
    seen of several namespaces; with no current one (at start) where it denies samples and injects none.
    """
    _try_samples(candidate, current)
    if current is None:
        return ()
    today = [review for review in seen if _injects(current, review)]
    losses = tuple(loss for review in today if (loss := _loss(candidate, review)) is not None)
    namespaces = {review.namespace for review in today}
    if len(losses) == len(today) and len(namespaces) >= SEVERAL:
        raise ConfigError(
            f"all {len(today)} pods seen lately, of {len(namespaces)} namespaces, are injected today "
            f"and would be denied ({rules_of(losses)})",
            detail=losses[0].message,
        )
    return losses


def rules_of(losses: Sequence[Loss]) -> str:
    """Return the rules that losses are due to, which quote no pod."""
    return ", ".join(sorted({loss.rule for loss in losses}))


def _try_samples(candidate: Reviewer, current: Reviewer | None) -> None:
    denials: list[str] = []
    injects = False
    for name, review in SAMPLES:
        answered = candidate.answer(review.body, review.path)
        if answered.outcome == "injected":
            injects = True
            _check_patch(name, review, answered)
        elif answered.outcome == "denied":
            denials.append(f"{name} is denied: {answered.message}")
            if current is not None and _injects(current, review):
                raise ConfigError(denials[-1])
    if current is None and denials and not injects:
        raise ConfigError(denials[0])


def _injects(reviewer: Reviewer, review: Seen) -> bool:
    """Return whether a pod is injected; one that crashes the reviewer is not."""
    try:
        return reviewer.answer(review.body, review.path).outcome == "injected"
    except Exception:  # noqa: BLE001 - a tenant's pod must not end the trial; serving it says where it crashed
        return False


def _loss(candidate: Reviewer, review: Seen) -> Loss | None:
    """Return what a pod that is injected today would be denied for, whatever it does to the candidate."""
    try:
        answered = candidate.answer(review.body, review.path)
        if answered.outcome == "injected":
            _check_patch("the pod", review, answered)
    except ConfigError as error:
        return Loss(review.namespace, "patch", shorten(error.reason))
    except InjectorError as error:
        return Loss(review.namespace, "call", shorten(str(error)))
    except Exception as error:  # noqa: BLE001 - a tenant's pod must not refuse a configuration by a fault of ours
        return Loss(review.namespace, "crash", type(error).__name__)
    if answered.outcome == "denied":
        return Loss(review.namespace, answered.reason, shorten(answered.message))
    return None


def _check_patch(name: str, review: Seen, answered: Answer) -> None:
    patch = orjson.loads(answered.body)["response"].get("patch")
    if patch is None:
        return
    try:
        json_patch.apply(
            orjson.loads(review.body)["request"]["object"], orjson.loads(base64.b64decode(patch))
        )
    except PatchError as error:
        raise ConfigError(f"the patch for {name} does not apply: {error}") from error


# --- the samples


def _review(pod: JSONObject) -> Seen:
    request = {
        "uid": "00000000-0000-4000-8000-000000000000",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "default",
        "operation": "CREATE",
        "dryRun": True,
        "object": pod,
    }
    # Every release takes v1beta1; some of the older ones do not take v1.
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "request": request}
    return Seen(orjson.dumps(review), "/inject", "default")


ASKS: Final = {"sidecar.istio.io/inject": "true"}
HASH: Final = {"pod-template-hash": "5d9c7b8f4d"}


def _pod(
    spec: JSONObject,
    *,
    owner: tuple[str, str] = ("apps/v1", "ReplicaSet"),
    name: str = "sample-5d9c7b8f4d",
    labels: JSONObject | None = None,
    annotations: JSONObject | None = None,
) -> JSONObject:
    """Return a pod as its controller makes it."""
    api_version, kind = owner
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "uid": "1", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": "default",
            "labels": {"app": "sample", **(labels or {})},
            "annotations": annotations or {},
            "ownerReferences": [reference],
        },
        "spec": spec,
    }


def _container(name: str, port: int) -> JSONObject:
    return {
        "name": name,
        "image": "registry.example/sample:1",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "resources": {},
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 10,
        },
    }


_PREPARE: Final = {"name": "prepare", "image": "registry.example/prepare:1", "resources": {}}

SAMPLES: Final = (
    (
        "the sample pod with one container",
        _review(_pod({"containers": [_container("app", 8080)]}, labels={**HASH, **ASKS}, annotations=ASKS)),
    ),
    (
        "the sample pod with two containers",
        _review(
            _pod(
                {
                    "serviceAccountName": "sample",
                    "securityContext": {"fsGroup": 2000},
                    "initContainers": [_PREPARE],
                    "containers": [_container("app", 8080), _container("metrics", 9090)],
                    "volumes": [{"name": "data", "emptyDir": {}}],
                },
                owner=("apps/v1", "StatefulSet"),
                name="sample",
                labels=ASKS,
                annotations=ASKS,
            )
        ),
    ),
    (
        "the sample pod that asks for nothing",
        _review(_pod({"containers": [_container("app", 8080)]}, labels=HASH)),
    ),
    (
        "the sample pod of a CronJob",
        _review(
            _pod(
                {
                    "restartPolicy": "Never",
                    "containers": [{"name": "job", "image": "registry.example/job:1"}],
                },
                owner=("batch/v1", "Job"),
                name="sample-29400000",
                labels=ASKS,
                annotations=ASKS,
            )
        ),
    ),
    (
        "the sample pod of a DaemonSet with a native sidecar",
        _review(
            _pod(
                {
                    "initContainers": [{**_container("logs", 9091), "restartPolicy": "Always"}, _PREPARE],
                    "containers": [_container("app", 8080)],
                },
                owner=("apps/v1", "DaemonSet"),
                name="sample",
                labels=ASKS,
                annotations=ASKS,
            )
        ),
    ),
    (
        "the sample pod in the host's network",
        _review(
            _pod(
                {"hostNetwork": True, "containers": [_container("app", 8080)]},
                owner=("apps/v1", "DaemonSet"),
                name="sample",
                labels=ASKS,
                annotations=ASKS,
            )
        ),
    ),
)
"""Pods as real ones are, by what they are called in a refusal. None of them is anybody's."""
