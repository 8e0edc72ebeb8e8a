"""A Mesh and one pod's annotation, namespace and labels in, the pod's ProxyConfig out. Knows no pod object.

Layers, from the lowest: Istio's defaults, the mesh's defaultConfig, ProxyConfig resources without a selector
in the root namespace, those in the pod's namespace, the annotation, resources whose selector matches the pod.
Resources count from 1.13 and for the webhook only. Every result is kept, so that equal pods share one value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from injector.errors import ConfigError
from injector.injection.facts import Fact, Span, layer_code, mesh_code
from injector.injection.mesh.annotation import parse_annotation
from injector.injection.mesh.descriptors import PROXY_CONFIG_RESOURCE
from injector.injection.mesh.loading import Mesh
from injector.injection.mesh.merging import layer, merge_proxy_config
from injector.injection.mesh.message import Message, MessageError
from injector.injection.mesh.reading import apply
from injector.json_types import JSONObject

_ANNOTATES: Final = Span(since=6, source=mesh_code("func ApplyProxyConfig"))
_LAYERS: Final = Span(since=13, source=layer_code("func mergeWithPrecedence"))
_REMEMBERED: Final = 1024  # results: one for each annotation text and set of resources seen lately
_RESOURCE_FIELDS: Final = (
    ("concurrency", "concurrency", Span(since=13, source=layer_code(r"mcpc\.Concurrency = "))),
    ("environmentVariables", "proxyMetadata", Span(since=13, source=layer_code(r"mcpc\.ProxyMetadata = "))),
    ("image", "image", Span(since=14, source=layer_code(r"mcpc\.Image = "))),
)

FACTS: Final = (
    Fact(name="proxy.istio.io/config", meaning="is laid over the mesh's ProxyConfig", span=_ANNOTATES),
    Fact(name="ProxyConfig resources", meaning="are laid over the mesh's ProxyConfig", span=_LAYERS),
    *(
        Fact(name=f"ProxyConfig.{name}", meaning="counts in a resource", span=span)
        for name, _, span in _RESOURCE_FIELDS
    ),
)


_Key = TypeVar("_Key")


class _Resource:
    """A ProxyConfig resource: where it counts and the layer that it is."""

    __slots__ = ("labels", "layer", "selects")

    def __init__(self, selects: bool, labels: Mapping[str, str], config: Message) -> None:  # noqa: FBT001 - private
        self.selects = selects
        self.labels = labels
        self.layer = config

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.labels) and all(labels.get(key) == value for key, value in self.labels.items())


class ProxyConfigs:
    """The ProxyConfigs that pods of one mesh get; asking is cheap, see ``of``."""

    __slots__ = ("_annotated", "_effective", "_mesh", "_of_mesh", "_resources", "_root")

    def __init__(self, mesh: Mesh, resources: Iterable[JSONObject] = ()) -> None:
        """Take the mesh and the cluster's ProxyConfig resources as JSON. Raises ConfigError."""
        self._mesh = mesh
        self._root: str = mesh.config.get("rootNamespace", "")
        self._resources: dict[str, list[_Resource]] = {}
        if _LAYERS.covers(mesh.minor):
            for resource in sorted(resources, key=_age):
                namespace = resource.get("metadata", {}).get("namespace", "")
                self._resources.setdefault(namespace, []).append(_read(resource, mesh))
        self._of_mesh = layer(mesh.proxy_defaults, mesh.proxy_config)
        self._annotated: dict[str, Message] = {}
        self._effective: dict[tuple[str | None, int, int], Message] = {}

    def annotated(self, annotation: str | None) -> Message:
        """Return the mesh's ProxyConfig with the annotation over it: kube-inject and container order use it.

        Raises MessageError when the annotation is no ProxyConfig.
        """
        if annotation is None or not _ANNOTATES.covers(self._mesh.minor):
            return self._mesh.proxy_config
        known = self._annotated.get(annotation)
        if known is None:
            known = merge_proxy_config(self._mesh.proxy_config, parse_annotation(annotation))
            _remember(self._annotated, annotation, known)
        return known

    def of(self, namespace: str, labels: Mapping[str, str], annotation: str | None) -> Message:
        """Return the ProxyConfig of a pod as the webhook works it out.

        From 1.13 an annotation that is no ProxyConfig is ignored here (it is refused elsewhere); before,
        MessageError is raised.
        """
        if not _LAYERS.covers(self._mesh.minor):
            return self.annotated(annotation)
        general = self._general(namespace) if self._resources else None
        workload = self._workload(namespace, labels) if self._resources else None
        key = (annotation, id(general), id(workload))
        known = self._effective.get(key)
        if known is None:
            known = self._merge(namespace, general, workload, annotation)
            _remember(self._effective, key, known)
        return known

    def _merge(
        self, namespace: str, general: _Resource | None, workload: _Resource | None, annotation: str | None
    ) -> Message:
        merged = self._of_mesh
        root = self._general(self._root) if self._root else None
        if root is not None:
            merged = layer(merged, root.layer)
        if general is not None and namespace != self._root:
            merged = layer(merged, general.layer)
        own = None if annotation is None else self._from_annotation(annotation)
        if workload is not None:
            empty = Message(type=self._mesh.proxy_defaults.type)
            own = workload.layer if own is None else layer(layer(empty, own), workload.layer)
        return merged if own is None else layer(merged, own)

    def _from_annotation(self, annotation: str) -> Message | None:
        empty = Message(type=self._mesh.proxy_defaults.type)
        try:
            return apply(empty, parse_annotation(annotation))
        except MessageError:
            return None

    def _general(self, namespace: str) -> _Resource | None:
        return next((each for each in self._resources.get(namespace, ()) if not each.selects), None)

    def _workload(self, namespace: str, labels: Mapping[str, str]) -> _Resource | None:
        return next((each for each in self._resources.get(namespace, ()) if each.matches(labels)), None)


def _remember(cache: dict[_Key, Message], key: _Key, value: Message) -> None:
    """Keep a value; a full cache starts again, which unlike an eviction needs no lock between threads."""
    if len(cache) >= _REMEMBERED:
        cache.clear()
    cache[key] = value


def _age(resource: JSONObject) -> tuple[str, str]:
    """Return what Istio sorts by: the oldest first, then by name and namespace."""
    metadata = resource.get("metadata", {})
    return metadata.get(
        "creationTimestamp"
    ) or "", f"{metadata.get('name', '')}.{metadata.get('namespace', '')}"


def _read(resource: JSONObject, mesh: Mesh) -> _Resource:
    schema = mesh.config.type.schema
    try:
        given = apply(Message(type=schema.message(PROXY_CONFIG_RESOURCE)), resource.get("spec"))
    except MessageError as error:
        name = resource.get("metadata", {}).get("name", "")
        raise ConfigError(f"ProxyConfig {name}: {error}", path="spec") from error
    known = mesh.proxy_defaults.type.by_json_name
    data = {
        target: given.data[name]
        for name, target, span in _RESOURCE_FIELDS
        if name in given.data and target in known and span.covers(mesh.minor)
    }
    selector = given.get("selector")
    labels = (selector or {}).get("matchLabels", {})
    return _Resource(selector is not None, labels, Message(type=mesh.proxy_defaults.type, data=data))
