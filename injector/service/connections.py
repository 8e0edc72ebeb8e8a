"""The open connections of one port, and when they are closed: the slow, the idle, the least needed.

When room is needed, connections that were never useful go first, so that no number of strangers keeps the API
servers out:

1. connections that never had a review answered, the longest idle first;
2. connections idle for longer than an API server keeps them;
3. for a newcomer, those of the peer that has the most, if that is more than the newcomer has: the longest
   idle, then those whose request does not end.

A trusted peer loses none, and is always let in.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from injector.kube.waiting import wait_for

if TYPE_CHECKING:  # each of the two refers to the other
    from injector.service.connection import EdgeConnection
    from injector.service.server import Edge

POOL_SECONDS: Final = 100.0
"""Idle time after which no API server uses a connection: its pool drops it after 90 s."""

SETTLED_SECONDS: Final = 1.0
"""A connection that is idle, or whose request has not ended, for so long is not a busy caller's."""

EVICTED_AT_ONCE: Final = 16
"""Connections closed in one turn of the loop: closing four hundred at once blocked it for 30 ms."""

RELIEF_SECONDS: Final = 0.05
"""Least time between two searches of all connections for memory to free: one takes up to 2 ms."""

PRESSED_SECONDS: Final = 0.5
"""How long an answer may wait for its client while memory is tight: a megabyte at 16 Mbit/s."""

FAREWELL_SECONDS: Final = 0.05
"""How long a closed connection may take for TLS' farewell: no answer waits then."""

CROWDED: Final = 0.5
"""Share of the memory in flight above which dispensable connections are closed before anything is refused."""


class Connections:
    """The connections of an edge; those of a ``trusted`` peer are never closed to make room."""

    def __init__(self, edge: Edge, trusted: Callable[[str], bool]) -> None:
        self._edge = edge
        self._trusted = trusted
        self._open: set[EdgeConnection] = set()
        self._relieved = 0.0
        self._none_open = asyncio.Event()
        self._none_open.set()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[EdgeConnection]:
        return iter(self._open)

    def __contains__(self, connection: object) -> bool:
        return connection in self._open

    def add(self, connection: EdgeConnection) -> None:
        """Count one more."""
        self._open.add(connection)
        self._none_open.clear()

    def discard(self, connection: EdgeConnection) -> None:
        """Forget one that is closed."""
        self._open.discard(connection)
        if not self._open:
            self._none_open.set()

    def evict(self, connection: EdgeConnection, reason: str) -> None:
        """Close one, for one of the metric's reasons."""
        self._edge.metrics.connections_evicted[reason] += 1
        self.discard(connection)
        connection.abort()

    async def evict_slow(self) -> None:
        """Close those that are late in sending or reading, or idle; called once a second.

        While memory is tight, dispensable ones and slow readers of answers are closed as well.
        """
        ended = 0
        callers = {connection.peer for connection in self._open if connection.reviewed}
        for connection in list(self._open):
            now = time.monotonic()
            lateness = self._late(connection, now, callers)
            if lateness is not None:
                self.evict(connection, lateness)
            elif connection.idle(now):
                connection.force_close()
            else:
                continue
            ended += 1
            if ended % EVICTED_AT_ONCE == 0:
                await asyncio.sleep(0)
        # There may be no new request that asks for room: the clients that filled the memory may be silent.
        if self._edge.memory.used > self._edge.memory.tight:
            self.relieve()

    async def flushed(self, seconds: float) -> None:
        """Wait until clients have read what is written in pieces, at most so long."""
        flushing = [connection.flushing for connection in self._open if connection.flushing is not None]
        if flushing:
            await asyncio.wait(flushing, timeout=seconds)

    async def end(self) -> None:
        """Cut off those that do not finish closing: the loop would wait for them."""
        await wait_for(self._none_open, FAREWELL_SECONDS)
        for connection in list(self._open):
            connection.abort()
        await self._none_open.wait()

    def _late(self, connection: EdgeConnection, now: float, callers: set[str]) -> str | None:
        """Return what the client is late with, if anything.

        A peer whose reviews we answer may have connections without a first request: Go's client dials for a
        request, sends it on another connection that became free, and keeps the new one for the next request.
        Closing it would lose a POST in flight.
        """
        lateness = connection.slow(now)
        if lateness == "silent" and connection.peer in callers:
            return None
        return lateness or self._unread(connection, now)

    def _unread(self, connection: EdgeConnection, now: float) -> str | None:
        """Return the reason if a client has not read its answers in time; stop counting them if it has."""
        if not connection.unread:
            return None
        if connection.has_taken_all():
            connection.read_all()
            return None
        # Answers that are written in pieces have their own deadline.
        late = connection.flushing is None and now - connection.wrote > self._edge.limits.write_seconds
        return "answer" if late else None

    def make_room(self, newcomer: str, opening: int | None = None) -> bool:
        """Close connections so that ``newcomer`` can open one; return whether any was closed.

        These are the dispensable ones. With ``opening``, the number of the newcomer's current handshakes,
        they are those of the peer that has the most, if that is more than the newcomer has.
        """
        now, trusted = time.monotonic(), self._trusted
        if opening is None:
            going = dispensable(self._open, now=now, trusted=trusted)
        else:
            going = of_the_fullest(self._open, newcomer, opening=opening, now=now, trusted=trusted)
        going = first_of(going, EVICTED_AT_ONCE, now=now)
        for connection in going:
            self.evict(connection, "room")
        return bool(going)

    def relieve(self) -> None:
        """Free memory for what would otherwise be refused.

        First, answers that were read meanwhile are no longer counted. Then connections are closed:
        dispensable ones, and those that do not read their answers, with a shorter limit now.
        """
        now = time.monotonic()
        if now - self._relieved < RELIEF_SECONDS:
            return
        self._relieved = now
        unread = [connection for connection in self._open if connection.unread]
        for connection in unread:
            if connection.has_taken_all():
                connection.read_all()
        memory = self._edge.memory
        if memory.used <= memory.limit * CROWDED:
            return
        # One that has asked nothing yet may be a caller's, and otherwise is closed soon.
        going = [each for each in dispensable(self._open, now=now, trusted=self._trusted) if each.served]
        for connection in settled(going, now=now)[:EVICTED_AT_ONCE]:
            self.evict(connection, "memory")
        for connection in unread:
            if connection.unread and now - connection.wrote > PRESSED_SECONDS and memory.used > memory.tight:
                self.evict(connection, "answer")


