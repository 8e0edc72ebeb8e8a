"""The CA changes under load: with overlap nobody notices, without it reviews are lost."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import random
import socket
import ssl
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from injector.registration.plan import COLLECTION
from tests.conftest import PATIENCE
from tests.fake_api import FakeApi, fake_api, kubeconfig, until
from tests.service.kit import a_pair
from tests.service.processes import Launch, Pressure, Process, load

pytestmark = pytest.mark.about("injector/service", "injector/registration", "injector/kube")

SECRETS = "/api/v1/namespaces/mesh/secrets"
CONFIGURATION = {
    "metadata": {"name": "sidecars"},
    "webhooks": [{"name": "sidecar-injector.istio.io", "clientConfig": {"url": "https://x"}}],
}


class ApiServer:
    """One API server's view of the registration: it learns of a new caBundle up to ``lag`` seconds late."""

    def __init__(self, api: FakeApi, folder: Path, lag: float) -> None:
        self.api = api
        self.file = folder / f"bundle-{lag:g}.crt"
        self.lag = lag
        self.changes = 0
        self.longest_lag = 0.0

    async def follow(self) -> None:
        """Bring the live bundle to the client's file, late, in the order of its changes."""
        known, coming = b"", deque[tuple[float, float, bytes]]()
        last = 0.0
        while True:
            now = time.monotonic()
            if (bundle := live(self.api)) != known:
                known = bundle
                # The longest lag is met for certain; the others are drawn.
                late = self.lag if self.changes % 3 == 0 else random.uniform(0, self.lag)
                last = max(last, now + late)
                coming.append((last, now, bundle))
                self.changes += 1
            while coming and coming[0][0] <= now:
                _, since, bundle = coming.popleft()
                self.longest_lag = max(self.longest_lag, now - since)
                replace(self.file, bundle)
            await asyncio.sleep(0.02)


def live(api: FakeApi) -> bytes:
    (entry,) = api.objects[COLLECTION]["sidecars"]["webhooks"]
    return base64.b64decode(entry["clientConfig"].get("caBundle", ""))


def replace(file: Path, content: bytes) -> None:
    new = file.with_suffix(".new")
    new.write_bytes(content)
    new.replace(file)


class Mesh:
    """Three replicas with one self-made CA, and API servers that hear of it late."""

    def __init__(self, api: FakeApi, replicas: list[Process], servers: list[ApiServer]) -> None:
        self.api = api
        self.replicas = replicas
        self.servers = servers
        self.cas: list[str] = []
        self.leaves: set[bytes] = set()
        self.endpoints = replicas[0].folder / "endpoints"
        self.endpoints.write_text("".join(f"127.0.0.1:{each.ports[0]}\n" for each in replicas))

    async def count(self) -> None:
        """Note every CA that comes into force."""
        while True:
            secret = self.api.objects.get(SECRETS, {}).get("certs")
            ca = secret["data"]["ca.crt"] if secret else ""
            if not self.cas or self.cas[-1] != ca:
                self.cas.append(ca)
            await asyncio.sleep(0.02)

    @property
    def rotations(self) -> int:
        return len(self.cas) - 1


@contextlib.asynccontextmanager
async def mesh(
    launch: Launch, folder: Path, *, lags: tuple[float, ...], **cluster: float
) -> AsyncIterator[Mesh]:
    """Run replicas; ``cluster`` is what `fake_service` makes of it."""
    async with fake_api() as api:
        await api.put(COLLECTION, CONFIGURATION)
        config = kubeconfig(api, folder)
        replicas = [
            await asyncio.to_thread(
                launch,
                log_reviews=False,
                cluster={"kubeconfig": str(config), "identity": f"replica-{number}", **cluster},
            )
            for number in range(3)
        ]
        await until(lambda: bool(live(api)))
        servers = [ApiServer(api, folder, lag) for lag in lags]
        running = Mesh(api, replicas, servers)
        tasks = [asyncio.create_task(each.follow()) for each in servers]
        tasks.append(asyncio.create_task(running.count()))
        await until(lambda: all(each.file.exists() for each in servers))
        try:
            yield running
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def press(running: Mesh, client: Path, seconds: float) -> list[Pressure]:
    """Send reviews from every API server in rounds of ``seconds``, half of them on connections of their own."""

    def begin(server: ApiServer) -> subprocess.Popen[bytes]:
        options = {"fresh": 0.5, "rate": 40, "ca": server.file, "endpoints": running.endpoints}
        return load(client, running.replicas[0], seconds, **options)

    return [Pressure(functools.partial(begin, server)) for server in running.servers]


async def ended(pressures: list[Pressure]) -> dict[str, int]:
    """Wait for the last rounds and return what all API servers counted."""
    outcomes = [await asyncio.to_thread(each.end) for each in pressures]
    return {name: sum(each[name] for each in outcomes) for name in ("ok", "failed", "dials")}


