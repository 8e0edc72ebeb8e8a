"""One process beside the loop for reviews that would block it, and the order in which they get it.

There is one such process, or several large reviews would take the CPU from the loop at once. Peers take
turns, and the namespaces of one peer take turns: a caller with expensive reviews waits only for itself. Any
peer may name any namespace, so what a peer does under a name counts for that peer only. Peers that are known
to be API servers are one peer, because a namespace is the same tenant at each of them. It comes before all
others.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

from injector.service.child import Child
from injector.service.generation import Reviewer

_K = TypeVar("_K")
_T = TypeVar("_T")

EXPENSIVE_SECONDS: Final = 0.02
"""CPU time from which a review that the process answers keeps its caller there: the most that others should
wait for it. An ordinary one takes 0.2 to 5 ms."""

COSTLY_SECONDS: Final = 0.003
"""CPU time from which the reviews of a caller that the loop answers are added up: a pod for which a template
renders a new text takes 5 ms, any other less."""

BYTE_SECONDS: Final = 8e-9
"""What each byte of a review adds to that: an honest pod of 277 kB takes 1.7 ms, and half as long again on an
older machine."""

SPENT_SECONDS: Final = 0.2
"""What the added-up reviews of a caller may take of the loop at once: about forty pods of new shapes.

One expensive review alone is not too much. It has taken its time already, and the collector's and the
hypervisor's time counts as its own: where neighbours are noisy, every busy caller has one of 25 ms now and
then."""

SHARE: Final = 0.01
"""Share of the loop's time by which that sum decreases again."""

FIRST_SECONDS: Final = 5.0
"""How long a caller is kept off the loop at first; each further time doubles it."""

LONGEST_SECONDS: Final = 600.0
"""The longest time that a caller is kept off the loop, and for how long afterwards that is remembered: a
caller that was not too expensive again until then begins anew."""

CALLERS: Final = 1024
"""Callers remembered; beyond that, the one that was noted the longest ago is forgotten."""

CHILD_SECONDS: Final = 5.0
"""Age at which a child is replaced: it knows the cluster's state from when it was forked, and keeps the
memory that its reviews took. A fork takes 10 ms of CPU, 4 of them on the loop."""

_HEAD: Final = 2048
"""Bytes within which an API server has written the namespace: some 600 bytes of identities and kinds come
before it."""

_NAMESPACE: Final = b'"namespace":"'
_LONGEST_NAMESPACE: Final = 63


def costly_seconds(size: int) -> float:
    """Return the CPU time from which reviews of this size are added up."""
    return COSTLY_SECONDS + size * BYTE_SECONDS


API_SERVERS: Final = "API servers"
"""The one peer that all are of which it is known that they are API servers."""


class Caller(NamedTuple):
    """The caller of a review, as the unit of fairness: its IP address and the namespace that it names.

    The address of all that are known to be API servers is `API_SERVERS`.
    """

    peer: str
    namespace: bytes


def caller_of(peer: str, data: bytes, start: int = 0) -> Caller:
    """Return the sender of a review; the namespace is a guess from its first bytes, b"" if not found."""
    at = data.find(_NAMESPACE, start, start + _HEAD) + len(_NAMESPACE)
    end = data.find(b'"', at, at + _LONGEST_NAMESPACE + 1) if at >= len(_NAMESPACE) else -1
    return Caller(peer, data[at:end] if end >= 0 else b"")


class _KeptOff(NamedTuple):
    """Until when a caller is kept off the loop, by the monotonic clock, and the length of that time."""

    until: float
    seconds: float


