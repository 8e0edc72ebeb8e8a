from __future__ import annotations

import pytest

from injector.errors import BadReview
from injector.injection.steps.status import earlier_status, injected_before, mark, status_text, strip
from injector.istio.releases import behaviour_of
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, names


def test_the_status_lists_what_the_templates_brought_and_null_for_nothing():
    template = a_pod(a_container("istio-proxy"), volumes=[{"name": "istio-envoy"}, {"name": "<b>"}])
    assert status_text(template, "canary") == (
        '{"initContainers":null,"containers":["istio-proxy"],"volumes":["istio-envoy","\\u003cb\\u003e"],'
        '"imagePullSecrets":null,"revision":"canary"}'
    )


def test_an_empty_revision_is_called_default():
    assert status_text({}, "").endswith('"revision":"default"}')


def test_before_1_11_there_is_no_revision():
    expected = '{"initContainers":null,"containers":null,"volumes":null,"imagePullSecrets":null}'
    assert status_text({}, None) == expected


def test_the_network_becomes_a_label_also_when_it_is_empty():
    pod = after(mark, a_pod(labels={"app": "web"}), an_injection(environment={"ISTIO_META_NETWORK": ""}))
    assert pod["metadata"]["labels"] == {"app": "web", "topology.istio.io/network": ""}
    assert "labels" not in after(mark, a_pod(), an_injection())["metadata"]


def test_configured_annotations_win_over_the_pods():
    injection = an_injection("1.10", injected={"a": "x"}, template_pod={})
    status = status_text({}, None)
    pod = after(mark, a_pod(annotations={"a": "1", "b": "2"}), injection)
    assert pod["metadata"]["annotations"] == {"a": "x", "b": "2", "sidecar.istio.io/status": status}


# ---- an earlier injection

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


@pytest.mark.parametrize("text", ["", "x", "[]", "1", "null", '{"other":1}', '{"containers":null}'])
def test_a_status_that_lists_nothing_is_no_earlier_injection(text):
    assert not any(injected_before({STATUS: text}).values())
    assert not any(injected_before({}).values())


@pytest.mark.parametrize("text", ['{"containers":"x"}', '{"initContainers":[1]}', '{"containers":[null]}'])
def test_a_status_that_crashes_istio_is_a_bad_review(text):
    with pytest.raises(BadReview, match="lists no names under"):
        injected_before({STATUS: text})
