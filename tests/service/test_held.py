"""What requests hold, and whose body leaves for another's: nobody's but theirs who fill the memory."""

from __future__ import annotations

import asyncio

import pytest

from injector.service.beside import API_SERVERS, Caller
from injector.service.held import Bodies, Held
from injector.service.http import Refusal
from injector.service.memory import InFlight

A_WHILE = 60.0


def test_a_request_gives_back_all_that_it_held() -> None:
    memory = InFlight(100)
    bodies = Bodies(memory)
    with bodies.hold("api") as one, bodies.hold("api") as other:
        one.take(60)
        with pytest.raises(Refusal):
            other.take(41)
        other.take(40)
        with pytest.raises(Refusal):
            one.take(1)
        assert (memory.used, memory.bodies) == (100, 100)
    assert (memory.used, memory.bodies) == (0, 0)


def test_a_share_leaves_the_rest_to_others() -> None:
    with Bodies(InFlight(100)).hold("api") as held:
        with pytest.raises(Refusal):
            held.take(51, share=0.5)
        held.take(50, share=0.5)
        held.take(50)


class Crowd:
    """Bodies that wait; there is room for 100 bytes."""

    def __init__(self) -> None:
        self.memory = InFlight(100)
        self.bodies = Bodies(self.memory)

    def wait(self, peer: str, namespace: str, size: int) -> Held:
        """Have a body wait; Refusal where it has no room."""
        held = self.bodies.hold(peer)
        held.caller = Caller(peer, namespace.encode())
        held.take(size)
        self.bodies.leaving[held] = None
        return held


def test_the_newest_of_the_namespace_that_holds_most_leaves() -> None:
    crowd = Crowd()
    many = [crowd.wait("api", "many", 20) for _ in range(3)]
    few = crowd.wait("api", "few", 40)
    other = crowd.wait("api", "other", 20)
    assert [each.gone for each in (*many, few, other)] == [False, False, True, False, False]
    assert crowd.memory.used == crowd.memory.bodies == 100


def test_as_many_leave_as_there_must() -> None:
    crowd = Crowd()
    many = [crowd.wait("api", "many", 20) for _ in range(5)]
    crowd.wait("api", "other", 30)
    assert [each.gone for each in many] == [False, False, False, True, True]
    assert crowd.memory.used == 90


def test_bodies_of_strangers_leave_for_those_of_api_servers_however_few_they_have() -> None:
    crowd = Crowd()
    own = [crowd.wait(API_SERVERS, "one", 30), crowd.wait(API_SERVERS, "one", 30)]
    strangers = [crowd.wait(f"10.0.0.{number}", "one", 10) for number in range(4)]
    crowd.wait(API_SERVERS, "one", 25)
    assert [each.gone for each in (*own, *strangers)] == [False, False, False, True, True, True]
    assert crowd.memory.used == 95


def test_bodies_of_api_servers_leave_for_no_stranger() -> None:
    crowd = Crowd()
    own = [crowd.wait(API_SERVERS, "one", 45), crowd.wait(API_SERVERS, "two", 45)]
    with pytest.raises(Refusal):
        crowd.wait("10.0.0.1", "one", 11)
    assert not any(each.gone for each in own)
    crowd.wait("10.0.0.1", "one", 10)


def test_where_strangers_hold_too_little_the_fullest_namespace_of_api_servers_leaves_as_well() -> None:
    crowd = Crowd()
    many = [crowd.wait(API_SERVERS, "many", 30) for _ in range(3)]
    stranger = crowd.wait("10.0.0.1", "few", 5)
    few = crowd.wait(API_SERVERS, "few", 40)
    assert [each.gone for each in (*many, stranger, few)] == [False, False, True, True, False]
    with pytest.raises(Refusal):
        crowd.wait(API_SERVERS, "many", 45)


def test_nobody_leaves_for_a_namespace_that_would_hold_as_much() -> None:
    crowd = Crowd()
    one = [crowd.wait("api", "one", 25), crowd.wait("api", "one", 25)]
    crowd.wait("api", "other", 25)
    last = crowd.wait("api", "other", 25)
    for namespace in ("one", "other"):
        with pytest.raises(Refusal):
            crowd.wait("api", namespace, 10)
    assert not any(each.gone for each in (*one, last))


def test_a_peer_that_holds_most_gives_way_whatever_namespaces_it_names() -> None:
    crowd = Crowd()
    strangers = [crowd.wait("stranger", f"n-{number}", 25) for number in range(4)]
    own = crowd.wait("api", "shop", 30)
    assert sum(each.gone for each in strangers) == 2
    with pytest.raises(Refusal):
        crowd.wait("stranger", "n-5", 25)
    assert not own.gone


def test_a_stranger_that_names_a_namespace_does_not_count_for_it() -> None:
    crowd = Crowd()
    strangers = [crowd.wait("stranger", "shop", 45), crowd.wait("stranger", "shop", 45)]
    own = crowd.wait("api", "shop", 40)
    assert [each.gone for each in strangers] == [False, True]
    assert not own.gone


def test_nobody_leaves_in_vain() -> None:
    crowd = Crowd()
    crowd.memory.held = 90  # answers that nobody takes
    waiting = crowd.wait("stranger", "n", 10)
    with pytest.raises(Refusal):
        crowd.wait("api", "shop", 15)
    assert not waiting.gone


def test_what_has_nothing_yet_does_not_leave() -> None:
    crowd = Crowd()
    large = crowd.wait("stranger", "n", 80)
    nothing = crowd.wait("stranger", "n", 0)
    crowd.wait("api", "shop", 40)
    assert (large.gone, nothing.gone) == (True, False)


async def test_whoever_waits_with_a_body_that_leaves_is_refused() -> None:
    bodies = Bodies(InFlight(100))

    async def wait_for_nothing(held: Held) -> None:
        async with held.may_leave(A_WHILE):
            held.take(80)
            await asyncio.get_running_loop().create_future()

    with bodies.hold("stranger") as large, bodies.hold("api") as other:
        waiting = asyncio.create_task(wait_for_nothing(large))
        await asyncio.sleep(0)
        other.take(40)
        with pytest.raises(Refusal):
            await waiting
        assert not bodies.leaving
        with pytest.raises(Refusal):
            large.take(1)
    assert bodies.memory.used == 0


async def test_whoever_waits_too_long_is_told_so() -> None:
    with Bodies(InFlight(100)).hold("api") as held:
        with pytest.raises(TimeoutError):
            async with held.may_leave(0.0):
                await asyncio.get_running_loop().create_future()
        held.check()
