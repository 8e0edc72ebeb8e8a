"""The memory that each request in flight holds, and which body is dropped when another finds no room.

A body may be dropped while it is read or waits for its turn. It is the newest body of the peer that holds
most, in that peer's namespace that holds most, if that is more than the newcomer's caller would hold: a
client that fills the memory fills it for itself. If API servers are known, strangers' bodies are dropped for
theirs, and theirs never for a stranger's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from injector.service.beside import API_SERVERS, Caller
from injector.service.http import Refusal, unavailable
from injector.service.memory import InFlight


class Bodies:
    """The bodies in flight, one `hold` for each request; those ``leaving`` may be dropped, oldest first."""

    def __init__(self, memory: InFlight) -> None:
        self.memory = memory
        self.leaving: dict[Held, None] = {}

    def hold(self, peer: str) -> Held:
        """Return the holding of a new request of this peer: nothing yet."""
        return Held(self, Caller(peer, b""))

    def who_leaves(self, caller: Caller, size: int, limit: float) -> Held | None:
        """Return the body to drop for ``size`` bytes of a caller, which have no room below ``limit``.

        None if no caller holds more than this one would then, or if dropping would not make enough room.
        """
        missing = self.memory.used + size - limit
        strangers = [each for each in self.leaving if each.caller.peer != API_SERVERS]
        if caller.peer != API_SERVERS:
            return _of_the_fullest(strangers, caller, size, missing)
        missing -= sum(each.size for each in strangers)
        if missing <= 0:
            return next((each for each in reversed(strangers) if each.size), None)
        servers = [each for each in self.leaving if each.caller.peer == API_SERVERS]
        return _of_the_fullest(servers, caller, size, missing)

    def of_strangers(self) -> int:
        """Return the bytes that may leave for a body of an API server, whatever that has."""
        return sum(each.size for each in self.leaving if each.caller.peer != API_SERVERS)


class Held:
    """What one request holds, given back at the end of the block. ``gone``: it was dropped."""

    __slots__ = ("_bodies", "_limit", "caller", "gone", "size")

    def __init__(self, bodies: Bodies, caller: Caller) -> None:
        self._bodies = bodies
        self._limit: asyncio.Timeout | None = None
        self.caller = caller
        self.gone = False
        self.size = 0

    def take(self, size: int, share: float = 1.0) -> None:
        """Count ``size`` bytes more; Refusal if they do not fit into this share of the limit."""
        self.check()
        memory = self._bodies.memory
        while not memory.has_room(size, share):
            other = self._bodies.who_leaves(self.caller, size, memory.limit * share)
            if other is None:
                raise full()
            other.leave()
        self._count(size)
        memory.note()

    def check(self) -> None:
        """Refuse the request if it was dropped."""
        if self.gone:
            raise full()

    @asynccontextmanager
    async def may_leave(self, seconds: float) -> AsyncIterator[None]:
        """Allow dropping meanwhile, which raises Refusal; TimeoutError after so many seconds."""
        try:
            async with asyncio.timeout(seconds) as self._limit:
                self._bodies.leaving[self] = None
                yield
        except TimeoutError:
            self.check()
            raise
        finally:
            del self._bodies.leaving[self]
        # A request that became ready at this very moment is refused by `check`: it may have memory to give
        # back.

    def leave(self) -> None:
        """Give everything back at once, and wake the request's task."""
        self.gone = True
        self._count(-self.size)
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())

    def _count(self, size: int) -> None:
        self.size += size
        self._bodies.memory.held += size
        self._bodies.memory.bodies += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._count(-self.size)


def full() -> Refusal:
    """Return the reply for a request that finds no memory."""
    return Refusal("overload", unavailable("too much memory is in use"))


def _of_the_fullest(bodies: Sequence[Held], caller: Caller, size: int, missing: float) -> Held | None:
    """Return the newest body of the peer and namespace that hold most, if that helps and is fair."""
    peers: Counter[str] = Counter()
    for each in bodies:
        peers[each.caller.peer] += each.size
    peer = max(peers, key=peers.__getitem__, default=caller.peer)
    if peers[peer] <= peers[caller.peer] + size:
        peer = caller.peer
    lines: Counter[bytes] = Counter()
    for each in bodies:
        if each.caller.peer == peer:
            lines[each.caller.namespace] += each.size
    namespace = max(lines, key=lines.__getitem__, default=b"")
    would_have = lines[caller.namespace] + size if peer == caller.peer else 0
    if lines[namespace] <= would_have or missing > lines.total():
        return None
    return next(each for each in reversed(bodies) if each.size and each.caller == (peer, namespace))
