"""A replica as its Deployment would run it: the variables, the service account, the ConfigMaps as folders."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import PATIENCE, ROOT
from tests.e2e.built_image import Image
from tests.e2e.conftest import until

KUBECONFIG = "SIDECAR_INJECTOR_SERVE_KUBECONFIG"


class Deployed:
    """One process of the Deployment ``sidecar-injector`` of a namespace; there are no nodes that would run it.

    ``mounts`` are folders of ours by the path at which the pod would have them. With an ``image`` it is the program
    of the image that runs, in its root file system, with the folders where the pod has them; else the checkout's.
    """

    def __init__(
        self, kube: Any, namespace: str, folder: Path, mounts: Mapping[str, Path], image: Image | None = None
    ) -> None:
        deployment = json.loads(
            kube.kubectl("-n", namespace, "get", "deployment", "sidecar-injector", "-o", "json").stdout
        )
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        variables = {each["name"]: each.get("value", namespace) for each in container["env"]}
        self._image = image
        account = _account(kube, namespace, folder)
        for option in ("PORT", "MONITORING_PORT"):
            variables[f"SIDECAR_INJECTOR_SERVE_{option}"] = "0"
        arguments = [*container["args"], "--address=127.0.0.1", "--monitoringAddress=127.0.0.1"]
        if image is None:
            for mount, ours in mounts.items():
                variables = {name: value.replace(mount, str(ours)) for name, value in variables.items()}
            variables |= {KUBECONFIG: str(account), "PYTHONPATH": str(ROOT)}
            command, around = [sys.executable, "-m", "injector", *arguments], variables
        else:
            variables[KUBECONFIG] = f"/account/{account.name}"
            there = {**mounts, "/account": account.parent}
            command = image.command("sidecar-injector", *arguments, mounts=there, variables=variables)
            around = image.environment
        self.log = folder / "replica.log"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(command, stderr=file, cwd=folder, env={**os.environ, **around})
        (serving,) = until(lambda: self.entries("serving"), self.log.read_text)
        self.port, self.monitoring = serving["port"], serving["monitoring_port"]

    def entries(self, message: str) -> list[dict[str, Any]]:
        """Return the log's lines with a message."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [each for each in map(json.loads, lines) if each.get("message") == message]

    def close(self) -> None:
        """End it at once; that of an image as a kubelet does, since a kill would end only what it runs in."""
        if self._image is None:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(PATIENCE)


def _account(kube: Any, namespace: str, folder: Path) -> Path:
    """Return a kubeconfig with the service account's token, alone in a folder that everybody may read."""
    token = kube.kubectl(
        "-n", namespace, "create", "token", "sidecar-injector", "--duration", "2h"
    ).stdout.strip()
    admin = yaml.safe_load(Path(kube.kubeconfig).read_text())
    admin["users"] = [{"name": admin["users"][0]["name"], "user": {"token": token}}]
    cluster = admin["clusters"][0]["cluster"]
    authority = Path(cluster.pop("certificate-authority")).read_bytes()
    cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    account = folder / "account" / "account.kubeconfig"
    account.parent.mkdir(exist_ok=True)
    account.write_text(yaml.safe_dump(admin))
    return account


def trusted(kube: Any) -> bool:
    """Return whether every entry of ours at the API server has a CA."""
    name = "mutatingwebhookconfiguration/sidecar-injector"
    webhooks = json.loads(kube.kubectl("get", name, "-o", "json").stdout)["webhooks"]
    return all("caBundle" in each["clientConfig"] for each in webhooks)
