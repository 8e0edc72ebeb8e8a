"""Pods and their containers: find, replace, move.

Every function returns a new pod that shares what it did not touch; nothing is mutated. Where one step after
the other changes a pod, it is a `Draft` meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from injector.golang.strconv import parse_bool
from injector.json_types import JSONObject, Pod

PROXY: Final = "istio-proxy"
INIT: Final = "istio-init"
VALIDATION: Final = "istio-validation"
CORE_DUMP: Final = "enable-core-dump"

Kind = Literal["containers", "initContainers"]
KINDS: Final[tuple[Kind, ...]] = ("containers", "initContainers")


class Draft:
    """A pod that the steps change: taken apart before the first step, put together after the last.

    Its metadata and its lists of containers are its own; what is in them is the pod's: it is replaced and
    never changed. ``proxy`` is the first istio-proxy of the lists that the release looks through.
    """

    __slots__ = ("_pod", "_proxy", "annotations", "containers", "init_containers", "metadata", "proxy")

    def __init__(self, pod: Pod, kinds: Sequence[Kind]) -> None:
        spec: JSONObject = pod.get("spec") or {}
        self._pod = pod
        self.metadata: JSONObject = dict(pod.get("metadata") or ())
        self.annotations: Mapping[str, str] = self.metadata.get("annotations") or {}
        self.containers: list[JSONObject] = [*(spec.get("containers") or ())]
        self.init_containers: list[JSONObject] = [*(spec.get("initContainers") or ())]
        self.proxy: JSONObject | None = None
        for containers in (self.containers, self.init_containers)[: len(kinds)]:
            for index, container in enumerate(containers):
                if self.proxy is None and container.get("name") == PROXY:
                    self.proxy = container
                    self._proxy = containers, index

    def change_proxy(self, proxy: JSONObject) -> None:
        """Replace the proxy by another container, at the same index."""
        containers, index = self._proxy
        self.proxy = containers[index] = proxy

    def annotate(self, annotations: Mapping[str, str]) -> None:
        """Replace the pod's annotations; there must be at least one."""
        self.annotations = self.metadata["annotations"] = annotations

    def pod(self) -> Pod:
        """Return the pod; no init containers at all means no key, as in Go's JSON."""
        spec: JSONObject = dict(self._pod.get("spec") or ())
        spec["containers"] = self.containers
        if self.init_containers:
            spec["initContainers"] = self.init_containers
        else:
            spec.pop("initContainers", None)
        return self._pod | {"metadata": self.metadata, "spec": spec}


def metadata_of(pod: Pod) -> JSONObject:
    """Return the pod's metadata, empty where it has none."""
    return pod.get("metadata") or {}


def annotations_of(pod: Pod) -> Mapping[str, str]:
    """Return the pod's annotations, empty where it has none."""
    return (pod.get("metadata") or {}).get("annotations") or {}


def chosen(annotations: Mapping[str, str], name: str, *, by_default: bool) -> bool:
    """Return the bool in an annotation, ``by_default`` if it is missing or not a bool."""
    choice = parse_bool(annotations[name]) if name in annotations else None
    return by_default if choice is None else choice


def labels_of(pod: Pod) -> Mapping[str, str]:
    """Return the pod's labels, empty where it has none."""
    return (pod.get("metadata") or {}).get("labels") or {}


def containers_of(pod: Pod, kind: Kind = "containers") -> Sequence[JSONObject]:
    """Return one of the pod's lists of containers, empty where it has none."""
    return (pod.get("spec") or {}).get(kind) or ()


def texts(map_of_texts: Mapping[str, str | None]) -> dict[str, str]:
    """Return the annotations or labels of an untyped pod, with "" for null, as Go decodes it."""
    return {key: value or "" for key, value in map_of_texts.items()}


def name_of(container: JSONObject | None) -> str:
    """Return the name of a container or another object with a name; "" without one, and for null."""
    return (container or {}).get("name") or ""


def all_names(pod: Pod) -> frozenset[str]:
    """Return the names of the containers and init containers."""
    spec: JSONObject = pod.get("spec") or {}
    return frozenset([container.get("name") for kind in KINDS for container in spec.get(kind) or ()])


def find(containers: Iterable[JSONObject], name: str) -> JSONObject | None:
    """Return the first container of that name."""
    for container in containers:
        if name_of(container) == name:
            return container
    return None


def find_anywhere(pod: Pod, name: str) -> JSONObject | None:
    """Return the first container of that name, looking at init containers last."""
    found = find(containers_of(pod), name)
    return find(containers_of(pod, "initContainers"), name) if found is None else found


def with_containers(pod: Pod, kind: Kind, containers: Sequence[JSONObject]) -> Pod:
    """Return the pod with that list; no init containers at all means no key, as in Go's JSON."""
    spec = dict(pod.get("spec") or {})
    if containers or kind == "containers":
        spec[kind] = list(containers)
    else:
        spec.pop(kind, None)
    return pod | {"spec": spec}


def with_container(pod: Pod, name: str, container: JSONObject, kinds: Sequence[Kind] = KINDS) -> Pod:
    """Return the pod with another container in place of the first one of that name, if it has one."""
    for kind in kinds:
        containers = list(containers_of(pod, kind))
        found = find(containers, name)
        if found is not None:
            containers[containers.index(found)] = container
            return with_containers(pod, kind, containers)
    return pod


def with_field(value: JSONObject, key: str, field: object) -> JSONObject:
    """Return the object with that field; an empty one is left out, as ``omitempty`` says."""
    if field:
        return value | {key: field}
    return {name: item for name, item in value.items() if name != key}


def with_annotations(pod: Pod, annotations: Mapping[str, str]) -> Pod:
    """Return the pod with these annotations and no others."""
    return pod | {"metadata": with_field(metadata_of(pod), "annotations", annotations)}


def with_labels(pod: Pod, labels: Mapping[str, str]) -> Pod:
    """Return the pod with these labels and no others."""
    return pod | {"metadata": with_field(metadata_of(pod), "labels", labels)}


def moved(containers: list[JSONObject], name: str, *, first: bool) -> list[JSONObject]:
    """Return the containers with the named one first or last; of several of that name the last stays."""
    matches = [container for container in containers if container.get("name") == name]
    if not matches:
        return containers
    rest = [container for container in containers if container.get("name") != name]
    return [*matches[-1:], *rest] if first else [*rest, *matches[-1:]]


def append_env(container: JSONObject, name: str, value: str) -> JSONObject:
    """Return the container with one more environment variable at the end."""
    return container | {"env": [*(container.get("env") or ()), env_var(name, value)]}


def with_variables(container: JSONObject, variables: Mapping[str, str]) -> JSONObject:
    """Return the container with variables at the end of its environment, instead of those of these names."""
    kept = [variable for variable in container.get("env") or () if variable.get("name") not in variables]
    return container | {"env": kept + [env_var(name, value) for name, value in variables.items()]}


def env_var(name: str, value: str) -> JSONObject:
    """Return an EnvVar as Go's JSON has it: an empty value is left out."""
    return {"name": name, "value": value} if value else {"name": name}
