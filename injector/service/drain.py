"""A stop that loses no review: not ready, `Connection: close` on every answer, quiet, close, finish.

The API server keeps its connections to a pod that is leaving, and does not repeat a POST that meets their
end; so it has to be told on each that it ends before it does.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from injector.kube.waiting import wait_for
from injector.service.options import Drain
from injector.service.server import Edge


@dataclass(slots=True, kw_only=True)
class Leaving:
    """What the signals that came ask for: ``stop`` to leave, ``hurry`` not to wait for quiet, ``now`` to end.

    A SIGTERM begins the drain. Whoever sends a second one within its minimum (a supervisor that repeats
    itself) would only lose reviews, and is not heard; later it ends everything. A SIGINT is somebody at a
    terminal: what is in flight is finished, and a second one does not wait for that either.
    """

    times: Drain
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    now: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0

    def terminate(self) -> str:
        """Take note of a SIGTERM; return what it leads to."""
        if not self.stop.is_set():
            self.begin()
            return "drain"
        if time.monotonic() - self.began < self.times.minimum and not self.hurry.is_set():
            return "nothing, the drain has just begun"
        self.end()
        return "the end"

    def interrupt(self) -> str:
        """Take note of a SIGINT; return what it leads to."""
        if self.hurry.is_set():
            self.end()
            return "the end"
        self.begin()
        self.hurry.set()
        return "short drain"

    def begin(self) -> None:
        """Begin to leave."""
        if not self.stop.is_set():
            self.began = time.monotonic()
            self.stop.set()

    def end(self) -> None:
        """Leave at once."""
        self.begin()
        self.hurry.set()
        self.now.set()


async def until_quiet(edge: Edge, times: Drain, hurry: asyncio.Event) -> None:
    """Answer on with `Connection: close` until reviews have stopped coming, or ``hurry`` is set."""
    edge.draining = True
    start = time.monotonic()
    while not hurry.is_set():
        now = time.monotonic()
        quiet_at = max(start + times.minimum, edge.last_review + times.quiet)
        left = min(quiet_at, start + times.maximum) - now
        if left <= 0:
            return
        await wait_for(hurry, left)
