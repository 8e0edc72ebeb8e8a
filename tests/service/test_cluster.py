"""The cluster's works together: three replicas at a fake API server, wrong clocks, bad Secrets, crashes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from injector.kube.client import Connection
from injector.kube.clock import ServerClock
from injector.registration.bundle import readable, verifies
from injector.registration.issue import issue_ca, issue_leaf
from injector.registration.plan import COLLECTION, VALIDATING, WebhookNames
from injector.registration.self_signed import Policy, in_force
from injector.service.cluster import (
    ADVICE,
    FIRST_LISTS_SECONDS,
    Cluster,
    ClusterOptions,
)
from injector.service.companions import CompanionSurroundings, accompany
from injector.service.events import EVENTS_KEPT, RETRY_SECONDS
from injector.service.generation import Generation
from injector.service.handover import SETTLE_SECONDS
from injector.service.health import Readiness, pages
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import ServiceOptions
from injector.service.reload import Live
from injector.service.tls import KeyPair
from tests.fake_api import FakeApi, fake_api, kubeconfig, refusal
from tests.virtual_time import loop_time, run

pytestmark = [pytest.mark.slow, pytest.mark.socket]

SECRETS = "/api/v1/namespaces/mesh/secrets"
EVENTS = "/api/v1/namespaces/mesh/events"
NAME = "sidecar-injector.istio.io"
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
POLICY = Policy(
    names=("injector.mesh.svc",), ca_life=8 * MINUTE, leaf_life=4 * MINUTE, grace=timedelta(seconds=20)
)
"""Lives so short that all of them end in the minutes of a test."""


class Replica:
    """One replica's companions and what they are given; ``error`` is how far its clock is ahead."""

    def __init__(self, mesh: Mesh, number: int, **more: Any) -> None:
        self.error = timedelta()
        self.log = mesh.folder / f"log-{number}"
        self._descriptor = os.open(self.log, os.O_CREAT | os.O_WRONLY)
        pair: Live[KeyPair | None] = Live(None)
        self.cluster = Cluster(
            ClusterOptions(
                **{
                    "connection": Connection(kubeconfig=str(kubeconfig(mesh.api, mesh.folder))),
                    "namespace": "mesh",
                    "identity": f"replica-{number}",
                    "configuration": "sidecars",
                    "names": WebhookNames(name=NAME),
                    "watch": False,
                    "secret": "certs",
                    "self_signed": POLICY,
                    "grace": POLICY.grace,
                    "clock": ServerClock(local=lambda: mesh.now() + self.error, monotonic=loop_time),
                    **more,
                }
            )
        )
        self.surroundings = CompanionSurroundings(
            options=ServiceOptions(),
            pair=pair,
            offered=Live(None),
            ca=Live(None),
            generation=Live(None),
            readiness=Readiness(),
            metrics=Metrics(),
            log=Log(descriptor=self._descriptor),
        )
        self.tasks = [
            asyncio.create_task(accompany(companion, self.surroundings))
            for companion in self.cluster.parts().companions
        ]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.surroundings.log.close()
        os.close(self._descriptor)

    @property
    def pair(self) -> KeyPair | None:
        return self.surroundings.pair.value

    @property
    def skew(self) -> float:
        return self.surroundings.metrics.gauges["clock_skew_seconds"]()

    def page(self) -> str:
        return pages(self.surroundings.readiness)["/readyz"]("verbose", "").body.decode()

    def said(self) -> list[str]:
        return [orjson.loads(line)["message"] for line in self.log.read_text().splitlines()]


