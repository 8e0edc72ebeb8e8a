"""The cluster's state for reviews, kept in memory by watches: namespaces, ProxyConfigs, nodes.

A review reads the mappings and never waits; ``staleness`` says how old they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import KubeError, NotFound
from injector.kube.reflector import Collection, Reflector, Timing

NAMESPACES: Final = "/api/v1/namespaces"
NODES: Final = "/api/v1/nodes"
PROXY_CONFIGS: Final = "/apis/networking.istio.io/v1beta1/proxyconfigs"


READ: Final = ("namespaces", "nodes", "proxyconfigs")
"""What reviews read of the cluster, by the names of its watches."""

Failed = Callable[[str, KubeError | None], None]
"""Called with the watch and its error, and with None once the server answers it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What the watches have read. It outlives them, and the process reads it even while it is empty.

    ``namespaces`` are objects by name, reduced to labels and annotations; ``proxy_configs`` resources by
    ``namespace/name``. ``unlisted`` are the watches that the API server has not answered yet, ``listed`` is
    set once there are none.
    """

    namespaces: dict[str, JSONObject] = field(default_factory=dict)
    proxy_configs: dict[str, JSONObject] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=lambda: {*READ})
    listed: asyncio.Event = field(default_factory=asyncio.Event)
    _nodes: dict[str, str] = field(default_factory=dict)

    @property
    def nodes(self) -> Mapping[str, str] | None:
        """Node name to kubelet version; None before the first list, which differs from having no nodes."""
        return None if "nodes" in self.unlisted else self._nodes

    def watches(
        self, client: KubeClient, *, failed: Failed, timing: Timing | None = None
    ) -> Mapping[str, Reflector]:
        """Return the watches by their metrics' names, not yet running."""

        def watch(
            name: str, path: str, objects: dict[str, Any], keep: Callable[[JSONObject], Any]
        ) -> Reflector:
            def report(error: KubeError | None) -> None:
                # Without Istio's CRDs a cluster has no ProxyConfigs: that is not a fault.
                if name == "proxyconfigs" and isinstance(error, NotFound):
                    error = None
                failed(name, error)
                if error is None:
                    self.unlisted.discard(name)
                if not self.unlisted:
                    self.listed.set()

            return Reflector(
                client=client,
                collection=Collection(path=path),
                objects=objects,
                failed=report,
                keep=keep,
                timing=timing or Timing(),
            )

        return {
            "namespaces": watch("namespaces", NAMESPACES, self.namespaces, _labels_and_annotations),
            "nodes": watch("nodes", NODES, self._nodes, kubelet_version),
            "proxyconfigs": watch("proxyconfigs", PROXY_CONFIGS, self.proxy_configs, lambda item: item),
        }


def _labels_and_annotations(namespace: JSONObject) -> JSONObject:
    metadata = namespace["metadata"]
    return {"metadata": {key: metadata[key] for key in ("name", "labels", "annotations") if key in metadata}}


def kubelet_version(node: JSONObject) -> str:
    """Return the version that a node's kubelet reports, like v1.33.1; "" if it reports none."""
    info: JSONObject = (node.get("status") or {}).get("nodeInfo") or {}
    return str(info.get("kubeletVersion") or "")
