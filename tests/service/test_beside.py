"""The process beside the loop: whose turn it is, and whose reviews go there."""

from __future__ import annotations

import asyncio

import pytest

from injector.service import beside
from injector.service.beside import API_SERVERS, Beside, Caller, ExpensiveCallers, caller_of, costly_seconds

PEER = "10.0.0.1"
X, A, B = (Caller(PEER, name) for name in (b"x", b"a", b"b"))


async def turns(turn: Beside, waiting: list[str], peers: str = "") -> list[str]:
    """Return the order in which those that wait have their turn; each may have a peer of its own."""
    order: list[str] = []

    async def one(name: str, peer: str) -> None:
        await turn.wait(Caller(peer, name[:1].encode()))
        order.append(name)
        turn.pass_on()

    whose = zip(waiting, peers or PEER[-1] * len(waiting), strict=True)
    tasks = [asyncio.create_task(one(name, f"10.0.0.{peer}")) for name, peer in whose]
    await asyncio.sleep(0)
    turn.pass_on()
    await asyncio.gather(*tasks)
    return order


async def test_a_namespace_with_many_waits_for_itself() -> None:
    turn = Beside(1 << 20)
    await turn.wait(X)
    assert await turns(turn, ["a1", "a2", "a3", "b1", "c1", "b2"]) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert not turn.busy


async def test_a_peer_with_many_waits_for_itself_whatever_namespaces_it_names() -> None:
    turn = Beside(1 << 20)
    await turn.wait(X)
    assert turn.waiting == 0
    waiting = ["a1", "b1", "c1", "d1", "a2", "a3", "b2"]
    order = await turns(turn, waiting, peers="2222113")
    assert order == ["a1", "a2", "b2", "b1", "a3", "c1", "d1"]
    assert not turn.busy


async def test_api_servers_come_before_strangers_and_their_namespaces_take_turns() -> None:
    turn = Beside(1 << 20)
    await turn.wait(X)
    order: list[str] = []

    async def one(name: str, peer: str) -> None:
        await turn.wait(Caller(peer, name[:1].encode()))
        order.append(name)
        turn.pass_on()

    waiting = [("s1", "10.0.0.2"), ("a1", API_SERVERS), ("a2", API_SERVERS), ("b1", API_SERVERS)]
    tasks = [asyncio.create_task(one(*each)) for each in waiting]
    await asyncio.sleep(0)
    turn.pass_on()
    await asyncio.gather(*tasks)
    assert order == ["a1", "b1", "a2", "s1"]


async def test_whoever_stops_waiting_holds_up_nobody() -> None:
    turn = Beside(1 << 20)
    await turn.wait(X)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await turn.wait(A)
    assert await turns(turn, ["a1", "b1"]) == ["a1", "b1"]


async def test_a_turn_that_comes_too_late_is_passed_on() -> None:
    turn = Beside(1 << 20)
    await turn.wait(X)
    leaving = asyncio.create_task(turn.wait(A))
    staying = asyncio.create_task(turn.wait(B))
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
    assert caller_of(PEER, body) == Caller(PEER, namespace)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr(beside.time, "monotonic", lambda: seconds[0])
    return seconds


def test_what_a_peer_does_by_the_name_of_a_namespace_counts_for_that_peer_alone() -> None:
    expensive = ExpensiveCallers()
    expensive.add(Caller("10.0.0.66", b"a"))
    assert not expensive.has(A)


def test_a_caller_that_was_too_expensive_is_kept_from_the_loop_for_seconds(clock: list[float]) -> None:
    expensive = ExpensiveCallers()
    assert not expensive
    expensive.add(A)
    assert expensive
    assert expensive.has(A)
    assert not expensive.has(B)
    clock[0] += beside.FIRST_SECONDS
    assert not expensive.has(A)


