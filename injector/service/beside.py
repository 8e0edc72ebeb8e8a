"""One thread beside the loop for reviews that would hold it, and who is next: a namespace after the other.

It is one thread, or several large reviews would take turns with the loop at once. A namespace whose reviews
are dear waits for itself: each of the others has its turn after at most one review of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")

DEAR_SECONDS: Final = 0.05
"""Time on the loop from which a review is dear: what others may be made to wait for it. An ordinary one takes
0.2 to 4 ms."""

STRIKES: Final = 2
"""Dear reviews of a namespace, one within `REMEMBERED_SECONDS` of the other, after which its reviews go to
the thread: a single one may be the machine's fault."""

REMEMBERED_SECONDS: Final = 60.0
"""How long a dear review is remembered."""

ACQUITTING: Final = 8
"""Reviews in a row that were cheap in the thread after which those of a namespace come back to the loop."""

NAMESPACES: Final = 1024
"""Namespaces remembered as dear; the one that struck first is forgotten for a new one."""

_HEAD: Final = 2048
"""Bytes in which an API server has named the namespace: identities and kinds come before it, some 600."""

_NAMESPACE: Final = b'"namespace":"'
_LONGEST_NAMESPACE: Final = 63


def namespace_of(data: bytes, start: int = 0) -> bytes:
    """Return the namespace that a review names near its beginning, b"" for none; a guess, to be fair by."""
    at = data.find(_NAMESPACE, start, start + _HEAD) + len(_NAMESPACE)
    end = data.find(b'"', at, at + _LONGEST_NAMESPACE + 1) if at >= len(_NAMESPACE) else -1
    return data[at:end] if end >= 0 else b""


@dataclass(slots=True)
class _Record:
    """Of a namespace: dear reviews, cheap ones in the thread since, and when the last dear one was."""

    strikes: int = 0
    cheap: int = 0
    last: float = 0.0


class DearNamespaces:
    """Namespaces whose reviews were dear lately.

    The loop knows only how long a review took, which on a busy machine says little; the thread measures what
    it worked. So a namespace is suspected on the loop's word, and acquitted on the thread's.
    """

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: dict[bytes, _Record] = {}

    def __bool__(self) -> bool:
        """Return whether any is remembered."""
        return bool(self._records)

    def took_long(self, namespace: bytes) -> None:
        """Remember a review that was dear."""
        now = time.monotonic()
        record = self._records.pop(namespace, None)
        if record is None or now - record.last > REMEMBERED_SECONDS:
            record = _Record()
        if len(self._records) >= NAMESPACES:
            del self._records[next(iter(self._records))]
        record.strikes += 1
        record.cheap = 0
        record.last = now
        self._records[namespace] = record

    def was_cheap(self, namespace: bytes) -> None:
        """Remember one in the thread that was not; several in a row acquit, until the next strike."""
        record = self._records.get(namespace)
        if record is not None:
            record.cheap += 1
            if record.cheap >= ACQUITTING:
                record.strikes, record.cheap = STRIKES - 1, 0

    def has(self, namespace: bytes) -> bool:
        """Return whether reviews of the namespace are dear."""
        record = self._records.get(namespace)
        if record is None:
            return False
        if time.monotonic() - record.last > REMEMBERED_SECONDS:
            del self._records[namespace]
            return False
        return record.strikes >= STRIKES


class Beside:
    """The thread and its queue: `wait` for a turn, `run` in it, then `pass_on`."""

    def __init__(self) -> None:
        self.busy = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-review")
        self._waiting: dict[bytes, deque[asyncio.Future[None]]] = {}

    async def wait(self, namespace: bytes) -> None:
        """Wait until it is the turn of this one; whoever is cancelled meanwhile gives its turn away."""
        if not self.busy:
            self.busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            else:
                self._forget(namespace, turn)
            raise

    async def run(self, work: Callable[..., T], *args: object) -> tuple[T, float]:
        """Do the work in the thread; return what comes of it and the seconds of CPU that it took."""

        def timed() -> tuple[T, float]:
            start = time.thread_time()
            return work(*args), time.thread_time() - start

        return await asyncio.get_running_loop().run_in_executor(self._thread, timed)

    def pass_on(self) -> None:
        """End the turn: the oldest of the namespace that has waited longest for one is next."""
        for namespace in list(self._waiting):
            line = self._waiting.pop(namespace)
            turn = line.popleft()
            if line:
                self._waiting[namespace] = line
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False

    def _forget(self, namespace: bytes, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(namespace)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[namespace]
