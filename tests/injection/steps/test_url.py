from __future__ import annotations

from typing import Any

import pytest

from injector.injection.steps.url import environment_of
from tests.injection.builders import a_pod, legacy, overlays

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
