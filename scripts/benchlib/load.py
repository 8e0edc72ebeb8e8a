"""The load client: sends reviews to a target and counts latencies, in a process of its own beside the server.

It is a raw protocol, since an HTTP library would cost more than what is measured. It keeps connections as the
API server does, and counts what a caller would notice: answers that are late, wrong or missing.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

from benchlib import clustermix
from benchlib.reviews import load

CHUNKED: Final = -1


class Bodies(Protocol):
    """The reviews to send."""

    def bodies(self, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Yield (uid, body) for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load to send.

    ``rate`` 0 is a closed loop, otherwise arrivals a second; then latency counts from the arrival that was
    due. ``fresh`` is the share of requests after which the connection is closed and opened again, ``mix`` the
    owners of the case for a whole cluster. ``prepared_bytes`` of requests are made before the clock starts:
    making one takes as long as sending it, and servers on the same cores would lose that time. The others are
    made when they are due.
    """

    host: str
    port: int
    ca: str
    server_name: str
    case: str
    reviews: str | None
    seconds: float
    connections: int = 25
    rate: float = 0.0
    fresh: float = 0.0
    path: str = "/inject"
    start: int = 0
    judge: bool = True
    prepared_bytes: int = 0
    ports: tuple[int, ...] = ()
    """Ports of a fleet: each connection goes to one at random. Empty: all go to ``port``."""
    mix: str = clustermix.DEFAULT

    def reviews_to_send(self) -> Bodies:
        """Return the reviews that the case names."""
        if self.case == clustermix.NAME:
            return clustermix.ClusterMix(clustermix.owners_of(self.mix))
        return load([self.case], Path(self.reviews) if self.reviews else None)[self.case]


