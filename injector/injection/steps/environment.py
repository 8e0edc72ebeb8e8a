"""Set the proxy's environment variables from the webhook's URL and the values.

One injector can serve several clusters: the URL says which cluster and network a pod is in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from injector.golang.unicode import to_upper
from injector.injection.snapshot import Snapshot
from injector.injection.steps.pods import Draft, with_variables
from injector.injection.steps.settings import Injection
from injector.istio.releases import Behaviour
from injector.json_types import Pod, text_at

CLUSTER: Final = "ISTIO_META_CLUSTER_ID"
NETWORK: Final = "ISTIO_META_NETWORK"
NETWORK_LABEL: Final = "topology.istio.io/network"

_MARKER: Final = ":ENV:"
_VARIABLES: Final = {"cluster": CLUSTER, "net": NETWORK}


def environment_of_url(path: str, behaviour: Behaviour) -> dict[str, str]:
    """Return the variables that the decoded URL path sets, in its order.

    ``/inject/KEY/VALUE/…`` (1.8; ``--slash--`` in a value is a slash from 1.15) or ``/inject/:ENV:k=v:ENV:…``
    (1.10). ``cluster`` and ``net`` set variables with names of their own, any other key the variable of that
    name in capitals. A last key without a value and an empty key set nothing.
    """
    parts = path.removesuffix("/").split("/", 2)
    if behaviour.url_environment != "pairs" or len(parts) < 3:
        return {}
    if behaviour.url_env_marker and parts[2].startswith(_MARKER):
        pairs = _marked(parts[2])
    else:
        pairs = _paired(parts[2], slash_escape=behaviour.url_slash_escape)
    named = ((_VARIABLES.get(key, "".join(map(to_upper, key))), value) for key, value in pairs)
    return {variable: value for variable, value in named if variable}


def _marked(text: str) -> Iterator[tuple[str, str]]:
    for entry in text.split(_MARKER)[1:]:
        key, equals, value = entry.partition("=")
        if key and equals:
            yield key, value


def _paired(text: str, *, slash_escape: bool) -> Iterator[tuple[str, str]]:
    words = text.split("/")
    for key, value in zip(words[::2], words[1::2], strict=False):
        yield key, value.replace("--slash--", "/") if slash_escape else value


def complete(url: Mapping[str, str], *, cluster: str, network: str, label: str | None) -> dict[str, str]:
    """Return the variables of the URL, with cluster and network filled in where they are known.

    The pod's network label (None: it has none) beats the URL, the URL beats the values' ``cluster`` and
    ``network``.
    """
    found = dict(url)
    if cluster := url.get(CLUSTER) or cluster:
        found[CLUSTER] = cluster
    named = (url.get(NETWORK) or network) if label is None else label
    if named:
        found[NETWORK] = named
    return found


def set_environment(draft: Draft, injection: Injection) -> None:
    """Set the variables in the proxy, sorted, at the end of its environment.

    They are sorted for 1.9 too, whose order is random.
    """
    variables = injection.environment
    if draft.proxy is not None and variables:
        ordered = {name: variables[name] for name in sorted(variables)}
        draft.change_proxy(with_variables(draft.proxy, ordered))


_POSITIONAL_PARTS: Final = 5


def environment_of(path: str, pod: Pod, snapshot: Snapshot) -> Mapping[str, str]:
    """Return the variables for one pod, by the rules of the release.

    ``path`` is decoded. Up to 1.5 it sets nothing; in 1.6 and 1.7 its last parts are ``cluster/X/net/Y``, by
    position alone; from 1.8 it is pairs of key and value.
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
        cluster=text_at(snapshot.values, "global", "multiCluster", "clusterName"),
        network=text_at(snapshot.values, "global", "network"),
        label=labels.get(NETWORK_LABEL),
    )
