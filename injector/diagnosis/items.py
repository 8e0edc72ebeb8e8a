"""Turn documents into objects, each with its position, so that messages can name it.

They are sorted by purpose: workloads, their surroundings, and others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from injector.diagnosis.findings import Finding, Place
from injector.injection.kinds import PodPlace, place_of
from injector.json_types import JSON, JSONObject, at
from injector.kubeyaml import Document, Positions

Path = tuple[str | int, ...]

REGISTRATION: Final = "MutatingWebhookConfiguration"
NOT_GIVEN: Final = f"no {REGISTRATION} was given"

_STEP: Final = re.compile(r"\[(\d+)\]|\[([^\]]+)\]|([^.\[]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a file or of the cluster.

    ``source`` is the file's name, or ``kind namespace/name`` in the cluster. In a file, ``positions`` are
    those of the YAML document with the object, ``line`` where the document starts, ``path`` where the object
    is in it (the items of a List).
    """

    value: JSONObject
    source: str
    positions: Positions | None = None
    line: int = 0
    path: Path = ()

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.value.get("kind") or "")

    @property
    def name(self) -> str:
        """The object's name, or the prefix of the one it will get."""
        return str(self.metadata.get("name") or self.metadata.get("generateName") or "")

    @property
    def title(self) -> str:
        """Kind and name for a sentence."""
        return f"{self.kind or 'object'} {self.name or '?'}"

    @property
    def metadata(self) -> JSONObject:
        """The object's metadata, empty where there is none."""
        return mapping(self.value.get("metadata"))

    @property
    def labels(self) -> JSONObject:
        """The object's labels, empty where there are none."""
        return mapping(self.metadata.get("labels"))

    def at(self, *path: str | int) -> Place:
        """Return the position of a field of the object; for a missing field, that of its parent."""
        whole = (*self.path, *path)
        if self.positions is None:
            return Place(self.source, path=written(whole))
        line, column = self.positions.at(whole)
        return Place(self.source, line + self.line - 1 if line else self.line, column, written(whole))


def mapping(value: Any) -> JSONObject:
    """Return a mapping; an empty one for null and for any other value."""
    return value if isinstance(value, dict) else {}


def pods_metadata(place: PodPlace) -> tuple[str, ...]:
    """Return the path of a workload's metadata for its pods, as an API server reads it.

    In a CronJob kube-inject, Istio's and ours, labels and annotates the jobs instead: see PodPlace.
    """
    return (*place.spec[:-1], "metadata")


def written(path: Path) -> str:
    """Return a path as people write it: ``metadata.labels[istio.io/rev]``, ``spec.containers[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int) or not step.replace("-", "").isalnum():
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def steps_of(path: str) -> Path:
    """Return ``spec.a[0].b[example.org/c]`` as keys and indices."""
    return tuple(int(number) if number else key or name for number, key, name in _STEP.findall(path))


# ---- what they are for


@dataclass(slots=True, kw_only=True)
class Material:
    """The objects to explain, and what explains them.

    ``others`` are of kinds without pods. ``pods`` are running ones, ``nodes`` the kubelets' versions by node,
    if they come from a cluster. ``unseen`` says why no registration was read, "" where one was.
    """

    workloads: list[tuple[Item, PodPlace]] = field(default_factory=list)
    registration: list[Item] = field(default_factory=list)
    namespaces: dict[str, Item] = field(default_factory=dict)
    proxy_configs: list[Item] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)
    pods: Sequence[Item] = ()
    nodes: Mapping[str, str] | None = None
    unseen: str = NOT_GIVEN
    remarks: Sequence[str] = ()

    def add(self, items: Iterable[Item], *, pod_template_path: str = "") -> None:
        """Sort items in; of a Namespace given twice the last counts."""
        for item in items:
            place = place_of(item.value, pod_template_path)
            if place is not None:
                self.workloads.append((item, place))
            elif item.kind == REGISTRATION:
                self.registration.append(item)
            elif item.kind == "Namespace" and item.name:
                self.namespaces[item.name] = item
            elif item.kind == "ProxyConfig" and item.name and _has_a_namespace(item):
                self.proxy_configs.append(item)
            else:
                self.others.append(item)


def _has_a_namespace(item: Item) -> bool:
    """Return whether an object's namespace is a name, or is left out."""
    return isinstance(item.metadata.get("namespace") or "", str)


def items_of(documents: Iterable[Document]) -> Iterator[Item]:
    """Yield every object of the documents, also those in a List of any kind. Raises YAMLError."""
    for document in documents:
        yield from _unfolded(document, Positions(document.text), document.value, ())


def _unfolded(document: Document, positions: Positions, value: JSON, path: Path) -> Iterator[Item]:
    if not isinstance(value, dict):
        return
    items = value.get("items")
    if str(value.get("kind") or "").endswith("List") and isinstance(items, list):
        for index, each in enumerate(items):
            yield from _unfolded(document, positions, each, (*path, "items", index))
        return
    yield Item(value=value, source=document.source, positions=positions, line=document.line, path=path)


# ---- what is likely to be a mistake


def misread(item: Item, template: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Yield a finding for each name, namespace, label and annotation that YAML does not read as a string.

    ``off`` is a boolean and ``1.10`` a number there: kube-inject makes strings of them, an API server refuses
    them. ``template`` is where the pod template is.
    """
    for base in dict.fromkeys(((), template)):
        metadata = mapping(at(item.value, *base, "metadata"))
        paths: list[tuple[str, ...]] = [("name",), ("namespace",)]
        for key in ("labels", "annotations"):
            paths += [(key, name) for name in mapping(metadata.get(key))]
        for path in paths:
            value = at(metadata, *path)
            if isinstance(value, bool | int | float):
                yield _misread_at(item, (*base, "metadata", *path), value)


def _misread_at(item: Item, path: Path, value: float) -> Finding:
    kind = "a boolean" if isinstance(value, bool) else "a number"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    message = f"YAML reads {kind} here ({shown}), and an API server takes only a string"
    return Finding("misread", "warning", message, item.at(*path), "put it into quotes")


def unknown_pods(item: Item) -> str:
    """Return a message about an object of an unknown kind that has containers; "" where it has none."""
    found = next(pod_specs(item.value), None)
    if found is None:
        return ""
    what = f"{item.kind or 'the object'} has containers at {written(found)}"
    if template := template_of(found):
        return f"{what}: `--pod-template-path {template}`"
    return f"{what}, {NO_TEMPLATE}"


NO_TEMPLATE: Final = "which is not a pod template (metadata and spec), so its pods are unknown"


def template_of(spec: Path) -> str:
    """Return the path of the pod template with this spec; "" where no --pod-template-path can name it."""
    leads = len(spec) > 1 and spec[-1] == "spec" and all(isinstance(step, str) for step in spec)
    return written(spec[:-1]) if leads else ""


def pod_specs(value: JSON, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of lists of containers in an object of any kind, the outermost first."""
    if isinstance(value, dict):
        containers = value.get("containers")
        if isinstance(containers, list) and all(isinstance(each, dict) for each in containers):
            yield path
        for key, inner in value.items():
            yield from pod_specs(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from pod_specs(inner, (*path, index))
