"""Annotations and labels: misspelt, misplaced, ignored, dropped, of other releases."""

from __future__ import annotations

from typing import Any

import pytest

from injector.diagnosis.annotations import advise_metadata, closest
from injector.diagnosis.annotations_table import ELSEWHERE, KNOWN
from injector.istio import annotations
from injector.istio.releases import NEWEST_RELEASE, behaviour_of

NEWEST = behaviour_of(NEWEST_RELEASE)


def deployment(*, own: dict[str, Any] | None = None, pods: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a Deployment with metadata of its own and of its pods."""
    spec = {"template": {"metadata": pods or {}, "spec": {"containers": []}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", **(own or {})},
        "spec": spec,
    }


def annotated(release: str = "1.31", **pods: Any) -> list[tuple[str, str]]:
    """Return rule and message of what is wrong with the metadata of pods."""
    found = advise_metadata(deployment(pods=pods), behaviour=behaviour_of(release))
    return [(finding.rule, finding.message) for finding in found]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("sidecar.istio.io/proxyCpu", "sidecar.istio.io/proxyCPU"),
        ("sidecar.istio.io/proxyMemoryLimits", "sidecar.istio.io/proxyMemoryLimit"),
        ("sidecar.istio.io/injcet", "sidecar.istio.io/inject"),
        ("istio.io/inject", "sidecar.istio.io/inject"),
        ("sidecar.istio.io/excludeOutboundPorts", "traffic.sidecar.istio.io/excludeOutboundPorts"),
        ("example.istio.io/anything", ""),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    assert closest(name) == meant
    expected = [("SI401", f"no release reads {name}: did you mean {meant}?")] if meant else []
    assert annotated(annotations={name: "1"}) == expected


def test_names_that_others_read_are_no_misspellings() -> None:
    assert annotated(annotations=dict.fromkeys(ELSEWHERE, "x")) == []
    assert annotated(annotations={"example.org/proxyCPU": "x"}) == []


@pytest.mark.parametrize(
    ("name", "value", "release", "words"),
    [
        ("sidecar.istio.io/inject", "flase", "1.31", "'flase' is neither true nor false, and is ignored"),
        ("sidecar.istio.io/inject", "flase", "1.20", "'flase' counts as false"),
        ("sidecar.istio.io/inject", "yes", "1.20", None),
        ("sidecar.istio.io/inject", "yes", "1.31", "'yes' is neither true nor false, and is ignored"),
        ("sidecar.istio.io/proxyCPU", "1O0m", "1.20", "'1O0m' is not a quantity"),
        ("sidecar.istio.io/rewriteAppHTTPProbers", "yes", "1.31", "'yes' is not a boolean"),
        ("sidecar.istio.io/nativeSidecar", "True", "1.31", "'True' is neither true nor false"),
        ("sidecar.istio.io/proxyCPU", "100m", "1.20", None),
    ],
)
def test_a_value_that_the_release_ignores_is_told(
    name: str, value: str, release: str, words: str | None
) -> None:
    found = annotated(release, annotations={name: value})
    if words is None:
        assert found == []
    else:
        ((rule, message),) = found
        assert rule == "SI403"
        assert words in message


def test_a_feature_that_the_release_does_not_have_is_told() -> None:
    ((rule, message),) = annotated("1.18", annotations={"sidecar.istio.io/nativeSidecar": "true"})
    assert (rule, message) == (
        "SI405",
        "sidecar.istio.io/nativeSidecar is read by 1.24 and newer, not by 1.18",
    )


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("sidecar.istio.io/userVolume", '[{"name":"a","comfigMap":{"name":"b"}}]', "'comfigMap' is dropped: did you mean 'configMap'"),
        ("sidecar.istio.io/userVolume", '{"a":{"configMap":{"nmae":"b"}}}', "'configMap.nmae'"),
        ("sidecar.istio.io/userVolumeMount", '[{"name":"a","mountpath":"/b"}]', "'mountpath'"),
        ("proxy.istio.io/overrides", '{"containers":[{"name":"istio-proxy","recources":{}}]}', "'recources'"),
    ],
)  # fmt: skip
def test_a_key_that_is_dropped_from_json_is_told(name: str, value: str, key: str) -> None:
    ((rule, message),) = annotated(annotations={name: value})
    assert rule == "SI404"
    assert key in message


def test_a_name_of_pods_on_the_workload_is_told_to_move() -> None:
    own = {"labels": {"sidecar.istio.io/inject": "true"}}
    (finding,) = advise_metadata(deployment(own=own), behaviour=NEWEST, source="app.yaml")
    assert (finding.rule, finding.advice) == ("SI402", "move it to spec.template.metadata.labels")
    assert str(finding.place) == "app.yaml: metadata.labels[sidecar.istio.io/inject]"


def test_a_name_of_pods_that_the_pods_have_too_may_stand_on_the_workload() -> None:
    labels = {"labels": {"sidecar.istio.io/inject": "true"}}
    assert advise_metadata(deployment(own=labels, pods=labels), behaviour=NEWEST) == []


def test_the_pods_of_a_cronjob_have_the_labels_of_its_innermost_template() -> None:
    jobs = {"metadata": {"labels": {"sidecar.istio.io/inject": "false"}}}
    pods = {"metadata": {"annotations": {"sidecar.istio.io/rewriteAppHTTPProbers": "maybe"}}}
    value = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "report"},
        "spec": {"jobTemplate": {**jobs, "spec": {"template": pods}}},
    }
    found = advise_metadata(value, behaviour=NEWEST)
    assert [(each.rule, each.message, each.place.path) for each in found] == [
        (
            "SI403",
            "sidecar.istio.io/rewriteAppHTTPProbers: 'maybe' is not a boolean, and is ignored",
            "spec.jobTemplate.spec.template.metadata.annotations[sidecar.istio.io/rewriteAppHTTPProbers]",
        ),
        (
            "SI402",
            "sidecar.istio.io/inject is read on pods, and stands on the Job itself",
            "spec.jobTemplate.metadata.labels[sidecar.istio.io/inject]",
        ),
    ]


def test_names_on_a_namespace_and_a_service_are_told_apart() -> None:
    def said(kind: str, labels: dict[str, str]) -> list[str]:
        value = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "shop", "labels": labels}}
        return [finding.rule for finding in advise_metadata(value, behaviour=NEWEST)]

    assert said("Namespace", {"sidecar.istio.io/inject": "true"}) == ["SI402"]
    assert said("Namespace", {"istio.io/rev": "canary", "istio-injection": "enabled"}) == []
    assert said("Service", {"sidecar.istio.io/inject": "true"}) == ["SI402"]


def test_the_label_of_namespaces_does_nothing_on_pods() -> None:
    assert [rule for rule, _ in annotated(labels={"istio-injection": "enabled"})] == ["SI402"]


def test_an_annotation_among_the_labels_is_told() -> None:
    assert [rule for rule, _ in annotated(labels={"sidecar.istio.io/proxyCPU": "100m"})] == ["SI402"]


@pytest.mark.parametrize("value", [{"kind": []}, {"kind": "Pod", "apiVersion": "v1", "metadata": None}])
def test_whatever_is_no_object_has_no_findings(value: dict[str, Any]) -> None:
    assert advise_metadata(value, behaviour=NEWEST) == []


def test_every_annotation_whose_value_is_checked_is_known_in_those_minors() -> None:
    checked = {fact.name: fact.span for fact in annotations.FACTS}
    assert checked.keys() - KNOWN.keys() == set(), "give it a row in KNOWN"
    assert [name for name, span in checked.items() if span.since > KNOWN[name].span.until] == []
