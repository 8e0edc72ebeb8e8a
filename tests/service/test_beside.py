"""The process beside the loop: whose turn it is, and whose reviews go there."""

from __future__ import annotations

import asyncio

import pytest

from injector.service import beside
from injector.service.beside import Beside, DearNamespaces, costly_seconds, namespace_of


async def turns(turn: Beside, waiting: list[str]) -> list[str]:
    """Return the order in which those that wait have their turn."""
    order: list[str] = []

    async def one(name: str) -> None:
        await turn.wait(name[:1].encode())
        order.append(name)
        turn.pass_on()

    tasks = [asyncio.create_task(one(name)) for name in waiting]
    await asyncio.sleep(0)
    turn.pass_on()
    await asyncio.gather(*tasks)
    return order


async def test_a_namespace_with_many_waits_for_itself() -> None:
    turn = Beside(1 << 20)
    await turn.wait(b"x")
    assert await turns(turn, ["a1", "a2", "a3", "b1", "c1", "b2"]) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert not turn.busy


async def test_whoever_stops_waiting_holds_up_nobody() -> None:
    turn = Beside(1 << 20)
    await turn.wait(b"x")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await turn.wait(b"a")
    assert await turns(turn, ["a1", "b1"]) == ["a1", "b1"]


async def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    turn = Beside(1 << 20)
    await turn.wait(b"x")
    leaving = asyncio.create_task(turn.wait(b"a"))
    staying = asyncio.create_task(turn.wait(b"b"))
    await asyncio.sleep(0)
    turn.pass_on()
    leaving.cancel()
    await staying
    assert leaving.cancelled()
    turn.pass_on()
    assert not turn.busy


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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr(beside.time, "monotonic", lambda: seconds[0])
    return seconds


def test_one_dear_review_keeps_its_namespace_from_the_loop_for_seconds(clock: list[float]) -> None:
    dear = DearNamespaces()
    assert not dear
    dear.add(b"a")
    assert dear
    assert dear.has(b"a")
    assert not dear.has(b"b")
    clock[0] += beside.FIRST_SECONDS
    assert not dear.has(b"a")


def test_each_further_one_keeps_it_twice_as_long_up_to_ten_minutes(clock: list[float]) -> None:
    dear, expected = DearNamespaces(), beside.FIRST_SECONDS
    for _ in range(12):
        dear.add(b"a")
        clock[0] += expected - 0.1
        assert dear.has(b"a")
        clock[0] += 0.1
        assert not dear.has(b"a")
        clock[0] += beside.LONGEST_SECONDS - 1  # it waits, and does it again
        assert not dear.has(b"a")
        expected = min(expected * 2, beside.LONGEST_SECONDS)
    assert expected == beside.LONGEST_SECONDS


def test_what_was_dear_long_ago_is_forgotten(clock: list[float]) -> None:
    dear = DearNamespaces()
    for _ in range(3):
        dear.add(b"a")
    clock[0] += beside.FIRST_SECONDS * 4 + beside.LONGEST_SECONDS + 0.1
    assert not dear.has(b"a")
    assert not dear
    dear.add(b"a")
    clock[0] += beside.FIRST_SECONDS
    assert not dear.has(b"a")


COSTLY = 1 / 256


def costly_ones_until_dear(dear: DearNamespaces, namespace: bytes) -> int:
    for number in range(1, 1000):
        dear.spend(namespace, COSTLY)
        if dear.has(namespace):
            return number
    raise AssertionError("never")


def test_many_costly_reviews_are_as_one_dear_one(clock: list[float]) -> None:
    dear = DearNamespaces()
    assert costly_ones_until_dear(dear, b"a") == beside.SPENT_SECONDS / COSTLY + 1
    assert not dear.has(b"b")
    clock[0] += beside.FIRST_SECONDS
    assert not dear.has(b"a")
    assert costly_ones_until_dear(dear, b"a") == beside.FIRST_SECONDS * beside.SHARE // COSTLY
    clock[0] += beside.FIRST_SECONDS
    assert dear.has(b"a")


def test_a_hundredth_of_the_loop_is_for_costly_reviews(clock: list[float]) -> None:
    dear = DearNamespaces()
    for _ in range(1000):
        clock[0] += COSTLY / beside.SHARE
        dear.spend(b"a", COSTLY)
    assert not dear


def test_one_review_that_is_dear_is_enough() -> None:
    dear = DearNamespaces()
    dear.spend(b"a", beside.DEAR_SECONDS)
    assert not dear.has(b"a")
    dear.spend(b"a", beside.DEAR_SECONDS + 0.001)
    assert dear.has(b"a")


def test_a_large_pod_may_take_longer_before_it_counts_as_costly() -> None:
    assert costly_seconds(0) == beside.COSTLY_SECONDS
    honest = 0.0017  # of 2,000 variables, 277 kB
    assert 3 * honest < costly_seconds(277_000) < beside.DEAR_SECONDS / 2


def test_only_so_many_are_remembered() -> None:
    dear = DearNamespaces()
    for number in range(beside.NAMESPACES):
        dear.spend(b"%d" % number, 1.0)
    dear.spend(b"0", 1.0)
    dear.spend(b"one more", 1.0)
    assert len(dear._known) == len(dear._spent) == beside.NAMESPACES
    assert dear.has(b"0")
    assert not dear.has(b"1")
