"""Lead a pod's probes through the proxy's agent.

The kubelet has no certificate for the proxy's mTLS, so it asks the agent at the status port, and the agent
asks the application. The agent finds what to ask in its environment, in ISTIO_KUBE_APP_PROBERS: a JSON object
from the agent's paths to the application's own probes, with every named port as its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from injector.budget import Budget
from injector.errors import TypedError
from injector.golang.jsontext import go_json
from injector.golang.strconv import int32, parse_int
from injector.injection.steps.pods import PROXY, Draft, append_env, chosen, env_var
from injector.injection.steps.settings import Injection
from injector.injection.steps.status import STATUS
from injector.json_types import JSONObject
from injector.patch import go_type, normalise

REWRITE: Final = "sidecar.istio.io/rewriteAppHTTPProbers"
STATUS_PORT: Final = "status.sidecar.istio.io/port"

PROBES: Final = (("readinessProbe", "readyz"), ("livenessProbe", "livez"), ("startupProbe", "startupz"))
HOOKS: Final = (("preStop", "prestopz"), ("postStart", "poststartz"))


def rewrite_probes(draft: Draft, injection: Injection) -> None:
    """Point probes at the agent, and tell the proxy what to ask the application."""
    settings, behaviour = injection.settings, injection.snapshot.behaviour
    annotations = draft.annotations
    if draft.proxy is None or not chosen(annotations, REWRITE, by_default=settings.rewrites_probes):
        return
    port = agent_port(annotations, settings.agent_port)
    handled: list[Handled] = []
    init_containers = draft.init_containers if behaviour.rewrites_init_probes else []
    for containers in (init_containers, draft.containers):  # of two with the same name, the later is used
        for index, container in enumerate(containers):
            own = _handled(container, injection)
            if own:
                handled += own
                containers[index] = _rewritten(container, own, port)
    text = probers_text(handled, settings.agent_port)
    if text and behaviour.merges_probers and STATUS in annotations:
        adds_missing, budget = behaviour.adds_missing_probers, injection.request.budget
        draft.change_proxy(merge_probers(draft.proxy, text, adds_missing=adds_missing, budget=budget))
    elif text:
        draft.change_proxy(append_env(draft.proxy, PROBERS, text))


def agent_port(annotations: Mapping[str, str], mesh_port: int) -> int:
    """Return the port that probes go to; an annotation that is not a number means 0, as in Istio."""
    text = annotations.get(STATUS_PORT)
    return mesh_port if text is None else int32(parse_int(text) or 0)


def _handled(container: JSONObject, injection: Injection) -> list[Handled]:
    """Return all probes and hooks of a container that the agent takes over."""
    name, handlers = container.get("name") or "", injection.settings.handlers
    if name == PROXY:
        return []
    found = []
    for key, word in PROBES:
        probe = container.get(key)
        if probe and (handler := _first_of(handlers, probe)):
            found.append(Handled(f"/app-health/{name}/{word}", container, key, handler, probe))
    lifecycle: JSONObject = container.get("lifecycle") or {}
    for key, word in HOOKS if lifecycle and injection.snapshot.behaviour.rewrites_lifecycle else ():
        hook = lifecycle.get(key)
        if hook and (handler := _first_of(handlers, hook)) and handler != "grpc":
            path = f"/app-lifecycle/{name}/{word}"
            found.append(Handled(path, container, key, handler, hook, is_hook=True))
    return found


def _first_of(handlers: tuple[str, ...], probe: JSONObject) -> str:
    for handler in handlers:
        if probe.get(handler) is not None:
            return handler
    return ""


def _rewritten(container: JSONObject, handled: list[Handled], port: int) -> JSONObject:
    changed = dict(container)
    for each in handled:
        probe = through_agent(each.probe, each.handler, each.path, port)
        if each.is_hook:
            changed["lifecycle"] = changed["lifecycle"] | {each.key: probe}
        else:
            changed[each.key] = probe
    return changed


def through_agent(
    probe: JSONObject, handler: str, path: str, port: int, *, loses_tls: bool = True
) -> JSONObject:
    """Return the probe or hook as an HTTP request to the agent; from 1.2 HTTPS becomes HTTP."""
    action = probe["httpGet"] if handler == "httpGet" else {}
    action = action | {"path": path, "port": port}
    if loses_tls and action.get("scheme") == "HTTPS":
        action["scheme"] = "HTTP"
    asked = dict(probe)
    del asked[handler]
    asked["httpGet"] = action
    return asked


# ---- what the agent is told

PROBERS: Final = "ISTIO_KUBE_APP_PROBERS"
PROBE: Final = go_type("core/v1.Probe")

# The fields of a prober and of its handlers, in the order in which Go declares and prints them.
_HANDLERS: Final = {
    "httpGet": ("path", "port", "host", "scheme", "httpHeaders"),
    "tcpSocket": ("port", "host"),
    "grpc": ("port", "service"),
}
_HEADER: Final = ("name", "value")


class Handled(NamedTuple):
    """A probe or a lifecycle hook that the agent takes over."""

    path: str
    """The agent's path for it."""
    container: JSONObject
    key: str
    """The field of the container, or of its lifecycle, that holds it."""
    handler: str
    """The field of the probe or hook that says what is asked: ``httpGet``, ``tcpSocket`` or ``grpc``."""
    probe: JSONObject
    is_hook: bool = False


def probers_text(handled: Iterable[Handled], mesh_port: int | None, *, has_timeout: bool = True) -> str:
    """Return the value of ISTIO_KUBE_APP_PROBERS, "" when no probe is taken over.

    Probes of a named port that the container does not have are left out, and so are those that already ask
    the agent's port: an earlier injection led them through it (from 1.9; before, ``mesh_port`` is None).
    Without ``has_timeout`` (1.5) a prober holds only what is asked.
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
        prober = _prober(each.handler, action | {"port": port}, each.probe.get("timeoutSeconds"))
        probers[each.path] = prober if has_timeout else prober[each.handler]
    return _text(probers) if probers else ""


def _ports(container: JSONObject) -> dict[str, int]:
    """Return the container's named ports; the last of two with the same name counts."""
    ports = container.get("ports") or ()
    return {port["name"]: port.get("containerPort", 0) for port in ports if port.get("name")}


def _prober(handler: str, action: JSONObject, timeout: int | None) -> JSONObject:
    ordered = {key: action[key] for key in _HANDLERS[handler] if key in action}
    if headers := ordered.get("httpHeaders"):
        ordered["httpHeaders"] = [{key: header.get(key, "") for key in _HEADER} for header in headers]
    if handler == "grpc":
        ordered.setdefault("service", None)
    return {handler: ordered} | ({"timeoutSeconds": timeout} if timeout else {})


def _text(probers: dict[str, Any]) -> str:
    return go_json({path: probers[path] for path in sorted(probers)}, sort_keys=False)


def merge_probers(proxy: JSONObject, text: str, *, adds_missing: bool, budget: Budget) -> JSONObject:
    """Return a proxy that was injected before, with the new probers added; the earlier ones win.

    ``adds_missing`` says whether they are added where it has none; unreadable ones stay as they are.
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
    """Return the probers of an earlier injection as Go decodes them, None when it cannot."""
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
