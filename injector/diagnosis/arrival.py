"""Make the pod that a workload's controller sends, as it arrives at the webhooks.

The API server fills in defaults and runs its own admission plugins before it calls webhooks, and a controller
adds names, labels and an owner to its template. Selectors, conditions and templates see all of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from injector.diagnosis.items import mapping
from injector.injection.kinds import PodPlace
from injector.injection.steps.pods import metadata_of
from injector.json_types import JSON, JSONObject, Pod, at

HASH: Final = "6d4cf56db6"
"""Stands for the hash of a pod template: ten characters of those that Kubernetes' SafeEncodeString writes."""

_UID: Final = "00000000-0000-4000-8000-000000000000"

SCHEDULED: Final = "29000000"
"""Stands for the minute in the name of a CronJob's Job: eight digits until the year 2160."""

_ACCOUNTS: Final = {
    "Deployment": "replicaset-controller",
    "ReplicaSet": "replicaset-controller",
    "ReplicationController": "replication-controller",
    "StatefulSet": "statefulset-controller",
    "DaemonSet": "daemon-set-controller",
    "Job": "job-controller",
    "CronJob": "job-controller",
}
"""The service account in kube-system that creates the pods of each of Kubernetes' own kinds."""

_KUBERNETES: Final = ("apps/", "batch/", "extensions/", "v1")


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A pod in the request that creates it, in ``namespace``.

    ``user`` is the userInfo of its creator, None where unknown. ``pod`` is the pod as sent, for the injector;
    ``seen`` the same with the API server's defaults, for conditions.
    """

    pod: Pod
    namespace: str
    user: JSONObject | None = None

    @cached_property
    def seen(self) -> Pod:
        """The pod as conditions and webhooks see it."""
        return _defaulted(self.pod, self.namespace)

    @property
    def request(self) -> JSONObject:
        """The AdmissionRequest of its creation, as conditions see it."""
        kind = {"group": "", "version": "v1", "kind": "Pod"}
        resource = {"group": "", "version": "v1", "resource": "pods"}
        name = metadata_of(self.pod).get("name")
        return {
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "namespace": self.namespace,
            "operation": "CREATE",
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **({"name": name} if name else {}),
            **({"userInfo": self.user} if self.user else {}),
        }


def arrival_of(document: JSONObject, place: PodPlace, namespace: str) -> Arrival:
    """Return the pod that ``document`` makes, as it arrives in ``namespace``."""
    kind, api_version = str(document.get("kind") or ""), str(document.get("apiVersion") or "")
    given = mapping(at(document, *place.spec[:-1]))
    pod: Pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": mapping(given.get("metadata")),
        "spec": given.get("spec") or {},
    }
    if kind == "Pod":
        return Arrival(pod=pod, namespace=namespace)
    owner = mapping(document.get("metadata"))
    name = owner.get("name") or owner.get("generateName") or "workload"
    added = _added(name, api_version, kind)
    labels = {**mapping(pod["metadata"].get("labels")), **added.pop("labels")}
    metadata = {**pod["metadata"], **added, "namespace": namespace, **({"labels": labels} if labels else {})}
    if not namespace:
        del metadata["namespace"]
    return Arrival(pod=pod | {"metadata": metadata}, namespace=namespace, user=_user(kind, api_version))


def _user(kind: str, api_version: str) -> JSONObject | None:
    account = _ACCOUNTS.get(kind) if api_version.startswith(_KUBERNETES) else None
    if account is None:
        return None
    groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
    return {"username": f"system:serviceaccount:kube-system:{account}", "groups": groups}


# ---- what controllers add


def _added(name: str, api_version: str, kind: str) -> JSONObject:
    """Return the metadata that a workload's controllers add to its template's, with all their labels."""
    labels: dict[str, str] = {}
    match kind:
        case "Deployment" | "Rollout":
            labels["pod-template-hash" if kind == "Deployment" else "rollouts-pod-template-hash"] = HASH
            name, api_version, kind = f"{name}-{HASH}", "apps/v1", "ReplicaSet"
        case "DeploymentConfig":
            labels = {"deployment": f"{name}-1", "deploymentconfig": name}
            name, api_version, kind = f"{name}-1", "v1", "ReplicationController"
        case "StatefulSet":
            labels = {
                "apps.kubernetes.io/pod-index": "0",
                "controller-revision-hash": f"{name}-{HASH}",
                "statefulset.kubernetes.io/pod-name": f"{name}-0",
            }
        case "DaemonSet":
            labels = {"controller-revision-hash": HASH, "pod-template-generation": "1"}
        case "Job" | "CronJob":
            name, kind = name if kind == "Job" else f"{name}-{SCHEDULED}", "Job"
            names = {"job-name": name, "controller-uid": _UID}
            labels = names | {f"batch.kubernetes.io/{key}": value for key, value in names.items()}
    owner = {
        "apiVersion": api_version,
        "kind": kind,
        "name": name,
        "uid": _UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    # The pods of a StatefulSet have names of their own, and generateName too.
    own = {"name": f"{name}-0"} if kind == "StatefulSet" else {}
    return {"generateName": f"{name}-", "ownerReferences": [owner], **own, "labels": labels}


# ---- what the API server fills in before webhooks are asked


_POD: Final[JSONObject] = {
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "serviceAccount": "default",
    "serviceAccountName": "default",
    "terminationGracePeriodSeconds": 30,
}
"""SetDefaults_PodSpec, and the admission plugins ServiceAccount and Priority."""

_TOLERATIONS: Final[list[JSON]] = [
    {
        "effect": "NoExecute",
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "tolerationSeconds": 300,
    }
    for condition in ("not-ready", "unreachable")
]
"""The admission plugin DefaultTolerationSeconds."""

_CONTAINER: Final[JSONObject] = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


def _defaulted(pod: Pod, namespace: str) -> Pod:
    """Return the pod with what every API server fills in and a condition is likely to read."""
    spec: JSONObject = {key: value for key, value in pod["spec"].items() if value is not None}
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    filled = _POD | {"tolerations": _TOLERATIONS} | spec
    filled |= {"serviceAccount": account, "serviceAccountName": account}
    for key in ("containers", "initContainers"):
        if isinstance(spec.get(key), list):
            filled[key] = [_container(each) for each in spec[key]]
    metadata = pod["metadata"] | ({"namespace": namespace} if namespace else {})
    # Go leaves empty and false fields out, so has() is false for them.
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if filled.get(key) is False:
            del filled[key]
    metadata = {
        key: value for key, value in metadata.items() if value not in (None, {}, [], "") or key == "name"
    }
    return pod | {"metadata": metadata, "spec": filled, "status": {}}


def _container(container: JSON) -> JSON:
    if not isinstance(container, dict):
        return container
    image = str(container.get("image") or "")
    _, colon, tag = image.rpartition("/")[2].partition(":")
    newest = "@" not in image and (not colon or tag == "latest")
    policy = {"imagePullPolicy": "Always" if newest else "IfNotPresent"}
    filled = _CONTAINER | policy | {key: value for key, value in container.items() if value is not None}
    if isinstance(filled.get("ports"), list):
        filled["ports"] = [
            {"protocol": "TCP"} | port if isinstance(port, dict) else port for port in filled["ports"]
        ]
    return filled
