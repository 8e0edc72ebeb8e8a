from __future__ import annotations

from injector.injection.steps.status import mark, status_text
from tests.injection.steps.builders import a_container, a_pod, an_injection


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
    pod = mark(a_pod(labels={"app": "web"}), an_injection(environment={"ISTIO_META_NETWORK": ""}))
    assert pod["metadata"]["labels"] == {"app": "web", "topology.istio.io/network": ""}
    assert "labels" not in mark(a_pod(), an_injection())["metadata"]


def test_configured_annotations_win_over_the_pods():
    injection = an_injection("1.10", injected={"a": "x"}, template_pod={})
    status = status_text({}, None)
    pod = mark(a_pod(annotations={"a": "1", "b": "2"}), injection)
    assert pod["metadata"]["annotations"] == {"a": "x", "b": "2", "sidecar.istio.io/status": status}
