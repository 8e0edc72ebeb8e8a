"""Find the workload of a pod from its owner references, as Istio's webhook guesses it.

Names and kinds are told from the pod alone.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from injector.errors import BadReview
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod

_HASH: Final = "pod-template-hash"
_ROLLOUT_HASH: Final = "rollouts-pod-template-hash"
_DEPLOYMENT_CONFIG: Final = "deploymentconfig"

# A CronJob names its Jobs by a time: seconds until Kubernetes 1.20, minutes from 1.21.
_SECONDS: Final = re.compile(r"(.+)-(?:[0-9]{10}|[+-][0-9]{9})", re.DOTALL)
_SECONDS_OR_MINUTES: Final = re.compile(r"(.+)-[0-9]{8,10}")


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """The object that a pod belongs to, as the template's DeploymentMeta and TypeMeta show it.

    ``metadata`` is ObjectMeta JSON (name and namespace at least where known); of a pod that nothing
    owns it is the pod's own.
    """

    metadata: JSONObject
    api_version: str = ""
    kind: str = ""


def find_workload(
    pod: Pod, namespace: str, behaviour: Behaviour, named: tuple[str, str, str] | None = None
) -> Workload:
    """Return the workload that created ``pod``; the pod itself if none did.

    ``namespace`` is what DeploymentMeta shows; ``named`` is what `name_workload` says, if it was asked.
    Raises BadReview for an owner reference without ``controller`` in the releases whose process crashes on
    one.
    """
    metadata: JSONObject = pod.get("metadata") or {}
    name, api_version, kind = named or name_workload(pod, behaviour)
    own = metadata | {"namespace": namespace, "name": name or metadata.get("name") or ""}
    if behaviour.workload_has_no_owners:
        own = {key: value for key, value in own.items() if key not in ("ownerReferences", "managedFields")}
    if kind == "DeploymentConfig":
        own |= {"labels": without_deployment_config(metadata.get("labels") or {})}
    return Workload(metadata=own, api_version=api_version, kind=kind)


def name_workload(pod: Pod, behaviour: Behaviour) -> tuple[str, str, str]:
    """Return name, apiVersion and kind of the workload that created ``pod``; raises as `find_workload`."""
    metadata: JSONObject = pod.get("metadata") or {}
    if behaviour.reads_owners and metadata.get("generateName"):
        owner = _controller(metadata, behaviour)
        if owner is not None:
            return _trace(owner, metadata.get("labels") or {}, behaviour)
    return metadata.get("name") or "", "v1", "Pod"


def without_deployment_config(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels without that of the DeploymentConfig, which Istio removes after reading it."""
    return {key: value for key, value in labels.items() if key != _DEPLOYMENT_CONFIG}


def _controller(metadata: JSONObject, behaviour: Behaviour) -> JSONObject | None:
    references: list[JSONObject | None] = metadata.get("ownerReferences") or []
    for owner in references:
        controller = owner.get("controller") if owner else None
        if controller is None and behaviour.owner_needs_controller:
            raise BadReview(400, "metadata.ownerReferences: an owner without `controller` crashes this Istio")
        if owner and controller:
            return owner
    return None


def _trace(owner: JSONObject, labels: dict[str, str], behaviour: Behaviour) -> tuple[str, str, str]:
    """Return name, apiVersion and kind of the workload behind a controller."""
    name, api_version, kind = owner.get("name") or "", owner.get("apiVersion") or "", owner.get("kind") or ""
    if kind == "ReplicaSet":
        return _behind_replica_set(name, api_version, labels, behaviour)
    if (
        kind == "ReplicationController"
        and behaviour.finds_deployment_configs
        and labels.get(_DEPLOYMENT_CONFIG)
    ):
        return labels[_DEPLOYMENT_CONFIG], api_version, "DeploymentConfig"
    if kind == "Job" and behaviour.cron_job_version:
        pattern = _SECONDS_OR_MINUTES if behaviour.cron_jobs_by_minute else _SECONDS
        if match := pattern.fullmatch(name):
            return match[1], behaviour.cron_job_version, "CronJob"
    return name, api_version, kind


def _behind_replica_set(
    name: str, api_version: str, labels: dict[str, str], behaviour: Behaviour
) -> tuple[str, str, str]:
    """Return the Deployment or Argo Rollout whose template hash ends the ReplicaSet's name."""
    template_hash = labels.get(_HASH) or ""
    if name.endswith(template_hash) and (template_hash or not behaviour.needs_template_hash):
        return name.removesuffix(f"-{template_hash}"), api_version, "Deployment"
    rollout_hash = labels.get(_ROLLOUT_HASH) or ""
    if behaviour.finds_rollouts and rollout_hash and name.endswith(rollout_hash):
        return name.removesuffix(f"-{rollout_hash}"), "v1alpha1", "Rollout"
    return name, api_version, "ReplicaSet"
