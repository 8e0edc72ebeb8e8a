"""What controllers write differently into each pod of a workload, and whether an injection could notice.

A Deployment's next ReplicaSet has another hash and usually another image, a StatefulSet numbers its pods, a
DaemonSet names a node in each pod, and a Job is an owner of its own. Once Istio's injection has worked out
the workload, it looks at none of these. A template or a selector could: `unread` returns the labels and
annotations that nothing reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from injector.json_types import JSON, JSONObject, Pod

LABELS: Final = frozenset(
    {
        "pod-template-hash",  # ReplicaSets of a Deployment
        "rollouts-pod-template-hash",  # ReplicaSets of an Argo Rollout
        "controller-revision-hash",  # DaemonSets and StatefulSets
        "pod-template-generation",  # DaemonSets
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "job-name",
        "controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-completion-index",
    }
)
"""Labels by which controllers find their pods again."""

ANNOTATIONS: Final = frozenset(
    {
        "kubectl.kubernetes.io/restartedAt",  # kubectl rollout restart
        "batch.kubernetes.io/job-completion-index",
    }
)

CONTAINERS: Final = ("containers", "initContainers")

_ISTIO: Final = "istio-"
"""The prefix of the names of containers that an owner writes to customise injected ones."""

LONGEST: Final = 253
"""Characters of a name in Kubernetes. No controller above writes a longer one."""

_CONSTANT: Final = r"\s+(?:\"([^\"\\\n]*)\"|`([^`]*)`)"
_FUNCTION: Final = re.compile(
    # The only function of Istio's that is given both maps; it reads other names.
    r"\botelResourceAttributes\s+\.MeshConfig\s+\.ObjectMeta\.Annotations\s+\.ObjectMeta\.Labels\b"
)
_ONE_LABEL: Final = re.compile(r"\b(?:index|isset)\s+\$?\.ObjectMeta\.Labels" + _CONSTANT)
_ONE_ANNOTATION: Final = re.compile(
    r"\b(?:(?:index|isset)\s+\$?\.ObjectMeta\.Annotations|annotation\s+\$?\.ObjectMeta)" + _CONSTANT
)
_ANY_LABEL: Final = re.compile(r"\b(?:Get)?Labels\b")
_ANY_ANNOTATION: Final = re.compile(r"\b(?:Get)?Annotations\b|\bannotation\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Labels and annotations written by controllers whose values nothing in a configuration reads."""

    labels: frozenset[str]
    annotations: frozenset[str]


ALL_READ: Final = Unread(labels=frozenset(), annotations=frozenset())


@lru_cache(maxsize=2)
def unread(templates: tuple[str, ...], others: frozenset[str]) -> Unread:
    """Return what neither a template nor any of ``others``, for instance the names in selectors, refers to.

    A template that indexes a map of strings with a constant reads that name; otherwise it counts as reading
    the whole map. It can reach such a map only by writing ``Labels`` or ``Annotations``, or by printing a
    whole struct, which the struct records.
    """
    texts = [_FUNCTION.sub("", text) for text in templates]
    labels = _left(LABELS, texts, _ONE_LABEL, _ANY_LABEL)
    annotations = _left(ANNOTATIONS, texts, _ONE_ANNOTATION, _ANY_ANNOTATION)
    return Unread(labels=labels - others, annotations=annotations - others)


def _left(
    names: frozenset[str], texts: Iterable[str], by_name: re.Pattern[str], at_all: re.Pattern[str]
) -> frozenset[str]:
    for text in texts:
        names -= {quoted or raw for quoted, raw in by_name.findall(text)}
        if at_all.search(by_name.sub("", text)):
            return frozenset()
    return names


# ---- a pod without it

# No name contains a NUL, so a blank equals nothing but a blank.
ANY: Final = "\0"
_NO_IMAGE: Final = {"image": ANY}


