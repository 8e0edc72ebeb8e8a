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

_SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_CONCURRENCY: Final = re.compile(r"-{1,2}concurrency(=(?P<threads>[0-9]+))?")


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
    if _configured_threads(proxy.get("args") or []) > 0:
        return proxy
    resources = proxy.get("resources") or {}
    for kind in ("limits", "requests"):
        millis = milli_value(str((resources.get(kind) or {}).get("cpu", "0")))
        threads = -(-millis // 1000)
        if threads > 0:
            return proxy | {"args": [*(proxy.get("args") or ()), "--concurrency", str(threads)]}
    return proxy


def _configured_threads(args: list[str]) -> int:
    for position, argument in enumerate(args):
        match = _CONCURRENCY.fullmatch(argument.strip())
        if match:
            following = args[position + 1] if position + 1 < len(args) else ""
            return _number(match["threads"] or following)
    return 0


def _number(text: str) -> int:
    return to_int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else 0


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
