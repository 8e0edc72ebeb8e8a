"""Replicas of a workload, and an injector that knows their workload or does not."""

from __future__ import annotations

import json
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

from injector.injection.injector import Injector
from injector.injection.snapshot import WORKLOADS
from injector.memo import Doorkeeper
from tests.injection.steps.builders import a_container, a_pod

SIDECAR = """
metadata:
  annotations: {owner: "{{ .DeploymentMeta.Name }}", port: "{{ (index (index .Spec.Containers 0).Ports 0).ContainerPort }}"}
spec:
  containers:
  - name: istio-proxy
    image: proxyv2
    volumeMounts:
    {{- range $path, $name := fromJSON (annotation .ObjectMeta "mounts" "{}") }}
    - {name: {{ $name }}, mountPath: {{ $path }}}
    {{- end }}
  volumes:
  - {name: istio-envoy, emptyDir: {}}
  {{- range $name, $_ := fromJSON (annotation .ObjectMeta "volumes" "{}") }}
  - {name: {{ $name }}, emptyDir: {medium: Memory}}
  {{- end }}
"""
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f", "uid": "1", "controller": True}


def an_injector(template: str = SIDECAR, **options: Any) -> Injector:
    config = json.dumps({"policy": "enabled", "templates": {"sidecar": template}})
    return with_known_workloads(Injector.load(config, release=options.pop("release", "1.31"), **options))


class _Acquaintances(Doorkeeper):
    """Remembers every key."""

    def has_met(self, key: Hashable) -> bool:
        return super().has_met(key) or True


def with_known_workloads(injector: Injector) -> Injector:
    """Return the same injector, to which a pod of each workload has come before."""
    return Injector(replace(injector.snapshot, workloads=_Acquaintances(WORKLOADS)))


def with_new_workloads(injector: Injector) -> Injector:
    """Return the same injector, to which no pod of any workload has come."""
    return Injector(replace(injector.snapshot, workloads=Doorkeeper(WORKLOADS)))


def alone(injector: Injector) -> Injector:
    """Return the same injector, which has met nobody yet."""
    return Injector(replace(injector.snapshot))


def a_replica(letters: str, *containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    mount = {"name": f"kube-api-access-{letters}", "mountPath": "/token"}
    pod = a_pod(
        *(containers or [a_container(ports=[{"containerPort": 80}], volumeMounts=[mount])]),
        volumes=[{"name": f"kube-api-access-{letters}", "projected": {"sources": []}}, {"name": "data"}],
        **fields,
    )
    pod["metadata"] |= {
        "name": f"web-5d4f-{letters}",
        "generateName": "web-5d4f-",
        "ownerReferences": [OWNER],
        "managedFields": [{"manager": "kubelet", "time": f"2026-01-01T00:00:{len(letters):02}Z"}],
    }
    return pod


def a_body(pod: Any, *, uid: str = "1", namespace: str = "shop") -> bytes:
    request = {"uid": uid, "namespace": namespace, "object": pod}
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return json.dumps(review).encode()


def ask(injector: Injector, pod: Any, **request: Any) -> dict[str, Any]:
    answer = json.loads(injector.review(a_body(pod, **request)))["response"]
    assert answer["allowed"], answer
    return answer


def counts(injector: Injector) -> tuple[int, int]:
    replicas = injector.snapshot.replicas
    return replicas.hits, replicas.misses
