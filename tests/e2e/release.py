"""What is installed in an API server by helm or kubectl, and the replica of its Deployment."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.e2e.built_image import Image
from tests.e2e.conftest import Balancer, container_names, pod, until
from tests.e2e.deployed import Deployed, trusted
from tests.go_programs import program
from tests.k8s.helm import CHART

NAME = "sidecar-injector"
REGISTRATION = f"mutatingwebhookconfiguration/{NAME}"
FLAGS = ("--namespace", NAME)
MOUNTS = {"/etc/istio/inject": CHART / "files", "/etc/istio/mesh": CHART / "files"}
"""The chart's own files, for Istio's ConfigMaps as well: they have the same keys."""

KINDS = "all,configmap,secret,serviceaccount,role,rolebinding,pdb,clusterrole,clusterrolebinding,mutatingwebhookconfiguration"


class Release:
    """helm and kubectl against one API server, and the replica of the Deployment that is there now."""

    def __init__(self, kube: Any, folder: Path, image: Image | None = None) -> None:
        self.kube = kube
        self.folder = folder
        self.image = image
        self.replica: Deployed | None = None

    def run(self, *command: str) -> str:
        first = program("helm") if command[0] == "helm" else str(self.kube.assets / "kubectl")
        result = subprocess.run(
            [first, *command[1:]],
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
        self.replica = Deployed(self.kube, NAME, self.folder, MOUNTS, self.image)
        # The replica before was killed: its Lease runs for another 15 s.
        until(lambda: trusted(self.kube), self.replica.log.read_text)
        return self.replica

    def injects(self) -> None:
        """Create a pod through the registration, whose Service's name leads to this machine; it comes out injected."""
        assert self.replica is not None
        replica = self.replica
        balancer = Balancer()
        balancer.backends = [replica.port]
        try:
            self.run("kubectl", "delete", "service", NAME, *FLAGS)
            self.run(
                "kubectl", "create", "service", "externalname", NAME, "--external-name=localhost", *FLAGS
            )
            (entry,) = self.webhooks().values()
            entry["clientConfig"]["service"]["port"] = balancer.port
            merge = json.dumps({"webhooks": [entry]})
            self.run("kubectl", "patch", REGISTRATION, "--type=merge", "-p", merge)
            body = json.dumps(pod("web", spec={"serviceAccountName": "default"}))

            def proxies() -> int:
                arguments = ("-n", "shop", "create", "--dry-run=server", "-o", "json", "-f", "-")
                answer = self.kube.kubectl(*arguments, input=body, check=False)
                return container_names(json.loads(answer.stdout)).count("istio-proxy") if answer.stdout else 0

            until(lambda: proxies() == 1, replica.log.read_text)
        finally:
            balancer.close()
            self.run("kubectl", "delete", "service", NAME, *FLAGS)

    def left(self) -> list[tuple[str, str]]:
        """Return kind and name of what is of ours at the API server."""
        found = json.loads(self.run("kubectl", "get", KINDS, "--all-namespaces", "-o", "json"))["items"]
        return [
            (each["kind"], each["metadata"]["name"]) for each in found if NAME in json.dumps(each["metadata"])
        ]
