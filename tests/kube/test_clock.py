"""The API server's time, told from its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from injector.kube.clock import ServerClock
from injector.kube.errors import ApiError
from tests.fake_api import FakeApi, connected, refusal

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"


class Clocks:
    """A local clock and a monotonic one that the test turns."""

    def __init__(self, local: datetime) -> None:
        self.local = local
        self.seconds = 100.0
        self.server = ServerClock(local=lambda: self.local, monotonic=lambda: self.seconds)


def test_before_any_answer_the_local_clock_is_taken_and_taken_for_right() -> None:
    clocks = Clocks(NOON)
    assert clocks.server.now() == NOON
    assert clocks.server.skew() == timedelta()


def test_the_time_is_counted_from_the_middle_of_the_round_trip() -> None:
    clocks = Clocks(NOON)
    clocks.seconds = 103.0
    clocks.server.heard(DATE, sent=100.0, received=102.0)
    # Whole seconds are half a second early on average, and the middle was two seconds ago.
    assert clocks.server.now() == NOON + timedelta(seconds=2.5)


def test_a_local_clock_that_is_set_changes_the_skew_and_not_the_time() -> None:
    clocks = Clocks(NOON + timedelta(seconds=0.5))
    clocks.server.heard(DATE, sent=100.0, received=100.0)
    assert clocks.server.skew() == timedelta()
    clocks.local += timedelta(days=730)
    clocks.seconds += 60
    assert clocks.server.now() == NOON + timedelta(seconds=60.5)
    assert clocks.server.skew() == timedelta(days=730, seconds=-60)


@pytest.mark.parametrize(
    "date",
    [None, "", "yesterday", "Thu, 01 Jan 2026 12:00:00 -0000", "Thu, 99 Jan 2026 12:00:00 GMT", "1" * 5000],
)
def test_a_date_that_is_not_one_is_passed_over(date: str | None) -> None:
    clocks = Clocks(NOON - timedelta(days=1))
    clocks.server.heard(date, sent=100.0, received=100.0)
    assert clocks.server.skew() == timedelta()


def test_an_answer_that_took_long_says_nothing_of_the_time() -> None:
    clocks = Clocks(NOON - timedelta(days=1))
    clocks.server.heard(DATE, sent=80.0, received=100.0)
    assert clocks.server.skew() == timedelta()


async def test_every_answer_tells_the_time_but_for_refusals(api: FakeApi, tmp_path) -> None:
    ahead = timedelta(days=365)
    api.clock = lambda: datetime.now(UTC) - ahead
    clock = ServerClock()
    async with connected(api, tmp_path, clock) as client:
        api.refuse = lambda _method, _path: refusal(403)
        with pytest.raises(ApiError):
            await client.get("/api/v1/namespaces")
        assert clock.skew() == timedelta()
        api.refuse = lambda _method, _path: None
        await client.get("/api/v1/namespaces")
        assert abs(clock.skew() - ahead) < timedelta(minutes=1)
