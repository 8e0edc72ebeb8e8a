"""What code up to 1.8 adds to the proxy's container of a decoded spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from injector.golang.digits import to_int
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.injection.steps.pods import PROXY, name_of, with_variables
from injector.json_types import JSONObject
from injector.patch.quantity import milli_value

_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def with_proxy(
    spec: SidecarInjectionSpec, change: Callable[[JSONObject], JSONObject], *, every: bool = False
) -> SidecarInjectionSpec:
    """Return the spec whose first (or, with ``every``, each) istio-proxy container is changed."""
    containers: list[JSONObject] = []
    found = False
    for container in spec.containers:
        wanted = name_of(container) == PROXY and (every or not found)
        containers.append(change(container) if wanted else container)
        found = found or wanted
    return replace(spec, containers=tuple(containers)) if found else spec


def with_url_environment(spec: SidecarInjectionSpec, environment: Mapping[str, str]) -> SidecarInjectionSpec:
    """Return the spec whose proxies have the variables of the webhook's URL, at the end."""
    if not environment:
        return spec
    return with_proxy(spec, lambda proxy: with_variables(proxy, environment), every=True)


# ---- concurrency


def with_concurrency(spec: SidecarInjectionSpec) -> SidecarInjectionSpec:
    """Return the spec whose proxy runs as many threads as it has CPUs, unless its arguments say how many."""
    return with_proxy(spec, _with_concurrency)


def _with_concurrency(proxy: JSONObject) -> JSONObject:
    if (int_argument(proxy, "concurrency") or 0) > 0:
        return proxy
    resources = proxy.get("resources") or {}
    for kind in ("limits", "requests"):
        millis = milli_value(str((resources.get(kind) or {}).get("cpu", "0")))
        threads = -(-millis // 1000)
        if threads > 0:
            return proxy | {"args": [*(proxy.get("args") or ()), "--concurrency", str(threads)]}
    return proxy


def int_argument(proxy: JSONObject, name: str) -> int | None:
    """Return what the first argument of that name says, ``--name 1`` or ``--name=1``; None for no number."""
    args: list[str] = proxy.get("args") or []
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        if match := re.fullmatch(rf"-{{1,2}}{name}(=(?P<number>[0-9]+))?", argument.strip()):
            text = match["number"] or following
            return to_int(text) if _NUMBER.fullmatch(text) else None
    return None


# ---- service account


def with_account_token(spec: SidecarInjectionSpec, containers: Iterable[JSONObject]) -> SidecarInjectionSpec:
    """Return the spec whose proxies mount the service account's token as the last container that does."""
    mounts = [
        mount
        for container in containers
        for mount in (container or {}).get("volumeMounts") or ()
        if (mount or {}).get("mountPath") == _SERVICE_ACCOUNT
    ]
    if not mounts or not mounts[-1].get("name"):
        return spec
    return with_proxy(
        spec,
        lambda proxy: proxy | {"volumeMounts": [*(proxy.get("volumeMounts") or ()), mounts[-1]]},
        every=True,
    )
