"""Small configurations, pods and reviews with defaults, for the tests of this room."""

from __future__ import annotations

import base64
import json
from typing import Any

from injector.injection.injector import Injector

LEGACY = """
policy: enabled
template: |
  rewriteAppHTTPProbe: true
  initContainers:
  - name: istio-init
    image: init:1
  containers:
  - name: istio-proxy
    image: {{ annotation .ObjectMeta `sidecar.istio.io/proxyImage` "proxy:1" }}
    args: [proxy, "{{ .ObjectMeta.Namespace }}"]
  volumes:
  - name: istio-envoy
    emptyDir: {}
"""

OVERLAYS = """
policy: enabled
defaultTemplates: [sidecar]
aliases: {both: [sidecar, extra]}
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: {{ annotation .ObjectMeta `sidecar.istio.io/proxyImage` "proxy:1" }}
  extra: |
    metadata:
      labels:
        extra: "yes"
"""


def legacy(release: str = "1.8", config: str = LEGACY, **options: Any) -> Injector:
    return Injector.load(config, release=release, **options)


def overlays(release: str = "1.31", config: str = OVERLAYS, **options: Any) -> Injector:
    return Injector.load(config, release=release, **options)


def a_pod(**changes: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "app:1"}]} | changes.pop("spec", {})
    metadata = {"name": "web"} | changes
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def a_review(pod: Any, *, version: str = "v1beta1", namespace: str = "shop", **request: Any) -> bytes:
    asked = {"uid": "u1", "namespace": namespace, "object": pod} | request
    head = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}"}
    return json.dumps(head | {"request": asked}).encode()


def answered(answer: bytes) -> dict[str, Any]:
    """Return the answer with its patch decoded."""
    review: dict[str, Any] = json.loads(answer)
    patch = review["response"].get("patch")
    if patch is not None:
        review["response"]["patch"] = json.loads(base64.b64decode(patch))
    return review
