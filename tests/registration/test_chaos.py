"""An API server that fails in every way, on a clock that leaps: how soon all is right again, and at what cost.

Three replicas with an elector each, all timings the product's own, sockets real. Seconds are the loop's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, product
from pathlib import Path
from typing import Any

import pytest

from injector.kube.client import KubeClient
from injector.kube.lease import LeaseElector, LeaseTiming
from injector.kube.reflector import Timing
from injector.kube.waiting import Backoff, TokenBucket
from injector.registration.issue import issue_ca, issue_leaf
from injector.registration.plan import COLLECTION, WebhookNames
from injector.registration.reconciler import Reconciler, Trust
from tests.fake_api import FakeApi, connected, fake_api, refusal
from tests.registration.builders import NAME, THEIRS, configuration
from tests.virtual_time import loop_time, run

pytestmark = [pytest.mark.slow, pytest.mark.about("injector/registration", "injector/kube")]


async def until(condition: Callable[[], bool], *, seconds: float) -> None:
    """Wait in steps that are large for a clock that leaps and small beside what is measured."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(seconds / 1000)


def a_bundle(name: str) -> tuple[bytes, bytes]:
    now = datetime.now(UTC)
    ca = issue_ca(name=name, now=now, lifetime=timedelta(days=10))
    leaf = issue_leaf(ca, names=["a.b.svc"], now=now, lifetime=timedelta(days=1))
    return ca.certificate, leaf.certificate


OURS = Trust(**dict(zip(("ca_bundle", "leaf"), a_bundle("ours"), strict=True)))
RIVAL = base64.b64encode(a_bundle("rival")[0]).decode()


@dataclass
class Setting:
    """Replicas of the registration at one API server."""

    api: FakeApi
    reconcilers: list[Reconciler] = field(default_factory=list)

    @property
    def webhooks(self) -> list[dict[str, Any]]:
        found = self.api.objects[COLLECTION].get("sidecars")
        return found["webhooks"] if found else []

    def right(self) -> bool:
        """Tell whether our entry is right, and every replica knows it."""
        live = [
            base64.b64decode(each["clientConfig"].get("caBundle", ""))
            for each in self.webhooks
            if each["name"] == NAME
        ]
        return live == [OURS.ca_bundle] and all(each.status.in_sync for each in self.reconcilers)

    @property
    def writes(self) -> int:
        return sum(each.status.writes for each in self.reconcilers)

    async def put(self, body: dict[str, Any]) -> None:
        await self.api.put(COLLECTION, body)

    async def until_right(self, seconds: float) -> float:
        begin = loop_time()
        await until(self.right, seconds=seconds)
        return loop_time() - begin


@contextlib.asynccontextmanager
async def replicas(
    folder: Path, *, bucket: Callable[[], TokenBucket] = TokenBucket, **mutations: Any
) -> AsyncIterator[Setting]:
    """Run three replicas at a fake API server that holds the configuration, until it is right once.

    ``mutations`` are what a control has its reconcilers do without.
    """
    async with fake_api() as api, contextlib.AsyncExitStack() as stack:
        api.poll = 60.0
        setting = Setting(api)
        await setting.put(configuration())
        tasks = []
        for number in range(3):
            client = await stack.enter_async_context(connected(api, folder))
            tasks += replica(setting, client, number, bucket=bucket(), **mutations)
        try:
            await until(setting.right, seconds=30)
            yield setting
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def replica(setting: Setting, client: KubeClient, number: int, **options: Any) -> list[asyncio.Task[None]]:
    elector = LeaseElector(
        client=client,
        namespace="mesh",
        name="injector",
        identity=f"replica-{number}",
        timing=LeaseTiming(monotonic=loop_time),
    )
    reconciler = Reconciler(
        client=client,
        name="sidecars",
        names=WebhookNames(name=NAME),
        trust=lambda: OURS,
        leading=lambda: elector.leading,
        **{"timing": Timing(monotonic=loop_time), **options},
    )
    setting.reconcilers.append(reconciler)

    async def lead() -> None:
        reconciler.wake()
        await asyncio.Event().wait()

    return [asyncio.create_task(reconciler.run()), asyncio.create_task(elector.run(lead))]


# --- what goes wrong at the API server or on the way to it

