from __future__ import annotations

from typing import Any

import pytest

from injector.injection.config import InjectConfig
from injector.injection.policy import decide
from injector.injection.selector import Selector
from injector.istio.releases import behaviour_of
from tests.injection.builders import a_pod

SWITCH = "sidecar.istio.io/inject"


def a_config(policy: str = "enabled", never: Any = (), always: Any = ()) -> InjectConfig:
    return InjectConfig(
        policy=policy,
        templates={},
        never_inject_selectors=tuple(map(Selector.parse, never)),
        always_inject_selectors=tuple(map(Selector.parse, always)),
    )


def decided(
    pod: dict[str, Any], release: str = "1.8", namespace: str = "shop", **config: Any
) -> tuple[bool, str]:
    decision = decide(pod, namespace, a_config(**config), behaviour_of(release))
    return decision.inject, decision.rule


def test_the_policy_decides_where_nothing_else_does() -> None:
    assert decided(a_pod()) == (True, "policy")
    assert decided(a_pod(), policy="disabled") == (False, "policy")


def test_an_unknown_policy_injects_nothing_whatever_the_pod_says() -> None:
    assert decided(a_pod(annotations={SWITCH: "true"}), policy="off") == (False, "policy")


def test_a_pod_on_the_hosts_network_is_left_alone() -> None:
    pod = a_pod(annotations={SWITCH: "true"}, spec={"hostNetwork": True})
    assert decided(pod) == (False, "host-network")


@pytest.mark.parametrize(
    ("release", "namespace", "expected"),
    [
        ("1.8", "kube-system", False),
        ("1.8", "kube-node-lease", True),
        ("1.9", "kube-node-lease", False),
        ("1.31", "local-path-storage", False),
    ],
)
def test_some_namespaces_are_ignored(release: str, namespace: str, expected: bool) -> None:
    assert decided(a_pod(), release, namespace)[0] is expected


@pytest.mark.parametrize("value", ["y", "YES", "True", "on"])
def test_an_annotation_says_yes_as_yaml_does(value: str) -> None:
    assert decided(a_pod(annotations={SWITCH: value}), policy="disabled") == (True, "annotation")


@pytest.mark.parametrize("value", ["false", "1", " true", "enabled"])
def test_any_other_annotation_is_a_no_up_to_1_26(value: str) -> None:
    assert decided(a_pod(annotations={SWITCH: value}), "1.26") == (False, "annotation")


@pytest.mark.parametrize("value", ["False", "yes", "1"])
def test_what_is_neither_true_nor_false_is_as_if_absent_from_1_27(value: str) -> None:
    assert decided(a_pod(annotations={SWITCH: value}), "1.27") == (True, "policy")


def test_true_and_false_are_exact_from_1_27() -> None:
    assert decided(a_pod(labels={SWITCH: "true"}), "1.27", policy="disabled") == (True, "label")
    assert decided(a_pod(labels={SWITCH: "false"}), "1.27") == (False, "label")


def test_a_label_hides_the_annotation_from_1_12() -> None:
    pod = a_pod(labels={SWITCH: ""}, annotations={SWITCH: "false"})
    assert decided(pod, "1.11") == (False, "annotation")
    assert decided(pod, "1.12") == (True, "policy")


def test_never_comes_before_always() -> None:
    both = {"matchLabels": {"app": "web"}}
    pod = a_pod(labels={"app": "web"})
    assert decided(pod, never=[both], always=[both]) == (False, "never-selector")
    assert decided(pod, policy="disabled", always=[both]) == (True, "always-selector")


def test_an_empty_selector_matches_nothing() -> None:
    assert decided(a_pod(), never=[{}], always=[{}]) == (True, "policy")


def test_the_pods_own_switch_comes_before_selectors() -> None:
    pod = a_pod(labels={"app": "web"}, annotations={SWITCH: "true"})
    assert decided(pod, never=[{"matchLabels": {"app": "web"}}]) == (True, "annotation")


def test_a_pod_without_metadata_and_spec_can_be_decided_on() -> None:
    assert decided({}) == (True, "policy")


def test_every_decision_has_a_sentence() -> None:
    assert decide(a_pod(), "shop", a_config(), behaviour_of("1.8")).reason == "the policy is enabled"