class Mesh:
    """Replicas at one API server, on a clock that leaps."""

    def __init__(self, api: FakeApi, folder: Path) -> None:
        self.api = api
        self.folder = folder
        # Certificates know whole seconds.
        self.begin = datetime.now(UTC).replace(microsecond=0), loop_time()
        self.ahead = timedelta()
        self.replicas: list[Replica] = []
        api.clock = lambda: self.now() + self.ahead
        api.poll = 60.0

    def now(self) -> datetime:
        begin, at = self.begin
        return begin + timedelta(seconds=loop_time() - at)

    @property
    def live(self) -> bytes:
        (entry,) = self.api.objects[COLLECTION]["sidecars"]["webhooks"]
        return base64.b64decode(entry["clientConfig"].get("caBundle", ""))

    def accepts(self, pair: KeyPair | None) -> bool:
        """Return whether the API server accepts a pair, by the bundle and the clock that it has."""
        now = self.api.clock()
        cas = b"".join(ca.pem for ca in readable(self.live) if in_force(ca, now))
        return pair is not None and pair.fault(now) is None and verifies(cas, pair.chain_pem)

    def right(self) -> bool:
        """Return whether all replicas serve one leaf that the API server accepts."""
        secret = self.api.objects.get(SECRETS, {}).get("certs")
        leaves = {replica.pair.chain_pem for replica in self.replicas if replica.pair}
        return (
            secret is not None
            and leaves == {base64.b64decode(secret["data"]["tls.crt"])}
            and all(self.accepts(replica.pair) for replica in self.replicas)
        )

    async def until(self, condition: Callable[[], bool], *, within: float = 60.0) -> float:
        """Wait for a condition; return the seconds of the clock that leaps."""
        begin = loop_time()
        async with asyncio.timeout(within):
            while not condition():
                await asyncio.sleep(0.25)
        return loop_time() - begin

    async def spend(self, minutes: float, *, check: bool = True) -> None:
        """Let time pass, and look at every replica's leaf each second."""
        end = loop_time() + 60 * minutes
        while loop_time() < end:
            await asyncio.sleep(1)
            for replica in self.replicas if check else ():
                assert self.accepts(replica.pair)


@contextlib.asynccontextmanager
async def mesh(folder: Path, *, count: int = 3, **more: Any) -> AsyncIterator[Mesh]:
    async with fake_api() as api:
        entry = {"name": NAME, "clientConfig": {"url": "https://x"}}
        await api.put(COLLECTION, {"metadata": {"name": "sidecars"}, "webhooks": [entry]})
        running = Mesh(api, folder)
        running.replicas = [Replica(running, number, **more) for number in range(count)]
        try:
            await running.until(running.right)
            yield running
        finally:
            for replica in running.replicas:
                await replica.end()


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param((-30 * MINUTE, 0 * DAY, 0 * DAY), id="30 minutes behind"),
        pytest.param((730 * DAY, -730 * DAY, 0 * DAY), id="two years ahead and behind"),
        pytest.param((21 * DAY, 21 * DAY, 21 * DAY), id="21 days ahead, all of them"),
    ],
)
def test_wrong_clocks_lose_no_review_and_all_is_right_a_minute_after_they_are(
    tmp_path: Path, errors: tuple[timedelta, ...]
) -> None:
    """For a minute nothing is renewed where all are wrong; where one is right, CA and leaf end meanwhile."""

    async def work() -> None:
        async with mesh(tmp_path) as running:
            somebody_is_right = timedelta() in errors
            for replica, error in zip(running.replicas, errors, strict=True):
                replica.error = error
            first = running.live
            await running.spend(7 if somebody_is_right else 1)
            assert (running.live != first) == somebody_is_right
            for replica in running.replicas:
                replica.error = timedelta()
            await running.until(running.right)
            await running.spend(3)

    run(work())


@pytest.mark.parametrize("ahead", [21 * DAY, -730 * DAY, 3650 * DAY])
def test_a_node_of_everybody_with_a_wrong_clock_is_mended_in_a_minute(
    tmp_path: Path, ahead: timedelta
) -> None:
    """API server and replicas agree on a wrong time: a CA from then must go when the time is right again."""

    async def work() -> None:
        async with mesh(tmp_path) as running:
            for error in (ahead, timedelta()):
                running.ahead = error
                for replica in running.replicas:
                    replica.error = error
                await running.until(running.right)
            await running.spend(3)

    run(work())


