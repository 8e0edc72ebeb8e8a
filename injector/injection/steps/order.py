"""Decide whether the proxy is a native sidecar, and put a pod's containers in their order.

A native sidecar is an init container that keeps running (``restartPolicy: Always``) and starts before the
other init containers. The kubelet must support it, as every kubelet does from Kubernetes 1.33. Any other
proxy is the last container, so that ``kubectl exec`` finds the application, unless the application has to
wait for the proxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from injector.golang.strconv import parse_bool, to_int
from injector.injection.steps.pods import (
    CORE_DUMP,
    INIT,
    PROXY,
    VALIDATION,
    Draft,
    containers_of,
    find,
    moved,
    with_containers,
)
from injector.injection.steps.settings import Injection
from injector.istio.mesh.effective import ANNOTATION
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod
from injector.memo import remembered

# ---- native sidecars

FEATURE: Final = "ENABLE_NATIVE_SIDECARS"
NATIVE: Final = "sidecar.istio.io/nativeSidecar"

_MINOR_WITH_NATIVE_SIDECARS: Final = 33
# hashicorp/go-version's grammar: numbers, pre-release, build metadata.
_WORD: Final = r"[0-9A-Za-z~-]"
_KUBELET_VERSION: Final = re.compile(
    r"v?(?P<numbers>[0-9]+(?:\.[0-9]+)*?)"
    rf"(?:(?:-[0-9]|-?[A-Za-z~-]){_WORD}*(?:\.{_WORD}+)*)?"
    rf"(?:\+{_WORD}+(?:\.{_WORD}+)*)?"
)
_LARGEST_NUMBER: Final = 2**63 - 1  # Go reads each number into an int64
_SWITCH: Final = {"true": True, "false": False}
_AUTO: Final = "auto"


def detect_native(
    behaviour: Behaviour, env: Mapping[str, str], nodes: Mapping[str, str] | None, node_name: str
) -> bool:
    """Return whether proxies are native sidecars unless a pod says otherwise.

    Up to 1.26 the feature's switch decides. From 1.27 the switch is "true", "false" or "auto" (the default),
    and anything else means "false". With "auto" the kubelet of the pod's node decides where the node is
    known, else all of ``nodes`` (name -> kubelet version) must be new enough; in a cluster without nodes they
    are. ``nodes`` None means that nothing is known of the cluster: then proxies are not native.
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
    numbers = [to_int(number) for number in match["numbers"].split(".")] if match else []
    if len(numbers) < 2 or max(numbers) > _LARGEST_NUMBER:  # "1" is 1.0
        return False
    return numbers[1] >= _MINOR_WITH_NATIVE_SIDECARS


def native_for(annotation: str | None, behaviour: Behaviour, *, by_default: bool) -> bool:
    """Return whether a pod's proxy is a native sidecar; from 1.24 the pod's annotation overrides."""
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


# ---- the order


def order_containers(draft: Draft, injection: Injection) -> None:
    """Put the containers in order; the position of the proxy shows whether it is native."""
    draft.containers = moved(draft.containers, PROXY, first=_holds_application(injection))
    if len(draft.init_containers) < 2:
        return
    if injection.snapshot.behaviour.native_sidecars_by_feature and find(draft.init_containers, PROXY):
        draft.init_containers = _proxy_before_init(draft.init_containers)
    else:
        draft.init_containers = _network_set_up_last(draft.init_containers)


def _holds_application(injection: Injection) -> bool:
    """Return whether the application waits for the proxy; ProxyConfig resources do not count for this."""
    settings, annotation = injection.settings, injection.annotations.get(ANNOTATION)
    if settings.holds_application or annotation is None:
        return settings.holds_application or settings.mesh_holds_application
    own = injection.snapshot.proxy_configs.annotated(annotation)
    return own.get("holdApplicationUntilProxyStarts") is True


def _proxy_before_init(containers: list[JSONObject]) -> list[JSONObject]:
    """Return istio-init, istio-validation, istio-proxy, enable-core-dump, then the pod's own."""
    for name in (CORE_DUMP, PROXY, VALIDATION, INIT):
        containers = moved(containers, name, first=True)
    return containers


def _network_set_up_last(containers: list[JSONObject]) -> list[JSONObject]:
    """Return istio-validation, the pod's own, istio-init, enable-core-dump.

    istio-validation blocks everything; istio-init lets the pod's own use the network first.
    """
    containers = moved(containers, VALIDATION, first=True)
    for name in (INIT, CORE_DUMP):
        containers = moved(containers, name, first=False)
    return containers
