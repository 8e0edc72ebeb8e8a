"""A hostile tenant on four connections, honest callers beside it, and the memory limit of our own manifest."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.conftest import ROOT, conformance_folder
from tests.hostile.cage import Cage, caged
from tests.service.kit import NAME, a_pair
from tests.service.processes import end, load, outcome_of

pytestmark = pytest.mark.about("injector")

HONEST_RATE = 200
MAX_SHARE = 0.8
"""Of the memory limit that a replica may use at the most."""


def memory_limit() -> int:
    """Return the bytes that the manifest lets a replica have."""
    deployment = yaml.safe_load((ROOT / "k8s/base/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    text: str = container["resources"]["limits"]["memory"]
    assert text.endswith("Mi")
    return int(text.removesuffix("Mi")) << 20


def configuration() -> list[str]:
    """Return the options for Istio's own configuration; none, for the built-in one, where it is missing."""
    folder = conformance_folder()
    if folder is None or not (istio := folder / "1.31").is_dir():
        return []
    return [
        f"--injectConfig={istio / 'configs/default.yaml'}",
        f"--injectValues={istio / 'values/default.json'}",
        f"--meshConfig={istio / 'mesh/default.yaml'}",
        "--release=1.31",
    ]


class Replica:
    """`sidecar-injector serve` as a cluster runs it, in a cage."""

    def __init__(self, folder: Path, ca: trustme.CA, cage: Cage | None) -> None:
        self.folder = folder
        self.begun: list[subprocess.Popen[bytes]] = []
        for name, content in {
            **a_pair(ca, NAME, "127.0.0.1", "localhost"),
            "ca.crt": ca.cert_pem.bytes(),
        }.items():
            (folder / name).write_bytes(content)
        serve = [
            *(sys.executable, "-m", "injector", "serve", "--port=0", "--monitoringPort=0"),
            *("--address=127.0.0.1", "--monitoringAddress=127.0.0.1"),
            *(f"--tlsCertFile={folder / 'tls.crt'}", f"--tlsKeyFile={folder / 'tls.key'}"),
            *("--reconcileWebhookConfig=false", "--watchCluster=false", "--no-log-reviews"),
            *configuration(),
        ]
        command = ["sh", "-c", f'{cage.join} && exec "$@"', "sh", *serve] if cage else serve
        with (folder / "log").open("wb") as log:
            self.popen = subprocess.Popen(command, cwd=ROOT, stderr=log, stdin=subprocess.DEVNULL)
        self._cage = cage
        self.ports = self._ports()

    def _ports(self) -> tuple[int, int]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            for line in (self.folder / "log").read_text().split("\n")[:-1]:
                if (told := json.loads(line))["message"] == "serving":
                    return told["port"], told["monitoring_port"]
            assert self.popen.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    @property
    def peak(self) -> int:
        """The most memory that was used: in a cage what counts for its limit, else what was resident."""
        if self._cage is not None:
            return self._cage.peak
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10


@contextlib.contextmanager
def readiness(port: int) -> Iterator[list[str]]:
    """Ask as a kubelet does, every quarter of a second; yields what went wrong."""
    faults: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.25):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            with contextlib.closing(connection):
                try:
                    connection.request("GET", "/healthz/ready")
                    if (status := connection.getresponse().status) != 200:
                        faults.append(f"status {status}")
                except OSError as error:
                    faults.append(repr(error))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    yield faults
    over.set()
    thread.join()


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        pytest.param(45, "corpus", id="45", marks=pytest.mark.timeout(900)),
        pytest.param(20, "shapes", id="shapes", marks=pytest.mark.timeout(900)),
        pytest.param(3600, "corpus", id="3600", marks=[pytest.mark.soak, pytest.mark.timeout(7200)]),
    ],
)
def test_a_hostile_tenant_neither_ends_a_replica_nor_fails_others(
    tmp_path: Path, ca: trustme.CA, apiserver_client: Path, figures: dict[str, Any], seconds: int, kind: str
) -> None:
    limit = memory_limit()
    with caged(limit) as cage:
        replica = Replica(tmp_path, ca, cage)
        try:
            honest = {"rate": HONEST_RATE, "connections": 10}
            before = outcome_of(load(apiserver_client, replica, min(seconds, 60) / 3, **honest))
            with readiness(replica.ports[1]) as unready:
                tenant = subprocess.Popen(
                    [
                        *(sys.executable, "-m", "tests.hostile.tenant"),
                        str(replica.ports[0]),
                        tmp_path / "ca.crt",
                        *(str(seconds), kind),
                    ],
                    cwd=ROOT,
                    stdout=subprocess.PIPE,
                )
                replica.begun.append(tenant)
                assert tenant.stdout is not None
                assert tenant.stdout.readline() == b"ready\n"
                beside = outcome_of(load(apiserver_client, replica, seconds, **honest))
                attacked = outcome_of(tenant)
            assert replica.popen.poll() is None, (tmp_path / "log").read_text()[-2000:]
            figures |= {
                "seconds": seconds,
                "hostile reviews": attacked["sent"],
                "their statuses": attacked["statuses"],
                "honest reviews": beside["ok"],
                "honest failures": beside["failed"],
                "p99 ms before": before["p99"],
                "p99 ms beside": beside["p99"],
                "peak MiB": replica.peak / (1 << 20),
                "limit MiB": limit / (1 << 20),
                "killed": cage.kills if cage else "no cgroup here",
            }
            assert not unready
            assert beside["failed"] == 0, (beside, figures)
            assert "500" not in attacked["statuses"]
            assert replica.peak <= MAX_SHARE * limit
            assert cage is None or cage.kills == 0
        finally:
            for popen in (*replica.begun, replica.popen):
                end(popen)
