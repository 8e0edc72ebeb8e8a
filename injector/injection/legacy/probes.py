"""Application probes up to 1.8: asked through the proxy's agent, by the functions of the later steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from injector.injection.legacy.sidecar import int_argument
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.injection.steps import probes
from injector.injection.steps.pods import PROXY, ContainerRef, append_env, chosen, name_of
from injector.injection.steps.probes import (
    PROBE,
    PROBERS,
    PROBES,
    REWRITE,
    Handled,
    probers_text,
    through_agent,
)
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject
from injector.patch import normalise

_NOWHERE: Final = ContainerRef("containers", 0)


def wants_rewriting(annotations: Mapping[str, str], spec: SidecarInjectionSpec, behaviour: Behaviour) -> bool:
    """Return whether probes are rewritten: as the pod's annotation says, else the template."""
    if not behaviour.probe_annotation:
        return spec.rewrite_probes
    return chosen(annotations, REWRITE, by_default=spec.rewrite_probes)


def agent_port(
    annotations: Mapping[str, str], proxy: JSONObject, mesh_port: int, behaviour: Behaviour
) -> int | None:
    """Return the agent's port; None where it has none, so that probes stay as they are.

    Up to 1.5 it is read from the proxy's arguments, later from the annotation or the mesh.
    """
    if not behaviour.status_port_of_mesh:
        return int_argument(proxy, "statusPort")
    return probes.agent_port(annotations, mesh_port)


def with_probers(proxy: JSONObject, containers: Iterable[JSONObject], behaviour: Behaviour) -> JSONObject:
    """Return the proxy that knows what to ask the application."""
    handled = [each for container in containers for each in _handled(container, behaviour)]
    text = probers_text(handled, None, has_timeout=behaviour.probers_have_timeout)
    if not text and not behaviour.tells_no_probers:
        return proxy
    return append_env(proxy, PROBERS, text or "{}")


def _handled(container: JSONObject, behaviour: Behaviour) -> Iterator[Handled]:
    """Yield the HTTP probes of an application's container, as Go's types have them."""
    name = name_of(container)
    if not container or name == PROXY:
        return
    for key, word in PROBES if behaviour.rewrites_startup_probes else PROBES[:2]:
        probe = container.get(key)
        if probe and probe.get("httpGet") is not None:
            path = f"/app-health/{name}/{word}"
            yield Handled(path, _NOWHERE, container, key, "httpGet", normalise(probe, PROBE))


def rewritten(container: JSONObject, port: int, behaviour: Behaviour) -> JSONObject:
    """Return an application's container whose HTTP probes ask the agent; the rest of them stays."""
    loses_tls = behaviour.probes_lose_tls
    changed = {
        each.key: through_agent(container[each.key], "httpGet", each.path, port, loses_tls=loses_tls)
        for each in _handled(container, behaviour)
    }
    return container | changed if changed else container
