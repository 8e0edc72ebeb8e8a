from __future__ import annotations

import pytest

from injector.injection.steps.order import order_containers
from tests.injection.steps.builders import a_container, a_pod, after, an_injection, names


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
