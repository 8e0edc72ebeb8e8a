"""What a review needs of the cluster, kept in memory by watches: namespaces, ProxyConfigs, nodes.

Knows no pod. A review reads the mappings and waits for nobody; how old they are is ``staleness``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """The three watches and what they know."""

    namespaces: Reflector
    nodes: Reflector
    proxy_configs: Reflector

    @property
    def kubelet_versions(self) -> Mapping[str, str]:
        """Node name to kubelet version."""
        return KubeletVersions(self.nodes.objects)

    def reflectors(self) -> Mapping[str, Reflector]:
        """Return each watch by the name that metrics give it."""
        return {"namespaces": self.namespaces, "nodes": self.nodes, "proxyconfigs": self.proxy_configs}

    async def run(self) -> None:
        """Keep all three for ever."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors().values():
                group.create_task(reflector.run())


def cluster_state(
    client: KubeClient,
    *,
    changed: Callable[[], None],
    failed: Callable[[str, KubeError | None], None],
    timing: Timing | None = None,
) -> ClusterState:
    """Return the watches, not yet running. ``failed`` is told which one met which error, or None after it."""
    timing = timing or Timing()

    def watch(name: str, path: str, keep: Callable[[JSONObject], JSONObject]) -> Reflector:
        def report(error: KubeError | None) -> None:
            # A cluster without Istio's CRDs has no ProxyConfig: that is no fault, only nothing.
            failed(name, None if name == "proxyconfigs" and isinstance(error, NotFound) else error)

        return Reflector(
            client=client,
            collection=Collection(path=path),
            changed=changed,
            failed=report,
            keep=keep,
            timing=timing,
        )

    return ClusterState(
        namespaces=watch("namespaces", NAMESPACES, _labels_and_annotations),
        nodes=watch("nodes", NODES, _kubelet_version),
        proxy_configs=watch("proxyconfigs", PROXY_CONFIGS, lambda item: item),
    )
