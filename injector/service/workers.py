"""Several processes on one port: a parent forks workers, replaces those that die, and passes signals on.

The parent loads the configuration and answers nothing: it has no thread and no loop, or it could not fork
safely. Each worker is the whole service. It listens on a socket of its own beside the others' (SO_REUSEPORT:
the kernel spreads connections by their addresses), so that connections to a dead one go to the others at
once. It watches its files itself, as a replica does, and reads them when it starts.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from injector.errors import ConfigError
from injector.injection.caches import SMALLEST
from injector.service import process
from injector.service.board import Board, Seat, combined, counts
from injector.service.companions import Parts
from injector.service.files import read_files
from injector.service.generation import Load, Reviewer, Texts, texts_of
from injector.service.injecting import load_injector
from injector.service.listener import listening, not_listening
from injector.service.logs import LineWriter, Log
from injector.service.memory import LEAST_BYTES
from injector.service.metrics import ASKED
from injector.service.options import ServiceOptions

PERIOD: Final = 0.5
"""Seconds between two checks of the workers while no signal comes."""

HANGING_SECONDS: Final = 30.0
"""A silent worker is killed after so long: three probes of a kubelet, ten seconds apart."""

STEADY_SECONDS: Final = 10.0
"""A worker that lived for so long is replaced at once; any other after a second."""

RESTARTS: Final = "sidecar_injector_worker_restarts"
HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def serve(options: ServiceOptions, parts: Parts | None = None, *, load: Load = load_injector) -> int:
    """Run the service in as many processes as asked for until it is told to stop; return the exit code.

    Raises ConfigError when it cannot start; for the caller, a worker's failure to start is the service's.
    """
    if options.workers == 1:
        return process.serve(options, parts, load=load)
    options.check()
    # Until there is something to reload, SIGHUP is ignored; once blocked, it is still received later.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    parts = parts or Parts()
    own = _share(options)
    load = _preloaded(load, own, parts)
    LineWriter.turn = os.memfd_create("turn")
    with (
        _reserved(options.address, options.port) as review,
        _reserved(options.monitoring_address, options.monitoring_port) as monitoring,
    ):
        own = replace(own, port=review.getsockname()[1], monitoring_port=monitoring.getsockname()[1])
        workers = Workers(own.workers, own.log_level)
        gc.collect()
        gc.freeze()
        gc.enable()  # here, too: this process lives as long as its workers
        seat = workers.run()
        if seat is None:
            return workers.code
    return process.serve(replace(own, worker=seat.worker), replace(parts, seat=seat), load=load)


def _share(options: ServiceOptions) -> ServiceOptions:
    """Return the options of one worker: the container's memory is for all of them together."""
    limits, workers = options.limits, options.workers
    if limits.in_flight_bytes is not None:
        limits = replace(limits, in_flight_bytes=max(LEAST_BYTES, limits.in_flight_bytes // workers))
    return replace(options, limits=limits, cache_bytes=max(SMALLEST, options.cache_bytes // workers))


def _preloaded(load: Load, options: ServiceOptions, parts: Parts) -> Load:
    """Load before the fork; return a function that reuses the result where a worker mounts the same texts."""
    loaded: list[tuple[Texts, Reviewer]] = []
    # The first worker finds any fault again, and reports it together with all others.
    with suppress(ConfigError):
        files = read_files((options.inject_config, options.inject_values, options.mesh_config))
        texts = texts_of(files, options, parts.cluster)
        loaded.append((texts, load(texts, options)))

    def reviewer_of(texts: Texts, options: ServiceOptions) -> Reviewer:
        known = loaded.pop() if loaded else None
        return known[1] if known and known[0] == texts else load(texts, options)

    return reviewer_of


def _reserved(address: str, port: int) -> socket.socket:
    """Return a socket that reserves a port for the workers, itself never listening.

    ConfigError where another process listens there. That is checked with an exclusive socket first, since
    another service of this kind would share the port.
    """
    with listening(address, port, backlog=1) as alone:
        family, place = alone.family, alone.getsockname()
    held = socket.socket(family)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(address)))
        held.bind(place)
    except OSError as error:  # taken between the two
        held.close()
        raise not_listening(address, place[1], error) from error
    return held


def _exit_code(code: int) -> int:
    """Return the exit code for a worker's: the shell's for a signal, zero for the signals passed on."""
    if code >= 0:
        return code
    return 0 if -code in HEARD else 128 - code


@dataclass(slots=True)
class Life:
    """A worker as the parent knows it; ``pid`` is 0 while there is none, ``due`` is when one starts."""

    pid: int = 0
    due: float = 0.0
    born: float = 0.0
    deaths: int = 0


class Workers:
    """The parent's side; a worker leaves it right after the fork."""

    def __init__(self, count: int, log_level: str) -> None:
        self.code = 0
        self._log_level = log_level
        self._stopping = False
        self._board = Board(count)
        self._lives = {worker: Life() for worker in self._board.workers}
        # A pipe that ends with the parent: it tells the workers, however the parent ended.
        self._alive = os.pipe()
        self._keep_counts([])

    def run(self) -> Seat | None:
        """Keep the workers until all have left, then return None; in each worker, return its seat."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {*HEARD, signal.SIGCHLD})
        while not self._stopping or any(life.pid for life in self._lives.values()):
            for worker in self._missing():
                seat = self._fork(worker)
                if seat is not None:
                    return seat
            heard = signal.sigtimedwait({*HEARD, signal.SIGCHLD}, PERIOD)
            if heard is not None and heard.si_signo in HEARD:
                self._pass_on(heard.si_signo)
            self._bury()
            self._kill_hanging()
        return None

    def _missing(self) -> list[int]:
        """Return the workers to start now; the first one starts alone, so that a fault is reported once."""
        if self._stopping:
            return []
        begun = any(map(self._board.read, self._board.workers))
        wanted = self._board.workers if begun else (1,)
        now = time.monotonic()
        return [each for each in wanted if not self._lives[each].pid and self._lives[each].due <= now]

    def _fork(self, worker: int) -> Seat | None:
        pid = os.fork()
        if pid == 0:
            return self._leave(worker)
        life = self._lives[worker]
        life.pid, life.born = pid, time.monotonic()
        return None

    def _leave(self, worker: int) -> Seat:
        """Become a worker: leave the terminal's process group, whose Ctrl-C the parent passes on."""
        os.setpgid(0, 0)
        os.close(self._alive[1])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*HEARD, signal.SIGCHLD})
        replaces = bool(self._lives[worker].deaths)
        return Seat(worker=worker, board=self._board, parent=self._alive[0], replaces=replaces)

    def _pass_on(self, number: int) -> None:
        self._stopping = self._stopping or number != signal.SIGHUP
        for life in self._lives.values():
            if life.pid:
                os.kill(life.pid, number)

    def _bury(self) -> None:
        """Note the workers that have ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for worker, life in self._lives.items():
                    if life.pid == ended[0]:
                        self._ended(worker, life, os.waitstatus_to_exitcode(ended[1]))

    def _ended(self, worker: int, life: Life, code: int) -> None:
        """Keep what a worker has counted; plan its successor, or say why there is none."""
        report, lived = self._board.read(worker), time.monotonic() - life.born
        life.pid = 0
        failed_to_start = report is None and worker == 1 and not life.deaths
        if self._stopping or failed_to_start:
            self.code = max(self.code, _exit_code(code), failed_to_start)
            self._stopping = True
        else:
            life.deaths += 1
            life.due = time.monotonic() + (lived < STEADY_SECONDS)
            log = Log(level=self._log_level)
            log.error("a worker died and is replaced", worker=worker, code=code, seconds=round(lived))
            log.close()  # with its thread
        self._keep_counts([report] if report else [])
        self._board.clear(worker)

    def _keep_counts(self, reports: list[dict[str, Any]]) -> None:
        """Add what dead workers have counted to slot 0, and how often one was replaced."""
        before = self._board.read(0) or {"rows": []}
        rows = combined((before["rows"], *(counts(each["rows"]) for each in reports)))
        deaths = {worker: life.deaths for worker, life in self._lives.items() if life.deaths}
        total = [f"{RESTARTS}_total", {}, float(sum(deaths.values()))]
        restarts = [RESTARTS, ASKED["worker_restarts"], "counter", [total]]
        rows = [*(row for row in rows if row[0] != RESTARTS), restarts]
        self._board.write(0, {"rows": rows, "replaced": [*deaths]})

    def _kill_hanging(self) -> None:
        """End a worker whose loop has stood still: it would get connections and answer none."""
        for worker, life in self._lives.items():
            heard = (self._board.read(worker) or {"at": life.born})["at"]
            if life.pid and time.monotonic() - heard > HANGING_SECONDS:
                os.kill(life.pid, signal.SIGKILL)
