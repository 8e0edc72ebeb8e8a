"""A pod's walk through the gates: what each says, and what becomes of the pod."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from injector import Injector
from injector.diagnosis.findings import Gate, Place
from injector.diagnosis.gates import RULES_OF_POLICY, Walk
from injector.injection.inject import inject_one
from injector.injection.policy import Rule
from tests.conftest import ROOT
from tests.diagnosis.builders import (
    CONFIG,
    a_namespace,
    a_pod,
    a_registration,
    a_workload,
    an_entry,
    walked,
)


def told(walk: Walk) -> list[tuple[str, str, str]]:
    return [(gate.name, gate.status, gate.rule) for gate in walk.gates]


def test_an_injected_pod_passes_every_gate_in_order() -> None:
    walk = walked(a_pod(), a_registration(an_entry()))
    assert walk.verdict == "injected"
    assert told(walk) == [
        ("registration", "passed", "called"),
        ("policy", "passed", "policy"),
        ("templates", "passed", "templates"),
        ("values", "passed", "values"),
        ("render", "passed", "render"),
        ("merge", "passed", "merge"),
        ("post-processing", "passed", "post-processing"),
        ("accepted", "passed", "accepted"),
    ]
    assert walk.gates[5].message == "adds containers istio-proxy"


def test_a_container_that_moves_is_not_told_as_added() -> None:
    native = CONFIG.replace("containers:", "initContainers:")
    own = {"containers": [{"name": "web", "image": "web"}, {"name": "istio-proxy", "image": "mine"}]}
    always = native.replace("image: proxy", "image: proxy\n        restartPolicy: Always")
    walk = walked(a_pod(spec=own, annotations={"sidecar.istio.io/nativeSidecar": "true"}), config=always)
    assert [each["name"] for each in walk.injected["spec"]["initContainers"]] == ["istio-proxy"]
    (merge,) = [gate for gate in walk.gates if gate.name == "merge"]
    assert merge.message == "moves istio-proxy to init containers"


def test_the_pod_that_leaves_is_the_one_that_the_webhook_makes() -> None:
    walk = walked(a_pod(labels={"app": "web"}))
    expected, _ = inject_one(walk.pod, "shop", Injector.load(CONFIG, release="1.31").snapshot)
    assert walk.injected == expected
    assert [each["name"] for each in walk.injected["spec"]["containers"]] == ["web", "istio-proxy"]


def test_the_first_gate_that_stops_a_pod_ends_the_walk() -> None:
    nowhere = an_entry(objectSelector={"matchLabels": {"a": "b"}})
    walk = walked(a_pod(spec={"hostNetwork": True}), a_registration(nowhere))
    assert told(walk) == [("registration", "stopped", "objectSelector")]
    assert (walk.verdict, walk.injected is walk.pod) == ("skipped", True)


@pytest.mark.parametrize(
    ("pod", "config", "rule", "place", "advice"),
    [
        (
            a_pod(spec={"hostNetwork": True}),
            CONFIG,
            "host-network",
            "spec.hostNetwork",
            "set hostNetwork to false",
        ),
        (
            a_pod(namespace="kube-system"),
            CONFIG,
            "ignored-namespace",
            "metadata.namespace",
            "another namespace",
        ),
        (
            a_pod(labels={"sidecar.istio.io/inject": "false"}),
            CONFIG,
            "label",
            "metadata.labels[sidecar.istio.io/inject]",
            "or remove it",
        ),
        (
            a_pod(annotations={"sidecar.istio.io/inject": "false"}),
            CONFIG,
            "annotation",
            "metadata.annotations[sidecar.istio.io/inject]",
            "or remove it",
        ),
        (
            a_pod(labels={"a": "b"}),
            f"{CONFIG}neverInjectSelector: [{{matchLabels: {{a: b}}}}]\n",
            "never-selector",
            "neverInjectSelector",
            "neverInjectSelector",
        ),
        (a_pod(), CONFIG.replace("enabled", "disabled"), "policy", "policy", "policy: enabled"),
        (a_pod(), CONFIG.replace("enabled", "enable"), "policy", "policy", "write policy: enabled"),
    ],
)
def test_the_policy_names_its_rule_its_place_and_what_to_change(
    pod: dict[str, Any], config: str, rule: str, place: str, advice: str
) -> None:
    decisive = walked(pod, config=config).decisive
    assert (decisive.name, decisive.rule, decisive.place.path) == ("policy", rule, place)
    assert advice in decisive.advice


def test_every_rule_of_the_policy_can_be_explained_and_is_on_the_page() -> None:
    rules = {*get_args(Rule)} - {"injected"}  # which kube-inject alone has
    assert RULES_OF_POLICY.keys() == rules, "say in RULES_OF_POLICY where the rule is seen and what to change"
    page = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    assert [rule for rule in rules if f"`{rule}`" not in page] == [], "name the rule in docs/explain.md"


def test_a_configuration_of_a_field_that_nobody_looked_at_is_unknown() -> None:
    walk = walked(a_pod())
    assert (walk.verdict, walk.decisive.rule) == ("unknown", "unseen")
    assert walk.gates[-1].name == "accepted"


@pytest.mark.parametrize(
    ("template", "gate"),
    [
        ('spec: {{ index .Values "a" "b" "c" }}', "render"),
        ('spec: {{ fail "no" }}', "render"),
        ("spec: [", "merge"),
        ("spec: {containers: [{image: x}]}", "merge"),
    ],
)
def test_a_template_that_fails_stops_the_pod_at_its_gate(template: str, gate: str) -> None:
    config = f"policy: enabled\ndefaultTemplates: [t]\ntemplates:\n  t: |\n    {template}\n"
    walk = walked(a_pod(), config=config)
    assert (walk.verdict, walk.decisive.name) == ("denied", gate)


def test_an_annotation_that_is_wrong_is_the_place() -> None:
    walk = walked(a_pod(annotations={"traffic.sidecar.istio.io/includeInboundPorts": "many"}))
    assert (walk.verdict, walk.decisive.name) == ("denied", "values")
    path = "metadata.annotations[traffic.sidecar.istio.io/includeInboundPorts]"
    assert walk.decisive.place == Place("test.yaml", path=path)


def test_a_condition_that_fails_denies_the_pod_before_the_injector_is_asked() -> None:
    entry = an_entry(matchConditions=[{"name": "c", "expression": "object.spec.nodeName == 'a'"}])
    walk = walked(a_pod(), a_registration(entry))
    assert (walk.verdict, told(walk)) == ("denied", [("registration", "stopped", "matchConditions")])


def test_what_an_api_server_refuses_is_the_last_gate() -> None:
    data = {"name": "data", "emptyDir": {}}
    walk = walked(a_pod(spec={"volumes": [data, data]}))
    assert walk.verdict == "denied"
    assert walk.gates[-1] == Gate(
        name="accepted",
        status="stopped",
        rule="SI302",
        message='the API server refuses this: Duplicate value: "data"',
        place=Place("test.yaml", path="spec.volumes[1].name"),
    )
    assert walk.decisive is walk.gates[-1]


# ---- company


def warnings(walk: Walk) -> list[str]:
    return [gate.rule for gate in walk.warnings]


def test_another_injector_that_is_called_too_is_told_of() -> None:
    client = {"service": {"name": "istiod", "path": "/inject"}}
    istiod = an_entry(name="object.sidecar-injector.istio.io", clientConfig=client)
    walk = walked(a_pod(), a_registration(an_entry()), a_registration(istiod, name="istio"))
    assert (walk.verdict, warnings(walk)) == ("injected", ["rival"])


def test_a_webhook_that_is_called_later_is_told_of_unless_we_are_asked_again() -> None:
    later = an_entry(name="later.test", clientConfig={"url": "https://x.test/mutate"})
    hooks = a_registration(later, name="zzz")
    assert warnings(walked(a_pod(), a_registration(an_entry()), hooks)) == ["reinvocationPolicy"]
    again = an_entry(reinvocationPolicy="IfNeeded")
    assert warnings(walked(a_pod(), a_registration(again), hooks)) == []
    assert warnings(walked(a_pod(), a_registration(an_entry()), a_registration(later, name="aaa"))) == []


def test_a_condition_of_another_webhook_that_fails_is_told_of() -> None:
    condition = {"name": "c", "expression": "object.spec.nodeName == 'a'"}
    other = an_entry(name="other.test", clientConfig={"url": "https://x.test/m"}, matchConditions=[condition])
    walk = walked(a_pod(), a_registration(an_entry(), other))
    assert (walk.verdict, warnings(walk)) == ("injected", ["matchConditions"])
    assert "the API server refuses the pod" in walk.warnings[0].message


def test_a_failure_that_is_ignored_is_told_of() -> None:
    walk = walked(a_pod(), a_registration(an_entry(failurePolicy="Ignore")))
    assert warnings(walk) == ["failurePolicy"]


def test_of_several_entries_the_one_that_is_missed_by_least_is_named() -> None:
    def entry(name: str, *keys: str) -> dict[str, Any]:
        expressions = [{"key": key, "operator": "Exists"} for key in keys]
        return an_entry(
            name=f"{name}.sidecar-injector.istio.io", namespaceSelector={"matchExpressions": expressions}
        )

    hooks = a_registration(entry("far", "a", "b"), entry("near", "c"))
    walk = walked(a_pod(), hooks, namespaces=(a_namespace(),))
    assert walk.decisive.place.path == "webhooks[1].namespaceSelector"
    assert walk.decisive.message == (
        "webhook near.sidecar-injector.istio.io is not called: "
        "namespace shop has no label c, namespaceSelector wants the label c"
    )


def istio_entry(name: str, namespaces: list[Any], objects: list[Any]) -> dict[str, Any]:
    def selector(requirements: list[Any]) -> dict[str, Any]:
        return {
            "matchExpressions": [
                {"key": key, "operator": operator, **({"values": values} if values else {})}
                for key, operator, *values in requirements
            ]
        }

    return an_entry(
        name=f"{name}.sidecar-injector.istio.io",
        clientConfig={"service": {"name": "istiod", "namespace": "istio-system", "path": "/inject"}},
        namespaceSelector=selector(namespaces),
        objectSelector=selector(objects),
    )


SWITCH, LABEL, REVISION = "sidecar.istio.io/inject", "istio-injection", "istio.io/rev"
ISTIO = a_registration(
    istio_entry(
        "rev.namespace",
        [(REVISION, "In", "default"), (LABEL, "DoesNotExist")],
        [(SWITCH, "NotIn", "false")],
    ),
    istio_entry(
        "rev.object",
        [(REVISION, "DoesNotExist"), (LABEL, "DoesNotExist")],
        [(SWITCH, "NotIn", "false"), (REVISION, "In", "default")],
    ),
    istio_entry("namespace", [(LABEL, "In", "enabled")], [(SWITCH, "NotIn", "false")]),
    istio_entry(
        "object",
        [(LABEL, "DoesNotExist"), (REVISION, "DoesNotExist")],
        [(SWITCH, "In", "true"), (REVISION, "DoesNotExist")],
    ),
    name="istio-sidecar-injector",
)
"""Selectors as Istio's charts have them from 1.10 on."""


