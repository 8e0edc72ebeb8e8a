"""What `explain` says of a pod is what a real kube-apiserver does with it, on random registrations and pods."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
import yaml

from tests.conftest import PATIENCE, ROOT
from tests.e2e.conftest import CONFIGURATION, Cluster, container_names, pod, post, until

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes, which is no fault of its own.
    pytest.mark.timeout(600, func_only=True),
]

ENTRIES, PODS = 32, 7
"""Each of the 32 entries has a namespace of its own with 7 pods in it: 224 tuples."""

SEED = 20260116
"""Of twenty seeds the one whose pods meet all four fates most evenly."""
OURS = "*.explain.test"
SWITCH = "sidecar.istio.io/inject"

NAMESPACE_LABELS = {"mesh": ("on", "off"), "tier": ("a", "b"), "istio.io/rev": ("default", "canary")}
POD_LABELS = {"app": ("web", "db"), SWITCH: ("true", "false"), "version": ("v1", "v2")}
CONDITIONS = (
    "!(has(object.spec.hostNetwork) && object.spec.hostNetwork)",
    "object.metadata.?labels['app'].orValue('web') == 'web'",
    "object.metadata.?labels[?'version'].hasValue()",
    "object.metadata.labels['app'] == 'web'",
    "object.metadata.labels.app.startsWith('w') || object.metadata.name != ''",
    "'version' in object.metadata.labels",
    "object.spec.hostNetwork == true",
    "object.spec.restartPolicy == 'Always' && object.spec.dnsPolicy == 'ClusterFirst'",
    "object.spec.serviceAccountName == 'default'",
    "object.spec.containers.all(c, c.imagePullPolicy == 'IfNotPresent')",
    "object.spec.containers.exists(c, c.ports.exists(p, p.protocol == 'TCP'))",
    "object.spec.tolerations.exists(t, t.key == 'node.kubernetes.io/not-ready')",
    "object.spec.?priority.orValue(-1) == 0",
    "request.operation == 'CREATE' && oldObject == null",
    "object.metadata.namespace == request.namespace",
    "request.name == object.metadata.name && request.kind.kind == 'Pod'",
    "has(object.metadata.annotations) && 'note' in object.metadata.annotations",
    "object.metadata.annotations['note'].lowerAscii() == 'yes'",
    "size(object.metadata.?labels.orValue({})) < 2",
    "!request.dryRun",
)


def chosen_labels(chance: random.Random, among: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {key: chance.choice(values) for key, values in among.items() if chance.random() < 0.5}


def a_selector(chance: random.Random, among: dict[str, tuple[str, ...]]) -> dict[str, Any]:
    expressions = []
    for key in chance.sample(sorted(among), chance.choice((0, 0, 0, 0, 1, 2))):
        operator = chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        expression: dict[str, Any] = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            expression["values"] = chance.sample(among[key], chance.choice((1, 1, 2)))
        expressions.append(expression)
    if chance.random() < 0.1:
        key = chance.choice(sorted(among))
        return {"matchExpressions": expressions, "matchLabels": {key: chance.choice(among[key])}}
    return {"matchExpressions": expressions}


def an_entry(chance: random.Random, index: int, client: dict[str, Any]) -> dict[str, Any]:
    namespaces = a_selector(chance, NAMESPACE_LABELS)
    namespaces.setdefault("matchLabels", {})["group"] = str(index)
    conditions = chance.sample(CONDITIONS, chance.choice((0, 0, 1, 1, 2)))
    return {
        "name": f"entry-{index}.explain.test",
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "failurePolicy": chance.choice(("Fail", "Fail", "Ignore")),
        "sideEffects": "None",
        "timeoutSeconds": 30,
        "reinvocationPolicy": "Never",
        "namespaceSelector": namespaces,
        "objectSelector": a_selector(chance, POD_LABELS),
        "rules": [
            {
                "apiGroups": [chance.choice(("", "*"))],
                "apiVersions": [chance.choice(("v1", "*"))],
                "operations": [chance.choice(("CREATE", "*"))],
                "resources": [chance.choice(("pods", "pods/*", "*"))],
                "scope": chance.choice(("Namespaced", "*")),
            }
        ],
        "matchConditions": [
            {"name": f"condition-{number}", "expression": text} for number, text in enumerate(conditions)
        ],
    }


def a_pod(chance: random.Random, namespace: str, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": namespace}
    if labels := chosen_labels(chance, POD_LABELS):
        metadata["labels"] = labels
    if chance.random() < 0.4:
        metadata["annotations"] = {"note": chance.choice(("yes", "no"))}
    if chance.random() < 0.2:
        metadata.setdefault("annotations", {})[SWITCH] = chance.choice(("true", "false"))
    spec = {"hostNetwork": True} if chance.random() < 0.2 else {}
    made = pod(name, spec=spec, **metadata)
    if spec:  # what a host's network has no room for twice
        del made["spec"]["containers"][0]["ports"]
    return made


def explain(cluster: Cluster, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "injector", "explain", "-o", "json", "--webhookName", OURS, *arguments],
        capture_output=True,
        text=True,
        cwd=cluster.folder,
        timeout=PATIENCE * 5,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["workloads"]
    return found


def create(cluster: Cluster, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    status, answer, _ = post(cluster, f"/api/v1/namespaces/{body['metadata']['namespace']}/pods", body)
    return status, answer


def predicted(workload: dict[str, Any]) -> str:
    """Return what `explain` says, in the words of `happened`."""
    verdict, gate = workload["verdict"], workload["decidedBy"]["gate"]
    if gate == "registration":
        return {"skipped": "not called", "denied": "refused"}.get(verdict, verdict)
    return {"injected": "called, injected", "skipped": "called, not injected"}.get(verdict, verdict)


def happened(status: int, answer: dict[str, Any], *, calls: int) -> str:
    """Return what became of a pod: the API server's answer, and how often our webhook was called for it."""
    if status != 201:
        assert "resulted in error" in answer["message"], answer["message"]
        assert calls == 0
        return "refused"
    if not calls:
        assert "istio-proxy" not in container_names(answer)
        return "not called"
    return "called, injected" if "istio-proxy" in container_names(answer) else "called, not injected"


