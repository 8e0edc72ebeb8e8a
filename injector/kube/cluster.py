"""What a review needs of the cluster, kept in memory by watches: namespaces, ProxyConfigs, nodes.

A review reads the mappings and waits for nobody; how old they are is ``staleness``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import KubeError, NotFound
from injector.kube.reflector import Collection, Reflector, Timing

NAMESPACES: Final = "/api/v1/namespaces"
NODES: Final = "/api/v1/nodes"
PROXY_CONFIGS: Final = "/apis/networking.istio.io/v1beta1/proxyconfigs"


class KubeletVersions(Mapping[str, str]):
    """Node name to kubelet version, as a view of what the watch keeps."""

    def __init__(self, nodes: Mapping[str, JSONObject]) -> None:
        self._nodes = nodes

    def __getitem__(self, name: str) -> str:
        """Return the version that the node's kubelet reports, like v1.33.1."""
        return str(self._nodes[name]["version"])

    def __iter__(self) -> Iterator[str]:
        """Iterate over the nodes' names."""
        return iter(self._nodes)

    def __len__(self) -> int:
        """Count the nodes."""
        return len(self._nodes)


def _labels_and_annotations(namespace: JSONObject) -> JSONObject:
    metadata = namespace["metadata"]
    return {"metadata": {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}}


def _kubelet_version(node: JSONObject) -> JSONObject:
    info = (node.get("status") or {}).get("nodeInfo") or {}
    return {"version": info.get("kubeletVersion", "")}


Failed = Callable[[str, KubeError | None], None]
"""Told which watch met which error, and None when the server answers it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What the watches know. It outlives them, and the process reads it from the start, when it is empty."""

    _namespaces: dict[str, JSONObject] = field(default_factory=dict)
    _nodes: dict[str, JSONObject] = field(default_factory=dict)
    _proxy_configs: dict[str, JSONObject] = field(default_factory=dict)
    _listed: set[str] = field(default_factory=set)

    @property
    def namespaces(self) -> Mapping[str, JSONObject]:
        """Namespace name to its object, of which labels and annotations are kept."""
        return MappingProxyType(self._namespaces)

    @property
    def nodes(self) -> Mapping[str, str] | None:
        """Node name to kubelet version; None before the first list: no nodes is something else."""
        return KubeletVersions(self._nodes) if "nodes" in self._listed else None

    @property
    def proxy_configs(self) -> Mapping[str, JSONObject]:
        """``namespace/name`` to the ProxyConfig resource."""
        return MappingProxyType(self._proxy_configs)

    def watches(
        self, client: KubeClient, *, failed: Failed, timing: Timing | None = None
    ) -> Mapping[str, Reflector]:
        """Return the watches by the name that metrics give them, not yet running."""

        def watch(
            name: str, path: str, store: dict[str, JSONObject], keep: Callable[[JSONObject], JSONObject]
        ) -> Reflector:
            def report(error: KubeError | None) -> None:
                # A cluster without Istio's CRDs has no ProxyConfig: that is no fault, only nothing.
                absent = name == "proxyconfigs" and isinstance(error, NotFound)
                failed(name, None if absent else error)

            return Reflector(
                client=client,
                collection=Collection(path=path),
                store=store,
                changed=partial(self._listed.add, name),
                failed=report,
                keep=keep,
                timing=timing or Timing(),
            )

        return {
            "namespaces": watch("namespaces", NAMESPACES, self._namespaces, _labels_and_annotations),
            "nodes": watch("nodes", NODES, self._nodes, _kubelet_version),
            "proxyconfigs": watch("proxyconfigs", PROXY_CONFIGS, self._proxy_configs, _whole),
        }


def _whole(item: JSONObject) -> JSONObject:
    return item
