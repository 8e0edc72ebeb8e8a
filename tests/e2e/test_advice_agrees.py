"""What kubectl is told of a Deployment is what a real kube-apiserver and a replica make of its pod."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from tests.e2e.conftest import ADVICE, Cluster, container_names, post, until

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes, which is no fault of its own.
    pytest.mark.timeout(600, func_only=True),
]

NAMESPACES, WORKLOADS = 8, 27
"""216 tuples of the labels of a namespace and of what a pod template says."""

SWITCH = "sidecar.istio.io/inject"
WORDS = ("true", "false", "True", "flase", "")


def a_template(chance: random.Random) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": {"app": "web"}, "annotations": {}}
    if chance.random() < 0.4:
        metadata["labels"][SWITCH] = chance.choice(WORDS)
    if chance.random() < 0.3:
        metadata["annotations"][SWITCH] = chance.choice(WORDS)
    if chance.random() < 0.2:
        metadata["annotations"]["sidecar.istio.io/proxyCPU"] = chance.choice(("1O0m", "100m"))
    spec: dict[str, Any] = {"containers": [{"name": "app", "image": "app:1"}]}
    if chance.random() < 0.2:
        spec["hostNetwork"] = True
    return {"metadata": metadata, "spec": spec}


def a_deployment(name: str, template: dict[str, Any]) -> dict[str, Any]:
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def told(cluster: Cluster, namespace: str, template: dict[str, Any]) -> str:
    """Return what the warnings say becomes of the pods, "" where none of them says it."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    status, answer, warnings = post(cluster, f"{path}?dryRun=All", a_deployment("web", template))
    assert status == 201, answer
    fates = {"pods will get": "injected", "pods will NOT": "not injected", "pods will be DENIED": "denied"}
    return next((fate for line in warnings for words, fate in fates.items() if line.startswith(words)), "")


def happened(cluster: Cluster, namespace: str, template: dict[str, Any]) -> str:
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"] = {**template["metadata"], "name": "web"}
    status, answer, _ = post(cluster, f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
    if status != 201:
        assert "denied the request" in answer["message"], answer
        return "denied"
    return "injected" if "istio-proxy" in container_names(answer) else "not injected"


def test_advice_is_what_becomes_of_the_pods(cluster: Cluster) -> None:
    until(lambda: cluster.get(ADVICE)["webhooks"][0]["clientConfig"].get("caBundle"), str)
    chance = random.Random(14)
    choices: tuple[dict[str, str], ...] = (
        {"istio-injection": "enabled"},
        {"istio-injection": "enabled", "istio.io/rev": "canary"},
        {"istio-injection": "disabled"},
        {"colour": "red"},
    )
    fates: Counter[str] = Counter()
    for number in range(NAMESPACES):
        labels = choices[number % len(choices)]
        namespace = cluster.namespace(f"advised-{number}", **labels)
        plain = a_deployment("web", a_template(random.Random(0)))["spec"]["template"]
        until(lambda: told(cluster, namespace, plain), str)  # noqa: B023 - called at once
        for _ in range(WORKLOADS):
            template = a_template(chance)
            fate = happened(cluster, namespace, template)
            fates[fate] += 1
            assert told(cluster, namespace, template) == fate, (labels, template)
    assert fates.total() >= 200
    assert min(fates[fate] for fate in ("injected", "not injected", "denied")) >= 5, fates
