"""A pod in, the pod with its containers in the order that lets it start out. Knows no annotation.

The proxy is the last container, so that ``kubectl exec`` finds the application, unless the
application has to wait for it. A native sidecar starts before the other init containers.
"""

from __future__ import annotations

from collections.abc import Sequence

from injector.injection.steps.pods import (
    CORE_DUMP,
    INIT,
    PROXY,
    VALIDATION,
    containers_of,
    find,
    moved,
    with_containers,
)
from injector.json_types import JSONObject, Pod


def order_containers(pod: Pod, *, holds_application: bool, native: bool) -> Pod:
    """Return the pod with its containers in order.

    ``native`` tells whether the release knows native sidecars; whether this pod has one shows in its
    init containers.
    """
    containers = moved(containers_of(pod), PROXY, first=holds_application)
    init_containers = containers_of(pod, "initContainers")
    if native and find(init_containers, PROXY) is not None:
        init_containers = _proxy_before_init(init_containers)
    else:
        init_containers = _network_set_up_last(init_containers)
    pod = with_containers(pod, "containers", containers)
    return with_containers(pod, "initContainers", init_containers)


def _proxy_before_init(containers: Sequence[JSONObject]) -> Sequence[JSONObject]:
    """istio-init, istio-validation, istio-proxy, enable-core-dump, then the pod's own."""
    for name in (CORE_DUMP, PROXY, VALIDATION, INIT):
        containers = moved(containers, name, first=True)
    return containers


def _network_set_up_last(containers: Sequence[JSONObject]) -> Sequence[JSONObject]:
    """istio-validation blocks everything, istio-init lets the pod's own use the network first."""
    containers = moved(containers, VALIDATION, first=True)
    for name in (INIT, CORE_DUMP):
        containers = moved(containers, name, first=False)
    return containers
