"""Measure servers with reviews and settings.

Every round measures each case on the service and directly afterwards on the floor and whatever else it is
compared with, so that another program which takes the machine for a minute affects all of them; a case's
figure is the median of its rounds, and a ratio the median of the ratios within rounds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchlib import clustermix
from benchlib.load import Load
from benchlib.servers import Server

WARM_SECONDS: Final = 0.5
SLOW_ON_NAIVE: Final = {"mib3"}
"""Cases of which the naive server answers less than one within a round."""

BUSY: Final = 0.9
"""Share of a core above which a process counts as at its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure."""

    seconds: float
    rounds: int
    connections: int
    fresh: float
    rate: float
    reviews: str | None
    client_core: int | None
    prepared_bytes: int = 0
    """Bytes of requests that a client makes before the clock starts."""

    mix: str = clustermix.DEFAULT
    beside: str = ""
    """A case that one connection sends in a closed loop during every open loop."""


@dataclass(slots=True)
class Case:
    """The rounds of one case; ``review`` is what was sent."""

    review: str
    cpu_us: list[float] = field(default_factory=list)
    beneath: dict[str, list[float]] = field(default_factory=dict)
    """CPU-µs of the servers it is compared with: ``floor``, ``edge``, ``naive``, ``other``, ``go``."""

    per_second: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)
    open: list[float] = field(default_factory=list)
    open_rate: float = 0.0
    rss_mib: float = 0.0
    failed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    client_bound: int = 0
    hits: float | None = None
    replicas: float | None = None
    beside: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Return the case as the JSON report has it; latencies are those of the open loop."""
        latencies = sorted(self.open or self.closed)
        floors, others, rivals = (self.beneath.get(kind) for kind in ("floor", "other", "go"))
        return {
            "cpu_us": round(median(self.cpu_us), 1),
            "floor_cpu_us": None,
            **{f"{kind}_cpu_us": round(median(values), 1) for kind, values in self.beneath.items()},
            "ratio": round(_paired(self.cpu_us, floors), 3) if floors else None,
            "go_ratio": round(1 / _paired(self.cpu_us, rivals), 2) if rivals else None,
            "other_ratio": round(_paired(self.cpu_us, others), 3) if others else None,
            "reviews_per_second": round(median(self.per_second), 1),
            "p50_ms": quantile(latencies, 0.5),
            "p90_ms": quantile(latencies, 0.9),
            "p99_ms": quantile(latencies, 0.99),
            "p999_ms": quantile(latencies, 0.999),
            "open_rate": round(self.open_rate, 1),
            "closed_p50_ms": quantile(sorted(self.closed), 0.5),
            "closed_p99_ms": quantile(sorted(self.closed), 0.99),
            "beside_p50_ms": quantile(self.beside, 0.5),
            "beside_p99_ms": quantile(self.beside, 0.99),
            "rss_mib": round(self.rss_mib, 1),
            "failed": self.failed,
            "faults": self.faults,
            "hit_rate": None if self.hits is None else round(self.hits, 4),
            "replica_rate": None if self.replicas is None else round(self.replicas, 4),
            "client_bound": bool(self.client_bound),
        }


