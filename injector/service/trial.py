"""A new configuration in, ConfigError out if it would fail pods which are injected today. Knows no files.

It answers reviews of built-in sample pods and of the last pods seen before it serves anybody, and every patch
is applied to the object that it is for.
"""

from __future__ import annotations

import base64
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import orjson

from injector import patch as json_patch
from injector.errors import ConfigError, PatchError
from injector.injection.inject import Answer
from injector.json_types import JSONObject
from injector.service.reviews import Reviewer

REMEMBERED: Final = 16
LARGEST_REMEMBERED: Final = 64 << 10
"""Bytes of a review that is worth remembering: sixteen of them are a mebibyte."""

SECONDS_BETWEEN: Final = 1.0
"""Remembering every review would keep the last burst of one Deployment; one a second keeps a mixture."""


class Seen(NamedTuple):
    """One review as it was posted."""

    body: bytes
    path: str


class LastPods:
    """The last reviews that led to an injection: kept in memory alone, and never logged or shown."""

    __slots__ = ("_next", "_reviews")

    def __init__(self) -> None:
        self._reviews: deque[Seen] = deque(maxlen=REMEMBERED)
        self._next = 0.0

    def see(self, body: bytes, path: str) -> None:
        """Remember a review, at most one a second."""
        now = time.monotonic()
        if now >= self._next and len(body) <= LARGEST_REMEMBERED:
            self._next = now + SECONDS_BETWEEN
            self._reviews.append(Seen(body, path))

    def reviews(self) -> tuple[Seen, ...]:
        """Return what is remembered, oldest first."""
        return tuple(self._reviews)


def try_out(candidate: Reviewer, current: Reviewer | None, seen: Iterable[Seen] = ()) -> None:
    """Raise ConfigError where ``candidate`` denies or breaks a pod that ``current`` injects.

    With no current one (at start) a configuration which denies every sample is refused.
    """
    denials: list[str] = []
    for name, review in (*SAMPLES, *(("a pod seen lately", review) for review in seen)):
        answered = candidate.answer(review.body, review.path)
        if answered.outcome == "injected":
            _check_patch(name, review, answered)
        elif answered.outcome == "denied":
            denials.append(f"{name} is denied: {answered.message}")
            if current is not None and current.answer(review.body, review.path).outcome == "injected":
                raise ConfigError(denials[-1])
    if current is None and len(denials) == len(SAMPLES):
        raise ConfigError(denials[0])


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
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return Seen(orjson.dumps(review), "/inject")


def _pod(spec: JSONObject, *, kind: str = "ReplicaSet") -> JSONObject:
    owner = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": "sample-5d9c7b8f4d",
        "uid": "1",
        "controller": True,
    }
    wanted = {"sidecar.istio.io/inject": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "sample-5d9c7b8f4d-",
            "namespace": "default",
            "labels": {"app": "sample", "pod-template-hash": "5d9c7b8f4d", **wanted},
            "annotations": wanted,
            "ownerReferences": [owner],
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


SAMPLES: Final = (
    ("the sample pod with one container", _review(_pod({"containers": [_container("app", 8080)]}))),
    (
        "the sample pod with two containers",
        _review(
            _pod(
                {
                    "serviceAccountName": "sample",
                    "securityContext": {"fsGroup": 2000},
                    "initContainers": [
                        {"name": "prepare", "image": "registry.example/prepare:1", "resources": {}}
                    ],
                    "containers": [_container("app", 8080), _container("metrics", 9090)],
                    "volumes": [{"name": "data", "emptyDir": {}}],
                },
                kind="StatefulSet",
            )
        ),
    ),
)
