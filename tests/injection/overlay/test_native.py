from __future__ import annotations

import pytest

from injector.injection.overlay.native import detect_native, follow_template, native_for
from injector.injection.releases import behaviour_of
from tests.injection.overlay.builders import a_container, a_pod, names

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
        ("1.31", "nonsense", True),
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
        ({}, "", False),
        ({"a": "not a version"}, "", False),
        ({"a": "1.33"}, "", True),
    ],
)
def test_a_known_node_decides_alone_else_all_of_them(nodes, node, expected):
    assert detect_native(behaviour_of("1.31"), {}, nodes, node) is expected


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