@pytest.mark.parametrize(
    ("namespace", "labels", "verdict", "advice"),
    [
        ({LABEL: "enabled"}, {}, "injected", ""),
        ({REVISION: "default"}, {}, "injected", ""),
        ({}, {SWITCH: "true"}, "injected", ""),
        ({}, {REVISION: "default"}, "injected", ""),
        ({}, {}, "skipped", f"kubectl label namespace shop --overwrite {LABEL}=enabled"),
        ({LABEL: "enabled"}, {SWITCH: "false"}, "skipped", f"remove the label {SWITCH}"),
        ({REVISION: "canary"}, {}, "skipped", f"kubectl label namespace shop --overwrite {LABEL}=enabled"),
        ({LABEL: "disabled"}, {SWITCH: "true"}, "skipped", "kubectl label namespace shop"),
    ],
)
def test_the_entries_of_istio_are_judged_together(
    namespace: dict[str, str], labels: dict[str, str], verdict: str, advice: str
) -> None:
    walk = walked(a_pod(labels=labels), ISTIO, namespaces=(a_namespace(**namespace),))
    assert walk.verdict == verdict
    assert walk.decisive.advice.startswith(advice)


# ---- the pods of controllers


@pytest.mark.parametrize(
    ("kind", "api_version", "label", "owner"),
    [
        ("Deployment", "apps/v1", "pod-template-hash", "ReplicaSet"),
        ("StatefulSet", "apps/v1", "statefulset.kubernetes.io/pod-name", "StatefulSet"),
        ("DaemonSet", "apps/v1", "controller-revision-hash", "DaemonSet"),
        ("Job", "batch/v1", "batch.kubernetes.io/job-name", "Job"),
        ("CronJob", "batch/v1", "job-name", "Job"),
        ("Rollout", "argoproj.io/v1alpha1", "rollouts-pod-template-hash", "ReplicaSet"),
        ("CloneSet", "apps.kruise.io/v1alpha1", "app", "CloneSet"),
    ],
)
def test_a_pod_arrives_as_its_controller_makes_it(
    kind: str, api_version: str, label: str, owner: str
) -> None:
    entry = an_entry(objectSelector={"matchExpressions": [{"key": label, "operator": "Exists"}]})
    walk = walked(a_workload(kind, api_version, labels={"app": "web"}), a_registration(entry))
    assert walk.verdict == "injected"
    metadata = walk.pod["metadata"]
    assert metadata["ownerReferences"][0]["kind"] == owner
    assert metadata["generateName"].startswith("web-")
    assert metadata["namespace"] == "shop"


