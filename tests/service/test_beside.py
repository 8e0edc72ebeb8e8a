"""The thread beside the loop: whose turn it is, and whose reviews go there."""

from __future__ import annotations

import asyncio
import time

import pytest

from injector.service import beside
from injector.service.beside import Beside, DearNamespaces, namespace_of


async def turns(thread: Beside, waiting: list[str]) -> list[str]:
    """Return the order in which those that wait have their turn."""
    order: list[str] = []

    async def one(name: str) -> None:
        await thread.wait(name[:1].encode())
        order.append(name)
        thread.pass_on()

    tasks = [asyncio.create_task(one(name)) for name in waiting]
    await asyncio.sleep(0)
    thread.pass_on()
    await asyncio.gather(*tasks)
    return order


async def test_a_namespace_with_many_waits_for_itself() -> None:
    thread = Beside()
    await thread.wait(b"x")
    assert await turns(thread, ["a1", "a2", "a3", "b1", "c1", "b2"]) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert not thread.busy


async def test_whoever_stops_waiting_holds_up_nobody() -> None:
    thread = Beside()
    await thread.wait(b"x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await thread.wait(b"a")
    assert await turns(thread, ["a1", "b1"]) == ["a1", "b1"]


async def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    thread = Beside()
    await thread.wait(b"x")
    leaving = asyncio.create_task(thread.wait(b"a"))
    staying = asyncio.create_task(thread.wait(b"b"))
    await asyncio.sleep(0)
    thread.pass_on()
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    thread.pass_on()
    assert not thread.busy


async def test_the_work_is_done_in_a_thread_of_its_own_and_its_fault_comes_back() -> None:
    thread = Beside()
    assert (await thread.run(max, 3, 5))[0] == 5
    with pytest.raises(ZeroDivisionError):
        await thread.run(divmod, 1, 0)


@pytest.mark.parametrize(
    ("body", "namespace"),
    [
        (b'{"request":{"uid":"u","namespace":"shop","object":{"metadata":{"namespace":"x"}}}}', b"shop"),
        (b'{"request":{"uid":"u"}}', b""),
        (b'{"request":{"namespace":"' + b"n" * 100, b""),
        (b'{"x":"' + b"y" * 3000 + b'","namespace":"shop"}', b""),
        (b'"namespace":"', b""),
    ],
    ids=["named", "none", "too long", "too far", "cut short"],
)
def test_the_namespace_is_found_at_the_beginning_of_a_review(body: bytes, namespace: bytes) -> None:
    assert namespace_of(body) == namespace


def test_two_dear_reviews_make_a_namespace_dear_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(beside.time, "monotonic", lambda: clock[0])
    dear = DearNamespaces()
    assert not dear
    dear.took_long(b"a")
    assert dear
    assert not dear.has(b"a")
    dear.took_long(b"a")
    assert dear.has(b"a")
    assert not dear.has(b"b")
    clock[0] += 61
    assert not dear.has(b"a")
    assert not dear
    dear.took_long(b"a")
    clock[0] += 61
    dear.took_long(b"a")
    assert not dear.has(b"a")


def test_only_so_many_are_remembered() -> None:
    dear = DearNamespaces()
    for number in range(beside.NAMESPACES + 10):
        dear.took_long(b"%d" % number)
    assert len(dear._records) == beside.NAMESPACES


def test_cheap_reviews_in_a_row_acquit_until_the_next_dear_one() -> None:
    dear = DearNamespaces()
    dear.was_cheap(b"unknown")
    for _ in range(beside.STRIKES):
        dear.took_long(b"a")
    for _ in range(beside.ACQUITTING - 1):
        dear.was_cheap(b"a")
    assert dear.has(b"a")
    dear.took_long(b"a")
    for _ in range(beside.ACQUITTING - 1):
        dear.was_cheap(b"a")
    assert dear.has(b"a")
    dear.was_cheap(b"a")
    assert not dear.has(b"a")
    dear.took_long(b"a")
    assert dear.has(b"a")


async def test_the_seconds_of_cpu_that_the_work_took_are_told() -> None:
    def work() -> float:
        begin = time.thread_time()
        while time.thread_time() - begin < 0.02:
            pass
        return 0.02

    least, told = await Beside().run(work)
    assert told >= least
