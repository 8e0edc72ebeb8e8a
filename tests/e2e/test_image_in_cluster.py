"""The image in a real API server: what is installed is served by the program in the image's root file system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.built_image import Image
from tests.e2e.conftest import assets, control_plane_class
from tests.e2e.release import FLAGS, NAME, REGISTRATION, Release
from tests.k8s.helm import CHART

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build the image, Kubernetes and helm, which is no fault of its own.
    pytest.mark.timeout(1800, func_only=True),
]

OVERLAYS = "k8s/overlays"
WAYS = {
    "overlay": (
        ("kubectl", "apply", "-k", f"{OVERLAYS}/older-kubernetes"),
        ("kubectl", "apply", "-k", f"{OVERLAYS}/self-signed"),
        ("kubectl", "delete", "-k", f"{OVERLAYS}/self-signed", "--ignore-not-found"),
    ),
    "chart": (
        ("helm", "install", NAME, str(CHART), *FLAGS, "--create-namespace"),
        ("helm", "upgrade", NAME, str(CHART), *FLAGS, "--set=options.LOG_LEVEL=debug"),
        ("helm", "uninstall", NAME, *FLAGS),
    ),
}
"""How it is installed, upgraded and taken away."""


@pytest.fixture
def release(image: Image, tmp_path: Path) -> Iterator[Release]:
    with control_plane_class()(assets()) as kube:
        found = Release(kube, tmp_path, image)
        try:
            yield found
        finally:
            if found.replica is not None:
                found.replica.close()


@pytest.mark.parametrize("way", WAYS)
def test_what_the_image_serves_injects_pods_and_nothing_is_left_behind(release: Release, way: str) -> None:
    install, upgrade, uninstall = WAYS[way]
    labels = {"istio-injection": "enabled"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}
    release.kube.kubectl("apply", "-f", "-", input=yaml.safe_dump(namespace))
    assert release.left() == []
    release.run(*install)
    release.restart()
    release.injects()

    release.run(*upgrade)
    release.restart()
    release.injects()

    release.run("kubectl", "delete", REGISTRATION)
    release.run(*uninstall)
    release.run("kubectl", "delete", "namespace", NAME, "--ignore-not-found", "--timeout=60s")
    assert release.left() == []
