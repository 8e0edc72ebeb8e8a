"""The chart in a real API server: installed, upgraded, rolled back and taken away, with its README's commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import assets, control_plane_class
from tests.e2e.release import FLAGS, NAME, Release
from tests.k8s.helm import CHART

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes and helm, which is no fault of its own.
    pytest.mark.timeout(1800, func_only=True),
]


@pytest.fixture
def release(tmp_path: Path) -> Iterator[Release]:
    with control_plane_class()(assets(), controllers=False) as kube:
        found = Release(kube, tmp_path)
        try:
            yield found
        finally:
            if found.replica is not None:
                found.replica.close()


def commands() -> list[list[str]]:
    """Return the commands of the chart's README, one a line."""
    return [
        line.split() for line in re.findall(r"^    (.+)$", (CHART / "README.md").read_text(), re.MULTILINE)
    ]


def test_the_chart_is_installed_upgraded_rolled_back_and_taken_away(release: Release) -> None:
    install, label, delete, uninstall = commands()
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    release.kube.kubectl("apply", "-f", "-", input=yaml.safe_dump(namespace))
    release.run(*install)
    release.run(*label)
    release.restart()
    (installed,) = release.webhooks().values()
    release.injects()

    release.upgrade("webhook.failurePolicy=Ignore", "options.LOG_LEVEL=warning")
    (upgraded,) = release.webhooks().values()
    assert upgraded["failurePolicy"] == "Ignore"
    assert upgraded["clientConfig"]["caBundle"] == installed["clientConfig"]["caBundle"]

    istio = ("istio.enabled=true", "config.existing=istio-sidecar-injector", "config.existingMesh=istio")
    release.upgrade(*istio, "istio.default=true")
    assert [*release.webhooks()] == ["rev.namespace.", "rev.object.", "namespace.", "object."]
    release.restart()
    release.upgrade(*istio)
    assert [*release.webhooks()] == ["rev.namespace.", "rev.object."], (
        "entries with a caBundle of ours go too"
    )

    release.run("helm", "rollback", NAME, "1", *FLAGS)
    release.restart()
    (back,) = release.webhooks().values()
    assert {**back, "clientConfig": {}} == {**installed, "clientConfig": {}}
    assert back["clientConfig"]["caBundle"] == installed["clientConfig"]["caBundle"], (
        "the CA is kept in its Secret"
    )

    release.run(*delete)
    release.run(*uninstall)
    assert release.left() == [("Secret", "sidecar-injector-certs")]
