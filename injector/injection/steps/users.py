"""Let a pod's set-up containers follow the proxy's user.

The rules that redirect traffic let the proxy's own traffic pass by its user. So an owner who sets
another user for the proxy changes those rules as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from injector.injection.render import proxy_config_of
from injector.injection.steps.pods import (
    INIT,
    PROXY,
    VALIDATION,
    ContainerRef,
    Kind,
    annotations_of,
    container_at,
    find_anywhere,
    name_of,
    place_of,
    places,
    with_container,
)
from injector.injection.steps.settings import Injection
from injector.json_types import JSONObject, Pod

INTERCEPTION_MODE: Final = "sidecar.istio.io/interceptionMode"
TPROXY: Final = "TPROXY"
TPROXY_MODE: Final = 1
"""ProxyConfig.InboundInterceptionMode.TPROXY of Istio's API."""

_USER: Final = "runAsUser"
_GROUP: Final = "runAsGroup"


def _security(container: JSONObject) -> JSONObject:
    return container.get("securityContext") or {}


def adjust_init_user(pod: Pod, injection: Injection) -> Pod:
    """Return ``pod`` with istio-init or istio-validation following the user of the owner's istio-proxy.

    Where it intercepts by TPROXY, the proxy has to run as root, whatever its owner says.
    """
    if not injection.snapshot.behaviour.adjusts_init_user:
        return pod
    own = find_anywhere(injection.original, PROXY) if PROXY in injection.owned else None
    if own is None or not {_USER, _GROUP} & _security(own).keys():
        return pod
    place = place_of(pod, INIT, ("initContainers",)) or place_of(pod, VALIDATION, ("initContainers",))
    if place is None:
        return pod
    tproxy = _intercepts_by_tproxy(pod, injection)
    user = _security(own).get(_USER)
    if tproxy and user is not None:
        pod = _as_root(pod)
    return with_container(pod, place, _following(container_at(pod, place), own, tproxy=tproxy))


def _intercepts_by_tproxy(pod: Pod, injection: Injection) -> bool:
    """Return whether the pod's ProxyConfig or its annotation says so."""
    mode = proxy_config_of(injection.request, injection.snapshot).get("interceptionMode")
    return mode == TPROXY_MODE or annotations_of(pod).get(INTERCEPTION_MODE) == TPROXY


def _as_root(pod: Pod) -> Pod:
    place = place_of(pod, PROXY)
    if place is None:
        return pod
    proxy = container_at(pod, place)
    return with_container(pod, place, proxy | {"securityContext": _security(proxy) | {_USER: 0}})


def _following(container: JSONObject, own: JSONObject, *, tproxy: bool) -> JSONObject:
    ids: dict[str, Any] = {key: _security(own)[key] for key in (_USER, _GROUP) if key in _security(own)}
    if not tproxy and name_of(container) == VALIDATION:
        container = container | {"securityContext": _security(container) | ids}
    return _redirecting(container, ids[_USER]) if ids.get(_USER) else container


def _redirecting(container: JSONObject, user: int) -> JSONObject:
    """Return the container with ``user`` after its argument ``-u``; iptables knows no rule for root."""
    arguments = list(container.get("args") or ())
    if "-u" not in arguments[:-1]:
        return container
    arguments[arguments.index("-u") + 1] = str(user)
    return container | {"args": arguments}


def reset_openshift_user(pod: Pod, compared: Sequence[Kind]) -> Pod:
    """Return the pod whose istio-proxy has no user of its own where it is the application's.

    OpenShift gives all containers of a pod one user; traffic of the application would pass by the
    proxy. Two containers without a user have the same one, 0, as Istio sees it. Only users of the
    ``compared`` lists are looked at: a native sidecar's counts as unset where its list is not.
    """
    place = place_of(pod, PROXY)
    if place is None or not container_at(pod, place).get("securityContext"):
        return pod
    proxy_user, application_user = 0, 0
    for _, container in places(pod, compared):
        user = _security(container).get(_USER)
        if user is None or name_of(container) in (VALIDATION, INIT):
            continue
        if name_of(container) == PROXY:
            proxy_user = user
        else:
            application_user = user
    return _without_ids(pod, place) if proxy_user == application_user else pod


def _without_ids(pod: Pod, place: ContainerRef) -> Pod:
    proxy = container_at(pod, place)
    security = {key: value for key, value in _security(proxy).items() if key not in (_USER, _GROUP)}
    return with_container(pod, place, proxy | {"securityContext": security})