Fault = Callable[[FakeApi], Awaitable[None]]


def refusing(code: int, *methods: str, **more: Any) -> Fault:
    async def begin(api: FakeApi) -> None:
        if "WATCH" in methods or not methods:
            await api.cut_watches()
        api.refuse = lambda method, _: refusal(code, **more) if not methods or method in methods else None

    return begin


async def cutting(api: FakeApi) -> None:
    """Every watch is cut in the middle of a line, and the next ones end at once."""
    await api.cut_watches()
    api.refuse = lambda method, _: refusal(200, text='{"type":"MODI') if method == "WATCH" else None


async def forgetting(api: FakeApi) -> None:
    """410 as an event: every version is too old, again and again."""
    await api.cut_watches()
    api.refuse = lambda method, _: api.forget_history() if method == "WATCH" else None


async def resetting(api: FakeApi) -> None:
    await api.cut_watches()
    api.resets = True


async def nothing(_: FakeApi) -> None:
    """The damage alone."""


FAULTS: dict[str, Fault] = {
    "nothing": nothing,
    "409 to writes": refusing(409, "PATCH", "PUT"),
    "403 to writes": refusing(403, "PATCH"),
    "401 to all": refusing(401),
    "404 to reads": refusing(404, "GET", "WATCH"),
    "410 as status": refusing(410, "WATCH"),
    "410 as event": forgetting,
    "429": refusing(429),
    "429 with Retry-After": refusing(429, retry_after=1),
    "500 to writes": refusing(500, "PATCH", "PUT", "POST"),
    "503 with a page": refusing(503, text="<html>no healthy upstream</html>"),
    "200 with a page": refusing(200, "GET", "WATCH", text="<html>welcome</html>\n"),
    "cut watches": cutting,
    "reset connections": resetting,
}


def clear(api: FakeApi) -> None:
    api.refuse = lambda _method, _path: None
    api.resets = False


# --- what somebody else does to the object meanwhile


async def deleted_and_made_again(setting: Setting) -> None:
    await setting.api.remove(COLLECTION, "sidecars")
    await setting.put(configuration())


async def reordered(setting: Setting) -> None:
    body = configuration("")
    body["webhooks"].reverse()
    await setting.put(body)


DAMAGE: dict[str, Callable[[Setting], Awaitable[None]]] = {
    "emptied": lambda setting: setting.put(configuration("")),
    "foreign": lambda setting: setting.put(configuration(RIVAL)),
    "no key": lambda setting: setting.put(configuration()),
    "not base64": lambda setting: setting.put(configuration("%%%")),
    "reordered": reordered,
    "deleted and made again": deleted_and_made_again,
}


