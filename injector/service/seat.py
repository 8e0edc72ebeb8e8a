"""What a worker is among the others: it tells them of itself, and speaks for all when it is asked."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry

from injector.service.board import Board, rows_of
from injector.service.health import Readiness
from injector.service.http import Page, Reply
from injector.service.metrics import Metrics, exposition

OTHERS: Final = "workers"
"""The condition of readiness that is about other workers: what a worker tells of itself is without it."""

TELL_SECONDS: Final = 1.0
BEGIN_SECONDS: Final = 10.0
"""For so long a worker that replaces one says nothing while it is not ready: the others serve meanwhile."""


@dataclass(slots=True, kw_only=True)
class Seat:
    """The place of one worker, counted from 1; ``replaces`` one that died, or none.

    ``parent`` is the end of a pipe that the parent holds: it is read to its end when that is gone.
    """

    worker: int
    board: Board
    parent: int
    replaces: bool
    _told: bool = False
    _begun: float = field(default_factory=time.monotonic)

    def tell(self, metrics: Metrics, readiness: Readiness) -> None:
        """Put on the board what this worker counts, and what it lacks."""
        missing = [*readiness.missing(but=OTHERS)]
        if self.replaces and not self._told and missing and time.monotonic() - self._begun < BEGIN_SECONDS:
            return
        rows = rows_of(metrics.families())
        self.board.write(self.worker, {"at": time.monotonic(), "missing": missing, "rows": rows})
        if not self._told:
            self._told = True
            os.kill(os.getppid(), signal.SIGCHLD)  # the parent begins the others when the first one is there

    async def keep_telling(self, metrics: Metrics, readiness: Readiness) -> None:
        """Tell once a second, for ever."""
        while True:
            self.tell(metrics, readiness)
            await asyncio.sleep(TELL_SECONDS)

    def others(self) -> str | None:
        """Return why not all workers serve; None when they do."""
        return "; ".join(self.board.faults(self.worker)) or None

    def metrics_page(self, metrics: Metrics, readiness: Readiness) -> Page:
        """Return the page for scrapers, which is of all workers."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.board)

        def page(_query: str, accept: str) -> Reply:
            self.tell(metrics, readiness)
            body, content_type = exposition(registry, accept)
            return Reply(200, body, content_type)

        return page

    def when_alone(self, leave: Callable[[], None]) -> None:
        """Call ``leave`` on the loop once the parent is gone: nobody would replace or stop this worker."""
        loop = asyncio.get_running_loop()

        def alone() -> None:
            loop.remove_reader(self.parent)
            leave()

        loop.add_reader(self.parent, alone)
