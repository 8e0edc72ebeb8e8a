"""Small pods for tests, each with only what the test speaks of."""

from __future__ import annotations

from typing import Any


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
