"""Find the pod template of a workload by its apiVersion and kind.

Istio's kube-inject reads the kinds of Kubernetes and OpenShift. It goes by the kind alone: it reads an object
of any apiVersion, or none, into the one Go type that the release has for its kind. We do the same for the API
groups of Kubernetes; a kind of the same name in another vendor's group is a different kind. The custom
resources are our addition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from injector.istio.facts import Fact, Span, inject
from injector.json_types import JSON, JSONObject, at
from injector.patch import KINDS

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """Where a workload keeps the metadata and the spec of its pods.

    ``schema`` is the name of the Go type of the whole document, "" where Kubernetes has none: then only the
    pod template is typed. `schema_of` returns the name for a release.
    """

    metadata: Path
    spec: Path
    schema: str = ""


_TEMPLATE: Final[Path] = ("spec", "template")
_JOB: Final[Path] = ("spec", "jobTemplate")
_CUSTOM: Final = {
    "apps.kruise.io/v1alpha1": ("BroadcastJob", "CloneSet", "DaemonSet", "StatefulSet"),
    "apps.kruise.io/v1beta1": ("BroadcastJob", "CloneSet", "DaemonSet", "StatefulSet"),
    "argoproj.io/v1alpha1": ("Rollout",),
    "serving.knative.dev/v1": ("Configuration", "Service"),
}
"""Kinds with a pod template that are not Kubernetes' own."""


def _place(kind: str, schema: str, path: Path = _TEMPLATE) -> PodPlace:
    if kind == "Pod":
        return PodPlace(metadata=("metadata",), spec=("spec",), schema=schema)
    if kind == "CronJob":  # Istio labels and annotates its jobs, not its pods
        return PodPlace(metadata=(*_JOB, "metadata"), spec=(*_JOB, *_TEMPLATE, "spec"), schema=schema)
    return PodPlace(metadata=(*path, "metadata"), spec=(*path, "spec"), schema=schema)


_PLACES: Final = {
    kind: _place(kind, schema) for kind, schema in KINDS.items() if kind not in ("List", "PodTemplate")
}
_CUSTOM_PLACES: Final = {
    (version, kind): _place(kind, "") for version, kinds in _CUSTOM.items() for kind in kinds
}
_EXTENSIONS: Final = {
    **{f"apps/v1.{kind}": f"extensions/v1beta1.{kind}" for kind in ("Deployment", "DaemonSet", "ReplicaSet")},
    "apps/v1.StatefulSet": "apps/v1beta1.StatefulSet",
}
# Stands for the CronJob of batch/v2alpha1, whose type has another name and the same fields.
_OLD_CRON_JOB: Final = {"batch/v1.CronJob": "batch/v1beta1.CronJob"}
_READS_EXTENSIONS: Final = Span(until=1, source=inject(r"&v1beta1\.Deployment\{\}"))
_READS_OLD_CRON_JOBS: Final = Span(until=10, source=inject(r"&v2alpha1\.CronJob\{\}"))

FACTS: Final = (
    Fact(
        name="Deployment",
        meaning="that of extensions/v1beta1, as a DaemonSet and a ReplicaSet; a StatefulSet of apps/v1beta1",
        span=_READS_EXTENSIONS,
    ),
    Fact(name="CronJob", meaning="that of batch/v2alpha1", span=_READS_OLD_CRON_JOBS),
)


def schema_of(place: PodPlace, minor: int) -> str:
    """Return the name of the Go type that kube-inject of 1.``minor`` reads the whole document into."""
    old: dict[str, str] = {}
    if _READS_EXTENSIONS.covers(minor):
        old |= _EXTENSIONS
    if _READS_OLD_CRON_JOBS.covers(minor):
        old |= _OLD_CRON_JOB
    return old.get(place.schema, place.schema)


def _is_kubernetes(version: JSON) -> bool:
    """Return whether an apiVersion is Kubernetes' or OpenShift's: groups of custom resources have a dot."""
    group = str(version or "").rpartition("/")[0]
    return "." not in group or group == "apps.openshift.io"


def place_of(document: JSON, custom_path: str = "") -> PodPlace | None:
    """Return where ``document`` keeps its pods; None when it has none.

    ``custom_path`` is the dotted path of the pod template (``spec.template``) in unknown kinds.
    """
    if not isinstance(document, dict):
        return None
    version, kind = document.get("apiVersion"), document.get("kind")
    known = None
    if isinstance(kind, str):
        custom = _CUSTOM_PLACES.get((str(version), kind))
        known = _PLACES.get(kind) if _is_kubernetes(version) else custom
    if known or not custom_path:
        return known
    path = tuple(custom_path.removeprefix(".").split("."))
    return _place("", "", path) if isinstance(at(document, *path), dict) else None


def is_list(document: JSON) -> bool:
    """Return whether a document is a Kubernetes List."""
    return (
        isinstance(document, dict)
        and document.get("kind") == "List"
        and _is_kubernetes(document.get("apiVersion"))
    )


def put_at(document: JSONObject, path: Path, value: JSON) -> JSONObject:
    """Return the document with another value at ``path``; everything off the path is shared."""
    key, *rest = path
    inner = put_at(document.get(key) or {}, tuple(rest), value) if rest else value
    return document | {key: inner}