def _paired(ours: list[float], floors: list[float]) -> float:
    """Return the median of the ratios within rounds: what affected both cancels out."""
    return median(one / floor for one, floor in zip(ours, floors, strict=True))


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted seconds, in milliseconds; 0 of none."""
    return round(ordered[int(share * (len(ordered) - 1))] * 1000, 3) if ordered else 0.0


def measure(
    service: Server,
    beneath: Mapping[str, Server],
    names: Mapping[str, str],
    settings: Settings,
    say: Callable[[str], None],
) -> dict[str, Case]:
    """Run all rounds and return the cases by name.

    ``names`` maps the name of a case to that of its review, ``beneath`` the name of a comparison to its
    server.
    """
    cases = {name: Case(review=review) for name, review in names.items()}
    number = 0
    for round_ in range(settings.rounds):
        for name, case in cases.items():
            say(f"round {round_ + 1}/{settings.rounds}: {name}")
            number += 1
            _closed(service, case, settings, number)
            for kind, server in beneath.items():
                if kind == "naive" and ("@" in name or case.review in SLOW_ON_NAIVE):
                    continue
                if not round_:
                    run(server, case.review, settings, start=number, seconds=WARM_SECONDS, judge=False)
                judged = kind == "go"
                outcome, cpu = run(server, case.review, settings, start=number, judge=judged)
                if judged:
                    _tell_faults(case, kind, outcome)
                costs = case.beneath.setdefault(kind, [])
                costs.append(cpu / max(len(outcome["latencies"]), 1) * 1e6)
    for name, case in cases.items():
        say(f"open loop: {name}")
        case.open_rate = settings.rate or median(case.per_second) / 2
        number += 1
        with _beside(service, settings, case):
            outcome, _ = run(service, case.review, settings, start=number, rate=case.open_rate)
        case.open = outcome["latencies"]
        _count(case, outcome)
    return cases


def beside(service: Server, name: str, large: str, settings: Settings) -> dict[str, float]:
    """Return the latencies in ms of reviews alone, of reviews beside large ones, and of the large ones."""
    case = Case(review=name)
    _closed(service, case, settings, 1 << 9)
    rate = median(case.per_second) / 2
    alone, _ = run(service, name, settings, start=1 << 10, rate=rate)
    with _beside(service, replace(settings, beside=large), case):
        together, _ = run(service, name, settings, start=1 << 11, rate=rate)
    return {
        "rate": round(rate, 1),
        "alone_p99_ms": quantile(alone["latencies"], 0.99),
        "p50_ms": quantile(together["latencies"], 0.5),
        "p99_ms": quantile(together["latencies"], 0.99),
        "large_p50_ms": quantile(case.beside, 0.5),
        "large_p99_ms": quantile(case.beside, 0.99),
    }


@contextmanager
def _beside(service: Server, settings: Settings, case: Case) -> Iterator[None]:
    """Send the case that runs beside the others on one connection, and note its latencies."""
    if not settings.beside:
        yield
        return
    alone = replace(settings, connections=1, fresh=0.0)
    process = begin(service, settings.beside, alone, start=1 << 10)
    go(process)
    yield
    outcome = end(process)
    case.beside = outcome["latencies"]
    _count(case, outcome)


def _closed(service: Server, case: Case, settings: Settings, number: int) -> None:
    if not case.cpu_us:
        run(service, case.review, settings, start=number << 8, seconds=WARM_SECONDS)
    before = service.counters()
    outcome, cpu = run(service, case.review, settings, start=number)
    answered = max(len(outcome["latencies"]), 1)
    case.cpu_us.append(cpu / answered * 1e6)
    case.per_second.append(answered / outcome["seconds"])
    case.closed += outcome["latencies"]
    case.rss_mib = max(case.rss_mib, service.rss_mib())
    after = service.counters()
    case.hits = _hit_rate("skeleton", before, after)
    case.replicas = _hit_rate("replica", before, after)
    _count(case, outcome)
    if outcome["cpu_seconds"] > min(cpu, BUSY * outcome["seconds"]):
        case.client_bound += 1


def _count(case: Case, outcome: dict[str, Any]) -> None:
    case.failed += outcome["failed"]
    case.faults.update(outcome["faults"])


def _tell_faults(case: Case, kind: str, outcome: dict[str, Any]) -> None:
    """Note the faults of the other injector: they are reported, and do not count against ours."""
    case.faults.update({f"{kind}: {text}": count for text, count in outcome["faults"].items()})


def _hit_rate(cache: str, before: dict[str, float], after: dict[str, float]) -> float | None:
    hits, misses = (
        after.get(f"{cache}_{what}", 0) - before.get(f"{cache}_{what}", 0) for what in ("hits", "misses")
    )
    return hits / (hits + misses) if hits + misses else None


def run(
    server: Server,
    name: str,
    settings: Settings,
    *,
    start: int,
    seconds: float = 0.0,
    rate: float = 0.0,
    judge: bool = True,
) -> tuple[dict[str, Any], float]:
    """Send one load from a client process; return its results and the server's CPU seconds."""
    process = begin(server, name, settings, start=start, seconds=seconds, rate=rate, judge=judge)
    before = server.cpu_seconds()
    go(process)
    outcome = end(process)
    return outcome, server.cpu_seconds() - before


def begin(
    server: Server,
    name: str,
    settings: Settings,
    *,
    start: int,
    seconds: float = 0.0,
    rate: float = 0.0,
    judge: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a client process and wait until its connections are made; `go` lets it send."""
    load = Load(
        host=server.host,
        port=server.port,
        ca=server.ca,
        server_name=server.name,
        path=server.path,
        case=name,
        reviews=settings.reviews,
        seconds=seconds or settings.seconds,
        connections=settings.connections,
        rate=rate,
        fresh=settings.fresh,
        start=start << 20,
        judge=judge,
        prepared_bytes=settings.prepared_bytes,
        mix=settings.mix,
        ports=server.ports,
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "benchlib.load", json.dumps(asdict(load))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    if settings.client_core is not None:
        os.sched_setaffinity(process.pid, {settings.client_core})
    if process.stdout is None or process.stdout.readline() != b"ready\n":
        raise SystemExit(f"the client cannot reach {server.host}:{server.port}")
    return process


def go(process: subprocess.Popen[bytes]) -> None:
    """Let a client send."""
    if process.stdin is not None:
        process.stdin.write(b"go\n")
        process.stdin.flush()


def end(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a client process and return its results."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit("the client failed")
    outcome: dict[str, Any] = json.loads(output)
    return outcome
