"""One connection of aiohttp's low-level server: its bytes, its clocks, and requests that skip the parser.

It knows whether its client is slow or idle and what it costs in memory; the edge (see `server`) answers.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
import time
from typing import TYPE_CHECKING, Final, cast

from injector.kube.lean import without_authorities
from injector.service.framing import Framing
from injector.service.logs import shorten

with without_authorities():
    from aiohttp import StreamReader, web
    from aiohttp.http import StreamWriter
    from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:  # the edge makes connections, and each connection calls the edge
    from injector.service.server import Edge

HEAD_BUFFER: Final = 1 << 18
"""Bytes that a connection reads ahead of its handler: a typical review arrives whole."""

NEVER: Final = 1e6
"""Seconds after which aiohttp would close an idle connection: we close it, as aiohttp does not see every
request."""

PIECE: Final = 64 << 10
"""Bytes of an answer that are written at once. The TLS layer keeps a buffer of the largest write for as long
as the connection is open, and reports a slow client only between two writes."""

IDLE_BYTES: Final = 50 << 10
"""Memory of an open connection, measured with 200 of them after one request each: OpenSSL's state and
ours."""

OVERFULL: Final = 1.25
"""Share of the memory in flight above which a client without an answered review that sends much is cut off
instead of told to come again: for an answer, its request would have to be read first."""

READ_COPIES: Final = 2
"""Copies of a connection's largest read in memory: the TLS layer keeps its buffer, and aiohttp has the bytes
until they are read."""


class EdgeConnection(web.RequestHandler):
    """aiohttp's protocol, with the times that tell a slow or idle client from a busy one.

    - ``peer``: the address of its client.
    - ``party``: the same, or `API_SERVERS`. Callers are told apart by it.
    - ``reviewed``: a review of it was answered before.
    - ``reading``: a body is still on its way.
    - ``taken``: a whole request that is answered at the end of this turn of the loop.
    - ``left``: the body of a request that was answered before all of it came.
    - ``unread``: bytes of answers that its client may not have read yet.
    - ``wrote``: when the last of them was written.
    - ``flushing``: the task that writes what the client was too slow for.
    """

    __slots__ = (
        "_cost",
        "_memory",
        "_socket",
        "_widest",
        "_wire",
        "arrived",
        "busy",
        "edge",
        "flushing",
        "framing",
        "left",
        "opened",
        "party",
        "peer",
        "plain",
        "reading",
        "rested",
        "reviewed",
        "served",
        "taken",
        "unread",
        "wrote",
    )

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
        self.reading = False
        self.reviewed = False
        self.served = 0
        self.party = self.peer = ""
        self.taken = b""
        self.unread = 0
        self.wrote = 0.0
        self.left: StreamReader | None = None
        self.flushing: asyncio.Task[bool] | None = None
        self._memory = edge.memory
        self._cost = 0
        self._widest = 0
        self._socket = -1
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first request."""
        self.opened = self.rested = time.monotonic()
        super().connection_made(transport)
        # aiohttp forgets its transport when it begins to close; then only we can cut the connection off.
        self._wire = cast("asyncio.Transport", transport)
        # The TLS layer reports the first byte that waits in it, which happens once the socket is full.
        self._wire.set_write_buffer_limits(high=1, low=0)
        self.peer = peer_of(transport.get_extra_info("peername"))
        self.party = self.edge.party(self)
        self._socket = transport.get_extra_info("socket").fileno()
        self._pay(IDLE_BYTES)
        self.edge.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take requests that need no parser, for the end of this turn; note when a request began to come."""
        if data:  # aiohttp calls this method with no data
            if len(data) > self._widest and not self._affords(len(data)):
                return
            whole = self.framing.feed(data)
            taken = whole is not None and whole.end == len(data) and self.edge.take(self, whole)
            if not self.arrived and (self.left is None or self.left.is_eof()):
                self.left = None
                self.arrived = time.monotonic()
                self.edge.waiting += 1
            if taken:
                self.taken, self.busy = data, True
                return
            if self.taken:  # it was whole, but more came in the same turn
                data, self.taken = self.taken + data, b""
        self.parse(data)

    def parse(self, data: bytes) -> None:
        """Pass received bytes to aiohttp's parser."""
        super().data_received(data)

    def _affords(self, size: int) -> bool:
        """Count the lasting cost of so large a read; return whether the connection may go on after it."""
        self._widest = size
        self._pay(IDLE_BYTES + READ_COPIES * size)
        if self.reviewed or self.edge.memory.has_room(share=OVERFULL):
            return True
        self.edge.connections.evict(self, "memory")
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.rest()
        self.taken = b""
        self._socket = -1
        self._wire = None
        self._pay(0)
        self.read_all()
        self.edge.connections.discard(self)
        super().connection_lost(exc)

    def _pay(self, cost: int) -> None:
        """Count so many bytes for the connection."""
        self._memory.held += cost - self._cost
        self._cost = cost

    def send(self, data: bytes, now: float) -> asyncio.Task[bool] | None:
        """Write an answer; return the task that writes what the client is too slow for, if there is one.

        There must be no such task already. It returns whether the connection is still open.
        """
        transport = self.transport
        assert transport is not None  # noqa: S101 - the caller has checked
        size = len(data)
        self.unread += size
        self.wrote = now
        self._memory.held += size
        if size > PIECE or self._paused:
            rest = self._write_pieces(memoryview(data))
        else:
            transport.write(data)
            rest = memoryview(b"")
        if rest or self._paused:
            self.flushing = asyncio.get_running_loop().create_task(self._flush(rest))
        return self.flushing

    async def _flush(self, rest: memoryview) -> bool:
        """Write the rest as the client reads it, within a time limit."""
        writer = StreamWriter(self, asyncio.get_running_loop())
        try:
            async with asyncio.timeout(self.edge.limits.write_seconds):
                await writer.drain()
                while rest and self.transport is not None:
                    rest = self._write_pieces(rest)
                    await writer.drain()
        except TimeoutError:
            self.edge.connections.evict(self, "answer")
        except ConnectionError:
            self.framing.lost()
        finally:
            self.flushing = None
            self.wrote = time.monotonic()
        return self in self.edge.connections

    def _write_pieces(self, data: memoryview) -> memoryview:
        """Write as long as the client keeps reading; return what is left."""
        while data and self.transport is not None and not self.writing_paused:
            self.transport.write(data[:PIECE])
            data = data[PIECE:]
        return data

    def hold_reading(self) -> None:
        """Stop reading from the client until `go_on_reading`."""
        transport = self.transport
        if transport is not None:
            transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read again, unless aiohttp has its own reason not to."""
        transport = self.transport
        if transport is not None and not (self._reading_paused or self._buffer_paused):
            transport.resume_reading()

    def read_all(self) -> None:
        """Note that the client has read its answers, or never will."""
        self._memory.held -= self.unread
        self.unread = 0

    def has_taken_all(self) -> bool:
        """Return whether the client's system has received everything that was written."""
        return self.flushing is None and not _waiting_to_be_sent(self._socket)

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

    def abort(self) -> None:
        """Close without TLS' farewell, which a slow or hostile client would not read."""
        self.framing.lost()
        if self._wire is not None:
            self._wire.abort()

    @property
    def resting(self) -> bool:
        """Return whether no request, no rest of a refused one and no answer is under way."""
        return not self.arrived and self.flushing is None and (self.left is None or self.left.is_eof())

    @property
    def unfinished(self) -> bool:
        """Return whether a request has begun to come but is not whole."""
        return bool(self.arrived) and (self.reading or not self.busy)

    def idle(self, now: float) -> bool:
        """Return whether the connection was idle for longer than it is kept."""
        return self.resting and now - self.rested > self.edge.limits.keepalive_seconds

    def slow(self, now: float) -> str | None:
        """Return what the client is late with: its first request, or the head of the current one."""
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
        """Answer what is not HTTP; aiohttp would log a traceback for each such request."""
        self.edge.metrics.refused["bad_request"] += 1
        text = message if isinstance(exc, HttpProcessingError) and message else "bad request"
        response = web.Response(status=400, text=shorten(text) + "\n")
        response.force_close()
        return response


def peer_of(address: object) -> str:
    """Return the IP address of a socket's peer; an IPv4 address on an IPv6 socket in IPv4's form."""
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    return host.removeprefix("::ffff:") if "." in host else host


def _waiting_to_be_sent(descriptor: int) -> int:
    """Return how many bytes the kernel holds that the peer has not acknowledged; 0 where it cannot tell."""
    try:
        answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)


class Server(web.Server):
    """Makes our connections; aiohttp's own server uses defaults for settings that it does not know."""

    def __init__(self, edge: Edge) -> None:
        super().__init__(edge.handle)  # type: ignore[arg-type]  # what it returns has all of a response that is used
        self._edge = edge

    def __call__(self) -> EdgeConnection:
        """Make the protocol of one connection."""
        return EdgeConnection(self, self._edge, loop=self._loop)
