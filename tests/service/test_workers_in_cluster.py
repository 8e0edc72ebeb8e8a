"""Several workers that keep a registration and a Secret together: the command as a process, a fake API server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from injector.registration.plan import COLLECTION
from tests.conftest import PATIENCE, ROOT
from tests.fake_api import FakeApi, fake_api, kubeconfig, until
from tests.service.processes import children

pytestmark = [pytest.mark.slow, pytest.mark.socket]

HOST = "sidecar-injector.mesh.svc"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/mesh/leases"
SECRETS = "/api/v1/namespaces/mesh/secrets"
OPTIONS = (
    *(
        "--workers=2",
        "--port=0",
        "--monitoring-port=0",
        "--address=127.0.0.1",
        "--monitoring-address=127.0.0.1",
    ),
    *("--self-signed", "--service-name=sidecar-injector", "--namespace=mesh"),
    *("--watch-cluster=false", "--no-log-reviews", "--log-format=json"),
)


class Served:
    """The service of two workers, and what the API server has of theirs."""

    def __init__(self, api: FakeApi, process: asyncio.subprocess.Process, log: Path) -> None:
        self.api = api
        self.process = process
        self._log = log

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().split("\n")[:-1]]

    def lines_of(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]

    async def until(self, condition: Callable[[], bool]) -> None:
        try:
            await until(condition)
        except TimeoutError:
            raise AssertionError(self._log.read_text()) from None

    @property
    def client_config(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.objects[COLLECTION]["istio-sidecar-injector"]["webhooks"][0][
            "clientConfig"
        ]
        return found

    @property
    def bundle(self) -> str:
        """The CA that API servers verify the workers by, PEM; "" while there is none."""
        return base64.b64decode(self.client_config.get("caBundle", "")).decode()

    async def damage(self, bundle: bytes) -> None:
        registered = deepcopy(self.api.objects[COLLECTION]["istio-sidecar-injector"])
        registered["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
        await self.api.put(COLLECTION, registered)

    @property
    def leader(self) -> int:
        """The worker that holds the Lease; 0 while none does."""
        for lease in self.api.objects[LEASES].values():
            return int((lease["spec"].get("holderIdentity") or "-0").rpartition("-")[2])
        return 0

    async def serve_what_is_registered(self, connections: int = 12) -> None:
        """Shake hands as an API server does, often enough to meet both workers."""
        port = self.lines_of("serving")[0]["port"]
        context = ssl.create_default_context(cadata=self.bundle)
        for _ in range(connections):
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    log = tmp_path / "log"
    async with fake_api() as api:
        api.objects |= {LEASES: {}, SECRETS: {}}
        entry = {"name": "sidecar-injector.istio.io", "clientConfig": {"url": f"https://{HOST}/inject"}}
        await api.put(COLLECTION, {"metadata": {"name": "istio-sidecar-injector"}, "webhooks": [entry]})
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "injector", "serve", *OPTIONS),
                f"--kubeconfig={kubeconfig(api, tmp_path)}",
                cwd=ROOT,
                stderr=stderr,
                env={**os.environ, "POD_NAME": "replica-a"},
            )
        served = Served(api, process, log)
        try:
            await served.until(lambda: len(served.lines_of("serving")) == 2 and bool(served.bundle))
            yield served
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE):
                await process.wait()


async def test_workers_share_one_ca_and_one_of_them_keeps_the_registration(served: Served) -> None:
    (secret,) = served.api.objects[SECRETS].values()
    assert base64.b64decode(secret["data"]["ca.crt"]).decode() in served.bundle
    await served.serve_what_is_registered()
    right = served.bundle
    await served.damage(b"another's")
    await served.until(lambda: served.bundle == right)


async def test_the_registration_is_kept_and_all_serve_after_the_worker_that_led_has_died(
    served: Served,
) -> None:
    await served.until(lambda: served.leader > 0)
    first, right = served.leader, served.bundle
    os.kill(children(served.process.pid)[first - 1], signal.SIGKILL)
    await served.damage(b"")
    await served.until(lambda: served.bundle == right)
    await served.until(lambda: len(served.lines_of("serving")) == 3)
    await served.serve_what_is_registered()