@dataclass(slots=True)
class Outcome:
    """The results; latencies in seconds, sorted."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    handshakes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def fault(self, text: str) -> None:
        """Count one failure by its text."""
        self.failed += 1
        self.faults[text] = self.faults.get(text, 0) + 1


class Caller(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.transport: asyncio.Transport | None = None
        self.due = 0.0
        self.uid = b""
        self._pieces: list[bytes] = []
        self._received = 0
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for work."""
        self.transport = cast("asyncio.Transport", transport)
        self.run.outcome.handshakes += 1
        self.run.idle(self)

    def send(self, due: float) -> None:
        """Send the next review."""
        # A timer may fire a little early: a latency is never negative.
        self.due = min(due, time.perf_counter())
        self.uid, request = self.run.request()
        cast("asyncio.Transport", self.transport).write(request)

    def data_received(self, data: bytes) -> None:
        """Collect the answer."""
        self._pieces.append(data)
        self._received += len(data)
        if not self._wanted:
            self._wanted = _length(b"".join(self._pieces))
        answer: bytes | None = None
        if self._wanted == CHUNKED:
            answer = unchunked(b"".join(self._pieces))
        elif self._wanted and self._received >= self._wanted:
            answer = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if answer is not None:
            self._pieces, self._received, self._wanted = [], 0, 0
            self.run.answered(self, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the connection is closed, with or without an answer pending."""
        self.transport = None
        self.run.lost(self, exc)


class Run:
    """Gives reviews to callers, in a closed or an open loop, and collects the results."""

    def __init__(self, load_: Load, review: Bodies) -> None:
        self.outcome = Outcome()
        self._load = load_
        self._requests = self._made(review.bodies(load_.start))
        head = (
            f"POST {load_.path}?timeout=10s HTTP/1.1\r\nHost: {load_.server_name}:443\r\n"
            "User-Agent: kube-apiserver-admission\r\nContent-Length: %d\r\n"
            "Accept: application/json, */*\r\n"
            "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
        )
        self._head = head.encode()
        self._prepared: deque[tuple[bytes, bytes]] = deque()
        self._waiting: deque[float] = deque()
        self._free: deque[Caller] = deque()
        self._stop_at = 0.0
        self._busy = 0
        self._sent = 0
        self._begun = False
        self._answer = asyncio.Event()

    def request(self) -> tuple[bytes, bytes]:
        """Return the next uid and its request."""
        self._busy += 1
        self._sent += 1
        return self._prepared.popleft() if self._prepared else next(self._requests)

    def _made(self, bodies: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for uid, body in bodies:
            yield uid, self._head % len(body) + body

    def _prepare(self) -> None:
        size = 0
        while size < self._load.prepared_bytes:
            self._prepared.append(next(self._requests))
            size += len(self._prepared[-1][1])

    async def run(self) -> Outcome:
        """Open the connections, send for the given time, wait for the last answers."""
        self._prepare()
        for _ in range(self._load.connections):
            await self._connect()
        # The server's CPU time should include the reviews and not our handshakes.
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        cpu, start = time.process_time(), time.perf_counter()
        self._stop_at = start + self._load.seconds
        self._begun = True
        if self._load.rate:
            await self._arrivals(start)
        else:
            for caller in list(self._free):
                caller.send(time.perf_counter())
            self._free.clear()
        async with asyncio.timeout(self._load.seconds + 30):
            await asyncio.sleep(self._stop_at - time.perf_counter())
            await self._quiet()
        self.outcome.seconds = time.perf_counter() - start
        self.outcome.cpu_seconds = time.process_time() - cpu
        self.outcome.latencies.sort()
        return self.outcome

    async def _quiet(self) -> None:
        """Wait for pending answers."""
        while self._busy or self._waiting:
            self._answer = asyncio.Event()
            await self._answer.wait()

    async def _connect(self) -> None:
        context = ssl.create_default_context(cafile=self._load.ca)
        context.set_alpn_protocols(["http/1.1"])
        await asyncio.get_running_loop().create_connection(
            lambda: Caller(self),
            self._load.host,
            # At random, like kube-proxy's rule for each Service.
            random.choice(self._load.ports or (self._load.port,)),  # noqa: S311
            ssl=context,
            server_hostname=self._load.server_name,
        )

    async def _arrivals(self, start: float) -> None:
        number = 0
        while (due := start + number / self._load.rate) < self._stop_at:
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            number += 1
            if self._free:
                self._free.popleft().send(due)
            else:
                self._waiting.append(due)

    def idle(self, caller: Caller) -> None:
        """Give a caller the arrival that has waited longest, or let it rest."""
        if self._waiting:
            caller.send(self._waiting.popleft())
        elif self._begun and not self._load.rate and time.perf_counter() < self._stop_at:
            caller.send(time.perf_counter())
        else:
            self._free.append(caller)

    def answered(self, caller: Caller, answer: bytes) -> None:
        """Check an answer and go on."""
        self._busy -= 1
        self._answer.set()
        fault = _fault(answer, caller.uid) if self._load.judge else None
        if fault is None:
            self.outcome.latencies.append(time.perf_counter() - caller.due)
        else:
            self.outcome.fault(fault)
        caller.uid = b""
        fresh = self._load.fresh
        if fresh and int(self._sent * fresh) != int((self._sent - 1) * fresh):
            cast("asyncio.Transport", caller.transport).close()
        else:
            self.idle(caller)

    def lost(self, caller: Caller, error: Exception | None) -> None:
        """Count an answer that will not come, and open the connection again."""
        if caller.uid:
            self._busy -= 1
            self._answer.set()
            self.outcome.fault(f"connection lost: {error or 'end of file'}")
        if caller in self._free:
            self._free.remove(caller)
        if time.perf_counter() < self._stop_at or self._waiting:
            self._reconnecting = asyncio.ensure_future(self._connect())


def _length(received: bytes) -> int:
    """Return the bytes of the whole answer once its head is there, else 0; CHUNKED if its body is chunked."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = received[: end + 2].lower()
    at = head.find(b"content-length: ")
    if at < 0 and b"\r\ntransfer-encoding: chunked\r\n" in head:
        return CHUNKED
    return end + 4 + int(received[at + 16 : received.find(b"\r\n", at)])


def unchunked(received: bytes) -> bytes | None:
    """Return a chunked answer (RFC 9112, 7.1) as head and body; None while it is incomplete."""
    at = received.find(b"\r\n\r\n") + 4
    parts = [received[:at]]
    while (end := received.find(b"\r\n", at)) >= 0:
        size = int(received[at:end].partition(b";")[0], 16)
        if not size:
            # Trailers may follow; they end like a head, and without any the line is empty.
            return b"".join(parts) if received.find(b"\r\n\r\n", end) >= 0 else None
        at = end + 2 + size + 2
        if at > len(received):
            return None
        parts.append(received[end + 2 : at - 2])
    return None


def _fault(answer: bytes, uid: bytes) -> str | None:
    if not answer.startswith(b"HTTP/1.1 200"):
        return answer[:40].decode("latin-1").split("\r\n")[0]
    if uid not in answer:
        return "an answer without the uid"
    if b'"allowed":true' not in answer:
        return "denied"
    if b'"patch":"' not in answer:
        return "no patch"
    return None


def main(argument: str) -> None:
    """Run one load and print its results as JSON."""
    given: dict[str, Any] = json.loads(argument)
    load_ = Load(**given)
    review = load_.reviews_to_send()

    async def run() -> Outcome:
        return await Run(load_, review).run()

    try:
        import uvloop  # noqa: PLC0415 - faster where it can be had

        outcome = uvloop.run(run())
    except ImportError:
        outcome = asyncio.run(run())
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
