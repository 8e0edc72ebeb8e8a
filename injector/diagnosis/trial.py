"""Try a configuration with sample pods, compared with the configuration that serves.

`serve` does this at start and at each reload, `lint` does exactly the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import orjson

from injector import patch as json_patch
from injector.errors import ConfigError, PatchError
from injector.injection.inject import Answer
from injector.json_types import JSONObject


class Seen(NamedTuple):
    """One review as it was posted; ``namespace`` is the request's, which a pod cannot choose."""

    body: bytes
    path: str
    namespace: str = ""


class Answerer(Protocol):
    """Anything that answers reviews: an Injector, or the service's reviewer."""

    def answer(self, body: bytes, path: str) -> Answer:
        """Answer one AdmissionReview; raises BadReview where the call itself is wrong."""


def try_samples(candidate: Answerer, current: Answerer | None = None, *, allow_empty: bool = False) -> str:
    """Return why ``candidate`` leaves pods without sidecars that it seems to inject; "" where it does not.

    ``current`` is the last configuration that injected. Raises ConfigError where ``candidate`` denies or
    breaks a sample that ``current`` injects, or (unless ``allow_empty``) is empty by `_why_empty`; without a
    current one (at start) where it denies samples and injects none; and where its patch does not apply.
    """
    answers: dict[str, Answer] = {}
    denials: list[str] = []
    for name, review in SAMPLES:
        answers[name] = answered = candidate.answer(review.body, review.path)
        if answered.outcome == "injected":
            check_patch(name, review, answered)
        elif answered.outcome == "denied":
            denials.append(f"{name} is denied: {answered.message}")
            if current is not None and injects(current, review):
                raise ConfigError(denials[-1])
    why = _why_empty(answers)
    if why and current is not None and not allow_empty:
        raise ConfigError(f"{why}; with --allow-empty-injection it would serve")
    if why and current is None and denials:
        raise ConfigError(denials[0])
    return why


def _why_empty(answers: Mapping[str, Answer]) -> str:
    """Return why pods are left without sidecars, by the answers to the samples; "" where they are not.

    They are where no sample is injected, or where a neverInjectSelector matches the labels that all pods of a
    Deployment have: then only pods that ask for a sidecar get one. Where that is intended, `policy: disabled`
    is the right word, and not a fault.
    """
    if not any(answer.outcome == "injected" for answer in answers.values()):
        return f"none of the sample pods is injected: {next(iter(answers.values())).message}"
    plain = answers[PLAIN]
    if plain.reason == "never-selector":
        return f"pods that ask for nothing are not injected: {plain.message}"
    return ""


def injects(reviewer: Answerer, review: Seen) -> bool:
    """Return whether a pod is injected; False for one that crashes the reviewer."""
    try:
        return reviewer.answer(review.body, review.path).outcome == "injected"
    except Exception:  # noqa: BLE001 - a tenant's pod must not end the trial; serving it says where it crashed
        return False


def check_patch(name: str, review: Seen, answered: Answer) -> None:
    """Raise ConfigError where the patch of an answer does not apply to the posted pod."""
    patch = orjson.loads(answered.body)["response"].get("patch")
    if patch is None:
        return
    pod = orjson.loads(review.body)["request"]["object"]
    try:
        json_patch.apply(pod, orjson.loads(base64.b64decode(patch)))
    except PatchError as error:
        raise ConfigError(f"the patch for {name} does not apply: {error}") from error


# --- the samples


PLAIN: Final = "the sample pod that asks for nothing"

_OWNERS: Final = {
    "ReplicaSet": ("apps/v1", "sample-5d9c7b8f4d", {"pod-template-hash": "5d9c7b8f4d"}),
    "StatefulSet": ("apps/v1", "sample", {}),
    "DaemonSet": ("apps/v1", "sample", {}),
    "Job": ("batch/v1", "sample-29400000", {}),
}
"""Controllers by kind: their version, a name, and the labels that they give to pods."""


def _sample(owner: str, spec: JSONObject, *, asks: bool = True) -> Seen:
    """Return the review of a pod from a controller; ``asks``: by label and annotation for a sidecar."""
    api_version, name, labels = _OWNERS[owner]
    switch = {"sidecar.istio.io/inject": "true"} if asks else {}
    reference = {"apiVersion": api_version, "kind": owner, "name": name, "uid": "1", "controller": True}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": "default",
            "labels": {"app": "sample", **labels, **switch},
            "annotations": switch,
            "ownerReferences": [reference],
        },
        "spec": spec,
    }
    request = {
        "uid": "00000000-0000-4000-8000-000000000000",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "default",
        "operation": "CREATE",
        "dryRun": True,
        "object": pod,
    }
    # Every release accepts v1beta1; some older ones do not accept v1.
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "request": request}
    return Seen(orjson.dumps(review), "/inject", "default")


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
    ("the sample pod with one container", _sample("ReplicaSet", {"containers": [_container("app", 8080)]})),
    (
        "the sample pod with two containers",
        _sample(
            "StatefulSet",
            {
                "serviceAccountName": "sample",
                "securityContext": {"fsGroup": 2000},
                "initContainers": [_PREPARE],
                "containers": [_container("app", 8080), _container("metrics", 9090)],
                "volumes": [{"name": "data", "emptyDir": {}}],
            },
        ),
    ),
    (PLAIN, _sample("ReplicaSet", {"containers": [_container("app", 8080)]}, asks=False)),
    (
        "the sample pod of a CronJob",
        _sample(
            "Job",
            {"restartPolicy": "Never", "containers": [{"name": "job", "image": "registry.example/job:1"}]},
        ),
    ),
    (
        "the sample pod of a DaemonSet with a native sidecar",
        _sample(
            "DaemonSet",
            {
                "initContainers": [{**_container("logs", 9091), "restartPolicy": "Always"}, _PREPARE],
                "containers": [_container("app", 8080)],
            },
        ),
    ),
    (
        "the sample pod in the host's network",
        _sample("DaemonSet", {"hostNetwork": True, "containers": [_container("app", 8080)]}),
    ),
)
"""Pods like real ones, by their names in a refusal. They belong to no tenant."""
