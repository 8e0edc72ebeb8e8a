"""Waiting until it is quiet."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from injector.service.drain import Leaving, until_quiet
from injector.service.options import Drain
from tests.conftest import PATIENCE


@dataclass
class Edge:
    draining: bool = False
    last_review: float = 0.0


async def took(edge: Edge, times: Drain, at_once: asyncio.Event | None = None) -> float:
    """Return the seconds that it waited; a wait that does not end fails."""
    begin = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        await until_quiet(edge, times, at_once or asyncio.Event())
    return time.monotonic() - begin


async def test_it_waits_the_minimum_and_announces_the_end() -> None:
    edge = Edge()
    assert await took(edge, Drain(minimum=0.2, quiet=0.1, maximum=10 * PATIENCE)) >= 0.2
    assert edge.draining


@pytest.mark.slow
async def test_reviews_that_go_on_keep_it_up_to_the_maximum() -> None:
    edge = Edge()

    async def review() -> None:
        while True:
            edge.last_review = time.monotonic()
            await asyncio.sleep(0.02)

    reviewing = asyncio.create_task(review())
    assert await took(edge, Drain(minimum=0.1, quiet=10 * PATIENCE, maximum=0.6)) >= 0.6
    reviewing.cancel()


@pytest.mark.slow
async def test_a_last_review_is_followed_by_quiet() -> None:
    edge = Edge()
    asyncio.get_running_loop().call_later(0.2, lambda: setattr(edge, "last_review", time.monotonic()))
    assert await took(edge, Drain(minimum=0.3, quiet=0.3, maximum=10 * PATIENCE)) >= 0.5


async def test_a_hurry_ends_the_wait() -> None:
    at_once = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, at_once.set)
    await took(Edge(), Drain(minimum=10 * PATIENCE, maximum=10 * PATIENCE), at_once)


def test_a_sigterm_after_a_sigint_ends_it_whatever_the_minimum_is() -> None:
    leaving = Leaving(times=Drain(minimum=600))
    assert leaving.interrupt() == "short drain"
    assert not leaving.now.is_set()
    assert leaving.terminate() == "the end"
    assert leaving.now.is_set()


def test_a_sigint_after_a_sigterm_shortens_the_drain_and_the_next_ends_it() -> None:
    leaving = Leaving(times=Drain(minimum=600))
    assert [leaving.terminate(), leaving.terminate()] == ["drain", "nothing, the drain has just begun"]
    assert not leaving.hurry.is_set()
    assert [leaving.interrupt(), leaving.interrupt()] == ["short drain", "the end"]
