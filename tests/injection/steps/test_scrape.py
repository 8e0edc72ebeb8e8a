from __future__ import annotations

import pytest

from injector.errors import InjectionError
from injector.injection.steps.scrape import (
    PORT,
    RESERVED_PORTS,
    Scrape,
    Spelling,
    Target,
    check_ports,
    scrape_of,
    wants_scraping,
)

EXACT = Spelling(exact=True)
EVERY = Spelling(exact=False)


def test_every_spelling_that_prometheus_takes_counts_where_the_release_says_so():
    annotations = {"prometheus-io/port": "80", "prometheus.io.path": "/m"}
    assert scrape_of(EVERY.said(annotations), targets=False) == Scrape(port="80", path="/m")
    assert not scrape_of(EXACT.said(annotations), targets=False)


def test_of_several_spellings_the_exact_one_counts_else_the_first_by_name():
    assert EVERY.value({"prometheus_io_port": "1", "prometheus.io/port": "2"}, PORT) == "2"
    assert EVERY.value({"prometheus_io_port": "1", "prometheus-io-port": "2"}, PORT) == "2"
    assert EVERY.value({}, PORT) is None


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("9090", [("9090", "/metrics")]),
        (" 80:/a , 81 : /b?x=1 ,", [("80", "/a"), ("81", "/b?x=1")]),
        ("80:", [("80", "/metrics")]),
        ("80:/a,:/b", []),
        (" , ", []),
    ],
)
def test_targets_are_ports_with_a_path_and_one_without_a_port_drops_them_all(text, targets):
    scrape = scrape_of(EVERY.said({"prometheus.istio.io/scrape-targets": text}), targets=True)
    assert scrape.targets == tuple(Target(port=port, path=path) for port, path in targets)


def test_port_and_path_are_those_of_the_first_target():
    annotations = {
        "prometheus.io/port": "1",
        "prometheus.io/scrape": "true",
        "prometheus.istio.io/scrape-targets": "2:/x",
    }
    assert scrape_of(EVERY.said(annotations), targets=True).text == (
        '{"scrape":"true","path":"/x","port":"2","targets":[{"port":"2","path":"/x"}]}'
    )
    assert scrape_of(EVERY.said(annotations), targets=False).text == '{"scrape":"true","path":"","port":"1"}'


@pytest.mark.parametrize("port", ["0", "65536", "8080 ", "x", "-1"])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(
        InjectionError, match=f'^invalid prometheus scrape configuration: invalid port "{port}"$'
    ):
        check_ports(Scrape(port=port), 15020)
    with pytest.raises(
        InjectionError, match=f'^invalid prometheus scrape targets: invalid target port "{port}"$'
    ):
        check_ports(Scrape(targets=(Target(port=port, path="/"),)), 15020)


def test_the_agents_port_is_refused_however_it_is_written():
    with pytest.raises(InjectionError, match="target port 015030 conflicts with agent port"):
        check_ports(Scrape(targets=(Target(port="015030", path="/"),)), 15030)


@pytest.mark.parametrize("port", RESERVED_PORTS)
def test_a_port_of_the_data_plane_is_refused_with_its_reason(port):
    with pytest.raises(InjectionError) as refusal:
        check_ports(Scrape(port=port), 1)
    assert str(refusal.value) == (
        "invalid prometheus scrape configuration: "
        f"port {port} is reserved for Istio ({RESERVED_PORTS[port]}) and cannot be scraped"
    )


def test_ports_of_applications_and_no_port_at_all_pass():
    check_ports(Scrape(port="8080"), 15020)
    check_ports(Scrape(scrape="true"), 15020)
    check_ports(Scrape(targets=(Target(port="80", path="/"),)), 15020)


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
    assert wants_scraping(EVERY.said(annotations)) is expected
