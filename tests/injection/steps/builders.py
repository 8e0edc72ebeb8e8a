"""Small pods for tests, each with only what the test speaks of, and injections for one step."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

from injector.budget import Budget
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.owner import Workload
from injector.injection.render import InjectionRequest
from injector.injection.snapshot import Snapshot
from injector.injection.steps.pods import Draft, all_names
from injector.injection.steps.settings import Injection, Step, settings_of


def a_container(name: str = "app", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": f"{name}:1", "resources": {}} | fields


def a_pod(
    *containers: dict[str, Any],
    init: list[dict[str, Any]] | None = None,
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "web"}
    if annotations:
        metadata["annotations"] = annotations
    if labels:
        metadata["labels"] = labels
    pod_spec: dict[str, Any] = {"containers": list(containers) or [a_container()]}
    if init:
        pod_spec["initContainers"] = init
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec | spec}


def after(step: Step, pod: dict[str, Any], injection: Injection) -> dict[str, Any]:
    """Return the pod that a step makes of this one."""
    draft = Draft(pod, injection.settings.proxies)
    step(draft, injection)
    return draft.pod()


def names(pod: dict[str, Any], kind: str = "containers") -> list[str]:
    return [container["name"] for container in pod["spec"].get(kind, [])]


def the_proxy(pod: dict[str, Any]) -> dict[str, Any]:
    return next(
        container
        for kind in ("containers", "initContainers")
        for container in pod["spec"].get(kind, [])
        if container["name"] == "istio-proxy"
    )


def env_of(container: dict[str, Any]) -> list[tuple[str, str]]:
    return [(variable["name"], variable.get("value", "")) for variable in container.get("env", [])]


@cache
def _snapshot(release: str, mesh: str, injected: str, features: tuple[tuple[str, str], ...]) -> Snapshot:
    config = {"templates": {"sidecar": ""}, "injectedAnnotations": json.loads(injected)}
    if int(release[2:]) < 9:
        config = {"template": "containers:"}
    sources = Sources(config=json.dumps(config), mesh=mesh)
    return load_snapshot(sources, Surroundings(release=release, env=dict(features)))


def an_injection(
    release: str = "1.31",
    *,
    original: Any = None,
    mesh: str = "",
    injected: dict[str, str] | None = None,
    features: dict[str, str] | None = None,
    kept: Any = None,
    environment: dict[str, str] | None = None,
    template_pod: Any = None,
    **settings: Any,
) -> Injection:
    """Return an injection of ``original``; ``settings`` are set whatever mesh and values say."""
    snapshot = _snapshot(release, mesh, json.dumps(injected or {}), tuple((features or {}).items()))
    pod = original or a_pod()
    request = InjectionRequest(pod=pod, namespace="shop", workload=Workload(metadata={}), budget=Budget())
    return Injection(
        request=request,
        snapshot=snapshot,
        settings=replace(settings_of(snapshot), **settings),
        original=pod,
        annotations=pod["metadata"].get("annotations") or {},
        environment=environment or {},
        native=False,
        owned=all_names(pod),
        kept=kept or {},
        template_pod=template_pod or {},
    )
