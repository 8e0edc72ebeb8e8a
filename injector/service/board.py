"""Shared memory in which each worker writes its state, and the metrics and readiness of all workers.

A worker writes its slot once a second, and whichever worker is asked reads all slots: no process depends on a
central one. Slot 0 is the parent's, which keeps the counts of workers that are gone, so that no counter
decreases when one dies. A worker's seat is its number among the workers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import mmap
import os
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from injector.service.health import Readiness, metrics_page
from injector.service.http import Page
from injector.service.metrics import Metrics, exposition

logger = logging.getLogger(__name__)

OTHERS: Final = "workers"
"""The readiness condition about the other workers: a worker's own report leaves it out."""

TELL_SECONDS: Final = 1.0
BEGIN_SECONDS: Final = 10.0
"""A worker that replaces another does not report that it is not ready for so long: the others serve
meanwhile."""

SLOT_BYTES: Final = 256 * 1024
"""Room for all metric families of one worker, which take 12 KiB; a page that is not written takes no
memory."""

TRIES: Final = 3
"""Tries to read a slot while it is being written, which takes microseconds; then its previous content is
used."""

SILENT_SECONDS: Final = 5.0
"""A worker that has not written for so long (it writes once a second) counts as not serving."""

LEAST: Final = frozenset(
    {
        "process_max_fds",
        "process_start_time_seconds",
        "python_info",
        "sidecar_injector_ca_bundle_in_sync",
        "sidecar_injector_certificate_expiry_timestamp_seconds",
        "sidecar_injector_configuration_injects",
        "sidecar_injector_files_watched",
        "sidecar_injector_ready",
        "sidecar_injector_reload_healthy",
        "sidecar_injector_reload_last_success_time_seconds",
        "sidecar_injector_start_time_seconds",
    }
)
"""Gauges whose least value the page shows: a worker that is not well must show."""

GREATEST: Final = frozenset(
    {
        "sidecar_injector_ca_bundle_fighting",
        "sidecar_injector_certificate_waits",
        "sidecar_injector_clock_skew_seconds",
        "sidecar_injector_configuration_generation",
        "sidecar_injector_loop_lag_seconds",
        "sidecar_injector_namespaces_staleness_seconds",
        "sidecar_injector_nodes_staleness_seconds",
        "sidecar_injector_proxyconfigs_staleness_seconds",
    }
)
"""Gauges whose greatest value it shows, for the same reason; all others are summed."""

_HEAD: Final = struct.Struct("<II")
_WRITING: Final = 0xFFFF_FFFF

Rows = list[list[Any]]
"""Families as JSON: [name, text, type, [[sample name, its labels, value], …]]."""