def long(short: int, count: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "count", [short, pytest.param(count, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
    )


@long(1, 6)
def test_after_every_fault_all_is_right_within_five_seconds(
    tmp_path: Path, figures: dict[str, Any], count: int
) -> None:
    """Each fault with each damage, for a tenth of a second up to a minute and a half."""
    took: dict[str, list[float]] = defaultdict(list)
    writes = 0

    async def work() -> None:
        nonlocal writes
        draw = random.Random(count)
        # Every damage of this test would cost a token of the bucket, which has a test of its own.
        async with replicas(tmp_path, bucket=lambda: TokenBucket(capacity=10**6)) as setting:
            once = zip(FAULTS, cycle(DAMAGE), strict=False)
            rounds = [*product(FAULTS, DAMAGE)] * count if count > 1 else [*once]
            draw.shuffle(rounds)
            for fault, damage in rounds:
                await FAULTS[fault](setting.api)
                await DAMAGE[damage](setting)
                await asyncio.sleep(draw.choice([0.1, 1, 5, 12, 20, 90]) * draw.uniform(0.5, 1))
                clear(setting.api)
                took[fault].append(await setting.until_right(60))
                assert THEIRS in setting.webhooks, (fault, damage)
            writes = setting.writes

    run(work())
    everything = sorted(each for values in took.values() for each in values)
    slowest = max(took, key=lambda fault: max(took[fault]))
    figures |= {
        "faults": len(everything),
        "kinds of fault": len(FAULTS),
        "kinds of damage": len(DAMAGE),
        "right after s, median": everything[len(everything) // 2],
        "slowest": everything[-1],
        "of": slowest,
        "writes": writes,
    }
    assert everything[-1] < 5, (slowest, max(took[slowest]))


NEVER = 10.0**6
"""Virtual seconds, eleven days."""


@pytest.mark.control
def test_the_control_that_asks_once_stays_wrong(tmp_path: Path, figures: dict[str, Any]) -> None:
    """What a refused write left as it was waits for somebody else's change."""

    async def work() -> None:
        async with replicas(tmp_path, backoff=Backoff(first=NEVER, cap=NEVER)) as setting:
            await FAULTS["409 to writes"](setting.api)
            await DAMAGE["emptied"](setting)
            await asyncio.sleep(5)
            clear(setting.api)
            with pytest.raises(TimeoutError):
                await setting.until_right(60)

    run(work())
    figures |= {"wrong after s": 60}


@long(1, 20)
def test_a_watch_over_a_dead_connection_is_replaced_within_six_minutes(
    tmp_path: Path, figures: dict[str, Any], count: int
) -> None:
    """Half open: the peer is gone and says nothing, not even that; the object is emptied meanwhile."""
    took: list[float] = []

    async def work() -> None:
        async with replicas(tmp_path) as setting:
            for _ in range(count):
                await asyncio.sleep(random.Random(len(took)).uniform(0, 300))
                setting.api.half_open()
                await setting.put(configuration(""))
                took.append(await setting.until_right(1000))

    run(work())
    figures |= {"half-open watches": count, "replicas": 3, "right after s, slowest": max(took)}
    assert max(took) <= 360


@pytest.mark.control
def test_the_control_that_waits_for_a_silent_watch_stays_wrong(
    tmp_path: Path, figures: dict[str, Any]
) -> None:
    """A watch may last and be silent for ever, and nobody looks beside it."""
    patient = Timing(watch=(int(NEVER), int(NEVER)), idle=NEVER, monotonic=loop_time)

    async def work() -> None:
        async with replicas(tmp_path, timing=patient, resync=NEVER) as setting:
            setting.api.half_open()
            await setting.put(configuration(""))
            with pytest.raises(TimeoutError):
                await setting.until_right(360)

    run(work())
    figures |= {"wrong after s": 360}


@long(1, 10)
def test_a_rival_of_ten_minutes_meets_fifteen_writes_at_the_most(
    tmp_path: Path, figures: dict[str, Any], count: int
) -> None:
    """It writes another bundle each second; when it gives up, ours stands within a minute."""
    writes: list[int] = []
    settled: list[float] = []

    async def work() -> None:
        async with replicas(tmp_path) as setting:
            for _ in range(count):
                before, begin, alarm = setting.writes, loop_time(), 0
                end = begin + 600
                # It gives up some time between two of our tokens, the first time right after one.
                for last in (end, end + 5 * len(writes)):
                    while loop_time() < last:
                        await setting.put(configuration(RIVAL))
                        await asyncio.sleep(1)
                        alarm += any(each.status.fighting for each in setting.reconcilers)
                    if last == end:
                        ours = setting.writes - before
                        # The clock may have leapt past the end while a write was on its way.
                        most = 5 + int((loop_time() - begin) // 60)
                assert alarm > 500
                assert ours <= most
                writes.append(ours)
                settled.append(await setting.until_right(120))
                await until(lambda: not any(each.status.fighting for each in setting.reconcilers), seconds=5)
                if len(writes) < count:
                    await asyncio.sleep(600)  # until the bucket is full again

    run(work())
    figures |= {
        "fights of 10 minutes": count,
        "our writes, most": max(writes),
        "settled after s, slowest": max(settled),
    }
    assert max(settled) <= 61


@pytest.mark.control
def test_the_control_without_a_bucket_writes_as_often_as_its_rival(
    tmp_path: Path, figures: dict[str, Any]
) -> None:
    """Each write of the rival is answered by one of ours."""
    writes = 0

    async def work() -> None:
        nonlocal writes
        async with replicas(tmp_path, bucket=lambda: TokenBucket(capacity=10**6)) as setting:
            before = setting.writes
            for _ in range(60):
                await setting.put(configuration(RIVAL))
                await asyncio.sleep(1)
            writes = setting.writes - before

    run(work())
    figures |= {"fight of s": 60, "our writes": writes}
    assert writes > 15
