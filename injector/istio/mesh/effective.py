"""Work out a pod's ProxyConfig from the mesh and from the pod's annotation, namespace and labels.

Layers, from the lowest: Istio's defaults, the mesh's defaultConfig, ProxyConfig resources without a selector
in the root namespace, those in the pod's namespace, the annotation, resources whose selector matches the pod.
Resources count from 1.13 and for the webhook only. Results are cached, so that equal pods share one value.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from injector.errors import ConfigError, YAMLError
from injector.istio.facts import Fact, Span, inject, layer_code, mesh_code
from injector.istio.mesh.descriptors import PROXY_CONFIG_RESOURCE, Data, Message, MessageError
from injector.istio.mesh.jsonpb import apply
from injector.istio.mesh.loading import Mesh, layer, merge_proxy_config
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import load
from injector.memo import Memo, deep_size
from injector.rendering import Settled

ANNOTATION: Final = "proxy.istio.io/config"

_ANNOTATES: Final = Span(since=6, source=mesh_code("func ApplyProxyConfig"))
_SHOWN_IN_MESH: Final = Span(since=6, until=12, source=inject(r"meshConfig, merr = mesh\.ApplyProxyConfig"))
_LAYERS: Final = Span(since=13, source=layer_code("func mergeWithPrecedence"))
_RESOURCE_FIELDS: Final = (
    ("concurrency", "concurrency", Span(since=13, source=layer_code(r"mcpc\.Concurrency = "))),
    ("environmentVariables", "proxyMetadata", Span(since=13, source=layer_code(r"mcpc\.ProxyMetadata = "))),
    ("image", "image", Span(since=14, source=layer_code(r"mcpc\.Image = "))),
)

FACTS: Final = (
    Fact(name=ANNOTATION, meaning="is laid over the mesh's ProxyConfig", span=_ANNOTATES),
    Fact(name=ANNOTATION, meaning="and templates see it in MeshConfig, too", span=_SHOWN_IN_MESH),
    Fact(name="ProxyConfig resources", meaning="are laid over the mesh's ProxyConfig", span=_LAYERS),
    *(
        Fact(name=f"ProxyConfig.{name}", meaning="counts in a resource", span=span)
        for name, _, span in _RESOURCE_FIELDS
    ),
)


def parse_annotation(text: str) -> JSON:
    """Return the annotation as JSON. Raises MessageError with the error of Go's YAML library."""
    try:
        return load(text)
    except YAMLError as error:
        raise MessageError(error.reason) from error


def mesh_for_templates(mesh: Mesh, proxy_config: Message) -> Message:
    """Return the MeshConfig that templates of a pod with this ProxyConfig see; nothing else uses it."""
    shown = _SHOWN_IN_MESH.covers(mesh.minor)
    return mesh.config.replace(defaultConfig=proxy_config.data) if shown else mesh.config


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Resource:
    """A ProxyConfig resource: its scope, and its layer."""

    selects: bool
    labels: Mapping[str, str]
    layer: Message

    @property
    def data(self) -> JSONObject:
        """Return all its data, to be measured."""
        return {"labels": self.labels, "layer": self.layer.data}

    def matches(self, labels: Mapping[str, str]) -> bool:
        return bool(self.labels) and all(labels.get(key) == value for key, value in self.labels.items())


_Layers: TypeAlias = tuple[str | None, _Resource | None, _Resource | None, _Resource | None]
"""The annotation, and the resources for the root namespace, for the pod's namespace, and for its labels."""


