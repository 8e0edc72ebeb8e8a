"""Answer HTTP requests; together with `connection`, the only user of aiohttp.

aiohttp's low-level server parses; the answer is written as bytes, since a response object costs a third of
all HTTP work. A review with a known head skips the parser (see `framing`), and reviews that came in one turn
of the loop are answered in a row. This module limits what a call may cost the others: memory in flight, time
on the loop, and connections.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from sys import getsizeof
from typing import Any, Final, cast

from injector.kube.lean import without_authorities
from injector.memo import Memo
from injector.service.answering import LARGE_BODY, Answering, too_late
from injector.service.beside import API_SERVERS, caller_of
from injector.service.connection import EdgeConnection, Server
from injector.service.connections import Connections
from injector.service.framing import HEADS_BYTES, KNOWN_HEADS, Whole
from injector.service.held import Bodies, Held, full
from injector.service.http import (
    JSON_TYPE,
    Page,
    Refusal,
    Reply,
    head,
    redirect,
    target,
    too_large,
    unavailable,
)
from injector.service.memory import TIGHT, WAITING_SHARE, InFlight
from injector.service.metrics import Metrics
from injector.service.options import Limits
from injector.service.tls import ClientVerification

with without_authorities():
    from aiohttp import HttpVersion11, web

SMALL_BODY: Final = 64 << 10
"""Bytes up to which a body is small: three times an ordinary pod with three containers."""

ASKED_AHEAD: Final = 4
"""Memory is reserved for this many times the bytes received so far. Of thirty bodies that come at once half
are refused at each doubling, until the rest fit."""

AT_ONCE_SECONDS: Final = 0.05
"""The timeout for ending at once: to aiohttp, 0 means no limit."""

PATIENT_SECONDS: Final = 1.0
"""A caller that waits at least this long is still waiting when we begin a review that came whole: there is no
need to check its deadline."""

TOGETHER_BYTES: Final = 256 << 10
"""Bytes of answers that are made before the first is sent: those of a dozen ordinary pods or more."""

TOGETHER_SECONDS: Final = 0.01
"""Seconds for which they are made: if reviews take longer, fewer are answered before the first is sent."""


@dataclass(slots=True)
class _Done:
    """The result for aiohttp of an answer that is already written."""

    keep_alive: bool

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing."""

    async def write_eof(self) -> None:
        """Do nothing."""


_KEEP: Final = _Done(keep_alive=True)
_CLOSE: Final = _Done(keep_alive=False)


