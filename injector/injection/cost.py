"""Charge what a pod contains to the budget of its review, before the pod is processed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from injector.budget import Budget
from injector.istio.mesh.effective import ANNOTATION as PROXY_CONFIG
from injector.json_types import JSON, JSONObject, Pod
from injector.kubeyaml import count_nodes

_KINDS: Final = ("containers", "initContainers", "ephemeralContainers")
_OURS: Final = "istio.io/"
_WIDEST: Final = 4  # bytes of a character in UTF-8


def charge_pod(pod: Pod, budget: Budget) -> None:
    """Charge the pod's containers, entries and annotations; raises LimitError.

    The managedFields are left out: nobody reads them, and replicas differ in them.
    """
    spec: JSONObject = pod.get("spec") or {}
    budget.charge(
        "containers", sum([len(spec.get(kind) or ()) for kind in _KINDS]), "the pod has {} containers"
    )
    entries = _entries(pod)
    sentence = "the pod has {} entries in its lists and maps"
    if entries > budget.limits.entries:
        path, most = max(_parts(pod), key=lambda part: part[1])
        sentence += f", {most:,} of them in {path}"
    budget.charge("entries", entries, sentence)
    annotations: Mapping[str, str | None] = (pod.get("metadata") or {}).get("annotations") or {}
    charge_annotations(annotations, budget)


def charge_annotations(annotations: Mapping[str, str | None], budget: Budget) -> None:
    """Charge the size of annotations, as Kubernetes counts it, and those that are read as lists or YAML."""
    size = sum(map(len, annotations)) + sum([len(value) for value in annotations.values() if value])
    if size * _WIDEST > budget.limits.annotations:
        size = sum(_size(name) + _size(value or "") for name, value in annotations.items())
    budget.charge("annotations", size, "the pod's annotations have {} bytes")
    if size > budget.limits.annotation_items:
        items = sum(value.count(",") for name, value in annotations.items() if value and _OURS in name)
        budget.charge("annotation_items", items, f"the pod's annotations of {_OURS} have {{}} commas")
    if text := annotations.get(PROXY_CONFIG):
        nodes = count_nodes(text, budget.limits.annotation_nodes)
        budget.charge("annotation_nodes", nodes, f"annotation {PROXY_CONFIG} has too many YAML nodes")


def charge_irregular(received: JSON, budget: Budget) -> None:
    """Charge a pod, or a part of it, that must be read value by value; managedFields do not count."""
    most = budget.limits.irregular_values
    sentence = (
        "the pod is not written as an API server writes it, and has more values than are read one by one"
    )
    budget.hold("irregular_values", _count(received, most), sentence)


def _count(value: JSON, most: int) -> int:
    """Return the number of values in this one, or some number above ``most`` if there are more."""
    count = 1
    waiting: list[JSON] = [value]
    while waiting and count <= most:
        each = waiting.pop()
        if each.__class__ is dict:
            each = [item for key, item in each.items() if key != "managedFields"]
        if each.__class__ is list:
            count += len(each)
            waiting += [item for item in each if item.__class__ is dict or item.__class__ is list]
    return count


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _entries(pod: Pod) -> int:
    """Return the number of elements of the lists and maps in metadata, spec and each container."""
    spec: JSONObject = pod.get("spec") or {}
    metadata: JSONObject = pod.get("metadata") or {}
    count = len(metadata.get("labels") or ()) + len(metadata.get("annotations") or ())
    count += len(metadata.get("ownerReferences") or ()) + len(metadata.get("finalizers") or ())
    count += sum(
        [len(value) for value in spec.values() if value.__class__ is list or value.__class__ is dict]
    )
    for kind in _KINDS:
        for container in spec.get(kind) or ():
            if container:
                count += sum([len(value) for value in container.values() if value.__class__ is list])
    return count


def _parts(pod: Pod) -> Iterator[tuple[str, int]]:
    """Yield the path and the length of each list and map that is counted."""
    for place in ("metadata", "spec"):
        part: JSONObject = pod.get(place) or {}
        for name, value in part.items():
            if isinstance(value, list | dict) and name != "managedFields":
                yield f"{place}.{name}", len(value)
    spec: JSONObject = pod.get("spec") or {}
    for kind in _KINDS:
        containers: list[Any] = spec.get(kind) or []
        for index, container in enumerate(containers):
            for name, value in (container or {}).items():
                if isinstance(value, list):
                    yield f"spec.{kind}[{index}].{name}", len(value)