def test_a_wrong_clock_is_said_by_metric_page_event_and_log(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1) as running:
            (replica,) = running.replicas
            assert abs(replica.skew) < 2
            assert "clock" not in replica.page()
            replica.error = -30 * MINUTE
            await running.until(lambda: "the clock is too wrong to renew certificates" in replica.said())
            assert abs(replica.skew + 1800) < 2
            sentence = (
                "s behind the API server's: Secret mesh/certs is left to other replicas until the node's clock "
                "is set right"
            )
            assert sentence in replica.page()
            await running.until(lambda: bool(running.api.objects.get(EVENTS)))
            (posted,) = running.api.objects[EVENTS].values()
            assert posted["reason"] == "ClockSkew"
            assert posted["involvedObject"]["name"] == "certs"
            assert sentence in posted["message"]
            replica.error = timedelta()
            await running.until(lambda: "the clock agrees with the API server's again" in replica.said())
            assert "clock" not in replica.page()

    run(work())


BAD: dict[str, dict[str, str] | None] = {
    "no data": {},
    "nonsense": dict.fromkeys(("ca.crt", "ca.key", "tls.crt", "tls.key"), "bm9uc2Vuc2U="),
    "not base64": {"tls.crt": "%%%"},
    "no value": {"tls.key": None},  # type: ignore[dict-item]
    "huge": {"ca.crt": base64.b64encode(b"-----BEGIN CERTIFICATE-----" * 30_000).decode()},
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_a_bad_secret_is_made_anew_and_hurts_nothing_else(tmp_path: Path, data: dict[str, str]) -> None:
    """Some keys are spoilt, or all; what is served before the new CA is trusted is the old leaf."""

    async def work() -> None:
        async with mesh(tmp_path) as running:
            secret = running.api.objects[SECRETS]["certs"]
            await running.api.put(SECRETS, {**secret, "data": {**secret["data"], **data} if data else {}})
            await running.api.put(
                COLLECTION, {**running.api.objects[COLLECTION]["sidecars"], "metadata": {"name": "sidecars"}}
            )
            await running.spend(1)
            await running.until(running.right)
            for replica in running.replicas:
                assert not [line for line in replica.said() if "crashed" in line]

    run(work())


@pytest.mark.parametrize("left", [1, 3, 60])
def test_a_ca_that_ends_in_seconds_costs_a_moment_and_not_the_while_that_the_next_one_settles(
    tmp_path: Path, left: int
) -> None:
    """The cluster slept until then."""

    async def work() -> None:
        async with mesh(tmp_path, count=2) as running:
            for replica in running.replicas:
                await replica.end()
            end = running.now() + timedelta(seconds=left)
            ca = issue_ca(name="old", now=end - POLICY.ca_life, lifetime=POLICY.ca_life)
            leaf = issue_leaf(ca, names=POLICY.names, now=end - MINUTE, lifetime=MINUTE)
            secret = {
                "ca.crt": ca.certificate,
                "ca.key": ca.key,
                "tls.crt": leaf.certificate,
                "tls.key": leaf.key,
            }
            data = {key: base64.b64encode(value).decode() for key, value in secret.items()}
            await running.api.put(SECRETS, {"metadata": {"name": "certs"}, "data": data})
            client = {"url": "https://x", "caBundle": data["ca.crt"]}
            entry = {"name": NAME, "clientConfig": client}
            await running.api.put(COLLECTION, {"metadata": {"name": "sidecars"}, "webhooks": [entry]})
            running.replicas[:] = [Replica(running, number) for number in (2, 3)]
            begin, refused = loop_time(), 0.0
            while loop_time() < begin + 90:
                await asyncio.sleep(0.25)
                refused += 0.25 * (not all(running.accepts(replica.pair) for replica in running.replicas))
            assert refused < SETTLE_SECONDS / 2  # the clock leaps by seconds where the machine is slow

    run(work())


def test_the_configuration_that_asks_for_advice_gets_the_same_ca_and_hinders_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=2, advice="advice") as running:
            for replica in running.replicas:
                assert replica.cluster.registration == (NAME, running.api.objects[COLLECTION]["sidecars"])
            # It comes later than all else, as a component that is added.
            entry = {"name": ADVICE, "clientConfig": {"url": "https://x"}}
            await running.api.put(VALIDATING, {"metadata": {"name": "advice"}, "webhooks": [entry]})

            def bundle() -> bytes:
                (found,) = running.api.objects[VALIDATING]["advice"]["webhooks"]
                return base64.b64decode(found["clientConfig"].get("caBundle", ""))

            await running.until(lambda: bool(bundle()) and bundle() == running.live)
            await running.api.remove(VALIDATING, "advice")
            await running.spend(1)
            await running.until(running.right)

    run(work())


