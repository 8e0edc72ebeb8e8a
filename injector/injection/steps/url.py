"""The webhook's URL path in, the variables that it sets on the proxy out. Knows no HTTP.

One injector serves several clusters: the path says which cluster and network a pod is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from injector.injection.snapshot import Snapshot
from injector.injection.steps.environment import CLUSTER, NETWORK, complete, environment_of_url
from injector.json_types import Pod

_NETWORK_LABEL: Final = "topology.istio.io/network"
_POSITIONAL_PARTS: Final = 5


def environment_of(path: str, pod: Pod, snapshot: Snapshot) -> Mapping[str, str]:
    """Return the variables for one pod, by the rules of the release.

    ``path`` is decoded. Up to 1.5 it says nothing; in 1.6 and 1.7 its last parts are ``cluster/X/net/Y``
    by position alone; from 1.8 it is pairs of key and value.
    """
    behaviour = snapshot.behaviour
    if behaviour.url_environment == "positional":
        parts = path.split("/")
        return {CLUSTER: parts[-3], NETWORK: parts[-1]} if len(parts) >= _POSITIONAL_PARTS else {}
    if behaviour.overlays or not behaviour.url_environment:
        return environment_of_url(path, behaviour)
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return complete(
        environment_of_url(path, behaviour),
        cluster=_text(snapshot.values, "global", "multiCluster", "clusterName"),
        network=_text(snapshot.values, "global", "network"),
        label=labels.get(_NETWORK_LABEL),
    )


def _text(values: object, *path: str) -> str:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, str) else ""