@pytest.mark.parametrize(
    ("kind", "api_version"),
    [("Deployment", "apps/v1"), ("CronJob", "batch/v1"), ("StatefulSet", "apps/v1"), ("Job", "batch/v1")],
)
def test_templates_see_the_workload_that_was_written(kind: str, api_version: str) -> None:
    template = "metadata: {annotations: {seen: '{{ .TypeMeta.Kind }} {{ .DeploymentMeta.Name }}'}}"
    config = f"policy: enabled\ndefaultTemplates: [t]\ntemplates:\n  t: |\n    {template}\n"
    walk = walked(a_workload(kind, api_version), config=config)
    assert walk.injected["metadata"]["annotations"]["seen"] == f"{kind} web"


def test_the_switch_of_a_cronjob_is_that_of_its_pods() -> None:
    off = {"labels": {"sidecar.istio.io/inject": "false"}}
    pods = a_workload("CronJob", "batch/v1", **off)
    assert walked(pods).decisive.place.path == (
        "spec.jobTemplate.spec.template.metadata.labels[sidecar.istio.io/inject]"
    )
    jobs = a_workload("CronJob", "batch/v1")
    jobs["spec"]["jobTemplate"]["metadata"] = off
    assert walked(jobs, a_registration(an_entry())).verdict == "injected"


def test_a_condition_knows_which_controller_creates_the_pod() -> None:
    expression = "request.userInfo.username == 'system:serviceaccount:kube-system:replicaset-controller'"
    entry = an_entry(matchConditions=[{"name": "who", "expression": expression}])
    assert walked(a_workload(), a_registration(entry)).verdict == "injected"
    assert walked(a_pod(), a_registration(entry)).verdict == "unknown"


def test_a_pod_of_the_first_releases_is_walked_as_well() -> None:
    template = "containers:\n- name: istio-proxy\n  image: p\n"
    config = "policy: enabled\ntemplate: |\n" + "".join(f"  {line}\n" for line in template.splitlines())
    walk = walked(a_pod(), config=config, release="1.4")
    assert (walk.verdict, walk.gates[-1].name) == ("unknown", "accepted")
    assert [each["name"] for each in walk.injected["spec"]["containers"]] == ["web", "istio-proxy"]
