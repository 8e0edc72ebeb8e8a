from __future__ import annotations

import pytest

from injector.errors import InjectionError
from injector.injection.steps.metrics import announce_secure_port, merge_metrics, metrics_rules_of
from injector.istio.releases import behaviour_of
from tests.injection.steps.builders import a_container, a_pod, env_of, the_proxy

POINTING = {
    "prometheus.io/port": "15020",
    "prometheus.io/path": "/stats/prometheus",
    "prometheus.io/scrape": "true",
}


def merged(annotations, release="1.31", *, by_default=True, containers=("app", "istio-proxy")):
    pod = a_pod(*map(a_container, containers), annotations=annotations)
    return merge_metrics(
        pod, metrics_rules_of(behaviour_of(release)), by_default=by_default, agent_port=15020
    )


def test_the_pods_annotations_move_into_the_proxys_environment():
    pod = merged({"prometheus.io/port": "8080", "prometheus.io/path": "/m", "other": "x"})
    assert pod["metadata"]["annotations"] == {"other": "x"} | POINTING
    assert env_of(the_proxy(pod)) == [
        ("ISTIO_PROMETHEUS_ANNOTATIONS", '{"scrape":"","path":"/m","port":"8080"}')
    ]


def test_a_pod_that_says_nothing_is_pointed_at_the_agent_without_a_variable():
    pod = merged({})
    assert pod["metadata"]["annotations"] == POINTING
    assert "env" not in the_proxy(pod)


def test_annotations_change_also_without_a_proxy():
    assert merged({"prometheus.io/port": "1"}, containers=("app",))["metadata"]["annotations"] == POINTING


@pytest.mark.parametrize(
    ("annotation", "by_default", "changes"),
    [("false", True, False), ("true", False, True), ("nonsense", False, False), (None, False, False)],
)
def test_the_annotation_overrides_the_mesh(annotation, by_default, changes):
    annotations = {} if annotation is None else {"prometheus.istio.io/merge-metrics": annotation}
    pod = merged(annotations, by_default=by_default)
    assert ("prometheus.io/port" in pod["metadata"].get("annotations", {})) is changes


def test_scrape_false_is_respected_from_1_13():
    annotations = {"prometheus.io/scrape": "false"}
    assert merged(annotations)["metadata"]["annotations"] == annotations
    assert merged(annotations, "1.12")["metadata"]["annotations"] == POINTING


def test_other_spellings_are_replaced_from_1_13():
    annotations = {"prometheus_io_port": "80"}
    assert merged(annotations, "1.13")["metadata"]["annotations"] == POINTING
    assert merged(annotations, "1.12")["metadata"]["annotations"] == POINTING | annotations


def test_a_pod_at_the_agents_port_is_left_alone():
    annotations = {"prometheus.io/port": "15020", "prometheus.io/path": "/mine"}
    assert merged(annotations)["metadata"]["annotations"] == annotations


def test_targets_move_from_1_31():
    annotations = {"prometheus.istio.io/scrape-targets": "80:/a,81"}
    pod = merged(annotations)
    assert pod["metadata"]["annotations"] == POINTING
    assert (
        '"targets":[{"port":"80","path":"/a"},{"port":"81","path":"/metrics"}]'
        in env_of(the_proxy(pod))[0][1]
    )
    assert merged(annotations, "1.30")["metadata"]["annotations"] == POINTING | annotations


def test_ports_are_checked_from_1_31_and_only_when_metrics_are_merged():
    with pytest.raises(InjectionError, match="invalid port"):
        merged({"prometheus.io/port": "x"})
    merged({"prometheus.io/port": "x"}, "1.30")
    merged({"prometheus.io/port": "x"}, by_default=False)


@pytest.mark.parametrize(
    ("env", "annotations", "expected"),
    [
        ([{"name": "ENVOY_SECURE_MERGED_METRICS_PORT", "value": "15092"}], {}, "15092"),
        ([{"name": "ENVOY_SECURE_MERGED_METRICS_PORT", "value": "0"}], {}, None),
        ([{"name": "ENVOY_SECURE_MERGED_METRICS_PORT"}], {}, None),
        ([{"name": "OTHER", "value": "1"}], {}, None),
        (
            [{"name": "ENVOY_SECURE_MERGED_METRICS_PORT", "value": "1"}],
            {"prometheus.istio.io/secure-port": ""},
            "",
        ),
        (
            [{"name": "ENVOY_SECURE_MERGED_METRICS_PORT", "value": "1"}],
            {"prometheus_istio_io_secure_port": "2"},
            None,
        ),
    ],
)
def test_the_secure_port_of_the_proxy_is_announced_unless_the_pod_does(env, annotations, expected):
    pod = a_pod(init=[a_container("istio-proxy", env=env)], annotations=annotations)
    announced = announce_secure_port(pod, metrics_rules_of(behaviour_of("1.31")))
    assert announced["metadata"].get("annotations", {}).get("prometheus.istio.io/secure-port") == expected


def test_a_pod_without_a_proxy_announces_nothing():
    pod = a_pod()
    assert announce_secure_port(pod, metrics_rules_of(behaviour_of("1.31"))) is pod
