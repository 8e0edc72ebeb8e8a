from __future__ import annotations

import pytest

from injector.injection.dot.concurrency import estimate_concurrency
from tests.istio.mesh.builders import a_proxy_config

LIMIT, REQUEST = "sidecar.istio.io/proxyCPULimit", "sidecar.istio.io/proxyCPU"


def values(**resources):
    return {"global": {"proxy": {"resources": resources}}}


@pytest.mark.parametrize(
    ("config", "annotations", "given", "threads"),
    [
        ("", {LIMIT: "4"}, {}, 2),
        ("concurrency: 5", {LIMIT: "4"}, {}, 5),
        ("concurrency: 0", {}, {}, 2),
        ("concurrency: 0", {LIMIT: "1500m"}, {}, 2),
        ("concurrency: 0", {LIMIT: "3", REQUEST: "1"}, {}, 3),
        ("concurrency: 0", {REQUEST: "100m"}, {}, 1),
        ("concurrency: 0", {LIMIT: "much"}, values(limits={"cpu": "9"}), 2),
        ("concurrency: 0", {}, values(limits={"cpu": "3500m"}, requests={"cpu": "1"}), 4),
        ("concurrency: 0", {}, values(requests={"cpu": "5"}), 5),
        ("concurrency: 0", {}, values(limits={"cpu": "much"}, requests={"cpu": "5"}), 5),
        ("concurrency: 0", {}, values(limits={"memory": "1Gi"}), 2),
    ],
)
def test_threads_follow_the_proxy_config_then_the_cpu(config, annotations, given, threads):
    assert estimate_concurrency(a_proxy_config(config, 12), annotations, given) == threads


def test_without_a_proxy_config_there_are_two_threads():
    assert estimate_concurrency(a_proxy_config("", 12), {}, {}) == 2
