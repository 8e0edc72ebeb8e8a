"""Application probes up to 1.8: asked through the proxy's agent. Knows no review and no template.

The kubelet has no client certificate, so its HTTP probes go to the agent's status port, and the agent
asks the application what ISTIO_KUBE_APP_PROBERS tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from injector.golang.digits import to_int
from injector.golang.jsontext import go_json
from injector.golang.strconv import parse_bool
from injector.injection.legacy.sidecar import PROXY, name_of, with_env
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject

PROBERS: Final = "ISTIO_KUBE_APP_PROBERS"
REWRITE: Final = "sidecar.istio.io/rewriteAppHTTPProbers"
STATUS_PORT: Final = "status.sidecar.istio.io/port"

_PROBES: Final = (("readinessProbe", "readyz"), ("livenessProbe", "livez"), ("startupProbe", "startupz"))
_HTTP_GET: Final = ("path", "port", "host", "scheme", "httpHeaders")
_ARGUMENT: Final = re.compile(r"-{1,2}statusPort(=(?P<port>[0-9]+))?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


def wants_rewriting(annotations: Mapping[str, str], spec: SidecarInjectionSpec, behaviour: Behaviour) -> bool:
    """Tell whether probes are rewritten: the pod's annotation, else what the template says."""
    chosen = parse_bool(annotations.get(REWRITE) or "") if behaviour.probe_annotation else None
    return spec.rewrite_probes if chosen is None else chosen


def agent_port(
    annotations: Mapping[str, str], proxy: JSONObject, mesh_port: int, behaviour: Behaviour
) -> int | None:
    """Return the agent's port; None where it has none, so that probes stay as they are.

    Up to 1.5 it is read from the proxy's arguments, later from the annotation or the mesh.
    """
    if not behaviour.status_port_of_mesh:
        return _port_argument(proxy.get("args") or [])
    text = annotations.get(STATUS_PORT)
    if text is None:
        return mesh_port
    return to_int(text) if _NUMBER.fullmatch(text) else 0


def _port_argument(args: list[str]) -> int | None:
    for position, argument in enumerate(args):
        if match := _ARGUMENT.fullmatch(argument.strip()):
            following = args[position + 1] if position + 1 < len(args) else ""
            port = match["port"] or following
            return to_int(port) if _NUMBER.fullmatch(port) else None
    return None


def told_probers(proxy: JSONObject, containers: Iterable[JSONObject], behaviour: Behaviour) -> JSONObject:
    """Return the proxy that knows what to ask the application."""
    probers = {
        path: prober
        for container in containers
        for path, probe in _probes(container, behaviour)
        if (prober := _prober(probe, container, behaviour))
    }
    if not probers and not behaviour.tells_no_probers:
        return proxy
    text = go_json({path: probers[path] for path in sorted(probers)}, sort_keys=False)
    return with_env(proxy, {PROBERS: text})


def _probes(container: JSONObject, behaviour: Behaviour) -> Iterator[tuple[str, JSONObject]]:
    """Yield the agent's path and the probe, of every HTTP probe of an application's container."""
    if not container or name_of(container) == PROXY:
        return
    for key, word in _PROBES if behaviour.rewrites_startup_probes else _PROBES[:2]:
        probe = container.get(key)
        if probe and probe.get("httpGet") is not None:
            yield f"/app-health/{name_of(container)}/{word}", probe


def _prober(probe: JSONObject, container: JSONObject, behaviour: Behaviour) -> JSONObject | None:
    """Return what the agent is told, in Go's order of fields; None for a port's name that there is not."""
    action = probe["httpGet"]
    port = action.get("port")
    if isinstance(port, str):
        named = {
            each["name"]: each.get("containerPort", 0)
            for each in container.get("ports") or ()
            if each.get("name")
        }
        if port not in named:
            return None
        port = named[port]
    get: dict[str, Any] = {key: action[key] for key in _HTTP_GET if action.get(key)} | {"port": port or 0}
    get = {key: get[key] for key in _HTTP_GET if key in get}
    if headers := get.get("httpHeaders"):
        get["httpHeaders"] = [{key: header.get(key) or "" for key in ("name", "value")} for header in headers]
    if not behaviour.probers_have_timeout:
        return get
    timeout = probe.get("timeoutSeconds")
    return {"httpGet": get} | ({"timeoutSeconds": timeout} if timeout else {})


def rewritten(container: JSONObject, port: int, behaviour: Behaviour) -> JSONObject:
    """Return an application's container whose HTTP probes ask the agent."""
    changed = {
        key: probe | {"httpGet": _through_agent(probe["httpGet"], path, port, behaviour)}
        for key, _ in _PROBES
        for path, probe in _probes({"name": name_of(container), key: (container or {}).get(key)}, behaviour)
    }
    return container | changed if changed else container


def _through_agent(action: JSONObject, path: str, port: int, behaviour: Behaviour) -> JSONObject:
    """Return the request to the agent, which speaks HTTP whatever the application speaks."""
    scheme = {"scheme": "HTTP"} if action.get("scheme") == "HTTPS" and behaviour.probes_lose_tls else {}
    return action | {"path": path, "port": port} | scheme
