"""Do file work in a thread of its own, and give it up when it hangs: a file system may never answer.

The threads of a pool would all be taken by a mount that hangs, and waited for when the process ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
"""What takes longer hangs: a kubelet's mounts are in memory or on the node's disk, and read in milliseconds.
It is also the time between two looks at the files."""


class Disk:
    """At most one piece of work is under way: while one hangs, whatever is asked next is given up at once."""

    def __init__(self) -> None:
        self._work: Future[object] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns; TimeoutError where it hangs, or an earlier one still does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.wrap_future(self._begin(work))

    def run_here(self, work: Callable[[], T]) -> T:
        """Do the same where nothing else has to go on meanwhile."""
        return self._begin(work).result(PATIENCE_SECONDS)

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        if self._work is not None and not self._work.done():
            raise TimeoutError
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._work = future  # type: ignore[assignment]
        threading.Thread(target=_do, args=(work, future), name="disk", daemon=True).start()
        return future


def _do(work: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
        future.set_exception(error)
