from __future__ import annotations

from typing import Any

import pytest

from injector.injection.steps.environment import complete, environment_of, environment_of_url, set_environment
from injector.istio.releases import behaviour_of
from tests.injection.builders import legacy, overlays
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, env_of, the_proxy


@pytest.mark.parametrize(
    ("path", "variables"),
    [
        ("/inject", {}),
        ("/inject/", {}),
        ("/inject/cluster", {}),
        ("/inject/cluster/c1", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/cluster/c1/", {"ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/net/n1/cluster/c1", {"ISTIO_META_NETWORK": "n1", "ISTIO_META_CLUSTER_ID": "c1"}),
        ("/inject/cluster//net/n1", {"ISTIO_META_CLUSTER_ID": "", "ISTIO_META_NETWORK": "n1"}),
        ("/inject//cluster/c1", {}),
        ("/other/custom_key/a--slash--b/odd", {"CUSTOM_KEY": "a/b"}),
        (
            "/inject/:ENV:cluster=c1:ENV:a=:ENV:=b:ENV:c:ENV:d=e=f",
            {"ISTIO_META_CLUSTER_ID": "c1", "A": "", "D": "e=f"},
        ),
        ("/inject/:ENV:a=x--slash--y", {"A": "x--slash--y"}),
        ("/inject/straße/a", {"STRAßE": "a"}),
    ],
)
def test_the_url_sets_variables(path, variables):
    assert environment_of_url(path, behaviour_of("1.31")) == variables


def test_a_slash_in_a_value_is_known_from_1_15():
    assert environment_of_url("/inject/k/a--slash--b", behaviour_of("1.14")) == {"K": "a--slash--b"}


def test_the_marked_form_is_known_from_1_10():
    assert environment_of_url("/inject/:ENV:a=b", behaviour_of("1.9")) == {}


def test_releases_of_another_form_of_url_set_nothing():
    assert environment_of_url("/inject/cluster/c1", behaviour_of("1.6")) == {}


def test_the_label_beats_the_url_and_the_url_beats_the_values():
    url = {"ISTIO_META_CLUSTER_ID": "url", "ISTIO_META_NETWORK": "url"}
    expected = {"ISTIO_META_CLUSTER_ID": "url", "ISTIO_META_NETWORK": "label"}
    assert complete(url, cluster="values", network="values", label="label") == expected
    assert complete(url, cluster="values", network="values", label=None)["ISTIO_META_NETWORK"] == "url"
    expected = {"ISTIO_META_CLUSTER_ID": "values", "ISTIO_META_NETWORK": "values"}
    assert complete({}, cluster="values", network="values", label=None) == expected


def test_an_empty_label_hides_the_values_but_not_the_url():
    assert complete({}, cluster="", network="values", label="") == {}
    assert complete({"ISTIO_META_NETWORK": "url"}, cluster="", network="", label="") == {
        "ISTIO_META_NETWORK": "url"
    }


def test_an_empty_variable_of_the_url_stays_where_the_values_have_none():
    assert complete({"ISTIO_META_CLUSTER_ID": ""}, cluster="", network="", label=None) == {
        "ISTIO_META_CLUSTER_ID": ""
    }
    assert complete({"ISTIO_META_CLUSTER_ID": ""}, cluster="v", network="", label=None) == {
        "ISTIO_META_CLUSTER_ID": "v"
    }


def test_variables_replace_those_of_the_proxy_and_stand_sorted_at_the_end():
    proxy = a_container("istio-proxy", env=[{"name": "B", "value": "old"}, {"name": "X", "value": "1"}])
    pod = after(set_environment, a_pod(a_container(), proxy), an_injection(environment={"B": "new", "A": ""}))
    assert env_of(the_proxy(pod)) == [("X", "1"), ("A", ""), ("B", "new")]
    assert the_proxy(pod)["env"][1] == {"name": "A"}


def test_a_native_proxy_gets_them_only_where_the_release_knows_it():
    pod = a_pod(init=[a_container("istio-proxy")])
    assert after(set_environment, pod, an_injection("1.18", environment={"A": "1"})) == pod
    changed = after(set_environment, pod, an_injection("1.19", environment={"A": "1"}))
    assert env_of(the_proxy(changed)) == [("A", "1")]


def test_without_variables_or_proxy_nothing_changes():
    pod = a_pod(a_container("istio-proxy"))
    assert after(set_environment, pod, an_injection()) == pod
    assert after(set_environment, a_pod(), an_injection(environment={"A": "1"})) == a_pod()


VALUES = "global: {network: n0, multiCluster: {clusterName: c0}}"
CLUSTER, NETWORK = "ISTIO_META_CLUSTER_ID", "ISTIO_META_NETWORK"


def found(path: str, release: str, pod: Any = None, values: str = "{}") -> dict[str, str]:
    return dict(environment_of(path, pod or a_pod(), legacy(release, values=values).snapshot))


@pytest.mark.parametrize(
    ("release", "path", "expected"),
    [
        ("1.4", "/inject/cluster/c/net/n", {}),
        ("1.7", "/inject/cluster/c/net/n", {CLUSTER: "c", NETWORK: "n"}),
        ("1.7", "/inject/cluster/c", {}),
        ("1.8", "/inject/net/n/cluster/c", {CLUSTER: "c", NETWORK: "n"}),
        ("1.8", "/inject", {}),
    ],
)
def test_a_path_says_cluster_and_network_as_the_release_reads_it(
    release: str, path: str, expected: dict[str, str]
) -> None:
    assert found(path, release) == expected


def test_in_1_8_values_and_label_count_as_well() -> None:
    assert found("/inject", "1.8", values=VALUES) == {CLUSTER: "c0", NETWORK: "n0"}
    pod = a_pod(labels={"topology.istio.io/network": "mine"})
    assert found("/inject/net/n", "1.8", pod, VALUES) == {CLUSTER: "c0", NETWORK: "mine"}


def test_from_1_9_the_steps_after_the_templates_complete_it() -> None:
    snapshot = overlays(values=VALUES).snapshot
    assert environment_of("/inject/cluster/c", a_pod(), snapshot) == {CLUSTER: "c"}
