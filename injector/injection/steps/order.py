"""Put a pod's containers in the order that lets it start.

The proxy is the last container, so that ``kubectl exec`` finds the application, unless the
application has to wait for it. A native sidecar starts before the other init containers.
"""

from __future__ import annotations

from injector.injection.steps.pods import (
    CORE_DUMP,
    INIT,
    PROXY,
    VALIDATION,
    Draft,
    find,
    moved,
)
from injector.injection.steps.settings import Injection
from injector.istio.mesh.effective import ANNOTATION
from injector.json_types import JSONObject


def order_containers(draft: Draft, injection: Injection) -> None:
    """Put the containers in order; whether the pod's proxy is native shows in where it stands."""
    draft.containers = moved(draft.containers, PROXY, first=_holds_application(injection))
    if len(draft.init_containers) < 2:
        return
    if injection.snapshot.behaviour.native_sidecars_by_feature and find(draft.init_containers, PROXY):
        draft.init_containers = _proxy_before_init(draft.init_containers)
    else:
        draft.init_containers = _network_set_up_last(draft.init_containers)


def _holds_application(injection: Injection) -> bool:
    """Return whether the application waits for the proxy: ProxyConfig resources have no say in it."""
    settings, annotation = injection.settings, injection.annotations.get(ANNOTATION)
    if settings.holds_application or annotation is None:
        return settings.holds_application or settings.mesh_holds_application
    own = injection.snapshot.proxy_configs.annotated(annotation)
    return own.get("holdApplicationUntilProxyStarts") is True


def _proxy_before_init(containers: list[JSONObject]) -> list[JSONObject]:
    """istio-init, istio-validation, istio-proxy, enable-core-dump, then the pod's own."""
    for name in (CORE_DUMP, PROXY, VALIDATION, INIT):
        containers = moved(containers, name, first=True)
    return containers


def _network_set_up_last(containers: list[JSONObject]) -> list[JSONObject]:
    """istio-validation blocks everything, istio-init lets the pod's own use the network first."""
    containers = moved(containers, VALIDATION, first=True)
    for name in (INIT, CORE_DUMP):
        containers = moved(containers, name, first=False)
    return containers
