"""Run the service from its options to an exit code: start, serve, reload, drain, stop.

Nothing is started before every file was read and found good; afterwards only a signal ends the process.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

from injector.errors import ConfigError
from injector.service.answering import Answering
from injector.service.board import OTHERS
from injector.service.companions import CompanionSurroundings, Parts, accompany
from injector.service.drain import Leaving, until_quiet
from injector.service.files import Disk
from injector.service.generation import Load, Reviewer
from injector.service.health import Readiness, metrics_page, pages
from injector.service.injecting import load_injector
from injector.service.listener import Listener
from injector.service.logs import Log
from injector.service.memory import (
    MIB,
    InFlight,
    container_limit,
    in_flight_limit,
    resident,
    return_freed_memory,
)
from injector.service.metrics import Metrics
from injector.service.mounted import Mounted
from injector.service.options import Limits, ServiceOptions
from injector.service.server import Edge
from injector.service.tls import ClientVerification, KeyPair, outer_context

SWEEP_SECONDS: Final = 1.0
"""Interval of the search for slow connections: their deadlines are seconds."""

SWITCH_SECONDS: Final = 0.001
"""How long a thread that compiles a template or gives advice may keep the loop waiting at a time. A review
releases the interpreter for several system calls; at 5 ms, the default, each would cost that."""

YOUNG_OBJECTS: Final = 20_000
"""Objects after which the collector searches for cycles among them. A review makes thousands, keeps none
and makes no cycle; with the default of 700, the collector costs a tenth of a review, and a sixth of a
large one."""

MONITORING: Final = Limits(connections=128, head_seconds=10.0, keepalive_seconds=75.0, backlog=128)
"""For a scraper, a kubelet and a few people: a flood on this port must not take the reviews' memory."""


def serve(options: ServiceOptions, parts: Parts | None = None, *, load: Load = load_injector) -> int:
    """Run the service until it is told to stop, on uvloop if available; return the exit code.

    Raises ConfigError when it cannot start.
    """
    with asyncio.Runner(loop_factory=_loop_factory(options)) as runner:
        return runner.run(run(options, parts, load=load))


async def run(options: ServiceOptions, parts: Parts | None = None, *, load: Load = load_injector) -> int:
    """Start, serve until SIGTERM or SIGINT, drain, stop; ConfigError when it cannot start."""
    options.check()
    # Until there is something to reload, SIGHUP is ignored; it must never end the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.setswitchinterval(SWITCH_SECONDS)
    log = Log(level=options.log_level)
    try:
        service = Service(options, parts or Parts(), log, load)
        service.start()
        service.bind()
        await service.serve()
    finally:
        log.close()
    return 0


