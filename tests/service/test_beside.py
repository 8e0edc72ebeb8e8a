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


def test_a_dear_review_makes_its_namespace_dear_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(beside.time, "monotonic", lambda: clock[0])
    dear = DearNamespaces()
    assert not dear
    dear.add(b"a")
    assert dear
    assert dear.has(b"a")
    assert not dear.has(b"b")
    clock[0] += beside.REMEMBERED_SECONDS - 1
    dear.add(b"a")
    clock[0] += beside.REMEMBERED_SECONDS - 1
    assert dear.has(b"a")
    clock[0] += 2
    assert not dear.has(b"a")
    assert not dear


def test_only_so_many_are_remembered() -> None:
    dear = DearNamespaces()
    for number in range(beside.NAMESPACES):
        dear.add(b"%d" % number)
    dear.add(b"0")
    dear.add(b"one more")
    assert len(dear._last) == beside.NAMESPACES
    assert dear.has(b"0")
    assert not dear.has(b"1")


async def test_the_seconds_of_cpu_that_the_work_took_are_told() -> None:
    def work() -> float:
        begin = time.thread_time()
        while time.thread_time() - begin < 0.02:
            pass
        return 0.02

    least, told = await Beside().run(work)
    assert told >= least