@pytest.fixture(scope="module")
def bodies(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the pods to create, once the namespaces and the registration are in force."""
    chance = random.Random(SEED)
    client = cluster.get(CONFIGURATION)["webhooks"][0]["clientConfig"]
    entries = [an_entry(chance, index, client) for index in range(ENTRIES)]
    probe = an_entry(random.Random(SEED), ENTRIES, client)
    probe |= {"namespaceSelector": {"matchLabels": {"group": "probe"}}}
    probe |= {"objectSelector": {}, "matchConditions": [], "failurePolicy": "Fail"}
    for index in range(ENTRIES):
        cluster.namespace(f"explain-{index}", group=str(index), **chosen_labels(chance, NAMESPACE_LABELS))
    cluster.namespace("explain-probe", group="probe")
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "explain"},
        "webhooks": [*entries, probe],
    }
    cluster.kubectl("create", "-f", "-", input=configuration)
    numbers = iter(range(1000))

    def is_in_force() -> bool:
        body = pod(f"probe-{next(numbers)}", namespace="explain-probe")
        return "istio-proxy" in container_names(create(cluster, body)[1])

    until(is_in_force, str)
    return [
        a_pod(chance, f"explain-{index}", f"pod-{number}")
        for index in range(ENTRIES)
        for number in range(PODS)
    ]


def test_explain_says_what_the_api_server_does(cluster: Cluster, bodies: list[dict[str, Any]]) -> None:
    (replica,) = cluster.replicas
    (cluster.folder / "pods.yaml").write_text(yaml.safe_dump_all(bodies))
    surroundings = cluster.kubectl("get", "mutatingwebhookconfigurations,namespaces", "-o", "yaml").stdout
    (cluster.folder / "surroundings.yaml").write_text(surroundings)
    config = ROOT / "k8s" / "base" / "config"
    said = explain(
        cluster,
        *("-f", "pods.yaml", "-f", "surroundings.yaml", "--injectConfigFile", str(config / "config")),
        *("--valuesFile", str(config / "values"), "--meshConfigFile", str(config / "mesh")),
    )
    assert len(said) == len(bodies) >= 200
    expected = [predicted(each) for each in said]
    answers = [create(cluster, body) for body in bodies]
    asked = Counter(replica.asked())
    calls = [asked[body["metadata"]["namespace"], body["metadata"]["name"]] for body in bodies]
    found = [happened(*answer, calls=number) for answer, number in zip(answers, calls, strict=True)]
    differing = [
        (body["metadata"], each["decidedBy"], prediction, fact)
        for body, each, prediction, fact in zip(bodies, said, expected, found, strict=True)
        if prediction != fact
    ]
    assert differing == []
    counts = Counter(found)
    assert counts.keys() == {"called, injected", "called, not injected", "not called", "refused"}, counts
    assert min(counts.values()) >= 5, counts
    live = explain(cluster, "-A", "--kubeconfig", str(cluster.kube.kubeconfig))
    pods = {(each["namespace"], each["name"]): each["pods"][0] for each in live if each["pods"]}
    for body, fact in zip(bodies, found, strict=True):
        if fact == "refused":
            continue
        running = pods[body["metadata"]["namespace"], body["metadata"]["name"]]
        assert bool(running["sidecars"]) is (fact == "called, injected")
        assert (running["changes"], running["olderThan"]) == ([], "")


def test_a_deployment_of_the_cluster_is_explained_with_its_pods(cluster: Cluster) -> None:
    shop = cluster.namespace("explained", tier="a")
    manifest = str(ROOT / "k8s" / "samples" / "hello.yaml")
    cluster.kubectl("-n", shop, "apply", "-f", manifest)
    until(lambda: cluster.get("-n", shop, "pods", "-l", "app=hello")["items"], str)
    arguments = ("--kubeconfig", str(cluster.kube.kubeconfig), "-n", shop, "--webhookName")
    (before,) = explain(cluster, "deploy/hello", *arguments, "sidecar-injector.istio.io")
    assert (before["verdict"], before["decidedBy"]["rule"]) == ("skipped", "namespaceSelector")
    assert (
        before["decidedBy"]["advice"] == f"kubectl label namespace {shop} --overwrite istio-injection=enabled"
    )
    assert [each["sidecars"] for each in before["pods"]] == [[]] * len(before["pods"])
    cluster.kubectl("label", "namespace", shop, "--overwrite", "istio-injection=enabled")
    (after,) = explain(cluster, "deploy/hello", *arguments, "sidecar-injector.istio.io")
    assert (after["verdict"], after["decidedBy"]["gate"]) == ("injected", "policy")
    assert after["pods"]
