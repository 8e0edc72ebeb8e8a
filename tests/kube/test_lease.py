"""Who leads, for how long, and what ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from injector.kube.client import REQUEST_SECONDS, KubeClient
from injector.kube.errors import KubeError
from injector.kube.lease import LeaseElector, LeaseTiming
from tests.conftest import PATIENCE
from tests.fake_api import FakeApi, Refusals, refusal, until

LEASES = "/apis/coordination.k8s.io/v1/namespaces/mesh/leases"
QUICK = LeaseTiming(duration=0.4, renew_deadline=0.2, retry=0.05)


class Replica:
    """An elector and what its leadership does."""

    def __init__(self, client: KubeClient, identity: str) -> None:
        self.failures: list[KubeError | None] = []
        self.elector = LeaseElector(
            client=client,
            namespace="mesh",
            name="injector",
            identity=identity,
            failed=self.failures.append,
            timing=QUICK,
        )
        self.terms = 0
        self.working = False

    async def lead(self) -> None:
        self.terms += 1
        self.working = True
        try:
            await asyncio.Event().wait()
        finally:
            self.working = False


@contextlib.asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(replica.elector.run(replica.lead)) for replica in replicas]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_of_three_leads(api: FakeApi, client: KubeClient) -> None:
    replicas = [Replica(client, name) for name in "abc"]
    async with running(*replicas):
        await until(lambda: any(replica.working for replica in replicas))
        lease = api.objects[LEASES]["injector"]
        first = lease["spec"]["renewTime"]
        await until(lambda: api.objects[LEASES]["injector"]["spec"]["renewTime"] != first)
        assert sum(replica.working for replica in replicas) == 1
        assert lease["spec"]["leaseTransitions"] == 1


async def test_a_leader_that_leaves_hands_over_at_once(api: FakeApi, client: KubeClient) -> None:
    first, second = Replica(client, "a"), Replica(client, "b")
    async with running(first) as (task,):
        await until(lambda: first.working)
        async with running(second):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not first.working
            assert api.objects[LEASES]["injector"]["spec"]["holderIdentity"] in ("", "b")
            await until(lambda: second.working)
            assert api.objects[LEASES]["injector"]["spec"]["leaseTransitions"] == 3


async def test_a_leader_that_cannot_renew_stops_before_another_starts(
    api: FakeApi, client: KubeClient
) -> None:
    replica = Replica(client, "a")
    async with running(replica):
        await until(lambda: replica.working)
        api.refuse = lambda _method, _path: refusal(503)
        await until(lambda: not replica.elector.leading)
        assert not replica.working, "the work had ended before the Lease was given up"
        api.refuse = lambda _method, _path: None
        await until(lambda: replica.terms == 2)


@pytest.mark.parametrize("before", [None, "", "gone"], ids=["none", "released", "abandoned"])
async def test_one_failed_renewal_ends_no_term(api: FakeApi, client: KubeClient, before: str | None) -> None:
    if before is not None:
        spec = {"holderIdentity": before, "renewTime": "2020-01-01T00:00:00.000000Z"}
        await api.put(LEASES, {"metadata": {"name": "injector", "namespace": "mesh"}, "spec": spec})
    replica = Replica(client, "a")
    replica.elector.timing = replace(QUICK, renew_deadline=PATIENCE)
    async with running(replica):
        await until(lambda: replica.working)
        api.refuse = failing = Refusals(method="GET", left=1, answer=lambda: refusal(503))
        await until(lambda: not failing.left)
        held = api.objects[LEASES]["injector"]["spec"]
        await until(lambda: api.objects[LEASES]["injector"]["spec"] != held)
        assert replica.working
        assert replica.terms == 1
        renewed = api.objects[LEASES]["injector"]["spec"]
        assert renewed["acquireTime"] == held["acquireTime"]


async def test_a_lease_that_was_taken_away_ends_the_term(api: FakeApi, client: KubeClient) -> None:
    replica = Replica(client, "a")
    async with running(replica):
        await until(lambda: replica.working)
        lease = api.objects[LEASES]["injector"]
        await api.put(LEASES, {**lease, "spec": {**lease["spec"], "holderIdentity": "usurper"}})
        await until(lambda: not replica.working)


async def test_an_abandoned_lease_is_taken_after_its_duration(api: FakeApi, client: KubeClient) -> None:
    spec = {"holderIdentity": "gone", "renewTime": "2020-01-01T00:00:00.000000Z", "leaseTransitions": 4}
    await api.put(LEASES, {"metadata": {"name": "injector", "namespace": "mesh"}, "spec": spec})
    replica = Replica(client, "a")
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with running(replica):
        await until(lambda: replica.working)
    assert loop.time() - start >= QUICK.duration, "the holder had its duration from when it was first seen"
    assert api.objects[LEASES]["injector"]["spec"]["leaseTransitions"] >= 5


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_who_may_not_lead_says_why_until_it_may(api: FakeApi, client: KubeClient, method: str) -> None:
    if method == "PUT":
        await api.put(LEASES, {"metadata": {"name": "injector", "namespace": "mesh"}, "spec": {}})
    api.refuse = Refusals(method=method, left=3, answer=lambda: refusal(403))
    replica = Replica(client, "a")
    async with running(replica):
        await until(lambda: replica.working)
        await until(lambda: replica.failures[-1] is None)
    assert [str(error) for error in replica.failures[:3]] == ["Refused (403)"] * 3
    assert set(replica.failures[3:]) == {None}


async def test_a_faster_replica_is_no_failure(api: FakeApi, client: KubeClient) -> None:
    replicas = [Replica(client, name) for name in "abcde"]
    async with running(*replicas):
        await until(lambda: any(replica.working for replica in replicas))
    assert {error for replica in replicas for error in replica.failures} == {None}


async def test_who_stops_does_not_wait_for_an_api_server_that_hangs(api: FakeApi, client: KubeClient) -> None:
    replica = Replica(client, "a")
    async with running(replica) as (task,):
        await until(lambda: replica.working)
        api.hangs = True
        task.cancel()
        async with asyncio.timeout(REQUEST_SECONDS / 2):
            await asyncio.wait([task])
    assert not replica.working