def test_each_further_one_keeps_it_twice_as_long_up_to_ten_minutes(clock: list[float]) -> None:
    expensive, expected = ExpensiveCallers(), beside.FIRST_SECONDS
    for _ in range(12):
        expensive.add(A)
        clock[0] += expected - 0.1
        assert expensive.has(A)
        clock[0] += 0.1
        assert not expensive.has(A)
        clock[0] += beside.LONGEST_SECONDS - 1  # it waits, and does it again
        assert not expensive.has(A)
        expected = min(expected * 2, beside.LONGEST_SECONDS)
    assert expected == beside.LONGEST_SECONDS


def test_what_was_expensive_long_ago_is_forgotten(clock: list[float]) -> None:
    expensive = ExpensiveCallers()
    for _ in range(3):
        expensive.add(A)
    clock[0] += beside.FIRST_SECONDS * 4 + beside.LONGEST_SECONDS + 0.1
    assert not expensive.has(A)
    assert not expensive
    expensive.add(A)
    clock[0] += beside.FIRST_SECONDS
    assert not expensive.has(A)


COSTLY = 1 / 256


def costly_ones_until_expensive(expensive: ExpensiveCallers, caller: Caller) -> int:
    for number in range(1, 1000):
        expensive.spend(caller, COSTLY)
        if expensive.has(caller):
            return number
    raise AssertionError("never")


def test_costly_reviews_of_a_fifth_of_a_second_together_are_too_expensive(clock: list[float]) -> None:
    expensive = ExpensiveCallers()
    assert costly_ones_until_expensive(expensive, A) == pytest.approx(beside.SPENT_SECONDS / COSTLY, abs=1)
    assert not expensive.has(B)
    clock[0] += beside.FIRST_SECONDS
    assert not expensive.has(A)
    more = beside.FIRST_SECONDS * beside.SHARE / COSTLY
    assert costly_ones_until_expensive(expensive, A) == pytest.approx(more, abs=1)
    clock[0] += beside.FIRST_SECONDS
    assert expensive.has(A)


def test_a_hundredth_of_the_loop_is_for_costly_reviews(clock: list[float]) -> None:
    expensive = ExpensiveCallers()
    for _ in range(1000):
        clock[0] += COSTLY / beside.SHARE
        expensive.spend(A, COSTLY)
    assert not expensive


def test_a_pause_of_the_machine_now_and_then_keeps_nobody_off_the_loop(clock: list[float]) -> None:
    """The time that a hypervisor takes counts as the review's."""
    expensive = ExpensiveCallers()
    for _ in range(1000):
        clock[0] += 5
        expensive.spend(A, 0.04)
    expensive.spend(A, 0.1)
    assert not expensive


def test_whoever_mixes_expensive_reviews_with_cheap_ones_has_the_loop_for_a_fifth_of_a_second(
    clock: list[float],
) -> None:
    """In ten minutes, of which each second has a review of 100 ms."""
    expensive, on_the_loop = ExpensiveCallers(), 0.0
    for _ in range(600):
        clock[0] += 1
        if expensive.has(A):
            expensive.add(A)  # as the process does
        else:
            expensive.spend(A, 0.1)
            on_the_loop += 0.1
    assert on_the_loop <= beside.SPENT_SECONDS + 0.1


def test_a_large_pod_may_take_longer_before_it_counts_as_costly() -> None:
    assert costly_seconds(0) == beside.COSTLY_SECONDS
    honest = 0.0017  # of 2,000 variables, 277 kB
    assert 3 * honest < costly_seconds(277_000) < beside.EXPENSIVE_SECONDS / 2


def test_only_so_many_are_remembered() -> None:
    expensive = ExpensiveCallers()
    for number in range(beside.CALLERS):
        expensive.spend(Caller(PEER, b"%d" % number), 1.0)
    expensive.spend(Caller(PEER, b"0"), 1.0)
    expensive.spend(Caller(PEER, b"one more"), 1.0)
    assert len(expensive._known) == len(expensive._spent) == beside.CALLERS
    assert expensive.has(Caller(PEER, b"0"))
    assert not expensive.has(Caller(PEER, b"1"))
