"""Waiting times: after a failure, for an event or a time, and before the next write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass


async def wait_for(event: asyncio.Event, seconds: float | None) -> None:
    """Return when the event is set or ``seconds`` are over; None waits without a limit."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Seconds to wait after each failure in a row; ``reset`` after a success.

    The cap is low on purpose: there are few clients, each with one small object, and after a fault has
    cleared it must be noticed within five seconds.
    """

    first: float = 0.1
    cap: float = 4.0
    uniform: Callable[[float, float], float] = random.uniform
    _failures: int = 0

    def next(self, *, at_least: float = 0.0) -> float:
        """Return the next waiting time: with jitter in its upper half, never less than ``at_least``."""
        ceiling = min(self.cap, self.first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 32)
        return max(at_least, self.uniform(ceiling / 2, ceiling))

    def reset(self) -> None:
        """Start with the first waiting time again."""
        self._failures = 0


@dataclass(slots=True, kw_only=True)
class TokenBucket:
    """Allows ``capacity`` at once, and one more every ``period`` seconds.

    With 5 and 60, a rival that writes for ten minutes is answered by at most fifteen writes of ours.
    """

    capacity: int = 5
    period: float = 60.0
    _tokens: float = -1.0
    _filled: float = 0.0

    def wait(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        if self._tokens < 0:
            self._tokens, self._filled = float(self.capacity), now
        self._tokens = min(self.capacity, self._tokens + (now - self._filled) / self.period)
        self._filled = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self.period
