"""An event loop with a clock of its own: ten minutes of timers pass in seconds, sockets are real.

A turn of the loop takes `TURN` of its time, however slow the machine is. When no socket has an event and no
thread works for the loop for a moment, the clock jumps to the next timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

QUIET = 0.002
"""Real seconds without an event before the clock jumps: a round trip on loopback takes a tenth."""

TURN = 0.0001
"""Seconds of the clock for one turn of the loop: what waits in a hurry, again and again, has to end."""


class _LeapingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.at_work: set[asyncio.Future[Any]] = set()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += TURN
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.at_work:
            return super().select()  # the end of a thread is an event
        events = super().select(min(timeout, QUIET))
        if not events:
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; a test on it may use only its ``time``."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now

    def run_in_executor(self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Stop the jumps until the thread has ended: on a busy machine it takes longer than ``QUIET``."""
        future = super().run_in_executor(executor, func, *args)
        self._leaping.at_work.add(future)
        future.add_done_callback(self._leaping.at_work.discard)
        return future


def loop_time() -> float:
    """Return the running loop's time, which jumps."""
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