@pytest.mark.parametrize(
    ("configuration", "name"),
    [("green", NAME), ("sidecars", "green.istio.io"), ("green", "green.istio.io")],
)
def test_two_installations_in_one_namespace_have_a_leader_each(
    tmp_path: Path, configuration: str, name: str
) -> None:
    """They differ in the configuration that they keep, in their entries of it, or in both."""

    async def work() -> None:
        async with mesh(tmp_path, count=2) as running:
            known = running.api.objects[COLLECTION].get(configuration, {"webhooks": []})["webhooks"]
            entries = [*known, {"name": name, "clientConfig": {"url": "https://y"}}]
            await running.api.put(COLLECTION, {"metadata": {"name": configuration}, "webhooks": entries})
            green = Replica(running, 2, configuration=configuration, names=WebhookNames(name=name))
            running.replicas.append(green)
            gauges = green.surroundings.metrics.gauges
            await running.until(lambda: "ca_bundle_in_sync" in gauges and bool(gauges["ca_bundle_in_sync"]()))

    run(work())


def test_a_replica_without_leave_to_lead_says_so(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1) as running:
            (replica,) = running.replicas
            refused = 'leases "sidecars.sidecar-injector.istio.io" is forbidden'

            def refuse(_method: str, path: str) -> web.Response | None:
                body = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": refused}
                return web.json_response(body, status=403) if "/leases" in path else None

            running.api.refuse = refuse
            await running.until(lambda: f"[~]lease: {refused} (403)" in replica.page())
            await running.until(lambda: "the API server does not let us" in replica.said())
            running.api.refuse = lambda _method, _path: None
            await running.until(lambda: "lease" not in replica.page())

    run(work())


def test_an_api_server_that_is_away_is_not_one_that_refuses(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1) as running:
            (replica,) = running.replicas
            running.api.resets = True
            await running.until(lambda: "the API server does not answer" in replica.said())
            assert "the API server does not let us" not in replica.said()
            running.api.resets = False

    run(work())


def test_a_replica_is_ready_when_reviews_know_the_nodes(tmp_path: Path) -> None:
    class Seeing:
        """A reviewer that remembers what it was told of."""

        def __init__(self) -> None:
            self.seen: list[Any] = []

        def refresh(self) -> None:
            """Look at the nodes."""
            self.seen.append(replica.cluster.nodes)

    async def work() -> None:
        nonlocal replica
        async with mesh(tmp_path, count=1) as running:
            running.api.refuse = lambda _method, path: web.Response(status=503) if "nodes" in path else None
            replica = Replica(running, 1, watch=True)
            running.replicas.append(replica)
            generation = Generation(number=1, hash="", reviewer=reviewer, trial=None, injecting=None)
            replica.surroundings.generation.set(generation)
            await running.until(
                lambda: "[-]cluster failed: the API server has not listed nodes yet" in replica.page()
            )
            running.api.refuse = lambda _method, _path: None
            await running.until(lambda: "[+]cluster ok" in replica.page())
            assert reviewer.seen == [{}]
            assert "reviews are answered before the cluster was listed" not in replica.said()

    replica: Any = None
    reviewer: Any = Seeing()
    run(work())


