"""HTTP requests in, answered reviews out; with `connection` all that knows aiohttp.

Knows how a call may be wrong and what it may cost, and nothing of pods. aiohttp's low-level server parses;
the answer is written in one piece, since a response object costs a third of what HTTP costs in all. A review
whose head was met before goes past the parser (see `framing`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

from aiohttp import HttpVersion11, web
from aiohttp.http import StreamWriter

from injector.errors import BadReview
from injector.injection.inject import Answer
from injector.service.connection import Connection, Server
from injector.service.framing import KnownHeads, Whole
from injector.service.http import JSON_TYPE, Page, Refusal, Reply, head, target, too_large, unavailable
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import Limits
from injector.service.reviews import Reviewer, crashed
from injector.service.tls import ClientVerification

LONGEST_ERROR: Final = 256
"""Characters of a denial in the log: it may quote an annotation, and its whole text is in the answer."""

LARGE_BODY: Final = 1 << 20
"""Bytes above which a review is answered by a thread. Measured with one 3 MiB pod after the other on one
connection: the others' p99 is 18 to 21 ms (31 to 34 on the loop), the large ones take 32 ms (26 there). It is
one thread, or several large ones would take turns with the loop at once."""

EVICTED_AT_ONCE: Final = 16
"""Slow connections closed in one turn of the loop: four hundred that came together held it for 30 ms."""

AT_ONCE_SECONDS: Final = 0.05
"""What an end without waiting waits: aiohttp takes 0 for no limit at all."""

PATIENT_SECONDS: Final = 1.0
"""A caller who waits at least this long for a review that came whole is not gone before it is begun."""


@dataclass(slots=True)
class _Done:
    """What aiohttp is given for an answer that is already written."""

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
        reviewer: Callable[[], Reviewer] | None,
        limits: Limits,
        metrics: Metrics,
        log: Log,
        pages: dict[str, Page],
        clients: Callable[[], ClientVerification | None] = lambda: None,
        seen: Callable[[bytes, str], None] = lambda _body, _path: None,
        log_reviews: bool = True,
    ) -> None:
        self.limits = limits
        self.metrics = metrics
        self.connections: set[Connection] = set()
        self.waiting = 0
        self.buffered = 0
        self.draining = False
        self.last_review = time.monotonic()
        self._reviewer = reviewer
        self._log = log
        self._log_reviews = log_reviews
        self._pages = pages
        self._clients = clients
        self._seen = seen
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-review")
        self._heads = KnownHeads()
        self._this_turn = 0
        self._flushing: set[asyncio.Task[_Done]] = set()
        self._crashes: set[tuple[str, int]] = set()
        self._server = Server(self)

    def protocol(self) -> web.RequestHandler:
        """Make the protocol of one connection."""
        return self._server()

    async def evict_slow(self) -> None:
        """Close the connections that are late with what they have to send, or idle; called once a second."""
        ended = 0
        for connection in list(self.connections):
            now = time.monotonic()
            lateness = connection.slow(now)
            if lateness is not None:
                self.metrics.connections_evicted[lateness] += 1
            if lateness is not None or connection.idle(now):
                connection.force_close()
                ended += 1
                if ended % EVICTED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    async def shutdown(self, seconds: float) -> None:
        """Close idle connections, wait ``seconds`` for answers in flight, then close the rest."""
        self._server.pre_shutdown()
        await self._server.shutdown(max(seconds, AT_ONCE_SECONDS))

    def answer_at_once(self, connection: Connection, whole: Whole, data: bytes) -> bool:
        """Answer a whole request with a known head; False leaves it to the parser, which knows all others."""
        path = self._heads.path(whole.head)
        reviewer, transport = self._reviewer, connection.transport
        size = whole.end - whole.start
        if (
            path is None
            or reviewer is None
            or transport is None
            or not 0 < size <= min(LARGE_BODY, self.limits.body_bytes)
            or self.waiting + self._this_turn >= self.limits.waiting
            or self.draining
            or connection.writing_paused
            or self._clients() is not None
        ):
            return False
        self._count_turn()
        reply = self._answer(reviewer(), data[whole.start :], path)
        connection.served += 1
        connection.rested = self.last_review
        connection.framing.ended()
        transport.write(head(reply, keep=True) + reply.body)
        self._watch_writing(connection, transport)
        return True

    def _count_turn(self) -> None:
        """Count what is answered at once in a turn of the loop; beyond the limit it waits as all others."""
        if not self._this_turn:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self._this_turn += 1

    def _end_turn(self) -> None:
        self._this_turn = 0

    def _watch_writing(self, connection: Connection, transport: asyncio.Transport) -> None:
        """See to it that an answer which the client does not take ends the connection."""
        if connection.writing_paused:
            flushing = asyncio.get_running_loop().create_task(self._flush(connection, transport, keep=True))
            self._flushing.add(flushing)
            flushing.add_done_callback(self._flushing.discard)

    async def handle(self, request: web.BaseRequest) -> _Done:
        """Answer one request; the outermost frame of the request, where every fault ends."""
        connection = cast("Connection", request.protocol)
        connection.busy = True
        connection.served += 1
        try:
            try:
                reply = await self._reply(request, connection)
            except Refusal as refusal:
                self.metrics.refused[refusal.reason] += 1
                reply = refusal.reply
            except ConnectionError:
                return _CLOSE
            return await self._send(request, connection, reply)
        finally:
            connection.rest()

    async def _reply(self, request: web.BaseRequest, connection: Connection) -> Reply:
        asked = target(request.raw_path)
        path = asked.path
        reviewer = self._reviewer
        if reviewer is not None and (path == "/inject" or path.startswith("/inject/")):
            self._check_call(request, connection)
            arrived = connection.arrived or time.monotonic()
            patience = self.limits.review_seconds
            deadline = arrived + (patience if asked.timeout is None else min(asked.timeout, patience))
            content = request.content
            # The whole of an ordinary review comes with its head: no clock, no wait.
            body = content.read_nowait() if content.is_eof() else await self._read(request, deadline)
            self._check_body(request, body)
            if time.monotonic() > deadline:
                raise Refusal("deadline", unavailable("the API server does not wait for this any more"))
            whole = connection.framing.whole
            if whole is not None and deadline - arrived >= PATIENT_SECONDS and _is_plain(request):
                self._heads.learn(whole.head, path)
                connection.plain = True
            return await self._review(reviewer(), body, path)
        page = self._pages.get(path)
        if page is None:
            return Reply(404, b"404 page not found\n")
        if request.method not in ("GET", "HEAD"):
            return Reply(405, b"method not allowed\n", headers=b"Allow: GET, HEAD\r\n")
        return page(asked.query, request.headers.get("Accept", ""))

    def _check_call(self, request: web.BaseRequest, connection: Connection) -> None:
        """Refuse what need not be read."""
        headers = request.headers
        if request.method != "POST" and request.content.is_eof() and not request.content.total_bytes:
            # With a body Istio's handler takes any method, and so do we.
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
        clients = self._clients()
        if clients is not None and not clients.admits(_peer_certificate(connection)):
            raise Refusal("forbidden", Reply(403, b"a client certificate of the API server is needed\n"))

    async def _read(self, request: web.BaseRequest, deadline: float) -> bytes:
        """Read a body that comes in pieces, within its time and the memory for all of them."""
        content = request.content
        pieces: list[bytes] = []
        size = 0
        seconds = min(deadline - time.monotonic(), self.limits.body_seconds)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            async with asyncio.timeout(seconds):
                while piece := await content.readany():
                    size += len(piece)
                    self.buffered += len(piece)
                    if size > self.limits.body_bytes:
                        raise Refusal("body_too_large", too_large(self.limits.body_bytes))
                    if self.buffered > self.limits.buffered_bytes:
                        raise Refusal("overload", unavailable("too many large reviews at once"))
                    pieces.append(piece)
        except TimeoutError:
            raise Refusal("body_timeout", Reply(408, b"the body came too slowly\n", close=True)) from None
        except web.RequestPayloadError as error:
            raise Refusal("bad_request", Reply(400, b"the body is cut short\n", close=True)) from error
        finally:
            self.buffered -= size
        return b"".join(pieces)

    def _check_body(self, request: web.BaseRequest, body: bytes) -> None:
        """Refuse in Istio's order: an empty body first, then a media type that is not literally JSON's."""
        if not body:
            raise Refusal("body_empty", Reply(400, b"no body found\n"))
        if len(body) > self.limits.body_bytes:
            raise Refusal("body_too_large", too_large(self.limits.body_bytes))
        if request.headers.get("Content-Type") != JSON_TYPE:
            raise Refusal("content_type", Reply(415, b"invalid Content-Type, want `application/json`\n"))

    async def _review(self, reviewer: Reviewer, body: bytes, path: str) -> Reply:
        """Answer one review from one snapshot; all but the largest within this turn of the loop."""
        if len(body) <= LARGE_BODY:
            return self._answer(reviewer, body, path)
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        self.last_review = time.monotonic()
        try:
            answered = await loop.run_in_executor(self._beside, reviewer.answer, body, path)
        except BadReview as error:
            return self._bad(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
            return self._crash(body, error)
        return self._answered(answered, body, path, time.perf_counter() - start)

    def _answer(self, reviewer: Reviewer, body: bytes, path: str) -> Reply:
        """Answer one review here and now."""
        start = time.perf_counter()
        self.last_review = time.monotonic()
        try:
            answered = reviewer.answer(body, path)
        except BadReview as error:
            return self._bad(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
            return self._crash(body, error)
        return self._answered(answered, body, path, time.perf_counter() - start)

    def _answered(self, answered: Answer, body: bytes, path: str, seconds: float) -> Reply:
        """Count and log an answer."""
        self.metrics.reviewed(answered.outcome, answered.reason, seconds)
        if self._log_reviews:
            self._log.review(_fields(answered, seconds))
        if answered.outcome == "injected":
            self._seen(body, path)
        return Reply(200, answered.body, JSON_TYPE)

    def _bad(self, error: BadReview) -> Reply:
        self.metrics.refused["bad_request"] += 1
        return Reply(error.status, error.message.encode() + b"\n")

    def _crash(self, body: bytes, error: Exception) -> Reply:
        self.metrics.refused["crash"] += 1
        place = _place(error)
        if place not in self._crashes:
            self._crashes.add(place)
            self._log.crash("a review crashed; further ones at this place are counted only", error)
        return Reply(500, crashed(body), JSON_TYPE)

    async def _send(self, request: web.BaseRequest, connection: Connection, reply: Reply) -> _Done:
        transport = connection.transport
        if transport is None:
            return _CLOSE
        keep = not (reply.close or self.draining) and request.keep_alive and request.version == HttpVersion11
        top = head(reply, keep=keep)
        transport.write(top if request.method == "HEAD" else top + reply.body)
        if connection.writing_paused:
            return await self._flush(connection, transport, keep=keep)
        return _KEEP if keep else _CLOSE

    async def _flush(self, connection: Connection, transport: asyncio.Transport, *, keep: bool) -> _Done:
        """Wait until the client has taken its answer, which may not take for ever."""
        try:
            async with asyncio.timeout(self.limits.write_seconds):
                await StreamWriter(connection, asyncio.get_running_loop()).drain()
        except (TimeoutError, ConnectionError):
            self.metrics.connections_evicted["answer"] += 1
            transport.abort()
            return _CLOSE
        return _KEEP if keep else _CLOSE


def _is_plain(request: web.BaseRequest) -> bool:
    """Tell whether nothing in a head asks for more than an answer on a connection that is kept."""
    headers = request.headers
    return (
        request.method == "POST"
        and request.version == HttpVersion11
        and request.keep_alive
        and len(headers.getall("Content-Length", ())) == 1
        and headers.keys().isdisjoint(("Expect", "Transfer-Encoding", "Upgrade"))
    )


def _fields(answered: Answer, seconds: float) -> dict[str, Any]:
    fields = {
        "message": "review answered",
        "outcome": answered.outcome,
        "reason": answered.reason,
        "namespace": answered.namespace,
        "name": answered.name,
        "uid": answered.uid,
        "ms": round(seconds * 1000, 3),
    }
    if answered.message and answered.reason != "undecodable":  # that one quotes the whole body
        fields["why"] = answered.message[:LONGEST_ERROR]
    return fields


def _peer_certificate(connection: Connection) -> dict[str, Any] | None:
    transport = connection.transport
    return None if transport is None else transport.get_extra_info("peercert")


def _place(error: BaseException) -> tuple[str, int]:
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return (at.tb_frame.f_code.co_filename, at.tb_lineno) if at is not None else ("", 0)
