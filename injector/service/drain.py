"""A stop that loses no review: not ready, `Connection: close` on every answer, quiet, close, finish.

The API server keeps its connections to a pod that is leaving, and does not repeat a POST that meets their
end; so it has to be told on each that it ends before it does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from injector.service.options import Drain


class Draining(Protocol):
    """What is drained."""

    draining: bool
    last_review: float


async def until_quiet(edge: Draining, times: Drain, at_once: asyncio.Event) -> None:
    """Answer on with `Connection: close` until reviews have stopped coming, or ``at_once`` is set."""
    edge.draining = True
    start = time.monotonic()
    while not at_once.is_set():
        now = time.monotonic()
        quiet_at = max(start + times.minimum, edge.last_review + times.quiet)
        left = min(quiet_at, start + times.maximum) - now
        if left <= 0:
            return
        await _within(left, at_once)


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
