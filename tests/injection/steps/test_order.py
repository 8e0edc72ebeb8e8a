from __future__ import annotations

import pytest

from injector.injection.steps.order import detect_native, follow_template, native_for, order_containers
from injector.istio.releases import behaviour_of
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, names

NEW = {"a": "v1.33.0", "b": "v1.34.1-gke.100+build"}
MIXED = NEW | {"c": "v1.32.9"}


@pytest.mark.parametrize(
    ("release", "switch", "expected"),
    [
        ("1.18", "true", False),
        ("1.19", "true", True),
        ("1.19", "", False),
        ("1.26", "auto", False),
        ("1.27", "false", False),
        ("1.27", "true", True),
        ("1.27", "auto", True),
        ("1.31", "", True),
        ("1.26", "1", True),
        ("1.27", "nonsense", False),
        ("1.27", "1", False),
        ("1.27", "TRUE", False),
    ],
)
def test_the_feature_decides_and_from_1_27_the_nodes_where_it_does_not(release, switch, expected):
    env = {"ENABLE_NATIVE_SIDECARS": switch} if switch else {}
    assert detect_native(behaviour_of(release), env, NEW, "") is expected


@pytest.mark.parametrize(
    ("nodes", "node", "expected"),
    [
        (MIXED, "", False),
        (MIXED, "a", True),
        (MIXED, "c", False),
        (MIXED, "unknown", False),
        (NEW, "unknown", True),
        ({}, "", True),
        ({}, "a", True),
        (None, "", False),
        (None, "a", False),
    ],
)
def test_a_known_node_decides_alone_else_all_of_them(nodes, node, expected):
    assert detect_native(behaviour_of("1.31"), {}, nodes, node) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.33", True),
        ("v1.33.0rc1", True),
        ("v1.33.0-rc.1", True),
        ("v1.33.0-0.alpha~1+build.5", True),
        ("v1.33.0.1.2", True),
        ("v2.40", True),
        ("v1.32.9", False),
        ("1", False),
        ("", False),
        ("not a version", False),
        ("v1.34.0+a_b", False),
        ("v1.34.0-é", False),
        ("v1.34.0-", True),
        ("v1.34.0+", False),
        ("v1.34.0-1..2", False),
        ("v1.34.0\n", False),
        ("v1.34.9223372036854775807", True),
        ("v1.34.9223372036854775808", False),
        ("v1.\u0663\u0664.0", False),
        pytest.param(f"v1.34.{'9' * 5000}", False, id="thousands of nines"),
        pytest.param(f"v1.{'0' * 5000}34.0", True, id="thousands of zeros"),
    ],
)
def test_a_kubelets_version_is_read_as_go_version_does(version, expected):
    assert detect_native(behaviour_of("1.31"), {}, {"a": version}, "") is expected


@pytest.mark.parametrize(
    ("annotation", "release", "default", "expected"),
    [
        ("true", "1.24", False, True),
        ("false", "1.24", True, False),
        ("True", "1.31", False, False),
        (None, "1.31", True, True),
        ("true", "1.23", False, False),
    ],
)
def test_the_annotation_has_the_last_word_from_1_24(annotation, release, default, expected):
    assert native_for(annotation, behaviour_of(release), by_default=default) is expected


def test_an_owners_proxy_moves_to_where_the_template_has_it():
    template = a_pod(init=[a_container("istio-proxy")])
    pod = follow_template(
        a_pod(a_container(), a_container("istio-proxy"), init=[a_container("setup")]), template
    )
    assert names(pod) == ["app"]
    assert names(pod, "initContainers") == ["setup", "istio-proxy"]


def test_an_owners_proxy_stays_where_the_template_has_no_native_one():
    pod = a_pod(a_container("istio-proxy"))
    assert follow_template(pod, a_pod(a_container("istio-proxy"))) is pod
    assert follow_template(a_pod(), a_pod(init=[a_container("istio-proxy")])) == a_pod()


# ---- the order


def a_pod_of(containers: str, init: str = ""):
    return a_pod(*map(a_container, containers.split()), init=[a_container(name) for name in init.split()])


@pytest.mark.parametrize(
    ("containers", "holds", "expected"),
    [
        ("istio-proxy app", False, "app istio-proxy"),
        ("app istio-proxy b", True, "istio-proxy app b"),
        ("app b", True, "app b"),
    ],
)
def test_the_proxy_is_last_unless_the_application_waits_for_it(containers, holds, expected):
    pod = after(order_containers, a_pod_of(containers), an_injection(holds_application=holds))
    assert names(pod) == expected.split()


@pytest.mark.parametrize(
    ("init", "native", "expected"),
    [
        ("istio-init setup", True, "setup istio-init"),
        ("enable-core-dump istio-init setup", True, "setup istio-init enable-core-dump"),
        ("setup istio-validation", True, "istio-validation setup"),
        ("setup istio-proxy istio-init", True, "istio-init istio-proxy setup"),
        (
            "a enable-core-dump istio-proxy istio-validation",
            True,
            "istio-validation istio-proxy enable-core-dump a",
        ),
        ("setup istio-proxy istio-init", False, "setup istio-proxy istio-init"),
        ("", True, ""),
    ],
)
def test_init_containers_are_in_the_order_that_lets_the_pod_start(init, native, expected):
    pod = after(order_containers, a_pod_of("app", init), an_injection("1.19" if native else "1.18"))
    assert names(pod, "initContainers") == expected.split()


def test_containers_are_moved_not_copied():
    pod = a_pod_of("istio-proxy app", "istio-init")
    ordered = after(order_containers, pod, an_injection())
    assert ordered["spec"]["containers"][0] is pod["spec"]["containers"][1]
    assert names(pod) == ["istio-proxy", "app"]
