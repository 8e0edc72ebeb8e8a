"""Make a pod's set-up containers follow the proxy's user.

The rules that redirect traffic recognise the proxy's own traffic by its user. So an owner who sets another
user for the proxy changes those rules as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from injector.injection.render import proxy_config_of
from injector.injection.steps.pods import (
    INIT,
    PROXY,
    VALIDATION,
    Kind,
    annotations_of,
    containers_of,
    find,
    find_anywhere,
    name_of,
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

    With TPROXY interception the proxy must run as root, regardless of the owner's user.
    """
    if not injection.snapshot.behaviour.adjusts_init_user:
        return pod
    own = find_anywhere(injection.original, PROXY) if PROXY in injection.owned else None
    if own is None or not {_USER, _GROUP} & _security(own).keys():
        return pod
    init_containers = containers_of(pod, "initContainers")
    set_up = find(init_containers, INIT) or find(init_containers, VALIDATION)
    if set_up is None:
        return pod
    tproxy = _intercepts_by_tproxy(pod, injection)
    proxy = find_anywhere(pod, PROXY)
    if tproxy and proxy is not None and _security(own).get(_USER) is not None:
        as_root = proxy | {"securityContext": _security(proxy) | {_USER: 0}}
        pod = with_container(pod, PROXY, as_root)
    following = _following(set_up, own, tproxy=tproxy)
    return with_container(pod, name_of(set_up), following, ("initContainers",))


def _intercepts_by_tproxy(pod: Pod, injection: Injection) -> bool:
    """Return whether the pod's ProxyConfig or its annotation says so."""
    mode = proxy_config_of(injection.request, injection.snapshot).get("interceptionMode")
    return mode == TPROXY_MODE or annotations_of(pod).get(INTERCEPTION_MODE) == TPROXY


def _following(container: JSONObject, own: JSONObject, *, tproxy: bool) -> JSONObject:
    ids: dict[str, Any] = {key: _security(own)[key] for key in (_USER, _GROUP) if key in _security(own)}
    if not tproxy and name_of(container) == VALIDATION:
        container = container | {"securityContext": _security(container) | ids}
    return _redirecting(container, ids[_USER]) if ids.get(_USER) else container


def _redirecting(container: JSONObject, user: int) -> JSONObject:
    """Return the container with ``user`` after its argument ``-u``; iptables has no rule for root."""
    arguments = list(container.get("args") or ())
    if "-u" not in arguments[:-1]:
        return container
    arguments[arguments.index("-u") + 1] = str(user)
    return container | {"args": arguments}


def reset_openshift_user(pod: Pod, compared: Sequence[Kind]) -> Pod:
    """Return the pod without istio-proxy's own user where that is also the application's.

    OpenShift gives all containers of a pod one user; the application's traffic would then bypass the proxy.
    Two containers without a user have the same one, 0, as in Istio. Only users of the ``compared`` lists are
    read: a native sidecar's user counts as unset where its list is not compared.
    """
    proxy = find_anywhere(pod, PROXY)
    if proxy is None or not _security(proxy):
        return pod
    proxy_user, application_user = 0, 0
    for container in [each for kind in compared for each in containers_of(pod, kind)]:
        user = _security(container).get(_USER)
        if user is None or name_of(container) in (VALIDATION, INIT):
            continue
        if name_of(container) == PROXY:
            proxy_user = user
        else:
            application_user = user
    if proxy_user != application_user:
        return pod
    security = {key: value for key, value in _security(proxy).items() if key not in (_USER, _GROUP)}
    return with_container(pod, PROXY, proxy | {"securityContext": security})
