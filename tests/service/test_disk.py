"""File work that hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from injector.service import disk
from injector.service.disk import Disk
from tests.conftest import PATIENCE


def threads() -> int:
    return sum(thread.name == "disk" for thread in threading.enumerate())


async def test_what_the_work_returns_or_raises_comes_back() -> None:
    work = Disk()
    assert await work.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda: 1 // 0)
    assert work.run_here(lambda: 2) == 2


async def test_work_that_hangs_is_given_up_and_no_second_thread_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "PATIENCE_SECONDS", 0.05)
    before, over, work = threads(), threading.Event(), Disk()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await work.run(over.wait)
    with pytest.raises(TimeoutError):
        work.run_here(over.wait)
    assert threads() == before + 1
    over.set()
    async with asyncio.timeout(PATIENCE):
        while threads() > before:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(disk, "PATIENCE_SECONDS", 60.0)
    assert await work.run(lambda: "again") == "again"


async def test_work_goes_on_beside_the_loop() -> None:
    here = threading.current_thread()
    assert await Disk().run(threading.current_thread) is not here
