"""What code up to 1.8 does to containers: what it adds to the proxy, and where it points probes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from injector.golang.strconv import to_int
from injector.golang.unicode import trim_space
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.injection.steps import probes
from injector.injection.steps.pods import PROXY, append_env, chosen, name_of, with_variables
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject
from injector.patch import normalise
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


def with_concurrency(proxy: JSONObject) -> JSONObject:
    """Return a proxy that runs one thread per CPU, unless its arguments set the number."""
    if (_argument(proxy, "concurrency") or 0) > 0:
        return proxy
    resources = proxy.get("resources") or {}
    for kind in ("limits", "requests"):
        millis = milli_value(str((resources.get(kind) or {}).get("cpu", "0")))
        threads = -(-millis // 1000)
        if threads > 0:
            return proxy | {"args": [*(proxy.get("args") or ()), "--concurrency", str(threads)]}
    return proxy


def _argument(proxy: JSONObject, name: str) -> int | None:
    """Return the first value of an argument, ``--name 1`` or ``--name=1``; None if it is not a number."""
    args: list[str] = proxy.get("args") or []
    for argument, following in zip(args, [*args[1:], ""], strict=False):
        if match := re.fullmatch(rf"-{{1,2}}{name}(=(?P<number>[0-9]+))?", trim_space(argument)):
            text = match["number"] or following
            return to_int(text) if _NUMBER.fullmatch(text) else None
    return None


# ---- service account


def with_account_token(spec: SidecarInjectionSpec, containers: Iterable[JSONObject]) -> SidecarInjectionSpec:
    """Return the spec whose proxies mount the service account's token like the last container that does."""
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


# ---- probes


def wants_rewriting(annotations: Mapping[str, str], spec: SidecarInjectionSpec, behaviour: Behaviour) -> bool:
    """Return whether probes are rewritten: the pod's annotation decides, else the template."""
    if not behaviour.probe_annotation:
        return spec.rewrite_probes
    return chosen(annotations, probes.REWRITE, by_default=spec.rewrite_probes)


def agent_port(
    annotations: Mapping[str, str], proxy: JSONObject, mesh_port: int, behaviour: Behaviour
) -> int | None:
    """Return the agent's port; None where it has none, so that probes stay as they are.

    Up to 1.5 it is read from the proxy's arguments, later from the annotation or the mesh.
    """
    if not behaviour.status_port_of_mesh:
        return _argument(proxy, "statusPort")
    return probes.agent_port(annotations, mesh_port)


def with_probers(proxy: JSONObject, containers: Iterable[JSONObject], behaviour: Behaviour) -> JSONObject:
    """Return the proxy with the probes that it has to ask the application."""
    handled = [each for container in containers for each in _handled(container, behaviour)]
    text = probes.probers_text(handled, None, has_timeout=behaviour.probers_have_timeout)
    if not text and not behaviour.tells_no_probers:
        return proxy
    return append_env(proxy, probes.PROBERS, text or "{}")


def _handled(container: JSONObject, behaviour: Behaviour) -> Iterator[probes.Handled]:
    """Yield the HTTP probes of an application's container, as Go's types have them."""
    name = name_of(container)
    if not container or name == PROXY:
        return
    for key, word in probes.PROBES if behaviour.rewrites_startup_probes else probes.PROBES[:2]:
        probe = container.get(key)
        if probe and probe.get("httpGet") is not None:
            path = f"/app-health/{name}/{word}"
            yield probes.Handled(path, container, key, "httpGet", normalise(probe, probes.PROBE))


def rewritten(container: JSONObject, port: int, behaviour: Behaviour) -> JSONObject:
    """Return an application's container whose HTTP probes ask the agent; the others stay."""
    loses_tls = behaviour.probes_lose_tls
    changed = {
        each.key: probes.through_agent(container[each.key], "httpGet", each.path, port, loses_tls=loses_tls)
        for each in _handled(container, behaviour)
    }
    return container | changed if changed else container
