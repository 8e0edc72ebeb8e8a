"""An event loop whose clock leaps over waiting: ten minutes of timers pass in seconds, sockets are real.

As long as a socket has something to say, time passes as on the wall. When nothing happens for a moment, the
clock goes on to the next timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

QUIET = 0.002
"""Real seconds without an event after which the clock leaps: a round trip on loopback takes a tenth."""


class _LeapingSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.leapt = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= QUIET:
            return super().select(timeout)
        events = super().select(QUIET)
        if not events:
            self.leapt += timeout - QUIET
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; its ``time`` is the one clock that a test on it may use."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return super().time() + self._leaping.leapt


def loop_time() -> float:
    """Return the running loop's time, for a clock that leaps with it."""
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