@pytest.mark.parametrize(
    ("count", "ca_life", "grace", "lags"),
    [
        pytest.param(1, 18, 3, (0, 0.6), id="1"),
        pytest.param(
            20,
            76,
            12,
            (0, 3, 10),
            id="20",
            marks=[pytest.mark.soak, pytest.mark.timeout(1800)],
        ),
    ],
)
async def test_rotations_of_a_self_made_ca_lose_nothing(
    launch: Launch,
    apiserver_client: Path,
    tmp_path: Path,
    figures: dict[str, Any],
    count: int,
    ca_life: float,
    grace: float,
    lags: tuple[float, ...],
) -> None:
    """The CA's life is so short that it is replaced again and again, by its own clock and rules."""
    async with mesh(launch, tmp_path, ca_life=ca_life, grace=grace, lags=lags) as running:
        pressures = press(running, apiserver_client, 2 if count == 1 else 30)
        await until(lambda: running.rotations >= count, seconds=(count + 1) * ca_life + PATIENCE)
        # The old CA leaves the bundle only now.
        await asyncio.sleep(2 * grace)
        outcome = await ended(pressures)
        figures |= {
            "rotations": running.rotations,
            "replicas": len(running.replicas),
            "API servers": len(lags),
            "latest bundle s": max(each.longest_lag for each in running.servers),
            "reviews": outcome["ok"],
            "handshakes": outcome["dials"],
            "failed": outcome["failed"],
            "writes of caBundle": running.api.requests["PATCH"],
        }
        assert outcome["failed"] == 0, outcome


@pytest.mark.control
async def test_the_control_without_overlap_loses_reviews(
    launch: Launch, apiserver_client: Path, tmp_path: Path, figures: dict[str, Any]
) -> None:
    """No grace: the next CA signs as soon as it is registered, and goes as soon as the other signs."""
    async with mesh(launch, tmp_path, ca_life=6, grace=0, lags=(2.0,)) as running:
        pressures = press(running, apiserver_client, 1)
        await until(lambda: pressures[0].failed > 0 or running.rotations >= 5)
        outcome = await ended(pressures)
    figures |= {"failed": outcome["failed"], "of": outcome["ok"] + outcome["failed"]}
    assert outcome["failed"] > 0, outcome


async def bring(running: Mesh, *, apart: float) -> None:
    """Let the replicas see a Secret with a new CA and its leaf, one after the other; wait until all serve it."""
    ca = trustme.CA()
    files = {**a_pair(ca), "ca.crt": ca.cert_pem.bytes()}
    new = ssl.PEM_cert_to_DER_cert(files["tls.crt"].decode())
    for number, replica in enumerate(running.replicas):
        await asyncio.sleep(apart if number else 0)
        replica.pair.swap(files)
    while {await asyncio.to_thread(leaf_of, each) for each in running.replicas} != {new}:
        await asyncio.sleep(0.1)


def leaf_of(process: Process) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", process.ports[0]), timeout=PATIENCE)
    ) as peer:
        return peer.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize(
    ("count", "apart", "settle", "lags"),
    [
        pytest.param(1, 0.5, 4.0, (0, 1.0), id="1"),
        pytest.param(20, 3, 12, (0, 3, 10), id="20", marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
async def test_rotations_of_a_ca_that_files_bring_lose_nothing(
    launch: Launch,
    apiserver_client: Path,
    tmp_path: Path,
    figures: dict[str, Any],
    count: int,
    apart: float,
    settle: float,
    lags: tuple[float, ...],
) -> None:
    """One Secret brings leaf and CA at once, to one replica after the other, as cert-manager's does."""
    async with mesh(launch, tmp_path, lags=lags, grace=3 * settle, settle=settle) as running:
        pressures = press(running, apiserver_client, 2 if count == 1 else 30)
        for _ in range(count):
            await bring(running, apart=apart)
        outcome = await ended(pressures)
        figures |= {
            "rotations": count,
            "replicas": len(running.replicas),
            "Secret seen by the last after s": 2 * apart,
            "latest bundle s": max(each.longest_lag for each in running.servers),
            "reviews": outcome["ok"],
            "handshakes": outcome["dials"],
            "failed": outcome["failed"],
        }
    assert outcome["failed"] == 0, outcome


@pytest.mark.control
async def test_the_control_that_serves_files_at_once_loses_reviews(
    launch: Launch, apiserver_client: Path, tmp_path: Path, figures: dict[str, Any]
) -> None:
    """The new leaf serves as soon as its files are there, whatever `caBundle` says.

    The API server takes three seconds to see it, so that it dials meanwhile on a busy machine too.
    """
    async with mesh(launch, tmp_path, lags=(3.0,), grace=5, settle=1.5, holds=False) as running:
        pressures = press(running, apiserver_client, 1)
        await bring(running, apart=0.5)
        outcome = await ended(pressures)
    figures |= {"rotations": 1, "failed": outcome["failed"], "of": outcome["ok"] + outcome["failed"]}
    assert outcome["failed"] > 0, outcome
