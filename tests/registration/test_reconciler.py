"""Our entry at the API server is repaired, whatever happens to it, and nobody else's is touched."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from injector.kube.client import KubeClient
from injector.kube.reflector import Timing
from injector.kube.waiting import TokenBucket
from injector.registration.bundle import authorities
from injector.registration.issue import IssuedPair, issue_ca, issue_leaf
from injector.registration.plan import COLLECTION, WebhookNames
from injector.registration.reconciler import Reconciler, Trust
from tests.fake_api import FakeApi, Refusals, refusal, until
from tests.registration.builders import NAME, THEIRS, configuration


def new_ca(name: str = "CA") -> IssuedPair:
    return issue_ca(name=name, now=datetime.now(UTC), lifetime=timedelta(days=1))


def trust_in(ca: IssuedPair) -> Trust:
    leaf = issue_leaf(ca, names=["a.b.svc"], now=datetime.now(UTC), lifetime=timedelta(hours=1))
    return Trust(ca_bundle=ca.certificate, leaf=leaf.certificate)


class Setting:
    """A reconciler at work and what can be done to it."""

    def __init__(self, api: FakeApi, client: KubeClient, name: str = NAME, **options: Any) -> None:
        self.api = api
        self.name = name
        self.ca = new_ca()
        self.trust: Trust | None = trust_in(self.ca)
        self.reconciler = Reconciler(
            client=client,
            name="sidecars",
            names=WebhookNames(name=name),
            trust=lambda: self.trust,
            **{"timing": Timing(idle=5.0), **options},
        )

    @property
    def entry(self) -> dict[str, Any]:
        return next(
            each for each in self.api.objects[COLLECTION]["sidecars"]["webhooks"] if each["name"] == self.name
        )

    @property
    def live(self) -> bytes:
        return base64.b64decode(self.entry["clientConfig"].get("caBundle", ""))

    def right(self) -> bool:
        return bool(self.trust) and self.live == self.trust.ca_bundle


@contextlib.asynccontextmanager
async def running(setting: Setting) -> AsyncIterator[Setting]:
    task = asyncio.create_task(setting.reconciler.run())
    try:
        yield setting
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_an_entry_without_a_bundle_gets_ours_and_the_others_stay(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    async with running(Setting(api, client)) as setting:
        await until(setting.right)
        assert api.objects[COLLECTION]["sidecars"]["webhooks"][0] == THEIRS
        await until(lambda: setting.reconciler.status.in_sync)
        assert setting.reconciler.status.verified
        assert setting.reconciler.status.writes == 1


@pytest.mark.parametrize("state", ["emptied", "foreign", "reordered", "deleted and made again"])
async def test_what_others_do_to_it_is_repaired(api: FakeApi, client: KubeClient, state: str) -> None:
    await api.put(COLLECTION, configuration())
    async with running(Setting(api, client)) as setting:
        await until(setting.right)
        changed = configuration("" if state == "emptied" else base64.b64encode(new_ca().certificate).decode())
        if state == "reordered":
            changed["webhooks"].reverse()
        if state == "deleted and made again":
            await api.remove(COLLECTION, "sidecars")
            await until(lambda: setting.reconciler.status.missing)
            changed = configuration()
        await api.put(COLLECTION, changed)
        await until(setting.right)
        assert THEIRS in api.objects[COLLECTION]["sidecars"]["webhooks"]


async def test_two_installations_in_one_configuration_leave_each_other_alone(
    api: FakeApi, client: KubeClient
) -> None:
    shared = configuration()
    shared["webhooks"].append({"name": "green.istio.io", "clientConfig": {"url": "https://y"}})
    await api.put(COLLECTION, shared)
    blue, green = Setting(api, client), Setting(api, client, "green.istio.io")
    async with running(blue), running(green):
        await until(lambda: blue.reconciler.status.in_sync and green.reconciler.status.in_sync)
        blue.ca = new_ca("renewed")
        blue.trust = trust_in(blue.ca)
        blue.reconciler.wake()
        await until(lambda: blue.live.startswith(blue.ca.certificate))
        await until(lambda: blue.reconciler.status.in_sync and green.reconciler.status.in_sync)
        assert green.right()
        assert (blue.reconciler.status.writes, green.reconciler.status.writes) == (2, 1)
        assert not blue.reconciler.status.fighting


async def test_a_configuration_that_comes_later_is_waited_for(api: FakeApi, client: KubeClient) -> None:
    async with running(Setting(api, client)) as setting:
        await until(lambda: api.requests["WATCH"] > 0)
        assert setting.reconciler.status.missing
        await api.put(COLLECTION, configuration())
        await until(setting.right)


async def test_nothing_is_written_while_nothing_is_served(api: FakeApi, client: KubeClient) -> None:
    await api.put(COLLECTION, configuration())
    setting = Setting(api, client)
    served, setting.trust = setting.trust, None
    async with running(setting):
        await until(lambda: api.requests["WATCH"] > 0)
        assert not api.requests["PATCH"]
        setting.trust = served
        setting.reconciler.wake()
        await until(setting.right)


async def test_a_new_ca_stands_beside_the_old_one_until_the_grace_is_over(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    setting = Setting(api, client, grace=timedelta(seconds=0.5))
    async with running(setting):
        await until(setting.right)
        old = authorities(setting.ca.certificate)
        setting.trust = trust_in(new_ca("new"))
        new = authorities(setting.trust.ca_bundle)
        setting.reconciler.wake()
        await until(lambda: authorities(setting.live) == new + old)
        await until(lambda: authorities(setting.live) == new)
        await until(lambda: setting.reconciler.status.writes >= 3)
        assert setting.reconciler.status.writes == 3


async def test_a_ca_stays_past_the_grace_while_what_it_signed_is_served(
    api: FakeApi, client: KubeClient
) -> None:
    """The file of CAs changed, and the pair did not, or was refused."""
    await api.put(COLLECTION, configuration())
    setting = Setting(api, client, grace=timedelta(seconds=0.2))
    async with running(setting):
        await until(setting.right)
        assert setting.trust is not None
        old = authorities(setting.ca.certificate)
        renewed = trust_in(new_ca("new"))
        new = authorities(renewed.ca_bundle)
        setting.trust = Trust(ca_bundle=renewed.ca_bundle, leaf=setting.trust.leaf)
        setting.reconciler.wake()
        await until(lambda: authorities(setting.live) == new + old)
        third = new_ca("third")
        setting.trust = Trust(ca_bundle=third.certificate, leaf=setting.trust.leaf)
        setting.reconciler.wake()
        # What signed nothing goes after the grace, and is what tells that it is over.
        await until(lambda: authorities(setting.live) == authorities(third.certificate) + old)
        await until(lambda: setting.reconciler.status.in_sync)
        setting.trust = renewed
        setting.reconciler.wake()
        await until(lambda: authorities(setting.live) == new)


async def test_it_is_not_in_sync_while_nothing_registered_accepts_what_is_served(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    setting = Setting(api, client)
    setting.trust = Trust(ca_bundle=setting.ca.certificate, leaf=trust_in(new_ca("of another")).leaf)
    async with running(setting):
        await until(setting.right)
        await until(lambda: bool(setting.reconciler.status.live))
        assert not setting.reconciler.status.in_sync
        setting.trust = trust_in(setting.ca)
        setting.reconciler.wake()
        await until(lambda: setting.reconciler.status.in_sync)


async def test_a_replica_that_starts_anew_keeps_the_old_ca_of_another(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    first = Setting(api, client)
    async with running(first):
        await until(first.right)
    second = Setting(api, client)
    async with running(second):
        both = authorities(second.trust.ca_bundle) + authorities(first.trust.ca_bundle)  # type: ignore[union-attr]
        await until(lambda: authorities(second.live) == both)


async def test_only_the_leader_writes_but_all_of_them_see(api: FakeApi, client: KubeClient) -> None:
    await api.put(COLLECTION, configuration())
    leading = False
    setting = Setting(api, client, leading=lambda: leading)
    async with running(setting):
        await until(lambda: not setting.reconciler.status.missing)
        assert not api.requests["PATCH"]
        leading = True
        setting.reconciler.wake()
        await until(setting.right)


@pytest.mark.parametrize("code", [403, 429, 500])
async def test_a_refused_write_is_tried_again(api: FakeApi, client: KubeClient, code: int) -> None:
    await api.put(COLLECTION, configuration())
    refusals = Refusals(method="PATCH", left=3, answer=lambda: refusal(code))
    api.refuse = refusals
    async with running(Setting(api, client)) as setting:
        await until(setting.right)
        assert not refusals.left


async def test_a_write_that_came_second_is_made_again_on_what_came_first(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    api.refuse = lambda method, _: refusal(409) if method == "PATCH" else None
    async with running(Setting(api, client)) as setting:
        await until(lambda: api.requests["PATCH"] >= 1)
        api.refuse = lambda _method, _path: None
        await api.put(COLLECTION, configuration("QUJD"))
        await until(setting.right)
        assert api.requests["PATCH"] <= 5


async def test_a_conflict_that_nothing_newer_explains_is_not_waited_out(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    answers = iter([refusal(409), refusal(409), refusal(409)])
    api.refuse = lambda method, _: next(answers, None) if method == "PATCH" else None
    async with running(Setting(api, client)) as setting:
        await until(setting.right)
        assert api.requests["PATCH"] == 4


async def test_a_forbidden_write_is_said_and_reviews_need_not_care(api: FakeApi, client: KubeClient) -> None:
    await api.put(COLLECTION, configuration())
    api.refuse = lambda method, _: refusal(403) if method == "PATCH" else None
    async with running(Setting(api, client)) as setting:
        await until(lambda: "403" in setting.reconciler.status.last_error)
        assert setting.reconciler.status.failures >= 1
        api.refuse = lambda _method, _path: None
        await until(setting.right)


async def test_a_rival_meets_a_bucket_and_an_alarm_and_not_a_loop(api: FakeApi, client: KubeClient) -> None:
    await api.put(COLLECTION, configuration())
    clock = 0.0
    timing = Timing(idle=5.0, monotonic=lambda: clock)
    setting = Setting(api, client, timing=timing, bucket=TokenBucket(capacity=5, period=60))
    rival = base64.b64encode(new_ca("rival").certificate).decode()
    async with running(setting):
        for _ in range(5):
            await until(setting.right)
            await api.put(COLLECTION, configuration(rival))
        await until(lambda: setting.reconciler.status.fighting)
        assert setting.reconciler.status.writes == 5
        clock = 60.0
        setting.reconciler.wake()
        await until(setting.right)
        await until(lambda: not setting.reconciler.status.fighting)
        assert setting.reconciler.status.writes == 6


async def test_a_new_ca_does_not_wait_for_the_bucket_that_a_rival_has_emptied(
    api: FakeApi, client: KubeClient
) -> None:
    await api.put(COLLECTION, configuration())
    timing = Timing(idle=5.0, monotonic=lambda: 0.0)
    setting = Setting(api, client, timing=timing, bucket=TokenBucket(capacity=2, period=60))
    rival = base64.b64encode(new_ca("rival").certificate).decode()
    async with running(setting):
        for _ in range(2):
            await until(setting.right)
            await api.put(COLLECTION, configuration(rival))
        await until(lambda: setting.reconciler.status.fighting)
        setting.trust = trust_in(new_ca("next"))
        setting.reconciler.wake()
        new = authorities(setting.trust.ca_bundle)[0]
        await until(lambda: new in authorities(setting.live))
        assert setting.reconciler.status.writes == 3


async def test_verified_stays_true_when_the_bundle_is_lost_later(api: FakeApi, client: KubeClient) -> None:
    await api.put(COLLECTION, configuration())
    setting = Setting(api, client)
    async with running(setting):
        await until(lambda: setting.reconciler.status.verified)
        api.refuse = lambda method, _: refusal(403) if method == "PATCH" else None
        await api.put(COLLECTION, configuration(""))
        await until(lambda: not setting.reconciler.status.in_sync)
        assert setting.reconciler.status.verified