class Edge:
    """The HTTPS side of the service: `protocol` makes a connection, `handle` answers a request."""

    def __init__(
        self,
        *,
        answering: Answering | None,
        limits: Limits,
        metrics: Metrics,
        pages: dict[str, Page],
        memory: InFlight,
        trusted: Callable[[str], bool] = lambda _peer: False,
        clients: Callable[[], ClientVerification | None] = lambda: None,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.memory = memory
        self.connections = Connections(self, trusted)
        self._trusted = trusted
        self.waiting = 0
        self.draining = False
        self._answering = answering
        self._bodies = Bodies(memory)
        self._pages = pages
        self._clients = clients
        # Decoded paths by the heads of ordinary reviews. A client that sends ever new heads evicts only heads
        # that no other client sends.
        self._heads: Memo[bytes, str] = Memo(HEADS_BYTES, KNOWN_HEADS)
        self._taken: deque[tuple[EdgeConnection, int, str]] = deque()
        self._server = Server(self)

    @property
    def last_review(self) -> float:
        """Return when a review was last begun, on the monotonic clock; 0 where none are answered."""
        return self._answering.last_review if self._answering is not None else 0.0

    def protocol(self) -> EdgeConnection:
        """Make the protocol of one connection."""
        return self._server()

    async def shutdown(self, seconds: float) -> None:
        """Wait ``seconds`` for clients to read answers in flight, closing idle ones; then close the rest."""
        deadline = time.monotonic() + seconds
        while self._taken:
            self._answer_taken()
        await self.connections.flushed(seconds)
        self._server.pre_shutdown()
        await self._server.shutdown(max(deadline - time.monotonic(), AT_ONCE_SECONDS))
        await self.connections.end()

    def take(self, connection: EdgeConnection, whole: Whole) -> bool:
        """Take a whole request with a known head for the end of this turn; False leaves it to the parser."""
        path = self._heads.get(whole.head)
        if (
            path is None
            or self._answering is None
            or not 0 < whole.end - whole.start <= min(LARGE_BODY, self.limits.body_bytes)
            or self.waiting >= self.limits.waiting
        ):
            return False
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._answer_taken)
        self._taken.append((connection, whole.start, path))
        return True

    def _answer_taken(self) -> None:
        """Answer the taken requests, several in a row before their answers are sent.

        Code that just ran is still in the processor's caches: a review right after another costs a fifth less
        than one after system calls and ciphers, and so do the ciphers.
        """
        answers: list[tuple[EdgeConnection, bytes, float]] = []
        began, size = time.monotonic(), 0
        try:
            while self._taken and size < TOGETHER_BYTES and self.last_review < began + TOGETHER_SECONDS:
                connection, start, path = self._taken.popleft()
                if answer := self._answered(connection, start, path):
                    answers.append((connection, answer, self.last_review))
                    size += len(answer)
        finally:
            # The others in the loop's next turn, whatever happened: a fault of ours ends only one connection.
            if self._taken:
                asyncio.get_running_loop().call_soon(self._answer_taken)
            for connection, answer, now in answers:
                connection.send(answer, now)

    def _answered(self, connection: EdgeConnection, start: int, path: str) -> bytes:
        """Return the bytes to send for a taken request; nothing where the parser gets it."""
        data, connection.taken = connection.taken, b""
        answering = self._answering
        if answering is None or not data:  # more bytes came, or the connection is gone
            return b""
        if (
            (self.memory.held > self.memory.tight and not self._can_hold(connection, len(data) - start))
            or connection.transport is None
            or self.draining
            or connection.writing_paused
            or connection.flushing is not None
            or self._clients() is not None
            or answering.is_expensive(connection.party, data, start)
        ):
            connection.parse(data)
            return b""
        try:
            reply = answering.answer_now(connection.party, data[start:], path)
        except Exception:
            connection.abort()  # its client would wait for an answer that never comes
            raise
        connection.served += 1
        if reply.status == 200:
            connection.reviewed = True
        connection.rest()
        connection.framing.ended()
        return head(reply, keep=True) + reply.body

    def _can_hold(self, connection: EdgeConnection, size: int) -> bool:
        """Return whether memory allows a request with a body of ``size``.

        Once memory is tight only small bodies are allowed, from clients that have read their answers: a
        client that fills the memory with large bodies and unread answers keeps no other out. Strangers'
        bodies are dropped for those of API servers, so they do not count for an API server.
        """
        memory = self.memory
        if memory.has_room(share=TIGHT):
            return True
        if connection.party == API_SERVERS and memory.has_room(-self._bodies.of_strangers(), TIGHT):
            return True
        return size <= SMALL_BODY and connection.has_taken_all() and memory.has_room()

    def party(self, connection: EdgeConnection) -> str:
        """Return what callers of a connection are told apart by: its address, or `API_SERVERS`.

        API servers are the peers in ``--trusted-peers``, and those with a certificate where one is required.
        """
        known = self._trusted(connection.peer) or (self._clients() and self._admits(connection))
        return API_SERVERS if known else connection.peer

    def _admits(self, connection: EdgeConnection) -> bool:
        """Return whether a connection may post reviews by the certificate of its client."""
        clients = self._clients()
        return clients is None or clients.admits(_peer_certificate(connection))

    async def handle(self, request: web.BaseRequest) -> _Done:
        """Answer one request; the outermost frame of the request, which catches every fault."""
        connection = cast("EdgeConnection", request.protocol)
        connection.busy = True
        connection.served += 1
        try:
            try:
                with self._bodies.hold(connection.party) as held:
                    reply = await self._reply(request, connection, held)
            except Refusal as refusal:
                self.metrics.refused[refusal.reason] += 1
                reply = refusal.reply
            except ConnectionError:
                return _CLOSE
            return await self._send(request, connection, reply)
        finally:
            connection.left = request.content
            connection.rest()

    async def _reply(self, request: web.BaseRequest, connection: EdgeConnection, held: Held) -> Reply:
        asked = target(request.raw_path)
        if asked.location and request.method != "CONNECT":
            return redirect(asked.location, request.method)
        path = asked.path
        answering = self._answering
        advises = path == "/advise"
        if answering is not None and (advises or path == "/inject" or path.startswith("/inject/")):
            self._check_call(request, connection)
            arrived = connection.arrived or time.monotonic()
            patience = self.limits.review_seconds
            deadline = arrived + (patience if asked.timeout is None else min(asked.timeout, patience))
            content = request.content
            # The whole body of an ordinary review comes with its head: no clock, no wait.
            if content.is_eof():
                body = content.read_nowait()
            else:
                body = await self._read(request, connection, deadline, held)
            self._check_body(request, body)
            if time.monotonic() > deadline:
                raise too_late()
            if advises:
                return await answering.advise(body, deadline, held)
            whole = connection.framing.whole
            if whole is not None and deadline - arrived >= PATIENT_SECONDS and _is_plain(request):
                self._heads.put(whole.head, path, getsizeof(whole.head) + getsizeof(path))
                connection.plain = True
            reply = await answering.answer(connection, body, path, deadline, held)
            if reply.status == 200:
                connection.reviewed = True
            return reply
        page = self._pages.get(path)
        if page is None:
            return Reply(404, b"404 page not found\n")
        if request.method not in ("GET", "HEAD"):
            return Reply(405, b"method not allowed\n", headers=b"Allow: GET, HEAD\r\n")
        return page(asked.query, request.headers.get("Accept", ""))

    def _check_call(self, request: web.BaseRequest, connection: EdgeConnection) -> None:
        """Refuse calls that need not be read."""
        headers = request.headers
        if request.method != "POST" and request.content.is_eof() and not request.content.total_bytes:
            # Istio's handler accepts any method if there is a body, and so do we.
            raise Refusal("bad_request", Reply(405, b"post an AdmissionReview\n", headers=b"Allow: POST\r\n"))
        if "Content-Encoding" in headers:
            raise Refusal(
                "content_encoding", Reply(415, b"send the body without Content-Encoding\n", close=True)
            )
        length = request.content_length
        if length is not None and length > self.limits.body_bytes:
            raise Refusal("body_too_large", too_large(self.limits.body_bytes))
        if self.waiting > self.limits.waiting:
            raise Refusal("overload", unavailable("too many reviews at once"))
        if not self._can_hold(connection, self.limits.body_bytes if length is None else length):
            raise full()
        if not self._admits(connection):
            raise Refusal("forbidden", Reply(403, b"a client certificate of the API server is needed\n"))

    async def _read(
        self, request: web.BaseRequest, connection: EdgeConnection, deadline: float, held: Held
    ) -> bytes:
        """Read a body that comes in pieces, within its time and the memory for all of them."""
        content = request.content
        expected = request.content_length
        pieces: list[bytes] = []
        size = 0
        seconds = min(deadline - time.monotonic(), self.limits.body_seconds)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.reading = True
        try:
            async with held.may_leave(seconds):
                while piece := await content.readany():
                    if not size:
                        held.caller = caller_of(connection.party, piece)
                    size += len(piece)
                    if size > self.limits.body_bytes:
                        raise Refusal("body_too_large", too_large(self.limits.body_bytes))
                    # Memory is reserved ahead, or none of many bodies that come at once would be completed;
                    # but not for the whole body, or a client that announces a body and does not send it would
                    # keep others out.
                    wanted = size if expected is None else min(expected, ASKED_AHEAD * size)
                    more = wanted - held.size
                    if more > 0:
                        held.take(more, _share(expected or size))
                    pieces.append(piece)
        except TimeoutError:
            raise Refusal("body_timeout", Reply(408, b"the body came too slowly\n", close=True)) from None
        except web.RequestPayloadError as error:
            raise Refusal("bad_request", Reply(400, b"the body is cut short\n", close=True)) from error
        finally:
            connection.reading = False
        held.check()
        return b"".join(pieces)

    def _check_body(self, request: web.BaseRequest, body: bytes) -> None:
        """Refuse in Istio's order: an empty body first, then a media type that is not literally JSON's."""
        if not body:
            raise Refusal("body_empty", Reply(400, b"no body found\n"))
        if len(body) > self.limits.body_bytes:
            raise Refusal("body_too_large", too_large(self.limits.body_bytes))
        if request.headers.get("Content-Type") != JSON_TYPE:
            raise Refusal("content_type", Reply(415, b"invalid Content-Type, want `application/json`\n"))

    async def _send(self, request: web.BaseRequest, connection: EdgeConnection, reply: Reply) -> _Done:
        if connection.flushing is not None:
            await connection.flushing
        if connection.transport is None:
            return _CLOSE
        keep = not (reply.close or self.draining) and request.keep_alive and request.version == HttpVersion11
        top = head(reply, keep=keep)
        whole = top if request.method == "HEAD" else top + reply.body
        flushing = connection.send(whole, time.monotonic())
        if flushing is not None and not await flushing:
            return _CLOSE
        return _KEEP if keep else _CLOSE


def _share(size: int) -> float:
    """Return up to which share of the memory in flight a body of this size is accepted."""
    if size > LARGE_BODY:
        return WAITING_SHARE
    return TIGHT if size > SMALL_BODY else 1.0


def _is_plain(request: web.BaseRequest) -> bool:
    """Return whether the head asks for nothing but an answer on a connection that is kept."""
    headers = request.headers
    return (
        request.method == "POST"
        and request.version == HttpVersion11
        and request.keep_alive
        and len(headers.getall("Content-Length", ())) == 1
        and headers.keys().isdisjoint(("Expect", "Transfer-Encoding", "Upgrade"))
    )


def _peer_certificate(connection: EdgeConnection) -> dict[str, Any] | None:
    transport = connection.transport
    return None if transport is None else transport.get_extra_info("peercert")