class ExpensiveCallers:
    """Callers whose reviews blocked the loop lately: their next reviews are answered by the process.

    What counts is the CPU time of a review, on the loop or in the process: elapsed time says little on a busy
    machine.
    """

    __slots__ = ("_known", "_spent")

    def __init__(self) -> None:
        self._known: dict[Caller, _KeptOff] = {}
        self._spent: dict[Caller, tuple[float, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def spend(self, caller: Caller, seconds: float) -> None:
        """Add a costly review's CPU time on the loop; keep its caller off the loop if the sum is too much."""
        now = time.monotonic()
        spent, noted = self._spent.pop(caller, (0.0, now))
        spent = max(0.0, spent - (now - noted) * SHARE) + seconds
        _keep(self._spent, caller, (spent, now))
        if spent > SPENT_SECONDS:
            self.add(caller)

    def add(self, caller: Caller) -> None:
        """Keep the caller off the loop."""
        last, now = self._known.pop(caller, None), time.monotonic()
        seconds = min(last.seconds * 2, LONGEST_SECONDS) if last is not None else FIRST_SECONDS
        _keep(self._known, caller, _KeptOff(now + seconds, seconds))

    def has(self, caller: Caller) -> bool:
        """Return whether the caller is kept off the loop."""
        last, now = self._known.get(caller), time.monotonic()
        if last is not None and now - last.until > LONGEST_SECONDS:
            del self._known[caller]
        return last is not None and now < last.until


def _keep(remembered: dict[Caller, _T], caller: Caller, value: _T) -> None:
    """Remember a value for a new caller; beyond the limit, the oldest caller is forgotten."""
    if len(remembered) >= CALLERS:
        del remembered[next(iter(remembered))]
    remembered[caller] = value


class Beside:
    """The process and its queue: `wait` for a turn, ask the `child`, then `pass_on`.

    The process exists only while there are such reviews. A body may have ``body_bytes``.
    """

    def __init__(self, body_bytes: int) -> None:
        self._body_bytes = body_bytes
        self.busy = False
        self._child: Child | None = None
        self._talking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-review")
        self._waiting: dict[str, dict[bytes, deque[asyncio.Future[None]]]] = {}

    @property
    def waiting(self) -> int:
        """Return how many reviews wait for their turn."""
        return sum(len(line) for lines in self._waiting.values() for line in lines.values())

    async def wait(self, caller: Caller) -> None:
        """Wait until it is this caller's turn; a cancelled waiter passes its turn on."""
        if not self.busy:
            self.busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller.peer, {}).setdefault(caller.namespace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            else:
                self._forget(caller, turn)
            raise

    def child(self, reviewer: Reviewer) -> Child:
        """Return the process that answers from ``reviewer``; fork it now unless the current one may go on.

        Raises what `Child` does.
        """
        child = self._child
        if child is None or child.over or child.reviewer is not reviewer or self._is_old(child):
            self.end_child()
            child = self._child = Child(reviewer, self._body_bytes)
        return child

    async def run(self, ask: Callable[..., _T], *args: object) -> _T:
        """Call a method of the child, which blocks, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._talking, ask, *args)

    def end_old_child(self) -> None:
        """End an old process that is idle; called once a second."""
        if self._child is not None and not self.busy and self._is_old(self._child):
            self.end_child()

    def end_child(self) -> None:
        """End the process once it has answered its current review; a thread waits for it, not the loop."""
        child, self._child = self._child, None
        if child is not None:
            self._talking.submit(child.end)

    def end(self) -> None:
        """Kill the process and end its thread at once: Python waits for the thread before it exits."""
        if self._child is not None:
            self._child.kill()
        self.end_child()
        self._talking.shutdown(wait=False)

    def _is_old(self, child: Child) -> bool:
        return time.monotonic() - child.born > CHILD_SECONDS

    def pass_on(self) -> None:
        """End the turn: next is the peer that has waited longest, and of its namespaces the one that has."""
        while self._waiting:
            peer = API_SERVERS if API_SERVERS in self._waiting else next(iter(self._waiting))
            lines = self._waiting.pop(peer)
            namespace, line = _first(lines)
            turn = line.popleft()
            if line:
                lines[namespace] = line
            if lines:
                self._waiting[peer] = lines
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False

    def _forget(self, caller: Caller, turn: asyncio.Future[None]) -> None:
        lines = self._waiting.get(caller.peer, {})
        line = lines.get(caller.namespace, deque())
        if turn not in line:
            return
        line.remove(turn)
        if not line:
            del lines[caller.namespace]
        if not lines:
            del self._waiting[caller.peer]


def _first(waiting: dict[_K, _T]) -> tuple[_K, _T]:
    """Remove and return the oldest item."""
    key = next(iter(waiting))
    return key, waiting.pop(key)