class Service:
    """The parts of the process, connected."""

    def __init__(self, options: ServiceOptions, parts: Parts, log: Log, load: Load) -> None:
        self.ports = (0, 0)
        self.metrics = Metrics()
        self.readiness = Readiness()
        self.mounted = Mounted(options, parts, load=load, metrics=self.metrics, log=log)
        self._options = options
        self._parts = parts
        self._log = log
        self._seat = parts.seat
        self._started = time.monotonic()
        self._leaving = Leaving(times=options.drain)
        self._reread = asyncio.Event()
        self._memory = InFlight()
        self._memory.beside.append(lambda: log.pending)
        self._trusted_peers = [ip_network(peer, strict=False) for peer in options.trusted_peers]
        self._accepting = False
        self._lag = 0.0
        self._monitoring = self._monitoring_edge()
        self._edge = self._review_edge()
        self._memory.relieve = self._edge.connections.relieve
        self._monitor = Listener(self._monitoring, context=None, log=log)
        self._require()
        self._observe()

    def start(self) -> None:
        """Read and check all mounted files; ConfigError names every fault."""
        for remark in self._parts.remarks:
            self._log.info(remark)
        if self._options.tls_certificate is None and not self._parts.brings_pair:
            raise ConfigError("a certificate and its key are needed (--tls-cert-file, --tls-key-file)")
        gc.freeze()  # objects made by imports stay: searching them twice would take a seventh of the start
        self.mounted.start()
        gc.enable()  # `cli.main` had disabled it during the start

    def bind(self) -> None:
        """Take both ports; ConfigError when one is not available."""
        options = self._options
        context = outer_context(self._pair, ask_clients=options.client_ca is not None)
        self._reviews = Listener(self._edge, context=context, log=self._log)
        shared = self._seat is not None
        port = self._reviews.bind(options.address, options.port, shared=shared)
        try:
            monitoring = self._monitor.bind(
                options.monitoring_address, options.monitoring_port, shared=shared
            )
            self.ports = (port, monitoring)
        except ConfigError:
            self._reviews.close()
            raise

    async def serve(self) -> None:
        """Answer reviews until a signal comes, then drain and stop."""
        self._listen_to_signals()
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept_reviews())
            others = [group.create_task(work) for work in self._works()]
            await self._leaving.stop.wait()
            await self._leave(accepting)
            for task in others:
                task.cancel()

    def stop(self) -> None:
        """Begin to stop, or stop at once when that was asked before."""
        if self._leaving.stop.is_set():
            self._leaving.end()
        self._leaving.begin()

    async def _accept_reviews(self) -> None:
        async with aclosing(self.mounted.pair.updates()) as pairs:
            async for pair in pairs:
                if pair is not None:
                    break
        self._settle()
        self._accepting = True
        await self._reviews.run()

    def _settle(self) -> None:
        """Exclude what start has made from garbage collection, or each full collection would search it."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        self._limit_memory()
        review, monitoring = self.ports
        self._log.info(
            "serving",
            port=review,
            monitoring_port=monitoring,
            seconds=round(time.monotonic() - self._started, 3),
            in_flight_mib=self._memory.limit // MIB,
            **({"worker": self._seat.worker} if self._seat else {}),
            **self._description(),
        )

    def _limit_memory(self) -> None:
        """Set the limit of bytes in flight: the option, or what the container's limit leaves."""
        limit = self._options.limits.in_flight_bytes
        if limit is None:
            container = container_limit()
            share = container and container // self._options.workers
            limit = in_flight_limit(share, resident(), self._options.cache_bytes)
        self._memory.set_limit(limit)

    def _description(self) -> dict[str, Any]:
        pair, generation = self.mounted.pair.value, self.mounted.generation.value
        return {
            "certificate": ", ".join(pair.names) if pair else "",
            "expires": pair.not_after.isoformat() if pair else "",
            "configuration": generation.hash if generation else "",
            **(generation.reviewer.description() if generation else {}),
        }

    def _works(self) -> Iterator[Coroutine[Any, Any, None]]:
        yield self._monitor.run()
        yield self.mounted.watch()
        yield self._sweep()
        yield self._reread_when_told()
        if self._seat is not None:
            self._seat.when_alone(self.stop)
            yield self._seat.keep_telling(self.metrics, self.readiness)
        path = self._options.health_check_file
        if path is not None:
            yield self._touch(path)
        surroundings = CompanionSurroundings(
            options=self._options,
            pair=self.mounted.pair,
            offered=self.mounted.offered,
            ca=self.mounted.ca,
            generation=self.mounted.generation,
            readiness=self.readiness,
            metrics=self.metrics,
            log=self._log,
        )
        for companion in self._parts.companions:
            yield accompany(companion, surroundings)

    async def _leave(self, accepting: asyncio.Task[None]) -> None:
        """Drain, stop accepting, finish what is in flight."""
        times, leaving = self._options.drain, self._leaving
        self._log.info("stopping", at_once=leaving.now.is_set())
        await until_quiet(self._edge, times, leaving.hurry)
        accepting.cancel()
        await asyncio.wait([accepting])
        await self._finish(times.in_flight)
        await self._monitoring.shutdown(0)
        self._log.info("stopped", reviews=self.metrics.outcomes.total())

    async def _finish(self, seconds: float) -> None:
        """Wait for the answers in flight, until a signal ends the wait."""
        finishing = asyncio.ensure_future(self._edge.shutdown(seconds))
        hurried = asyncio.ensure_future(self._leaving.now.wait())
        await asyncio.wait([finishing, hurried], return_when=asyncio.FIRST_COMPLETED)
        for waiting in (finishing, hurried):
            waiting.cancel()
        await asyncio.wait([finishing, hurried])
        await self._edge.shutdown(0)
        self._answering.end()

    async def _sweep(self) -> None:
        """End slow connections, and measure how late the loop was."""
        while True:
            due = time.monotonic() + SWEEP_SECONDS
            await asyncio.sleep(SWEEP_SECONDS)
            self._lag = max(0.0, time.monotonic() - due)
            await self._edge.connections.evict_slow()
            await self._monitoring.connections.evict_slow()
            self._reviewer().refresh()
            self._answering.beside.end_old_child()
            if self._memory.has_emptied():
                await asyncio.to_thread(return_freed_memory)

    async def _touch(self, path: Path) -> None:
        """Rewrite the health file: its age shows that the loop turns."""
        disk, failing = Disk(), False
        while True:
            try:
                await disk.run(lambda: path.write_text("ok", encoding="utf-8"))
            except OSError as error:
                reason = error.strerror or "the file system does not answer"
                if not failing:
                    self._log.error("the health file cannot be written", file=str(path), reason=reason)
                failing = True
            else:
                failing = False
            await asyncio.sleep(self._options.health_check_interval)

    async def _reread_when_told(self) -> None:
        """Read the mounted files again after each SIGHUP."""
        while True:
            await self._reread.wait()
            self._reread.clear()
            await self.mounted.refresh()

    def _listen_to_signals(self) -> None:
        def reload() -> str:
            self._reread.set()
            return "the mounted files are read again"

        for number, act in (
            (signal.SIGTERM, self._leaving.terminate),
            (signal.SIGINT, self._leaving.interrupt),
            (signal.SIGHUP, reload),
        ):
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number, act)

    def _hear(self, number: signal.Signals, act: Callable[[], str]) -> None:
        self._log.info("a signal came", signal=number.name, leads_to=act())

    # --- what the parts ask each other

    def _reviewer(self) -> Reviewer:
        generation = self.mounted.generation.value
        assert generation is not None  # noqa: S101 - `start` loads one before anything listens
        return generation.reviewer

    def _pair(self) -> KeyPair:
        pair = self.mounted.pair.value
        assert pair is not None  # noqa: S101 - nothing is accepted before there is one
        return pair

    def _clients(self) -> ClientVerification | None:
        pair = self.mounted.pair.value
        return pair.clients if pair else None

    def _review_edge(self) -> Edge:
        self._answering = answering = Answering(
            reviewer=self._reviewer,
            limits=self._options.limits,
            metrics=self.metrics,
            log=self._log,
            memory=self._memory,
            seen=self.mounted.last_pods.see,
            log_reviews=self._options.log_reviews,
        )
        return Edge(
            answering=answering,
            limits=self._options.limits,
            metrics=self.metrics,
            pages=pages(self.readiness),
            clients=self._clients,
            memory=self._memory,
            trusted=self._trusts,
        )

    def _trusts(self, peer: str) -> bool:
        """Return whether a peer's connections are never closed to make room for others'."""
        return bool(self._trusted_peers and peer) and any(
            ip_address(peer) in network for network in self._trusted_peers
        )

    def _monitoring_edge(self) -> Edge:
        seat, metrics = self._seat, self.metrics
        page = seat.metrics_page(metrics, self.readiness) if seat else metrics_page(metrics.text)
        return Edge(
            answering=None,
            limits=MONITORING,
            metrics=self.metrics,
            pages={**pages(self.readiness), "/metrics": page},
            memory=self._memory,
        )

    def _require(self) -> None:
        """Add the conditions under which a review is answered well."""
        require = self.readiness.require
        require("configuration", lambda: None if self.mounted.generation.value else "none is loaded yet")
        require("certificate", self._certificate_fault)
        require("serving", lambda: None if self._accepting else "reviews are not accepted yet")
        require("stopping", lambda: "the process is stopping" if self._leaving.stop.is_set() else None)
        if self._seat is not None:
            require(OTHERS, self._seat.others)
        self.readiness.remark(self.mounted.faults)
        self.readiness.remark(self.mounted.injection)

    def _certificate_fault(self) -> str | None:
        pair = self.mounted.pair.value
        if pair is None:
            return "there is no key pair yet"
        return pair.fault(self._parts.now())

    def _observe(self) -> None:
        """Add the metrics that are counted elsewhere."""
        edge, mounted, memory, metrics = self._edge, self.mounted, self._memory, self.metrics
        metrics.gauges |= {
            "reviews_waiting": lambda: edge.waiting,
            "in_flight_bytes": lambda: memory.used,
            "in_flight_limit_bytes": lambda: memory.limit,
            "body_buffered_bytes": lambda: memory.bodies,
            "log_pending_bytes": lambda: self._log.pending,
            "workers": lambda: 1.0,
            "connections": lambda: len(edge.connections),
            "ready": lambda: float(not self.readiness.missing()),
            "loop_lag_seconds": lambda: self._lag,
            "certificate_expiry_timestamp_seconds": lambda: (
                mounted.pair.value.not_after.timestamp() if mounted.pair.value else 0.0
            ),
            "configuration_generation": lambda: (
                mounted.generation.value.number if mounted.generation.value else 0
            ),
        }
        metrics.counters |= {
            "advice": lambda: self._answering.advised,
            "worker_restarts": lambda: 0.0,
            "log_lines_dropped": lambda: self._log.dropped,
        }
        metrics.counts = lambda: self._reviewer().counts() if mounted.generation.value else {}


def _loop_factory(options: ServiceOptions) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not options.uvloop:
        return None
    try:
        import uvloop  # noqa: PLC0415 - not built for every platform
    except ImportError:  # asyncio's own loop works as well, a tenth slower
        return None
    return uvloop.new_event_loop