def test_a_replica_is_ready_without_an_api_server_that_lists_anything(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1) as running:
            running.api.refuse = lambda _method, _path: web.Response(status=503)
            replica = Replica(running, 1, watch=True)
            running.replicas.append(replica)
            begin = loop_time()
            await running.until(lambda: "[-]cluster failed" in replica.page())
            await running.until(lambda: "[+]cluster ok" in replica.page())
            assert loop_time() - begin == pytest.approx(FIRST_LISTS_SECONDS, abs=1)
            await running.until(
                lambda: replica.said().count("reviews are answered before the cluster was listed") == 1
            )

    run(work())


def test_a_kubeconfig_that_cannot_be_used_is_told_and_read_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1) as running:
            path = tmp_path / "broken"
            path.write_text("contexts: 5\n")
            replica = Replica(running, 2, connection=Connection(kubeconfig=str(path)))
            running.replicas.append(replica)
            await running.until(lambda: replica.said() == ["no API server is known"])
            assert (
                f"connection: the kubeconfig {path} cannot be used: contexts is not a list" in replica.page()
            )
            path.write_text(kubeconfig(running.api, tmp_path).read_text())
            await running.until(lambda: replica.pair is not None)
            assert "connection: " not in replica.page()

    run(work())


def test_a_work_that_crashes_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    def strange(method: str, path: str) -> web.Response | None:
        """Answer a list of namespaces with something that is none."""
        if path.endswith("/namespaces"):
            return web.json_response({"items": [{}], "metadata": {}})
        return None

    async def work() -> None:
        async with mesh(tmp_path, count=1, watch=True) as running:
            (replica,) = running.replicas
            await running.api.put("/api/v1/namespaces", {"metadata": {"name": "shop"}})
            running.api.refuse = strange
            await running.api.cut_watches()
            crashed = "a work of the cluster crashed and is started again"
            await running.until(lambda: replica.said().count(crashed) >= 2)
            assert "namespaces: crashed (KeyError) and is started again" in replica.page()
            first = replica.pair
            await running.until(lambda: replica.pair is not first, within=600)
            assert running.accepts(replica.pair)
            running.api.refuse = lambda _method, _path: None
            await running.until(lambda: "shop" in replica.cluster.namespaces)
            assert "crashed" not in replica.page()

    run(work())


def reasons(api: FakeApi) -> list[str]:
    """Return the reasons of the Events that were posted, in their order."""
    return [event["reason"] for event in api.objects.get(EVENTS, {}).values()]


@pytest.mark.parametrize(
    ("code", "posted"),
    [(403, ["second", "third"]), (422, ["second", "third"]), (503, ["first", "second", "third"])],
)
def test_an_event_that_is_refused_keeps_none_from_being_posted(
    tmp_path: Path, code: int, posted: list[str]
) -> None:
    def refuse_one(_method: str, path: str) -> web.Response | None:
        refused.append(path == EVENTS)
        return refusal(code) if path == EVENTS and refused.count(True) == 1 else None

    async def work() -> None:
        async with mesh(tmp_path, count=1, config_map="injector") as running:
            (replica,) = running.replicas
            running.api.refuse = refuse_one
            for reason in ("first", "second", "third"):
                replica.cluster.warn(reason, "something is wrong")
            await running.until(lambda: reasons(running.api)[-1:] == ["third"], within=2 * RETRY_SECONDS)
            assert reasons(running.api) == posted

    refused: list[bool] = []
    run(work())


def test_an_event_that_comes_while_another_is_posted_puts_out_none(tmp_path: Path) -> None:
    async def work() -> None:
        async with mesh(tmp_path, count=1, config_map="injector") as running:
            (replica,) = running.replicas

            def warn_once_more(_method: str, path: str) -> None:
                if path == EVENTS and not reasons(running.api):
                    replica.cluster.warn("last", "it came while the first was being posted")

            running.api.refuse = warn_once_more
            for number in range(EVENTS_KEPT):
                replica.cluster.warn(str(number), "something is wrong")
            await running.until(lambda: reasons(running.api)[-1:] == ["last"])
            assert reasons(running.api) == [*map(str, range(EVENTS_KEPT)), "last"]

    run(work())
