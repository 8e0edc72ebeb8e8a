"""A value that changes while others read it."""

from __future__ import annotations

import asyncio

from injector.service.live import Live


async def test_a_slow_reader_skips_to_the_newest() -> None:
    live = Live(1)
    seen = []
    updates = live.updates()
    seen.append(await anext(updates))
    live.set(2)
    live.set(3)
    seen.append(await anext(updates))
    waiting = asyncio.ensure_future(anext(updates))
    await asyncio.sleep(0)
    live.set(4)
    seen.append(await waiting)
    await updates.aclose()
    assert seen == [1, 3, 4]
    assert live.value == 4
