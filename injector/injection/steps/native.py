"""Nodes, annotation and environment in, whether the proxy is a native sidecar out.

A native sidecar is an init container that keeps running (``restartPolicy: Always``); the kubelet
has to know it, which it surely does from Kubernetes 1.33.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from injector.golang.strconv import parse_bool
from injector.injection.steps.pods import (
    PROXY,
    containers_of,
    find,
    with_containers,
)
from injector.istio.releases import Behaviour
from injector.json_types import Pod
from injector.memo import remembered

FEATURE: Final = "ENABLE_NATIVE_SIDECARS"
ANNOTATION: Final = "sidecar.istio.io/nativeSidecar"

_MINOR_WITH_NATIVE_SIDECARS: Final = 33
# hashicorp/go-version's grammar: numbers, what came before the release, what it was built from.
_WORD: Final = r"[0-9A-Za-z~-]"
_KUBELET_VERSION: Final = re.compile(
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*?)"
    rf"(?:(?:-[0-9]|-?[A-Za-z~-]){_WORD}*(?:\.{_WORD}+)*)?"
    rf"(?:\+{_WORD}+(?:\.{_WORD}+)*)?"
)
_LARGEST_NUMBER: Final = 2**63 - 1  # Go reads each into an int64
_SWITCH: Final = {"true": True, "false": False}
_AUTO: Final = "auto"


def detect_native(
    behaviour: Behaviour, env: Mapping[str, str], nodes: Mapping[str, str] | None, node_name: str
) -> bool:
    """Return whether proxies are native sidecars unless a pod says otherwise.

    Up to 1.26 the feature's switch decides. From 1.27 it is "true", "false" or "auto", its default, and
    anything else is "false". With "auto" the kubelet of the pod's node decides where the node is known,
    else all of ``nodes`` (name -> kubelet version) have to be new enough: a cluster without any has none
    that is too old. None is a cluster of which nothing is known; there they are not native.
    """
    if not behaviour.native_sidecars_auto:
        return behaviour.native_sidecars_by_feature and parse_bool(env.get(FEATURE, "")) is True
    switch = env.get(FEATURE, _AUTO)
    if switch != _AUTO:
        return _SWITCH.get(switch, False)
    if nodes is None:
        return False
    if node_name in nodes:
        return _new_enough(nodes[node_name])
    # A cluster has thousands of nodes and two or three versions of them.
    return all(map(_new_enough, set(nodes.values())))


@remembered("kubelet_versions")
def _new_enough(version: str) -> bool:
    match = _KUBELET_VERSION.fullmatch(version)
    numbers = [int(number) for number in match["numbers"].split(".")] if match else []
    if len(numbers) < 2 or max(numbers) > _LARGEST_NUMBER:  # "1" is 1.0
        return False
    return numbers[1] >= _MINOR_WITH_NATIVE_SIDECARS


def native_for(annotation: str | None, behaviour: Behaviour, *, by_default: bool) -> bool:
    """Return whether a pod's proxy is a native sidecar; from 1.24 its annotation has the last word."""
    if behaviour.native_sidecar_annotation and annotation in ("true", "false"):
        return annotation == "true"
    return by_default


def follow_template(merged: Pod, template_pod: Pod) -> Pod:
    """Return the pod with the owner's own istio-proxy moved to where the template has it.

    Owners customise the proxy among ``containers``, whatever the cluster's nodes can do.
    """
    containers = containers_of(merged)
    proxy = find(containers, PROXY)
    if proxy is None or find(containers_of(template_pod, "initContainers"), PROXY) is None:
        return merged
    at = containers.index(proxy)
    merged = with_containers(merged, "containers", [*containers[:at], *containers[at + 1 :]])
    return with_containers(merged, "initContainers", [*containers_of(merged, "initContainers"), proxy])
