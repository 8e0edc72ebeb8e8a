"""What a pod had it has after injection, in the element that had it: any pod, release and template, both doors.

$DIFFERENTIAL=full draws 50,000 pods and more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.injection.injector import Injector
from injector.json_types import at
from injector.kubeyaml import documents
from injector.patch import apply
from injector.templates import built_in
from tests.conftest import shared_folder
from tests.injection.builders import LEGACY
from tests.injection.pods import CHANGED, CHANGED_BY_FILE, Pods, losses
from tests.oracle import thorough

RELEASES = ("1.4", "1.8", "1.9", "1.13", "1.19", "1.22", "1.26", "1.28", "1.31")
CUSTOM = """
policy: enabled
defaultTemplates: [sidecar]
templates:
  sidecar: |
    metadata:
      labels: {team: mesh}
    spec:
      securityContext: {fsGroup: 1337}
      initContainers:
      - {name: istio-init, image: init, securityContext: {runAsUser: 0}, resources: {limits: {cpu: 2000m}}}
      KIND:
      - name: istio-proxy
        image: proxy
        RESTART
        env:
        - {name: HOST, value: "1"}
        volumeMounts: [{name: istio-token, mountPath: /var/run/secrets/tokens}]
      LIST:
      - name: main
        env: [{name: MESH, value: "on"}]
        volumeMounts: [{name: istio-envoy, mountPath: /etc/istio}]
      volumes:
      - {name: istio-envoy, emptyDir: {medium: Memory}}
      - {name: istio-token, projected: {sources: [{serviceAccountToken: {path: istio-token}}]}}
"""
"""The proxy beside the application, into which it merges as well, or among the init containers."""
BESIDE = CUSTOM.replace("KIND:", "containers:").replace("      LIST:\n", "").replace("        RESTART\n", "")
AMONG = (
    CUSTOM.replace("      KIND:\n", "")
    .replace("LIST:", "containers:")
    .replace("RESTART", "restartPolicy: Always")
)
MESH = "defaultConfig: {statusPort: 15020}"
VALUES = {"sidecarInjectorWebhook": {"rewriteAppHTTPProbe": True}}
NATIVE = {"ENABLE_NATIVE_SIDECARS": "true"}
BATCH = 40


@cache
def injectors() -> tuple[Injector, ...]:
    """Return an injector for each release, template, kind of sidecar and order."""
    return tuple(_injectors())


def _injectors() -> Iterator[Injector]:
    for release in RELEASES:
        templates = (LEGACY,) if release in ("1.4", "1.8") else (BESIDE, AMONG)
        for hold in (False, True):
            values = json.dumps(VALUES | {"global": {"proxy": {"holdApplicationUntilProxyStarts": hold}}})
            for config in templates:
                for env in ({}, NATIVE):
                    yield Injector.load(config, values, MESH, release=release, env=env)
            yield from _istios(release, hold=hold)
    yield Injector.load(built_in().config, built_in().values, MESH)


def _istios(release: str, *, hold: bool) -> Iterator[Injector]:
    """Yield injectors with Istio's own template of the release, where the reference data is there."""
    shared = shared_folder()
    for folder in ("conformance", "conformance-minors") if shared else ():
        found = shared / folder / release
        if (found / "configs/default.yaml").exists():
            values = json.loads((found / "values/default.json").read_text())
            values.setdefault("global", {}).setdefault("proxy", {})["holdApplicationUntilProxyStarts"] = hold
            texts = (found / "configs/default.yaml").read_text(), json.dumps(values)
            mesh = (found / "mesh/default.yaml").read_text()
            for env in ({}, NATIVE):
                yield Injector.load(*texts, mesh, release=release, env=env)


@pytest.mark.slow
@thorough(full=1300, quick=8)
@given(st.integers(0, 2**48))
def test_a_pod_has_after_injection_what_it_had_where_it_had_it(seed: int) -> None:
    pods = Pods(seed)
    injected = 0
    for number in range(BATCH):
        injector = injectors()[(seed + number) % len(injectors())]
        pod = pods.pod(own_proxy=injector.snapshot.behaviour.overlays)
        answers = [(by_webhook(injector, pod), CHANGED)]
        answers += [(after, CHANGED_BY_FILE) for after in by_file(injector, pods, pod)]
        for after, changed in answers:
            place = (injector.snapshot.behaviour.release, seed, number)
            assert (place, list(losses(pod, after, changed))) == (place, [])
            injected += "istio-proxy" in json.dumps(after["spec"])
    assert injected >= 3 * BATCH * 0.9


@pytest.mark.parametrize(
    "case", ["01-new-pod-fields", "04-restart-rules-native-1.26", "17-pod-level-resources"]
)
def test_the_pods_of_public_reports_of_lost_fields_keep_them(case: str, shared: Path) -> None:
    for injector in injectors():
        (document,) = documents((shared / "field-cases" / case / "pod.yaml").read_text())
        pod = document.value
        for after in (by_webhook(injector, pod), *by_file(injector, Pods(1), pod)):
            assert list(losses(pod, after, CHANGED_BY_FILE)) == []


def by_webhook(injector: Injector, pod: dict[str, Any]) -> dict[str, Any]:
    """Return the pod with the patch that its review is answered with."""
    request = {"uid": "u1", "namespace": "shop", "object": pod}
    review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "request": request}
    response = json.loads(injector.review(json.dumps(review).encode()))["response"]
    assert response["allowed"], response
    patched: dict[str, Any] = apply(pod, json.loads(base64.b64decode(response["patch"])))
    return patched


def by_file(injector: Injector, pods: Pods, pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the pod of a workload as it is printed, and as it is written with its layout kept."""
    workload, path, (key, value) = pods.workload(pod)
    outcome = injector.inject_workload(workload)
    for document in (outcome.document, outcome.as_written):
        assert document["spec"][key] == value
        yield {"apiVersion": "v1", "kind": "Pod"} | at(document, *path)
