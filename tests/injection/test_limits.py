"""Every limit through the injector's own door: met it injects, exceeded by one it denies with a sentence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from injector.budget import LIMIT_NAMES, ReviewLimits
from injector.errors import DeadlineError, LimitError
from injector.injection.inject import Answer
from injector.injection.injector import Injector
from tests.injection.builders import LEGACY, a_pod, a_review, answered

CONFIG = """
policy: enabled
defaultTemplates: [sidecar]
aliases: {both: [sidecar, sidecar]}
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: proxy
        args: ["{{ range $key, $value := .ObjectMeta.Labels }}{{ $value }},{{ end }}"]
  json: |
    metadata:
      annotations: {{ toJson .ObjectMeta.Labels }}
"""


@dataclass(frozen=True, kw_only=True)
class Limited:
    """A pod, how much of a limit it uses, and what is said where that is one too many."""

    pod: Any
    uses: int
    sentence: str


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "app", "resources": {}} | fields


def pod_of(*containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return a_pod(spec={"containers": [*containers] or [container()]} | changes.pop("spec", {}), **changes)


def annotated(name: str, text: str) -> dict[str, Any]:
    return pod_of(annotations={name: text})


LABELS = {f"label-{index}": "x" for index in range(20)}
TABLE: dict[str, Limited] = {
    "values": Limited(
        pod=pod_of(spec={"weird": [[]] * 500}),
        uses=517,
        sentence="the review has too many JSON values; at most 516",
    ),
    "irregular_values": Limited(
        pod=pod_of(spec={"weird": [0] * 100}),
        uses=111,
        sentence="the pod is not written as an API server writes it, and has more values than are read one by one; "
        "at most 110",
    ),
    "annotations": Limited(
        pod=annotated("note", "ä" * 20),
        uses=44,
        sentence="the pod's annotations have 44 bytes; at most 43",
    ),
    "annotation_items": Limited(
        pod=pod_of(annotations={"unknown.istio.io/list": "," * 30, "other": "," * 50}),
        uses=30,
        sentence="the pod's annotations of istio.io/ have 30 commas; at most 29",
    ),
    "annotation_nodes": Limited(
        pod=annotated("proxy.istio.io/config", "{proxyMetadata: {" + "A: b, " * 30 + "}}"),
        uses=63,
        sentence="annotation proxy.istio.io/config has too many YAML nodes; at most 62",
    ),
    "containers": Limited(
        pod=pod_of(
            *[container(name=f"c{index}") for index in range(8)],
            spec={"initContainers": [container(name="i")], "ephemeralContainers": [container(name="e")]},
            annotations={"proxy.istio.io/overrides": '{"containers":[{"name":"kept"}]}'},
        ),
        uses=11,
        sentence="the pod with its annotation proxy.istio.io/overrides has 11 containers; at most 10",
    ),
    "entries": Limited(
        pod=pod_of(container(env=[{"name": "A"}] * 40), labels=LABELS, spec={"nodeSelector": {"a": "b"}}),
        uses=62,
        sentence="the pod has 62 entries in its lists and maps, 40 of them in spec.containers[0].env; at most 61",
    ),
    "templates": Limited(
        pod=annotated("inject.istio.io/templates", ", ".join(["sidecar"] * 12)),
        uses=12,
        sentence="inject.istio.io/templates names 12 templates; at most 11",
    ),
    "rendered": Limited(
        pod=pod_of(labels=LABELS),
        uses=114,
        sentence="the templates make 114 characters of the pod; at most 113",
    ),
    "inserted": Limited(
        pod=pod_of(labels=LABELS),
        uses=20,
        sentence="a template inserts 20 values of the pod; at most 19",
    ),
    "nodes": Limited(
        pod=pod_of(labels=LABELS, annotations={"inject.istio.io/templates": "json"}),
        uses=45,
        sentence="a template makes too many YAML nodes of the pod; at most 44",
    ),
    "merged": Limited(
        pod=pod_of(container(args=["x"] * 30), annotations={"inject.istio.io/templates": "both,sidecar"}),
        uses=102,
        sentence="102 entries of the pod and lines of templates are merged; at most 101",
    ),
    "operations": Limited(
        pod=pod_of(),
        uses=2,
        sentence="the patch has 2 operations; at most 1",
    ),
    "patch": Limited(
        pod=pod_of(),
        uses=425,
        sentence="the patch has 425 bytes; at most 424",
    ),
}


def answer_with(limits: ReviewLimits, pod: Any, config: str = CONFIG) -> Answer:
    return Injector.load(config, limits=limits).answer(a_review(pod, version="v1"))


def test_every_limit_is_tried() -> None:
    assert TABLE.keys() == set(LIMIT_NAMES), "give the limit a row in TABLE, whose pod meets it"


@pytest.mark.parametrize("name", TABLE)
def test_a_pod_that_meets_a_limit_is_injected(name: str) -> None:
    case = TABLE[name]
    assert answer_with(ReviewLimits(**{name: case.uses}), case.pod).outcome == "injected"


@pytest.mark.parametrize("name", TABLE)
def test_a_pod_that_exceeds_a_limit_by_one_is_denied_in_one_sentence(name: str) -> None:
    case = TABLE[name]
    answer = answer_with(ReviewLimits(**{name: case.uses - 1}), case.pod)
    assert (answer.outcome, answer.reason, answer.message) == ("denied", "limit", case.sentence)
    assert answered(answer.body) == {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "response": {"uid": "u1", "allowed": False, "status": {"metadata": {}, "message": case.sentence}},
    }


@pytest.mark.parametrize("name", TABLE)
def test_the_outcome_is_the_same_with_cold_and_with_warm_caches(name: str) -> None:
    case = TABLE[name]
    pod = case.pod | {"metadata": case.pod["metadata"] | {"generateName": "web-"}}
    for uses in (case.uses - 1, case.uses, 10 * case.uses):
        injector = Injector.load(CONFIG, limits=ReviewLimits(**{name: uses}))
        answers = [injector.answer(a_review(pod, version="v1")) for _ in range(4)]
        assert answers == [answers[0]] * 4


OF_A_POD = [name for name in TABLE if name != "values"]
"""What a pod by itself can exceed: values are counted in a review, as it came."""


@pytest.mark.parametrize("name", OF_A_POD)
def test_a_pod_without_a_review_is_denied_as_with_one(name: str) -> None:
    case = TABLE[name]
    enough, too_little = (
        Injector.load(CONFIG, limits=ReviewLimits(**{name: uses})) for uses in (case.uses, case.uses - 1)
    )
    assert enough.inject_pod(case.pod)[1].inject
    with pytest.raises(LimitError) as denied:
        too_little.inject_pod(case.pod)
    assert str(denied.value) == case.sentence


def test_templates_behind_aliases_count() -> None:
    pod = annotated("inject.istio.io/templates", "both,both")
    assert answer_with(ReviewLimits(templates=4), pod).outcome == "injected"
    answer = answer_with(ReviewLimits(templates=3), pod)
    assert answer.message == "inject.istio.io/templates names 4 templates; at most 3"
    answer = answer_with(ReviewLimits(templates=1), pod_of(), CONFIG.replace("[sidecar]\n", "[both]\n", 1))
    assert answer.message == "2 templates apply to the pod by default; at most 1"


def test_thousands_of_templates_are_denied_with_the_default_limits() -> None:
    answer = answer_with(
        ReviewLimits(), annotated("inject.istio.io/templates", "sidecar," * 2999 + "sidecar")
    )
    assert answer.message == "inject.istio.io/templates names 3,000 templates; at most 64"


def test_a_template_named_again_is_merged_again() -> None:
    config = CONFIG.replace("args: [", "volumeMounts: []\n        args: [")
    once = answer_with(ReviewLimits(), annotated("inject.istio.io/templates", "sidecar"), config)
    twice = answer_with(ReviewLimits(), annotated("inject.istio.io/templates", "sidecar,sidecar"), config)
    assert (once.outcome, once.body) == (twice.outcome, twice.body)


def test_a_large_override_is_denied_before_it_becomes_an_annotation() -> None:
    pod = pod_of(container(), container(name="istio-proxy", args=["<" * 300_000]))
    answer = answer_with(ReviewLimits(), pod)
    assert answer.reason == "limit"
    assert "bytes with proxy.istio.io/overrides, which is added; at most 262,144" in answer.message


def test_probers_of_an_earlier_injection_are_entries() -> None:
    probers = json.dumps({f"/app-health/c{index}/livez": {} for index in range(30)})
    proxy = container(name="istio-proxy", env=[{"name": "ISTIO_KUBE_APP_PROBERS", "value": probers}])
    app = container(livenessProbe={"httpGet": {"port": 80}})
    pod = pod_of(app, proxy, annotations={"sidecar.istio.io/status": "{}"})
    values = '{"sidecarInjectorWebhook": {"rewriteAppHTTPProbe": true}}'
    injector = Injector.load(CONFIG, values, limits=ReviewLimits(entries=20))
    message = injector.answer(a_review(pod, version="v1")).message
    assert message == "the pod with its variable ISTIO_KUBE_APP_PROBERS has 34 entries; at most 20"


def test_a_review_of_yaml_has_nodes() -> None:
    body = b"request: {uid: u, object: {metadata: {}, spec: {containers: [{name: a}]}}}\n"
    head = b"apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n"
    answer = Injector.load(CONFIG, limits=ReviewLimits(nodes=10)).answer(head + body)
    assert answer.message == "the review, which is YAML, has too many nodes; at most 10"
    assert Injector.load(CONFIG).answer(head + body).outcome == "injected"


def test_releases_up_to_1_8_have_the_same_limits() -> None:
    pod = pod_of(container(), container(name="b"), labels=LABELS)
    uses = {"entries": 22, "containers": 2, "rendered": 194, "inserted": 2, "operations": 9, "patch": 1111}
    for name, limit in uses.items():
        for most, outcome in ((limit, "injected"), (limit - 1, "denied")):
            injector = Injector.load(LEGACY, release="1.8", limits=ReviewLimits(**{name: most}))
            assert injector.answer(a_review(pod, version="v1")).outcome == outcome, name


def test_a_spec_as_an_api_server_writes_it_is_not_read_one_by_one_for_odd_metadata() -> None:
    variables = [{"name": f"V{index}", "value": "x"} for index in range(100)]
    limits = ReviewLimits(irregular_values=50)
    assert answer_with(limits, pod_of(container(env=variables), annotations={})).outcome == "injected"
    odd = pod_of(container(env=[*variables, {"name": "EMPTY", "value": ""}]), annotations={})
    assert answer_with(limits, odd).reason == "limit"


def test_the_library_and_kube_inject_have_the_same_limits() -> None:
    injector = Injector.load(CONFIG, limits=ReviewLimits(containers=1))
    with pytest.raises(LimitError, match=r"^the pod has 2 containers; at most 1$"):
        injector.inject_pod(pod_of(container(), container(name="b")))
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}},
    }
    for config, release in ((CONFIG, "1.31"), (LEGACY, "1.4")):
        injector = Injector.load(config, release=release, limits=ReviewLimits(containers=1))
        with pytest.raises(LimitError, match=r"^the pod has 2 containers; at most 1$"):
            injector.inject_workload(deployment)


def test_a_proxy_config_by_hand_is_counted_before_it_is_read() -> None:
    text = f"[{'0, ' * 100}0]"
    template = {"metadata": {"annotations": {"proxy.istio.io/config": text}}, "spec": {"containers": []}}
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": template}}
    injector = Injector.load(CONFIG, limits=ReviewLimits(annotation_nodes=50))
    with pytest.raises(LimitError, match="has too many YAML nodes"):
        injector.inject_workload(workload)


def test_a_pod_that_is_not_injected_has_no_limit() -> None:
    pod = pod_of(*[container(name=f"c{index}") for index in range(30)], spec={"hostNetwork": True})
    assert answer_with(ReviewLimits(containers=1), pod).outcome == "skipped"


# ---- the deadline


class Clock:
    """Says that it is late when it is asked for the time number ``at``; counts how often it was asked."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.asked = 0

    def late(self) -> bool:
        self.asked += 1
        return self.asked == self.at


def test_the_deadline_ends_a_review_at_each_of_its_stages() -> None:
    injector = Injector.load(CONFIG)
    body = a_review(TABLE["merged"].pod, version="v1")
    never = Clock(0)
    assert injector.answer(body, late=never.late) == injector.answer(body)
    assert never.asked > 10
    for stage in range(1, never.asked + 1):
        with pytest.raises(DeadlineError):
            injector.answer(body, late=Clock(stage).late)


def test_a_review_that_is_late_at_once_is_not_read() -> None:
    with pytest.raises(DeadlineError):
        Injector.load(CONFIG).answer(b"{", late=lambda: True)
