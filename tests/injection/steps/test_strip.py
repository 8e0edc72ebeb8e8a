from __future__ import annotations

import pytest

from injector.injection.steps.strip import earlier_status, reinsert, strip
from injector.istio.releases import behaviour_of
from tests.injection.steps.builders import a_container, a_pod, names

STATUS = "sidecar.istio.io/status"
AGENT = {"prometheus.io/port": "15020", "prometheus_io_scrape": "true", "prometheus.io/path": "/x"}


def stripped(pod, release="1.31"):
    return strip(pod, behaviour_of(release), agent_port=15020)


def test_what_the_status_names_is_removed_list_by_list():
    status = '{"containers":["istio-proxy"],"initContainers":["istio-init","app"],"volumes":["v"]}'
    pod = a_pod(
        a_container(),
        a_container("istio-proxy"),
        init=[a_container("istio-init")],
        annotations={STATUS: status, "a": "1"},
        volumes=[{"name": "v"}],
    )
    result = stripped(pod)
    assert names(result) == ["app"]
    assert "initContainers" not in result["spec"]
    assert result["spec"]["volumes"] == [{"name": "v"}]
    assert result["metadata"]["annotations"] == {"a": "1"}


def test_a_pod_that_was_never_injected_is_the_same_object():
    pod = a_pod(annotations=AGENT)
    assert stripped(pod) is pod


def test_annotations_that_point_at_the_agent_are_removed_with_the_status():
    assert "annotations" not in stripped(a_pod(annotations=AGENT | {STATUS: "{}"}))["metadata"]
    assert stripped(a_pod(annotations=AGENT | {STATUS: "{}"}), "1.12")["metadata"]["annotations"] == {
        "prometheus_io_scrape": "true"
    }
    other = {"prometheus.io/port": "80"}
    assert stripped(a_pod(annotations=other | {STATUS: "null"}))["metadata"]["annotations"] == other


@pytest.mark.parametrize(
    ("text", "lists"),
    [
        ('{"Containers":["a",null],"volumes":null,"other":1}', {"containers": ["a", ""], "volumes": []}),
        ("null", {}),
        ('{"revision":"x"}', {}),
    ],
)
def test_a_status_is_read_as_go_reads_it(text, lists):
    assert earlier_status({STATUS: text}) == lists


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "1", '{"containers":"x"}', '{"volumes":[1]}', '{"revision":1}']
)
def test_a_status_that_cannot_be_read_strips_nothing(text):
    assert earlier_status({STATUS: text}) is None


def test_kept_containers_that_the_pod_lacks_come_back_at_the_end():
    kept = {
        "containers": [a_container("istio-proxy"), a_container("app", image="kept")],
        "initContainers": [a_container("x")],
    }
    pod = reinsert(a_pod(), kept)
    assert names(pod) == ["app", "istio-proxy"]
    assert pod["spec"]["containers"][0]["image"] == "app:1"
    assert names(pod, "initContainers") == ["x"]
    assert reinsert(pod, kept) is pod
