"""The chart in a real API server: installed, upgraded, rolled back and taken away, with its README's commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.e2e.conftest import Balancer, assets, container_names, control_plane_class, pod, until
from tests.e2e.deployed import Deployed, trusted
from tests.k8s.helm import CHART, helm_program

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes and helm, which is no fault of its own.
    pytest.mark.timeout(1800, func_only=True),
]

NAME = "sidecar-injector"
REGISTRATION = f"mutatingwebhookconfiguration/{NAME}"
FLAGS = ("--namespace", NAME)
MOUNTS = {"/etc/istio/inject": CHART / "files", "/etc/istio/mesh": CHART / "files"}
"""The chart's own files, for Istio's ConfigMaps as well: they have the same keys."""

KINDS = "all,configmap,secret,serviceaccount,role,rolebinding,pdb,clusterrole,clusterrolebinding,mutatingwebhookconfiguration"


class Release:
    """helm and kubectl against one API server, and the replica of the Deployment that is there now."""

    def __init__(self, kube: Any, folder: Path) -> None:
        self.kube = kube
        self.folder = folder
        self.helm = helm_program(build=True)
        self.replica: Deployed | None = None

    def run(self, *command: str) -> str:
        programs = {"helm": self.helm, "kubectl": str(self.kube.assets / "kubectl")}
        result = subprocess.run(
            [programs[command[0]], *command[1:]],
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": str(self.kube.kubeconfig), "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
        return result.stdout

    def upgrade(self, *values: str) -> None:
        self.run("helm", "upgrade", NAME, str(CHART), *FLAGS, *(f"--set={each}" for each in values))

    def webhooks(self) -> dict[str, dict[str, Any]]:
        found = json.loads(self.run("kubectl", "get", REGISTRATION, "-o", "json"))["webhooks"]
        return {each["name"].removesuffix("sidecar-injector.istio.io"): each for each in found}

    def restart(self) -> Deployed:
        """Run the Deployment as it is now; the entries have their CA then."""
        if self.replica is not None:
            self.replica.close()
        self.replica = Deployed(self.kube, NAME, self.folder, MOUNTS)
        # The replica before was killed: its Lease runs for another 15 s.
        until(lambda: trusted(self.kube), self.replica.log.read_text)
        return self.replica


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
    replica = release.restart()
    (installed,) = release.webhooks().values()
    injected(release, replica)

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
    left = json.loads(release.run("kubectl", "get", KINDS, "--all-namespaces", "-o", "json"))["items"]
    mine = [(each["kind"], each["metadata"]["name"]) for each in left if NAME in json.dumps(each["metadata"])]
    assert mine == [("Secret", "sidecar-injector-certs")]


def injected(release: Release, replica: Deployed) -> None:
    """Create a pod through the registration, whose Service's name leads to this machine."""
    balancer = Balancer()
    balancer.backends = [replica.port]
    try:
        release.run("kubectl", "delete", "service", NAME, *FLAGS)
        release.run("kubectl", "create", "service", "externalname", NAME, "--external-name=localhost", *FLAGS)
        (entry,) = release.webhooks().values()
        entry["clientConfig"]["service"]["port"] = balancer.port
        merge = json.dumps({"webhooks": [entry]})
        release.run("kubectl", "patch", REGISTRATION, "--type=merge", "-p", merge)
        body = json.dumps(pod("web", spec={"serviceAccountName": "default"}))

        def proxies() -> int:
            arguments = ("-n", "shop", "create", "--dry-run=server", "-o", "json", "-f", "-")
            answer = release.kube.kubectl(*arguments, input=body, check=False)
            return container_names(json.loads(answer.stdout)).count("istio-proxy") if answer.stdout else 0

        until(lambda: proxies() == 1, replica.log.read_text)
    finally:
        balancer.close()
        release.run("kubectl", "delete", "service", NAME, *FLAGS)
