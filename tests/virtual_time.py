"""An event loop whose clock skips waiting: ten minutes of timers pass in seconds, sockets are real.

While a socket has events, time passes normally. When nothing happens for a moment, the clock jumps to the
next timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

QUIET = 0.002
"""Real seconds without an event before the clock jumps: a round trip on loopback takes a tenth."""


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
    """The loop; a test on it may use only its ``time``."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return super().time() + self._leaping.leapt


def loop_time() -> float:
    """Return the running loop's time, which jumps."""
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