def first_of(guests: list[EdgeConnection], most: int, *, now: float) -> list[EdgeConnection]:
    """Return the settled ones of at most so many at the front; if none is settled, only the first.

    A caller that has just connected rests for a moment before it asks.
    """
    return settled(guests[:most], now=now) or guests[:1]


def settled(guests: list[EdgeConnection], *, now: float) -> list[EdgeConnection]:
    """Return those that have rested for longer than a caller does before it asks."""
    return [guest for guest in guests if now - guest.rested > SETTLED_SECONDS]


def dispensable(
    guests: Iterable[EdgeConnection], *, now: float, trusted: Callable[[str], bool]
) -> list[EdgeConnection]:
    """Return the idle connections that are dispensable, in the order in which to close them."""
    found = [
        guest
        for guest in guests
        if guest.resting and (not guest.reviewed or now - guest.rested > POOL_SECONDS)
    ]
    found.sort(key=lambda guest: (guest.reviewed, guest.rested))
    return [guest for guest in found if not trusted(guest.peer)]


def of_the_fullest(
    guests: Iterable[EdgeConnection],
    newcomer: str,
    *,
    opening: int,
    now: float,
    trusted: Callable[[str], bool],
) -> list[EdgeConnection]:
    """Return what the peer with the most connections can spare for ``newcomer``.

    ``opening`` is the number of the newcomer's current handshakes.
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
    idle = settled([guest for guest in own if guest.resting], now=now)
    late = [guest for guest in own if guest.unfinished and now - guest.arrived > SETTLED_SECONDS]
    idle.sort(key=lambda guest: guest.rested)
    late.sort(key=lambda guest: guest.arrived)
    return (idle + late)[: (counts[fullest] - allowed + 1) // 2]
