"""Registrations, workloads and surroundings with defaults, for the tests of this room."""

from __future__ import annotations

from typing import Any

from injector import Injector
from injector.diagnosis.gates import PodSurroundings, Walk, walk
from injector.diagnosis.items import Item
from injector.injection.kinds import place_of

OURS = "sidecar-injector.istio.io"
CONFIG = """\
policy: enabled
defaultTemplates: [sidecar]
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: proxy
"""


def an_item(value: dict[str, Any], source: str = "test.yaml") -> Item:
    return Item(value=value, source=source)


def an_entry(**changes: Any) -> dict[str, Any]:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    service = {"name": "sidecar-injector", "namespace": "mesh", "path": "/inject"}
    return {"name": OURS, "clientConfig": {"service": service}, "rules": [rule], **changes}


def a_registration(*entries: dict[str, Any], name: str = "hooks", **metadata: Any) -> Item:
    return an_item(
        {
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name, **metadata},
            "webhooks": list(entries),
        },
        source=f"MutatingWebhookConfiguration {name}",
    )


def a_namespace(name: str = "shop", **labels: str) -> Item:
    return an_item({"kind": "Namespace", "metadata": {"name": name, "labels": labels}}, f"Namespace {name}")


def a_pod(*, spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": {"containers": [{"name": "web", "image": "web"}], **(spec or {})},
    }


def a_workload(
    kind: str = "Deployment", api_version: str = "apps/v1", name: str = "web", **metadata: Any
) -> dict[str, Any]:
    template = {"metadata": metadata, "spec": {"containers": [{"name": "web", "image": "web"}]}}
    spec = {"jobTemplate": {"spec": {"template": template}}} if kind == "CronJob" else {"template": template}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


def walked(
    workload: dict[str, Any],
    *registration: Item,
    namespaces: tuple[Item, ...] = (),
    config: str = CONFIG,
    release: str = "1.31",
    **around: Any,
) -> Walk:
    place = place_of(workload)
    assert place is not None
    return walk(
        an_item(workload),
        place,
        "default",
        PodSurroundings(
            snapshot=Injector.load(config, release=release).snapshot,
            registration=registration or None,
            namespaces={item.name: item for item in namespaces},
            **around,
        ),
    )
