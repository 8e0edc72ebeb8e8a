"""Stop without losing a review: not ready, `Connection: close` on every answer, quiet, close, finish.

The API server keeps its connections to a pod that is leaving, and does not repeat a POST that was sent on a
closing connection; so each connection must be told before it ends.
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
    """What the signals so far ask for: ``stop`` to leave, ``hurry`` to skip the quiet, ``now`` to end.

    A SIGTERM begins the drain. A second one within the minimum (a supervisor that repeats itself) is ignored,
    since it would only lose reviews; later it ends everything. A SIGINT comes from a person at a terminal:
    what is in flight is finished, and a second one ends even that.
    """

    times: Drain
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    now: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0

    def terminate(self) -> str:
        """Note a SIGTERM; return the action."""
        if not self.stop.is_set():
            self.begin()
            return "drain"
        if time.monotonic() - self.began < self.times.minimum and not self.hurry.is_set():
            return "nothing, the drain has just begun"
        self.end()
        return "the end"

    def interrupt(self) -> str:
        """Note a SIGINT; return the action."""
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
    """Keep answering with `Connection: close` until no reviews come any more, or ``hurry`` is set."""
    edge.draining = True
    start = time.monotonic()
    while not hurry.is_set():
        now = time.monotonic()
        quiet_at = max(start + times.minimum, edge.last_review + times.quiet)
        left = min(quiet_at, start + times.maximum) - now
        if left <= 0:
            return
        await wait_for(hurry, left)
