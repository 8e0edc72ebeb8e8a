"""Measure the scale-out curve: the throughput of several processes under one load.

Replicas are separate services, to one of which each connection of a client goes at random, as kube-proxy
sends it; workers are one service behind one port, where the kernel spreads connections. Rounds are
interleaved: one process, two, four, and so on, then again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchlib.measure import BUSY, WARM_SECONDS, Settings, begin, end, go
from benchlib.servers import Server, cpu_seconds_of

PREPARED_BYTES: Final = 160 << 20
"""Bytes that each client prepares before the clock starts: some three seconds of reviews with sixteen
containers."""


@dataclass(slots=True)
class Point:
    """The results of a number of processes: medians of rounds, except ``mib``, ``failed`` and ``faults``.

    ``busy`` is the share that they used of one core each, ``client_busy`` the same for the clients,
    ``busiest`` how many times its share the busiest process had.
    """

    servers: Sequence[Server]
    processes: int
    per_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    client_busy: list[float] = field(default_factory=list)
    busiest: list[float] = field(default_factory=list)
    mib: float = 0.0
    failed: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        """Return the point as the JSON report has it."""
        return {
            "processes": self.processes,
            "reviews_per_second": round(median(self.per_second), 1),
            "cpu_us": round(median(self.cpu_us), 1),
            "busy": round(median(self.busy), 3),
            "client_busy": round(median(self.client_busy), 3),
            "busiest": round(median(self.busiest), 2),
            "mib": round(self.mib, 1),
            "failed": self.failed,
            "faults": self.faults,
        }


def steps(most: int) -> list[int]:
    """Return the numbers of processes to measure: 1, 2, 4, …, and the most."""
    return [*(1 << at for at in range(most.bit_length()) if 1 << at < most), most]


def clients_for(processes: int, cores: int) -> int:
    """Return the number of clients: one per server, but not more than there are cores left."""
    return max(1, min(processes, cores - processes))


def curve(
    points: Sequence[Point], case: str, settings: Settings, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Measure each point in each round; return their figures."""
    settings = replace(settings, client_core=None, prepared_bytes=PREPARED_BYTES)
    for point in points:
        _load(point, case, replace(settings, seconds=WARM_SECONDS), start=1)
    for point in points:  # the warm-up is not a result
        point.per_second, point.cpu_us, point.busy, point.client_busy, point.busiest = [], [], [], [], []
    for round_ in range(settings.rounds):
        for point in points:
            say(f"round {round_ + 1}/{settings.rounds}: {point.processes} processes")
            _load(point, case, settings, start=(round_ + 2) << 8)
    return [point.figures() for point in points]


def _load(point: Point, case: str, settings: Settings, *, start: int) -> None:
    """Send one closed loop from as many clients as needed, and note the results."""
    count = clients_for(point.processes, len(os.sched_getaffinity(0)))
    front = replace(point.servers[0], ports=tuple(server.port for server in point.servers))
    clients = [begin(front, case, settings, start=start + number) for number in range(count)]
    before = _cpu_seconds(point.servers)
    for client in clients:
        go(client)
    outcomes = [end(client) for client in clients]
    used = [seconds - before.get(pid, 0.0) for pid, seconds in _cpu_seconds(point.servers).items()]
    answered = max(sum(len(outcome["latencies"]) for outcome in outcomes), 1)
    seconds = max(outcome["seconds"] for outcome in outcomes)
    point.per_second.append(answered / seconds)
    point.cpu_us.append(sum(used) / answered * 1e6)
    point.busy.append(sum(used) / seconds / point.processes)
    point.client_busy.append(sum(outcome["cpu_seconds"] for outcome in outcomes) / seconds / count)
    point.busiest.append(max(used) / sum(used) * point.processes)
    point.mib = max(point.mib, sum(_pss_mib(pid) for server in point.servers for pid in server.pids()))
    for outcome in outcomes:
        point.failed += outcome["failed"]
        point.faults.update(outcome["faults"])


def _cpu_seconds(servers: Sequence[Server]) -> dict[int, float]:
    """Return the CPU time of each process so far."""
    return {pid: cpu_seconds_of(pid) for server in servers for pid in server.pids()}


def _pss_mib(pid: int) -> float:
    """Return the memory of a process, with its part of shared memory."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def table(kind: str, case: str, points: Sequence[dict[str, Any]]) -> str:
    """Return the curve as a table in Markdown, with what limits each point."""
    titles = (kind, "reviews/s", "x one", "CPU µs", "x by CPU", "busy", "clients busy", "busiest", "MiB")
    one = points[0]
    rows = [
        (
            f"{point['processes']}",
            f"{point['reviews_per_second']:,.0f}",
            f"{point['reviews_per_second'] / one['reviews_per_second']:.2f}",
            f"{point['cpu_us']:,.0f}",
            f"{point['processes'] * one['cpu_us'] / point['cpu_us']:.2f}",
            f"{point['busy']:.0%}",
            f"{point['client_busy']:.0%}",
            f"{point['busiest']:.2f}",
            f"{point['mib']:.0f}",
        )
        for point in points
    ]
    lines = [f"| {' | '.join(row)} |" for row in (titles, ("---",) * len(titles), *rows)]
    return "\n".join([f"Scale-out of `{case}`:", "", *lines, "", *_limits(points)])


def _limits(points: Sequence[dict[str, Any]]) -> list[str]:
    """Return a sentence for each point at which the servers were not the limit."""
    return [
        f"{point['processes']}: the servers had {1 - point['busy']:.0%} of their cores left: the clients, or "
        "whoever else is on this machine, had the rest; `x one` is that limit, `x by CPU` what cores of "
        "their own would give"
        for point in points
        if point["busy"] < BUSY
    ]
