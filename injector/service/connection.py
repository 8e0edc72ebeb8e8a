"""One connection of aiohttp's low-level server: its bytes, its clocks, and what may go past the parser.

Knows when a client is slow or idle, and nothing of what is asked; the edge (see `server`) answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from injector.service.framing import Framing
from injector.service.logs import shorten

if TYPE_CHECKING:  # the edge makes connections, and each of them asks it
    from injector.service.server import Edge

HEAD_BUFFER: Final = 1 << 18
"""Bytes that a connection reads ahead of its handler: a typical review arrives whole."""

NEVER: Final = 1e6
"""Seconds after which aiohttp may close an idle connection: we do, as it does not see every request."""


class Connection(web.RequestHandler):
    """aiohttp's protocol, with the times by which a slow or idle client is told from a busy one."""

    __slots__ = ("arrived", "busy", "edge", "framing", "opened", "plain", "rested", "served")

    def __init__(self, manager: web.Server, edge: Edge, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=NEVER,
            access_log=None,  # type: ignore[arg-type]  # None is how aiohttp turns it off
            auto_decompress=False,  # a small gzip body would cost seconds before it is refused
            read_bufsize=HEAD_BUFFER,
            lingering_time=edge.limits.shutdown_seconds,
        )
        self.edge = edge
        self.framing = Framing()
        self.opened = self.rested = time.monotonic()
        self.arrived = 0.0
        self.busy = False
        self.plain = False
        self.served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first request."""
        self.opened = self.rested = time.monotonic()
        super().connection_made(transport)
        self.edge.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer what can be answered at once; of the rest, note when the first byte of a request came."""
        if data:  # aiohttp calls it with nothing
            whole = self.framing.feed(data)
            if whole is not None and whole.end == len(data) and self.edge.answer_at_once(self, whole, data):
                return
            if not self.arrived:
                self.arrived = time.monotonic()
                self.edge.waiting += 1
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.rest()
        self.edge.connections.discard(self)
        super().connection_lost(exc)

    def rest(self) -> None:
        """Note that the request is answered."""
        self.busy = False
        if self.arrived:
            self.arrived = 0.0
            self.rested = time.monotonic()
            self.edge.waiting -= 1
        if self.plain:
            self.plain = False
            self.framing.ended()

    def close(self) -> None:
        """Take no more requests."""
        self.framing.lost()
        super().close()

    def force_close(self) -> None:
        """Close at once."""
        self.framing.lost()
        super().force_close()

    def idle(self, now: float) -> bool:
        """Tell whether nothing was asked for longer than a connection is kept."""
        return not self.arrived and now - self.rested > self.edge.limits.keepalive_seconds

    def slow(self, now: float) -> str | None:
        """Name what the client is late with: its first request, or the head of the one it began."""
        if self.busy:
            return None
        if self.arrived:
            return "head" if now - self.arrived > self.edge.limits.head_seconds else None
        if not self.served and now - self.opened > self.edge.limits.head_seconds:
            return "silent"
        return None

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,  # noqa: ARG002
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is not HTTP; aiohttp would log a traceback for each."""
        self.edge.metrics.refused["bad_request"] += 1
        text = message if isinstance(exc, HttpProcessingError) and message else "bad request"
        response = web.Response(status=400, text=shorten(text) + "\n")
        response.force_close()
        return response


class Server(web.Server):
    """Makes our connections; aiohttp's own falls back to its defaults when it does not know a setting."""

    def __init__(self, edge: Edge) -> None:
        super().__init__(edge.handle)  # type: ignore[arg-type]  # what it returns has all of a response that is used
        self._edge = edge

    def __call__(self) -> web.RequestHandler:
        """Make the protocol of one connection."""
        return Connection(self, self._edge, loop=self._loop)
