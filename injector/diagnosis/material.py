"""Documents in, sorted by what they are for: workloads, their surroundings, and what is neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from injector.diagnosis.findings import Finding
from injector.diagnosis.items import Item, Path, mapping, written
from injector.diagnosis.registration import KIND
from injector.injection.kinds import PodPlace, get_at, place_of
from injector.json_types import JSON
from injector.kubeyaml import Document, Positions

Workload = tuple[Item, PodPlace]


@dataclass(slots=True, kw_only=True)
class Material:
    """What there is to explain, and to explain it with. ``others`` are of kinds that have no pods."""

    workloads: list[Workload] = field(default_factory=list)
    registration: list[Item] = field(default_factory=list)
    namespaces: dict[str, Item] = field(default_factory=dict)
    proxy_configs: list[Item] = field(default_factory=list)
    others: list[Item] = field(default_factory=list)

    def add(self, items: Iterable[Item], *, pod_template_path: str = "") -> None:
        """Sort items in; of a Namespace that is given twice the last counts."""
        for item in items:
            place = place_of(item.value, pod_template_path)
            if place is not None:
                self.workloads.append((item, place))
            elif item.kind == KIND:
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
    """Yield every object of the documents; those of a List of any kind one by one. Raises YAMLError."""
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
    """Yield a finding for each name, namespace, label and annotation that YAML reads as no string.

    ``off`` is a boolean and ``1.10`` a number there: kube-inject makes strings of them, an API server refuses
    them. ``template`` is where the pod template stands.
    """
    for base in dict.fromkeys(((), template)):
        metadata = mapping(get_at(item.value, (*base, "metadata")))
        paths: list[tuple[str, ...]] = [("name",), ("namespace",)]
        for key in ("labels", "annotations"):
            paths += [(key, name) for name in mapping(metadata.get(key))]
        for path in paths:
            value = get_at(metadata, path)
            if isinstance(value, bool | int | float):
                yield _misread_at(item, (*base, "metadata", *path), value)


def _misread_at(item: Item, path: Path, value: float) -> Finding:
    kind = "a boolean" if isinstance(value, bool) else "a number"
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    message = f"YAML reads {kind} here ({shown}), and an API server takes only a string"
    return Finding("misread", "warning", message, item.at(*path), "put it into quotes")


def unknown_pods(item: Item) -> str:
    """Return what to say of an object of an unknown kind that has containers; "" where it has none."""
    found = next(_containers(item.value, ()), None)
    if found is None:
        return ""
    what = f"{item.kind or 'the object'} has containers at {written(found)}"
    if found[-1] == "spec" and len(found) > 1 and all(isinstance(step, str) for step in found):
        return f"{what}: `--pod-template-path {written(found[:-1])}`"
    return f"{what}, which is no pod template (metadata and spec): its pods cannot be told from it"


def _containers(value: JSON, path: Path) -> Iterator[Path]:
    """Yield where a list of containers stands, the outermost first."""
    if isinstance(value, dict):
        containers = value.get("containers")
        if isinstance(containers, list) and all(isinstance(each, dict) for each in containers):
            yield path
        for key, inner in value.items():
            yield from _containers(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _containers(inner, (*path, index))
