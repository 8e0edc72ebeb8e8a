"""Who goes first when there must be room."""

from __future__ import annotations

from dataclasses import dataclass

from injector.service.connections import dispensable, first_of, of_the_fullest

NOW = 1000.0


@dataclass
class Guest:
    name: str
    peer: str = "10.0.0.1"
    reviewed: bool = False
    idle: float = 5.0
    arrived: float = 0.0
    unfinished: bool = False

    @property
    def rested(self) -> float:
        return NOW - self.idle

    @property
    def resting(self) -> bool:
        return not self.arrived


def nobody(_peer: str) -> bool:
    return False


def names(guests: list[Guest]) -> str:
    return " ".join(guest.name for guest in guests)


def test_strangers_go_first_and_the_longest_idle_of_them_before_all() -> None:
    guests = [
        Guest("new", idle=2),
        Guest("old", idle=90),
        Guest("asking", arrived=NOW - 3),
        Guest("caller", reviewed=True, idle=95),
        Guest("forgotten", reviewed=True, idle=101),
    ]
    assert names(dispensable(guests, now=NOW, trusted=nobody)) == "old new forgotten"


def test_those_of_a_trusted_peer_stay() -> None:
    guests = [Guest("a", peer="10.0.0.1"), Guest("b", peer="10.0.0.2")]
    assert names(dispensable(guests, now=NOW, trusted=lambda peer: peer == "10.0.0.1")) == "b"


def test_one_that_has_just_come_goes_only_where_there_is_no_other() -> None:
    settled = [Guest("a", idle=9), Guest("b", idle=8), Guest("c", idle=7), Guest("d", idle=0.1)]
    assert names(first_of(settled, 2, now=NOW)) == "a b"
    assert names(first_of(settled[2:], 2, now=NOW)) == "c"
    assert names(first_of([Guest("e", idle=0.2), Guest("d", idle=0.1)], 2, now=NOW)) == "e"


def a_crowd(peer: str, count: int, *, idle: float = 5.0) -> list[Guest]:
    return [Guest(f"{peer}-{at}", peer=peer, reviewed=True, idle=idle + at) for at in range(count)]


def test_the_peer_that_has_the_most_makes_room_for_one_that_has_less() -> None:
    guests = a_crowd("x", 7) + a_crowd("y", 3)
    going = of_the_fullest(guests, "y", opening=0, now=NOW, trusted=nobody)
    assert names(going) == "x-6 x-5"
    assert names(of_the_fullest(guests, "z", opening=0, now=NOW, trusted=nobody)) == "x-6 x-5 x-4"


def test_handshakes_under_way_count_for_whoever_makes_them() -> None:
    guests = a_crowd("x", 7)
    assert not of_the_fullest(guests, "z", opening=6, now=NOW, trusted=nobody)
    assert of_the_fullest(guests, "z", opening=5, now=NOW, trusted=nobody)


def test_nobody_makes_room_for_one_that_has_as_many() -> None:
    guests = a_crowd("x", 5) + a_crowd("y", 5)
    for newcomer in ("x", "y"):
        assert not of_the_fullest(guests, newcomer, opening=0, now=NOW, trusted=nobody)


def test_a_trusted_peer_makes_no_room_and_is_let_in_whatever_it_has() -> None:
    guests = a_crowd("x", 9) + a_crowd("y", 3)
    assert names(of_the_fullest(guests, "z", opening=0, now=NOW, trusted=lambda peer: peer == "x")) == "y-2"
    assert of_the_fullest(guests, "x", opening=50, now=NOW, trusted=lambda peer: peer == "x")


def test_busy_connections_stay_and_requests_that_do_not_end_go_last() -> None:
    busy = [Guest(f"b{at}", peer="x", reviewed=True, arrived=NOW - 5) for at in range(5)]
    fresh = [Guest("fresh", peer="x", reviewed=True, idle=0.5)]
    dripping = [Guest("d", peer="x", arrived=NOW - 3, unfinished=True)]
    begun = [Guest("n", peer="x", arrived=NOW - 0.5, unfinished=True)]
    guests = busy + fresh + begun
    assert not of_the_fullest(guests, "y", opening=0, now=NOW, trusted=nobody)
    guests += dripping + a_crowd("x", 1)
    assert names(of_the_fullest(guests, "y", opening=0, now=NOW, trusted=nobody)) == "x-0 d"