class Board(Collector):
    """A slot for each worker, counted from 1. Made before the workers are forked."""

    def __init__(self, workers: int) -> None:
        self.workers = range(1, workers + 1)
        self._memory = mmap.mmap(-1, SLOT_BYTES * (workers + 1))
        self._last: dict[int, dict[str, Any] | None] = {}

    def write(self, slot: int, report: Mapping[str, Any]) -> bool:
        """Write the report of a process into its slot, which no other process writes while it lives.

        Return whether its ``rows`` had room. Without them the rest is still written: a silent worker is
        killed.
        """
        text, start = orjson.dumps(report), slot * SLOT_BYTES
        if not (fits := len(text) <= SLOT_BYTES - _HEAD.size):
            text = orjson.dumps({**report, "rows": []})
        _HEAD.pack_into(self._memory, start, _WRITING, 0)
        self._memory[start + _HEAD.size : start + _HEAD.size + len(text)] = text
        _HEAD.pack_into(self._memory, start, len(text), zlib.crc32(text))
        return fits

    def clear(self, slot: int) -> None:
        """Empty the slot of a worker that is gone."""
        _HEAD.pack_into(self._memory, slot * SLOT_BYTES, 0, 0)
        self._last[slot] = None

    def read(self, slot: int) -> dict[str, Any] | None:
        """Return the content of a slot, None if it is empty."""
        start = slot * SLOT_BYTES
        for _ in range(TRIES):
            size, checksum = _HEAD.unpack_from(self._memory, start)
            if not size:
                self._last[slot] = None
                break
            text = self._memory[start + _HEAD.size : start + _HEAD.size + min(size, SLOT_BYTES)]
            if size != _WRITING and zlib.crc32(text) == checksum:
                self._last[slot] = orjson.loads(text)
                break
        return self._last.get(slot)

    def faults(self, own: int) -> Iterator[str]:
        """Yield why workers other than ``own`` do not serve; one that is being replaced is not a fault."""
        replaced = (self.read(0) or {}).get("replaced", [])
        for worker in self.workers:
            report = self.read(worker)
            if worker == own or (report is None and worker in replaced):
                continue
            if report is None:
                yield f"worker {worker} is starting"
            elif report["missing"]:
                yield f"worker {worker} is not ready: {', '.join(report['missing'])}"
            elif (silent := time.monotonic() - report["at"]) > SILENT_SECONDS:
                yield f"worker {worker} has said nothing for {silent:.0f} s"

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all workers together."""
        reports = [self.read(slot) for slot in (0, *self.workers)]
        for name, text, kind, samples in combined(each["rows"] for each in reports if each):
            family = Metric(name, text, kind)
            family.samples = [Sample(sample, labels, value) for sample, labels, value in samples]
            yield family


@dataclass(slots=True, kw_only=True)
class Seat:
    """The place of one worker, counted from 1; ``replaces`` says whether it replaces one that died.

    The parent holds the other end of the pipe ``parent``: it reads as closed once the parent is gone.
    """

    worker: int
    board: Board
    parent: int
    replaces: bool
    _told: bool = False
    _complained: bool = False
    _begun: float = field(default_factory=time.monotonic)

    def tell(self, metrics: Metrics, readiness: Readiness) -> None:
        """Write what this worker counts, and what its readiness lacks."""
        missing = [*readiness.missing(but=OTHERS)]
        if self.replaces and not self._told and missing and time.monotonic() - self._begun < BEGIN_SECONDS:
            return
        rows = [
            [
                each.name,
                each.documentation,
                each.type,
                [[one.name, one.labels, one.value] for one in each.samples],
            ]
            for each in metrics.families()
        ]
        fits = self.board.write(self.worker, {"at": time.monotonic(), "missing": missing, "rows": rows})
        if not fits and not self._complained:
            fields = {"worker": self.worker}
            logger.error("the metrics of a worker are too large to be shown", extra={"fields": fields})
        self._complained = not fits
        if not self._told:
            self._told = True
            os.kill(os.getppid(), signal.SIGCHLD)  # the others are forked once the first one has written

    async def keep_telling(self, metrics: Metrics, readiness: Readiness) -> None:
        """Write once a second, for ever."""
        while True:
            self.tell(metrics, readiness)
            await asyncio.sleep(TELL_SECONDS)

    def others(self) -> str | None:
        """Return why not all workers serve; None when they do."""
        return "; ".join(self.board.faults(self.worker)) or None

    def metrics_page(self, metrics: Metrics, readiness: Readiness) -> Page:
        """Return the page for scrapers, about all workers."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self.board)

        def text(accept: str) -> tuple[bytes, str]:
            self.tell(metrics, readiness)
            return exposition(registry, accept)

        return metrics_page(text)

    def when_alone(self, leave: Callable[[], None]) -> None:
        """Call ``leave`` on the loop once the parent is gone: nothing would replace or stop this worker."""
        loop = asyncio.get_running_loop()

        def alone() -> None:
            loop.remove_reader(self.parent)
            leave()

        loop.add_reader(self.parent, alone)


def combined(pages: Iterable[Rows]) -> Rows:
    """Return the families of several pages as one: sums, for some gauges the least or greatest value."""
    found: dict[str, list[Any]] = {}
    samples: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
    for name, text, kind, own in (row for page in pages for row in page):
        found.setdefault(name, [name, text, kind])
        combine = _combination(name, kind)
        known = samples.setdefault(name, {})
        for sample, labels, given in own:
            value = math.inf if given is None else given  # JSON has no infinity
            key = (sample, *sorted(labels.items()))
            if key in known:
                known[key][2] = combine((known[key][2], value))
            else:
                known[key] = [sample, labels, value]
    return [[*row, [*samples[name].values()]] for name, row in found.items()]


def counts(rows: Rows) -> Rows:
    """Return the part of a worker's report that stays true when it is gone: what it has counted."""
    return [row for row in rows if row[2] in ("counter", "histogram")]


def _combination(name: str, kind: str) -> Any:
    if name in LEAST or kind == "info":
        return min
    return max if name in GREATEST else sum
