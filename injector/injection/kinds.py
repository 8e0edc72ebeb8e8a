"""apiVersion and kind in, where the pod template stands out.

Istio's kube-inject reads the kinds of Kubernetes and OpenShift; the custom resources here are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from injector.json_types import JSON, JSONObject, at
from injector.patch import KINDS

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """Where a workload keeps the metadata and the spec of its pods.

    ``schema`` is the name of the Go type of the whole document, "" where Kubernetes has none: then only the
    pod template is typed.
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
    (version, kind): _place(kind, schema)
    for (version, kind), schema in KINDS.items()
    if kind not in ("List", "PodTemplate")
} | {(version, kind): _place(kind, "") for version, kinds in _CUSTOM.items() for kind in kinds}
_PLACES["batch/v2alpha1", "CronJob"] = _PLACES["batch/v1beta1", "CronJob"]


def place_of(document: JSON, custom_path: str = "") -> PodPlace | None:
    """Return where ``document`` keeps its pods; None when it has none.

    ``custom_path`` is the dotted path of a pod template (``spec.template``) in kinds that are not known.
    """
    if not isinstance(document, dict):
        return None
    version, kind = document.get("apiVersion") or "", document.get("kind") or ""
    known = _PLACES.get((version, kind)) if isinstance(version, str) and isinstance(kind, str) else None
    if known or not custom_path:
        return known
    path = tuple(custom_path.removeprefix(".").split("."))
    return _place("", "", path) if isinstance(get_at(document, path), dict) else None


def is_list(document: JSON) -> bool:
    """Tell whether a document is a v1 List."""
    return isinstance(document, dict) and (document.get("apiVersion"), document.get("kind")) == ("v1", "List")


def get_at(document: JSON, path: Path) -> Any:
    """Return what stands at ``path``; None where something on the way is missing."""
    return at(document, *path)


def put_at(document: JSONObject, path: Path, value: JSON) -> JSONObject:
    """Return the document with another value at ``path``; what is not on the way is shared."""
    key, *rest = path
    inner = put_at(document.get(key) or {}, tuple(rest), value) if rest else value
    return document | {key: inner}
