from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from injector.budget import Budget
from injector.errors import BadReview, InjectionError
from injector.injection.inject import Answer, read_pod
from injector.istio.releases import behaviour_of
from injector.patch import apply
from tests.injection.builders import LEGACY, OVERLAYS, a_pod, a_review, answered, legacy, overlays


def outcome(answer: Answer) -> tuple[str, str, str]:
    return answer.outcome, answer.reason, answer.message


def test_a_pod_is_injected_and_the_patch_leads_to_what_the_library_says() -> None:
    injector, pod = overlays(), a_pod()
    answer = injector.answer(a_review(pod, version="v1", name="web"), "/inject")
    response = answered(answer.body)["response"]
    assert (response["uid"], response["allowed"], response["patchType"]) == ("u1", True, "JSONPatch")
    assert apply(pod, response["patch"]) == injector.inject_pod(pod, "shop")[0]
    assert outcome(answer) == ("injected", "policy", "the policy is enabled")
    assert (answer.uid, answer.namespace, answer.name) == ("u1", "shop", "web")


def test_a_pod_that_is_not_to_be_injected_is_allowed_without_a_patch() -> None:
    injector, pod = overlays(), a_pod(labels={"sidecar.istio.io/inject": "false"})
    answer = injector.answer(a_review(pod, version="v1"))
    assert answered(answer.body)["response"] == {"uid": "u1", "allowed": True}
    assert answer.outcome == "skipped"
    same, decision = injector.inject_pod(pod)
    assert same is pod
    assert decision.rule == "label"


def test_a_pod_that_cannot_be_injected_is_refused_with_the_reason() -> None:
    pod = a_pod(annotations={"status.sidecar.istio.io/port": "x"})
    answer = overlays().answer(a_review(pod, version="v1"))
    response = answered(answer.body)["response"]
    assert response["allowed"] is False
    assert "excludeInboundPorts invalid" in response["status"]["message"]
    assert answer.outcome == "denied"
    assert answer.reason == "injection"


@pytest.mark.parametrize(
    ("received", "message"),
    [
        (None, "unexpected end of JSON input"),
        ("x", "json: cannot unmarshal string into Go value of type v1.Pod"),
        ({"spec": 5}, "json: cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec"),
    ],
)
def test_an_object_that_is_no_pod_is_refused_in_gos_words(received: Any, message: str) -> None:
    answer = overlays().answer(a_review(received, version="v1"))
    assert answered(answer.body)["response"]["status"]["message"] == message
    assert answer.reason == "object"
    with pytest.raises(InjectionError, match=r"json: |unexpected"):
        overlays().inject_pod(received)


def test_a_body_that_is_no_review_is_refused_without_uid() -> None:
    answer = overlays().answer(b"[]")
    assert answered(answer.body)["response"]["uid"] == ""
    assert answer.reason == "undecodable"


def test_review_gives_the_body_of_the_answer() -> None:
    body = a_review(a_pod(), version="v1")
    assert overlays().review(body) == overlays().answer(body).body


def test_the_same_review_gets_the_same_bytes() -> None:
    injector, body = overlays(), a_review(a_pod(labels={"b": "1", "a": "2"}), version="v1")
    assert injector.review(body) == injector.review(body)


def test_a_review_nested_a_thousand_levels_is_answered_or_a_bad_call() -> None:
    deep = b'{"a":' * 1000 + b"1" + b"}" * 1000
    body = a_review({"metadata": {"labels": "B"}}, version="v1").replace(b'"B"', deep)
    with contextlib.suppress(BadReview):
        assert answered(overlays().review(body))["response"]["allowed"] is False


def test_recursion_without_end_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> Answer:
        raise RecursionError

    monkeypatch.setattr("injector.injection.injector.answer_review", endless)
    with pytest.raises(BadReview, match="nested too deeply"):
        overlays().answer(b"{}")


def test_the_requests_namespace_counts_for_a_pod_that_has_none() -> None:
    body = a_review(a_pod(), namespace="kube-system")
    assert legacy("1.8").answer(body).outcome == "skipped"
    assert legacy("1.0", LEGACY.replace("{{", "[[").replace("}}", "]]")).answer(body).outcome == "injected"
    own = a_review(a_pod(namespace="kube-system"), namespace="shop")
    assert legacy("1.8").answer(own).outcome == "skipped"


def test_fields_that_kubernetes_does_not_know_survive() -> None:
    pod = a_pod(spec={"futureField": {"a": [1]}})
    for injector in (overlays(), legacy()):
        assert injector.inject_pod(pod)[0]["spec"]["futureField"] == {"a": [1]}


def test_keys_in_another_case_are_understood_and_put_right() -> None:
    pod = {"Metadata": {"Name": "x"}, "Spec": {"Containers": [{"NAME": "app"}]}}
    assert read_pod(pod, behaviour_of("1.31"), Budget())["spec"]["containers"][0]["name"] == "app"
    operations = answered(legacy().review(a_review(pod)))["response"]["patch"]
    patched = apply(pod, operations)
    assert {"Metadata", "Spec"}.isdisjoint(patched)
    assert patched["metadata"]["name"] == "x"


def test_a_list_that_is_given_in_two_spellings_is_read_as_go_reads_it() -> None:
    pod = {"spec": {"containers": [{"name": "a", "new": 1}], "Containers": [{"tty": True}, {"name": "b"}]}}
    operations = answered(overlays().review(a_review(pod)))["response"]["patch"]
    spec = apply(pod, operations)["spec"]
    assert list(spec) == ["containers"]
    assert [(each["name"], each.get("tty"), each.get("new")) for each in spec["containers"]] == [
        ("a", True, 1),
        ("b", None, None),
        ("istio-proxy", None, None),
    ]
    # Of a file Go reads the keys sorted, so that the shorter list comes last and cuts the other.
    written = overlays().inject_workload({"apiVersion": "v1", "kind": "Pod"} | pod).as_written
    assert [each["name"] for each in written["spec"]["containers"]] == ["a", "istio-proxy"]


def test_a_pod_in_kubernetes_spelling_is_read_as_it_was_received() -> None:
    pod = a_pod(annotations=None, spec={"volumes": [None], "unknown": 1})
    assert read_pod(pod, behaviour_of("1.31"), Budget()) is pod


def test_nothing_that_was_given_is_changed() -> None:
    pod = a_pod(annotations={"a": "b"}, labels={"c": "d"})
    before = json.dumps(pod)
    for injector in (overlays(), legacy()):
        injector.inject_pod(pod, "shop")
        assert json.dumps(pod) == before


def test_a_template_that_fails_on_a_pod_refuses_it() -> None:
    config = OVERLAYS.replace(
        "spec:\n      containers:", "spec: {{ index .Spec.Containers 5 }}\n      containers:"
    )
    with pytest.raises(InjectionError, match=r"template: inject:1:9: executing \"inject\" at <index"):
        overlays(config=config).inject_pod(a_pod())