class ProxyConfigs:
    """The ProxyConfigs of the pods of one mesh; look-ups are cheap, see ``of``."""

    __slots__ = (
        "_below_annotations",
        "_below_layers",
        "_below_pods",
        "_mesh",
        "_of_mesh",
        "_resources",
        "_root",
        "memo",
    )

    def __init__(self, mesh: Mesh, resources: Iterable[JSONObject], memo: Memo[Hashable, Message]) -> None:
        """Read the mesh and the cluster's ProxyConfig resources as JSON. Raises ConfigError.

        ``memo`` may be shared by all instances of one mesh: its keys contain the resources.
        """
        self._mesh = mesh
        self._root: str = mesh.config.get("rootNamespace", "")
        self._resources: dict[str, list[_Resource]] = {}
        self.memo = memo
        if _LAYERS.covers(mesh.minor):
            for resource in sorted(map(_checked, resources), key=_age):
                namespace = resource.get("metadata", {}).get("namespace") or ""
                self._resources.setdefault(namespace, []).append(_read(resource, mesh))
        self._of_mesh = layer(mesh.proxy_defaults, mesh.proxy_config)
        # A pod with an annotation gets the mesh's strings as text of the template, as all other pods do.
        self._below_annotations = _settled(mesh.proxy_config)
        self._below_layers = _settled(self._of_mesh)
        self._below_pods = _settled(mesh.config)

    @property
    def selected_labels(self) -> frozenset[str]:
        """The names of the labels that the resources select pods by."""
        resources = (resource for each in self._resources.values() for resource in each)
        return frozenset(name for resource in resources for name in resource.labels)

    def settled_mesh(self, mesh_config: Message) -> Message:
        """Return a MeshConfig with the mesh's strings marked; its defaultConfig may be a pod's."""
        default = mesh_config.data.get("defaultConfig")
        if default is self._mesh.config.data.get("defaultConfig"):
            return self._below_pods
        return self._below_pods.replace(defaultConfig=default)

    def annotated(self, annotation: str | None) -> Message:
        """Return the mesh's ProxyConfig with the annotation over it: kube-inject and container order use it.

        Raises MessageError when the annotation is not a valid ProxyConfig.
        """
        if annotation is None or not _ANNOTATES.covers(self._mesh.minor):
            return self._mesh.proxy_config
        known = self.memo.get(annotation)
        if known is None:
            known = merge_proxy_config(self._below_annotations, parse_annotation(annotation))
            self.memo.put(annotation, known, deep_size([annotation, known.data]))
        return known

    def of(self, namespace: str, labels: Mapping[str, str], annotation: str | None) -> Message:
        """Return the ProxyConfig of a pod as the webhook works it out.

        From 1.13 an annotation that is not a valid ProxyConfig is ignored here (it is refused elsewhere);
        before, MessageError is raised.
        """
        if not _LAYERS.covers(self._mesh.minor):
            return self.annotated(annotation)
        root = general = workload = None
        if self._resources:
            root = self._general(self._root) if self._root else None
            general = self._general(namespace) if namespace != self._root else None
            workload = self._workload(namespace, labels)
        key = (annotation, root, general, workload)
        known = self.memo.get(key)
        if known is None:
            known = self._merge(key)
            layers = [each.data for each in (root, general, workload) if each is not None]
            self.memo.put(key, known, deep_size([annotation, known.data, *layers]))
        return known

    def _merge(self, layers: _Layers) -> Message:
        annotation, root, general, workload = layers
        if layers == (None, None, None, None):
            return self._of_mesh
        merged = self._below_layers
        for resource in (root, general):
            if resource is not None:
                merged = layer(merged, resource.layer)
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


def _settled(config: Message) -> Message:
    """Return the same message, its strings marked as the mesh's own."""
    data: Data = _settled_strings(config.data)
    return Message(type=config.type, data=data)


def _settled_strings(value: Any) -> Any:
    if isinstance(value, str):
        return Settled(value)
    if isinstance(value, Mapping):
        return {key: _settled_strings(element) for key, element in value.items()}
    return [_settled_strings(element) for element in value] if isinstance(value, list) else value


def _checked(resource: JSONObject) -> JSONObject:
    """Return the resource if its metadata can be read. Raises ConfigError."""
    metadata = resource.get("metadata", {}) if isinstance(resource, dict) else None
    if not isinstance(metadata, dict):
        raise ConfigError("ProxyConfig: it is not an object with metadata", path="metadata")
    for field in ("name", "namespace", "creationTimestamp"):
        if not isinstance(metadata.get(field), str | None):
            name = metadata.get("name", "")
            raise ConfigError(f"ProxyConfig {name}: it is not a string", path=f"metadata.{field}")
    return resource


def _age(resource: JSONObject) -> tuple[str, str]:
    """Return Istio's sort key: the oldest first, then by name and namespace."""
    metadata = resource.get("metadata", {})
    name = f"{metadata.get('name', '')}.{metadata.get('namespace', '')}"
    return metadata.get("creationTimestamp") or "", name


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
    layer_of_it = Message(type=mesh.proxy_defaults.type, data=data)
    return _Resource(selects=selector is not None, labels=labels, layer=layer_of_it)
