"""apiVersion and kind in, where the pod template stands out. Knows no release and no file.

Istio's kube-inject reads the kinds of Kubernetes and OpenShift; the custom resources here are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from injector.json_types import JSON, JSONObject

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """Where a workload keeps the metadata and the spec of its pods.

    ``go_type`` names the Go type of the whole document, "" where Kubernetes has none: then only the
    pod template is typed.
    """

    metadata: Path
    spec: Path
    go_type: str = ""


_TEMPLATE: Final[Path] = ("spec", "template")


def _template(go_type: str = "", path: Path = _TEMPLATE) -> PodPlace:
    return PodPlace(metadata=(*path, "metadata"), spec=(*path, "spec"), go_type=go_type)


def _cron_job(go_type: str) -> PodPlace:
    """Return a CronJob's place: Istio labels and annotates its jobs, not its pods."""
    job: Path = ("spec", "jobTemplate")
    return PodPlace(metadata=(*job, "metadata"), spec=(*job, *_TEMPLATE, "spec"), go_type=go_type)


_PLACES: Final[dict[tuple[str, str], PodPlace]] = {
    ("v1", "Pod"): PodPlace(metadata=("metadata",), spec=("spec",), go_type="core/v1.Pod"),
    ("v1", "ReplicationController"): _template("core/v1.ReplicationController"),
    ("batch/v1", "Job"): _template("batch/v1.Job"),
    ("batch/v1", "CronJob"): _cron_job("batch/v1.CronJob"),
    ("batch/v1beta1", "CronJob"): _cron_job("batch/v1beta1.CronJob"),
    ("batch/v2alpha1", "CronJob"): _cron_job("batch/v1beta1.CronJob"),
    ("apps.openshift.io/v1", "DeploymentConfig"): _template("openshift/apps/v1.DeploymentConfig"),
    ("v1", "DeploymentConfig"): _template("openshift/apps/v1.DeploymentConfig"),
    ("argoproj.io/v1alpha1", "Rollout"): _template(),
    ("serving.knative.dev/v1", "Service"): _template(),
    ("serving.knative.dev/v1", "Configuration"): _template(),
    ("apps.kruise.io/v1alpha1", "CloneSet"): _template(),
    ("apps.kruise.io/v1beta1", "CloneSet"): _template(),
    ("apps.kruise.io/v1beta1", "StatefulSet"): _template(),
    ("apps.kruise.io/v1alpha1", "DaemonSet"): _template(),
    ("apps.kruise.io/v1beta1", "DaemonSet"): _template(),
    ("apps.kruise.io/v1alpha1", "BroadcastJob"): _template(),
} | {
    (version, kind): _template(f"{version}.{kind}")
    for version, kinds in {
        "apps/v1": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
        "apps/v1beta1": ("Deployment", "StatefulSet"),
        "apps/v1beta2": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
        "extensions/v1beta1": ("DaemonSet", "Deployment", "ReplicaSet"),
    }.items()
    for kind in kinds
}


def place_of(document: JSON, custom_path: str = "") -> PodPlace | None:
    """Return where ``document`` keeps its pods; None when it has none.

    ``custom_path`` is the dotted path of a pod template (``spec.template``) in kinds that are not known.
    """
    if not isinstance(document, dict):
        return None
    known = _PLACES.get((document.get("apiVersion") or "", document.get("kind") or ""))
    if known or not custom_path:
        return known
    path = tuple(custom_path.removeprefix(".").split("."))
    return _template(path=path) if isinstance(get_at(document, path), dict) else None


def is_list(document: JSON) -> bool:
    """Tell whether a document is a v1 List."""
    return isinstance(document, dict) and (document.get("apiVersion"), document.get("kind")) == ("v1", "List")


def get_at(document: JSON, path: Path) -> Any:
    """Return what stands at ``path``; None where something on the way is missing."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def put_at(document: JSONObject, path: Path, value: JSON) -> JSONObject:
    """Return the document with another value at ``path``; what is not on the way is shared."""
    key, *rest = path
    inner = put_at(document.get(key) or {}, tuple(rest), value) if rest else value
    return document | {key: inner}
