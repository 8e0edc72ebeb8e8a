"""Open connections in, those that are closed first when there must be room out.

Whoever was never of use goes first, so that no number of strangers keeps the callers out:

1. connections that never had a review answered, the longest idle first;
2. connections idle for longer than an API server keeps them;
3. for a newcomer, those of the peer that has the most, if that is more than the newcomer's: the longest idle,
   then those whose request does not come to its end.

A trusted peer loses none, and is let in whatever it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

POOL_SECONDS: Final = 100.0
"""Idle time after which no API server uses a connection: its pool drops it after 90 s."""

SETTLED_SECONDS: Final = 1.0
"""Time after which a connection that is idle, or whose request does not end, is not one of a busy caller."""


class Guest(Protocol):
    """What is known of an open connection. Times are of the monotonic clock."""

    peer: str
    reviewed: bool
    rested: float
    arrived: float

    @property
    def resting(self) -> bool:
        """Return whether nothing is under way."""

    @property
    def unfinished(self) -> bool:
        """Return whether a request has begun to come and has not come whole."""


G = TypeVar("G", bound=Guest)


def first_of(guests: list[G], most: int, *, now: float) -> list[G]:
    """Return at most so many from the front: one of those that rest for less than a second.

    A caller that has just connected rests for a moment before it asks.
    """
    return settled(guests[:most], now=now) or guests[:1]


def settled(guests: list[G], *, now: float) -> list[G]:
    """Return those that have rested for longer than a caller does before it asks."""
    return [guest for guest in guests if now - guest.rested > SETTLED_SECONDS]


def dispensable(guests: Iterable[G], *, now: float, trusted: Callable[[str], bool]) -> list[G]:
    """Return the idle connections that nobody misses, those to be closed first at the front."""
    found = [
        guest
        for guest in guests
        if guest.resting and (not guest.reviewed or now - guest.rested > POOL_SECONDS)
    ]
    found.sort(key=lambda guest: (guest.reviewed, guest.rested))
    return [guest for guest in found if not trusted(guest.peer)]


def of_the_fullest(
    guests: Iterable[G], newcomer: str, *, opening: int, now: float, trusted: Callable[[str], bool]
) -> list[G]:
    """Return what the peer with the most connections can spare for ``newcomer``.

    ``opening`` is the number of handshakes that the newcomer has under way.
    """
    guests = list(guests)
    counts = Counter(guest.peer for guest in guests)
    allowed = 0 if trusted(newcomer) else counts[newcomer] + opening + 1
    fullest = max(
        (peer for peer, count in counts.items() if count > allowed and not trusted(peer)),
        key=lambda peer: (counts[peer], peer),
        default=None,
    )
    if fullest is None:
        return []
    own = [guest for guest in guests if guest.peer == fullest]
    idle = [guest for guest in own if guest.resting and now - guest.rested > SETTLED_SECONDS]
    late = [guest for guest in own if guest.unfinished and now - guest.arrived > SETTLED_SECONDS]
    idle.sort(key=lambda guest: guest.rested)
    late.sort(key=lambda guest: guest.arrived)
    return (idle + late)[: (counts[fullest] - allowed + 1) // 2]
