from __future__ import annotations

import json

import pytest

from injector.errors import InjectionError
from injector.injection.steps.metrics import (
    EVERY_SPELLING,
    EXACT_SPELLING,
    PORT,
    RESERVED_PORTS,
    announce_secure_port,
    check_ports,
    merge_metrics,
    scrape_of,
    wants_scraping,
)
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, env_of, the_proxy

POINTING = {
    "prometheus.io/port": "15020",
    "prometheus.io/path": "/stats/prometheus",
    "prometheus.io/scrape": "true",
}


def merged(annotations, release="1.31", *, by_default=True, containers=("app", "istio-proxy")):
    pod = a_pod(*map(a_container, containers), annotations=annotations)
    return after(merge_metrics, pod, an_injection(release, merges_metrics=by_default))


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
        (
            [
                {"name": "ENVOY_SECURE_MERGED_METRICS_PORT", "value": value}
                for value in ("0", "", "15091", "15092")
            ],
            {},
            "15091",
        ),
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
    announced = after(announce_secure_port, pod, an_injection())
    assert announced["metadata"].get("annotations", {}).get("prometheus.istio.io/secure-port") == expected


def test_a_pod_without_a_proxy_announces_nothing():
    pod = a_pod()
    assert after(announce_secure_port, pod, an_injection()) == pod


def test_every_spelling_that_prometheus_takes_counts_where_the_release_says_so():
    annotations = {"prometheus-io/port": "80", "prometheus.io.path": "/m"}
    assert scrape_of(EVERY_SPELLING.said(annotations), targets=False) == {
        "scrape": "",
        "path": "/m",
        "port": "80",
    }
    assert scrape_of(EXACT_SPELLING.said(annotations), targets=False) == {}


def test_of_several_spellings_the_exact_one_counts_else_the_first_by_name():
    assert EVERY_SPELLING.value({"prometheus_io_port": "1", "prometheus.io/port": "2"}, PORT) == "2"
    assert EVERY_SPELLING.value({"prometheus_io_port": "1", "prometheus-io-port": "2"}, PORT) == "2"
    assert EVERY_SPELLING.value({}, PORT) is None


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("9090", [("9090", "/metrics")]),
        (" 80:/a , 81 : /b?x=1 ,", [("80", "/a"), ("81", "/b?x=1")]),
        ("80:", [("80", "/metrics")]),
        ("\x1c80:\x1e/a\x1f,\x1f:", [("\x1c80", "\x1e/a\x1f"), ("\x1f", "/metrics")]),
        ("80:/a,:/b", []),
        (" , ", []),
    ],
)
def test_targets_are_ports_with_a_path_and_one_without_a_port_drops_them_all(text, targets):
    scrape = scrape_of(EVERY_SPELLING.said({"prometheus.istio.io/scrape-targets": text}), targets=True)
    assert scrape.get("targets", []) == [{"port": port, "path": path} for port, path in targets]


def test_port_and_path_are_those_of_the_first_target():
    annotations = {
        "prometheus.io/port": "1",
        "prometheus.io/scrape": "true",
        "prometheus.istio.io/scrape-targets": "2:/x",
    }
    known, unknown = (scrape_of(EVERY_SPELLING.said(annotations), targets=known) for known in (True, False))
    assert json.dumps(known) == (
        '{"scrape": "true", "path": "/x", "port": "2", "targets": [{"port": "2", "path": "/x"}]}'
    )
    assert json.dumps(unknown) == '{"scrape": "true", "path": "", "port": "1"}'


@pytest.mark.parametrize("port", ["0", "65536", "8080 ", "x", "-1"])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(
        InjectionError, match=f'^invalid prometheus scrape configuration: invalid port "{port}"$'
    ):
        check_ports({"port": port}, 15020)
    with pytest.raises(
        InjectionError, match=f'^invalid prometheus scrape targets: invalid target port "{port}"$'
    ):
        check_ports({"targets": [{"port": port, "path": "/"}]}, 15020)


def test_the_agents_port_is_refused_however_it_is_written():
    with pytest.raises(InjectionError, match="target port 015030 conflicts with agent port"):
        check_ports({"targets": [{"port": "015030", "path": "/"}]}, 15030)


@pytest.mark.parametrize("port", RESERVED_PORTS)
def test_a_port_of_the_data_plane_is_refused_with_its_reason(port):
    with pytest.raises(InjectionError) as refusal:
        check_ports({"port": port}, 1)
    assert str(refusal.value) == (
        "invalid prometheus scrape configuration: "
        f"port {port} is reserved for Istio ({RESERVED_PORTS[port]}) and cannot be scraped"
    )


def test_ports_of_applications_and_no_port_at_all_pass():
    check_ports({"port": "8080"}, 15020)
    check_ports({"scrape": "true"}, 15020)
    check_ports({"targets": [{"port": "80", "path": "/"}]}, 15020)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, True),
        ({"prometheus.io/scrape": "false"}, False),
        ({"prometheus.io/scrape": "nonsense"}, True),
        ({"prometheus.io/scrape": "nonsense", "prometheus_io_scrape": "0"}, False),
    ],
)
def test_a_pod_may_say_that_it_is_not_scraped(annotations, expected):
    assert wants_scraping(EVERY_SPELLING.said(annotations)) is expected
