"""A replica as its Deployment would run it: the variables, the service account, the ConfigMaps as folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT
from tests.e2e.conftest import until


class Deployed:
    """One process of the Deployment ``sidecar-injector`` of a namespace; there are no nodes that would run it.

    ``mounts`` are folders of ours by the path at which the pod would have them.
    """

    def __init__(self, kube: Any, namespace: str, folder: Path, mounts: Mapping[str, Path]) -> None:
        deployment = json.loads(
            kube.kubectl("-n", namespace, "get", "deployment", "sidecar-injector", "-o", "json").stdout
        )
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        variables = {each["name"]: each.get("value", namespace) for each in container["env"]}
        for mount, ours in mounts.items():
            variables = {name: value.replace(mount, str(ours)) for name, value in variables.items()}
        account = str(_account(kube, namespace, folder))
        for option, value in (("PORT", "0"), ("MONITORING_PORT", "0"), ("KUBECONFIG", account)):
            variables[f"SIDECAR_INJECTOR_SERVE_{option}"] = value
        self.log = folder / "replica.log"
        command = [sys.executable, "-m", "injector", *container["args"]]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, "--address=127.0.0.1", "--monitoringAddress=127.0.0.1"],
                stderr=file,
                cwd=folder,
                env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
            )
        (serving,) = until(lambda: self.entries("serving"), self.log.read_text)
        self.port, self.monitoring = serving["port"], serving["monitoring_port"]

    def entries(self, message: str) -> list[dict[str, Any]]:
        """Return the log's lines with a message."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [each for each in map(json.loads, lines) if each.get("message") == message]

    def close(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


def _account(kube: Any, namespace: str, folder: Path) -> Path:
    """Return a kubeconfig with the service account's token."""
    token = kube.kubectl(
        "-n", namespace, "create", "token", "sidecar-injector", "--duration", "2h"
    ).stdout.strip()
    admin = yaml.safe_load(Path(kube.kubeconfig).read_text())
    admin["users"] = [{"name": admin["users"][0]["name"], "user": {"token": token}}]
    account = folder / "account.kubeconfig"
    account.write_text(yaml.safe_dump(admin))
    return account


def trusted(kube: Any) -> bool:
    """Return whether every entry of ours at the API server has a CA."""
    name = "mutatingwebhookconfiguration/sidecar-injector"
    webhooks = json.loads(kube.kubectl("get", name, "-o", "json").stdout)["webhooks"]
    return all("caBundle" in each["clientConfig"] for each in webhooks)
