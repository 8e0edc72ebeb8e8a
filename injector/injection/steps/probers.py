"""The probes of a pod's containers in, ISTIO_KUBE_APP_PROBERS out.

The variable is a JSON object: the agent's path -> the application's own probe, with every named
port as its number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from injector.budget import Budget
from injector.errors import TypedError
from injector.golang.jsontext import go_json
from injector.injection.steps.containers import Place, append_env, env_var
from injector.json_types import JSONObject
from injector.patch import go_type, normalise

PROBERS: Final = "ISTIO_KUBE_APP_PROBERS"
PROBE: Final = go_type("core/v1.Probe")

# The fields of a prober and of its handlers, in the order in which Go declares and so prints them.
_HANDLERS: Final = {
    "httpGet": ("HTTPGetAction", ("path", "port", "host", "scheme", "httpHeaders")),
    "tcpSocket": ("TCPSocketAction", ("port", "host")),
    "grpc": ("GRPCAction", ("port", "service")),
}
_HEADER: Final = ("name", "value")


class Handled(NamedTuple):
    """A probe or a lifecycle hook that the agent takes over."""

    path: str
    """The agent's path for it."""
    place: Place
    container: JSONObject
    key: str
    """The field of the container, or of its lifecycle, that it is."""
    handler: str
    """Its own field that says what is asked."""
    probe: JSONObject
    is_hook: bool = False


def probers_text(handled: Iterable[Handled], mesh_port: int) -> str:
    """Return the value of ISTIO_KUBE_APP_PROBERS, "" when there is nothing to tell.

    Left out are probes of a named port that the container does not have, and those that already ask
    the agent's port: they were led through it before.
    """
    probers: dict[str, Any] = {}
    for each in handled:
        action = each.probe[each.handler]
        port = action.get("port")
        if isinstance(port, str) and each.handler != "grpc":
            port = _ports(each.container).get(port)
            if port is None:
                continue
        elif port == mesh_port and each.handler != "grpc":
            continue
        probers[each.path] = _prober(each.handler, action | {"port": port}, each.probe.get("timeoutSeconds"))
    return _text(probers) if probers else ""


def _ports(container: JSONObject) -> dict[str, int]:
    """Return the container's named ports; of two of one name the last counts."""
    ports = container.get("ports") or ()
    return {port["name"]: port.get("containerPort", 0) for port in ports if port.get("name")}


def _prober(handler: str, action: JSONObject, timeout: int | None) -> JSONObject:
    ordered = {key: action[key] for key in _HANDLERS[handler][1] if key in action}
    if headers := ordered.get("httpHeaders"):
        ordered["httpHeaders"] = [{key: header.get(key, "") for key in _HEADER} for header in headers]
    if handler == "grpc":
        ordered.setdefault("service", None)
    return {handler: ordered} | ({"timeoutSeconds": timeout} if timeout else {})


def _text(probers: dict[str, Any]) -> str:
    return go_json({path: probers[path] for path in sorted(probers)}, sort_keys=False)


def merge_probers(proxy: JSONObject, text: str, *, adds_missing: bool, budget: Budget) -> JSONObject:
    """Return a proxy that was injected before with the new probers added to the earlier ones, which win.

    Where it has none, ``adds_missing`` decides; where they cannot be read, they stay.
    """
    env = list(proxy.get("env") or ())
    index = next((i for i, variable in enumerate(env) if variable.get("name") == PROBERS), None)
    if index is None:
        return append_env(proxy, PROBERS, text) if adds_missing else proxy
    earlier = _read(env[index].get("value", ""), budget)
    if earlier is None:
        return proxy
    env[index] = env_var(PROBERS, _text((_read(text, budget) or {}) | earlier))
    return proxy | {"env": env}


def _read(text: str, budget: Budget) -> dict[str, Any] | None:
    """Return the probers of an earlier injection as Go would decode them, None when it cannot."""
    try:
        value = orjson.loads(text)
        if value is None:
            return {}
        if not isinstance(value, dict):
            return None
        budget.charge("entries", len(value), f"the pod with its variable {PROBERS} has {{}} entries")
        return {path: _read_prober(prober) for path, prober in value.items()}
    except (orjson.JSONDecodeError, TypedError):
        return None


def _read_prober(value: Any) -> JSONObject | None:
    if value is None:
        return None
    probe = normalise(value, PROBE)
    prober: JSONObject = {}
    for handler in _HANDLERS:
        if probe.get(handler) is not None:
            prober |= _prober(handler, probe[handler], None)
    return prober | ({"timeoutSeconds": probe["timeoutSeconds"]} if probe.get("timeoutSeconds") else {})
