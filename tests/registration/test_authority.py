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

from injector.errors import ConfigError, InjectorError
from injector.kube.client import KubeClient
from injector.kube.reflector import Timing
from injector.registration.authority import SelfSigned
from injector.registration.bundle import verifies
from injector.registration.self_signed import Policy, Served
from tests.fake_api import FakeApi, Refusals, connected, refusal, until

SECRETS = "/api/v1/namespaces/mesh/secrets"


class Replica:
    """One replica's keeper of the Secret, its clock and what it serves."""

    def __init__(self, client: KubeClient) -> None:
        self.served: list[Served] = []
        self.live = b""
        self.errors: dict[str, str] = {}
        self.told: list[timedelta] = []
        self.seconds = 0.0
        self.looks = 0
        self.keeper = SelfSigned(
            client=client,
            namespace="mesh",
            name="certs",
            policy=Policy(names=("injector.mesh.svc",)),
            serve=self.serve,
            live_bundle=self.look,
            failed=self.fail,
            held_back=self.told.append,
            timing=Timing(monotonic=lambda: self.seconds),
        )

    def look(self) -> bytes:
        self.looks += 1
        return self.live

    def serve(self, served: Served) -> None:
        self.served.append(served)

    def fail(self, work: str, error: InjectorError | None) -> None:
        self.errors[work] = "" if error is None else str(error)


class Clock:
    """The clock on the wall at the API server and here, which the test sets."""

    def __init__(self, api: FakeApi, client: KubeClient) -> None:
        self.ahead = timedelta()
        self.here = timedelta()
        api.clock = lambda: datetime.now(UTC) + self.ahead
        client.clock.local = lambda: datetime.now(UTC) + self.ahead + self.here


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
    replica, clock = Replica(client), Clock(api, client)

    async def later(days: float) -> None:
        """Let time pass once the replica has seen what is live."""
        looks = replica.looks
        replica.keeper.wake()
        await until(lambda: replica.looks > looks)
        clock.ahead += timedelta(days=days)
        replica.seconds += timedelta(days=days).total_seconds()
        replica.keeper.wake()

    async with running(replica):
        await until(lambda: bool(replica.served))
        first = replica.served[0]
        await later(days=250)
        await until(lambda: replica.served[-1].ca_bundle.count(b"BEGIN") == 2)
        replica.live = replica.served[-1].ca_bundle
        assert verifies(first.ca_bundle, replica.served[-1].certificate)
        await later(days=1)
        await until(lambda: not verifies(first.ca_bundle, replica.served[-1].certificate))
        assert verifies(replica.live, replica.served[-1].certificate)
        assert verifies(replica.served[-1].ca_bundle, first.certificate)
        replica.live = replica.served[-1].ca_bundle
        await later(days=31)
        await until(lambda: replica.served[-1].ca_bundle.count(b"BEGIN") == 1)
        assert not verifies(replica.served[-1].ca_bundle, first.certificate)


async def test_a_replica_whose_clock_is_wrong_says_so_and_leaves_the_secret_to_others(
    api: FakeApi, client: KubeClient
) -> None:
    replica, clock = Replica(client), Clock(api, client)
    clock.here = timedelta(days=730)
    async with running(replica):
        await until(lambda: bool(replica.told))
        assert abs(replica.told[0] - clock.here) < timedelta(minutes=1)
        assert api.requests["POST"] == 0
        clock.here = timedelta()
        replica.keeper.wake()
        await until(lambda: bool(replica.served))
        assert replica.told[1:] == [timedelta()]


async def test_a_replica_that_may_not_write_serves_what_is_there(api: FakeApi, client: KubeClient) -> None:
    first, clock = Replica(client), Clock(api, client)
    async with running(first):
        await until(lambda: bool(first.served))
    clock.ahead = timedelta(days=25)
    api.refuse = lambda method, _: refusal(403) if method == "PUT" else None
    second = Replica(client)
    async with running(second):
        await until(lambda: bool(second.served) and "Refused" in second.errors.get("secret-write", ""))
        assert second.served == first.served
        api.refuse = lambda _method, _path: None
        await until(lambda: len(second.served) == 2)
        await until(lambda: not second.errors["secret-write"])


async def test_a_pair_that_cannot_be_loaded_is_issued_anew_and_ends_nothing(
    api: FakeApi, client: KubeClient
) -> None:
    replica, clock = Replica(client), Clock(api, client)
    refused: list[Served] = []

    def serve(served: Served) -> None:
        if not refused:
            refused.append(served)
            raise ConfigError("OpenSSL does not take the pair")
        replica.served.append(served)

    replica.keeper.serve = serve
    async with running(replica):
        await until(lambda: replica.errors.get("certificate") == "OpenSSL does not take the pair")
        clock.ahead = timedelta(minutes=2)
        replica.keeper.wake()
        await until(lambda: bool(replica.served))
        assert replica.served[0].certificate != refused[0].certificate
        assert replica.errors["certificate"] == ""


@pytest.mark.parametrize("code", [403, 409, 500])
async def test_a_refused_write_is_tried_again(api: FakeApi, client: KubeClient, code: int) -> None:
    refusals = Refusals(method="POST", left=2, answer=lambda: refusal(code))
    api.refuse = refusals
    replica = Replica(client)
    async with running(replica):
        await until(lambda: bool(replica.served))
        assert not refusals.left


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