def blanked(values: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return labels or annotations without the values of these names; the same object if it has none."""
    own = [key for key in names.intersection(values) if _is_name(values[key])]
    return values | dict.fromkeys(own, ANY) if own else values


def without_own(spec: JSONObject) -> JSONObject:
    """Return a pod's spec without its images, host name, claim names and the node that it is for."""
    own: JSONObject = {kind: _without_images(spec[kind]) for kind in CONTAINERS if spec.get(kind)}
    if "hostname" in spec and _is_name(spec["hostname"]):
        own["hostname"] = ANY
    if affinity := spec.get("affinity"):
        own["affinity"] = _without_node(affinity)
    for volume in spec.get("volumes") or ():
        if volume and "persistentVolumeClaim" in volume:
            own["volumes"] = [_without_claim(each) if _claims(each) else each for each in spec["volumes"]]
            break
    return spec | own if own else spec


def is_spoken_of(overlay: JSON, pod: Pod, unread: Unread, imaged: AbstractSet[str]) -> bool:
    """Return whether an overlay writes where a likeness of the pod has blanks, for instance into a claim.

    ``imaged`` are the names of the containers of `with_own_image`.
    """
    if not isinstance(overlay, dict):
        return True
    metadata, spec = overlay.get("metadata") or {}, overlay.get("spec") or {}
    if not (_are_spelled(overlay) and _are_spelled(metadata) and _are_spelled(spec)):
        return True
    if not (_OWN_METADATA.isdisjoint(metadata) and _OWN_SPEC.isdisjoint(spec)):
        return True
    labels, annotations = metadata.get("labels") or (), metadata.get("annotations") or ()
    if not (unread.labels.isdisjoint(labels) and unread.annotations.isdisjoint(annotations)):
        return True
    if not imaged.isdisjoint([container.get("name") for container in every_container(spec)]):
        return True
    claims = [volume["name"] for volume in (pod.get("spec") or {}).get("volumes") or () if _claims(volume)]
    return bool(claims) and any(
        volume and volume.get("name") in claims for volume in spec.get("volumes") or ()
    )


def with_own_image(pod: Pod) -> list[JSONObject]:
    """Return the containers whose image is left out of a likeness of the pod."""
    containers = every_container(pod.get("spec") or {})
    without = _without_images(containers)
    return [each for each, blank in zip(containers, without, strict=True) if blank is not each]


def every_container(spec: JSONObject) -> list[JSONObject]:
    """Return the containers and init containers of a pod's spec, without nulls."""
    return [container for kind in CONTAINERS for container in spec.get(kind) or () if container]


_OWN_METADATA: Final = frozenset({"name", "generateName", "ownerReferences", "managedFields"})
_OWN_SPEC: Final = frozenset({"hostname", "affinity"})
_LOOKED_FOR: Final = _OWN_METADATA.union(
    _OWN_SPEC, CONTAINERS, ("metadata", "spec", "labels", "annotations", "volumes")
)
_IN_ANY_CASE: Final = frozenset(map(str.casefold, _LOOKED_FOR))


def _are_spelled(part: JSONObject) -> bool:
    """Return whether the fields that are searched for in an overlay have their own names: Go ignores case."""
    found = sum(map(_IN_ANY_CASE.__contains__, map(str.casefold, part)))
    return found == len(_LOOKED_FOR.intersection(part))


def _claims(volume: JSONObject | None) -> bool:
    """Return whether a volume is a claim."""
    return bool(volume and volume.get("name") and volume.get("persistentVolumeClaim"))


def _without_images(containers: list[Any]) -> list[Any]:
    """Return the containers without their images, except for those that customise an injected container."""
    return [
        container | _NO_IMAGE
        if container and _is_name(container.get("image")) and not container["name"].startswith(_ISTIO)
        else container
        for container in containers
    ]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST


_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_NODE: Final = {"key": "metadata.name", "operator": "In"}


def _without_node(affinity: JSONObject) -> JSONObject:
    """Return an affinity without the name of the node that it selects, if it selects one by name."""
    node: JSONObject = affinity.get("nodeAffinity") or {}
    required: JSONObject = node.get(_REQUIRED) or {}
    terms: list[JSONObject | None] = required.get("nodeSelectorTerms") or []
    if not any(term and term.get("matchFields") for term in terms):
        return affinity
    anywhere = [
        term | {"matchFields": _nodes(term["matchFields"])} if term and "matchFields" in term else term
        for term in terms
    ]
    return affinity | {"nodeAffinity": node | {_REQUIRED: required | {"nodeSelectorTerms": anywhere}}}


def _nodes(fields: Any) -> Any:
    match fields:
        case [{"values": [str() as name], **rest}] if rest == _NODE and _is_name(name):
            return [_NODE | {"values": [ANY]}]
    return fields


def _without_claim(volume: JSONObject) -> JSONObject:
    claim = volume["persistentVolumeClaim"]
    if not _is_name(claim.get("claimName")):
        return volume
    return volume | {"persistentVolumeClaim": claim | {"claimName": ANY}}
