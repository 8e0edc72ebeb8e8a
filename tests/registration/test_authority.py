"""Replicas that make their own certificates agree on one CA and rotate it without losing anybody."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from injector.kube.client import KubeClient
from injector.registration.authority import SelfSigned, Served
from injector.registration.bundle import verifies
from injector.registration.self_signed import Policy
from tests.fake_api import FakeApi, connected, refusal, until

SECRETS = "/api/v1/namespaces/mesh/secrets"


class Replica:
    """One replica's keeper of the Secret, its clock and what it serves."""

    def __init__(self, client: KubeClient) -> None:
        self.served: list[Served] = []
        self.live = b""
        self.clock = datetime.now(UTC)
        self.keeper = SelfSigned(
            client=client,
            namespace="mesh",
            name="certs",
            policy=Policy(names=("injector.mesh.svc",)),
            serve=self.served.append,
            live_bundle=lambda: self.live,
            now=lambda: self.clock,
        )


@contextlib.asynccontextmanager
async def running(*replicas: Replica, within: float = 0.0) -> AsyncIterator[None]:
    async def run(replica: Replica) -> None:
        await asyncio.sleep(random.uniform(0, within))
        await replica.keeper.run()

    tasks = [asyncio.create_task(run(replica)) for replica in replicas]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.about("injector/registration", "injector/kube")
@pytest.mark.parametrize("count", [10, pytest.param(200, marks=[pytest.mark.soak, pytest.mark.timeout(600)])])
async def test_replicas_that_start_together_agree_on_one_ca(
    api: FakeApi, tmp_path: Path, figures: dict[str, Any], count: int
) -> None:
    """Each has a connection of its own; they start within 20 ms, and a tenth of the first writes is refused."""
    writes, cas = 0, set()
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(api, tmp_path)) for _ in range(3)]
        for number in range(count):
            api.objects.pop(SECRETS, None)
            answers = iter([refusal(500)] if number % 10 == 9 else [])
            api.refuse = lambda method, _, a=answers: next(a, None) if method == "POST" else None  # type: ignore[misc]
            replicas = [Replica(client) for client in clients]
            async with running(*replicas, within=0.02):
                await until(lambda r=replicas: all(each.served for each in r))  # type: ignore[misc]
                assert {len(each.served) for each in replicas} == {1}, "one of them served another CA first"
                served = {each.served[-1] for each in replicas}
                assert len(served) == 1
                pair = served.pop()
                assert verifies(pair.ca_bundle, pair.certificate)
                cas.add(pair.ca_bundle)
                writes += sum(each.keeper.writes for each in replicas)
    figures |= {
        "cold starts": count,
        "replicas": 3,
        "CAs": len(cas),
        "writes": writes,
        "leaves that verify": 3 * count,
    }
    assert len(cas) == writes == count


async def test_a_rotation_keeps_every_served_leaf_trusted(api: FakeApi, client: KubeClient) -> None:
    replica = Replica(client)
    async with running(replica):
        await until(lambda: bool(replica.served))
        first = replica.served[-1]
        for step in (timedelta(days=250), timedelta(minutes=6), timedelta(minutes=6)):
            replica.live = replica.served[-1].ca_bundle
            replica.clock += step
            count = len(replica.served)
            replica.keeper.wake()
            await until(lambda c=count: len(replica.served) > c)  # type: ignore[misc]
            # A client may know the bundle of one step ago.
            assert verifies(replica.live, replica.served[-1].certificate)
        await until(lambda: replica.served[-1].ca_bundle.count(b"BEGIN") == 1)
        assert not verifies(replica.served[-1].ca_bundle, first.certificate)


@pytest.mark.parametrize("code", [403, 409, 500])
async def test_a_refused_write_is_tried_again(api: FakeApi, client: KubeClient, code: int) -> None:
    left = 2

    def refuse(method: str, _: str):
        nonlocal left
        if method == "POST" and left:
            left -= 1
            return refusal(code)
        return None

    api.refuse = refuse
    replica = Replica(client)
    async with running(replica):
        await until(lambda: bool(replica.served))
        assert not left


async def test_a_secret_that_somebody_damaged_is_made_anew(api: FakeApi, client: KubeClient) -> None:
    damaged = {"ca.crt": base64.b64encode(b"nonsense").decode(), "mine": "eA=="}
    await api.put(SECRETS, {"metadata": {"name": "certs", "namespace": "mesh"}, "data": damaged})
    replica = Replica(client)
    async with running(replica):
        await until(lambda: bool(replica.served))
        assert set(api.objects[SECRETS]["certs"]["data"]) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}


async def test_a_deleted_secret_is_made_anew(api: FakeApi, client: KubeClient) -> None:
    replica = Replica(client)
    async with running(replica):
        await until(lambda: len(replica.served) == 1)
        await api.remove(SECRETS, "certs")
        await until(lambda: len(replica.served) == 2)


def test_what_is_served_never_shows_its_key() -> None:
    served = Served(certificate=b"c", key=b"SECRET", ca_bundle=b"b")
    assert "SECRET" not in repr(served)
