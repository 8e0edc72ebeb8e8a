#!/usr/bin/env python3
"""Load test: starts the service on loopback (or takes --url) and sends it AdmissionReviews over TLS.

    scripts/bench.py --floor                      # every case, each also as a multiple of what HTTPS costs
    scripts/bench.py --floor --duration 2 --json now.json --compare before.json
    scripts/bench.py --cases small --during rotation --report rotation.html

Closed loop: a pool of connections as the API server's, each sends again as soon as it is answered; this
gives reviews/s and CPU time. Open loop: arrivals at half of that rate (or --rate), latency from the arrival
that was due; this gives p50 to p99.9. Every review has a uid and a pod name of its own, from fifty workloads.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from benchlib import measure, report, reviews, servers  # noqa: E402 - found by the line above
from benchlib.measure import Settings  # noqa: E402

from injector.registration.issue import IssuedPair  # noqa: E402

STANDARD = ["small", "typical", "containers16", "env2000", "mib3"]


def arguments() -> argparse.Namespace:
    """Read argv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--url", help="a running service, https://host:port/inject; CPU, RSS and the floor cannot be measured"
    )
    add("--ca", help="with --url: the CA file")
    add("--server-name", default=servers.NAME, help="with --url: the name in its certificate")
    add("--cases", default=",".join(STANDARD), help=f"of {', '.join(reviews.known())}; default all")
    add(
        "--reviews", type=Path, help="folder with review-NAME.json; others are made (default ../shared/bench)"
    )
    add("--duration", type=float, default=5.0, metavar="S", help="seconds of a case in a round")
    add("--rounds", type=int, default=3)
    add("--connections", type=int, default=25)
    add(
        "--fresh",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of reviews after which a connection ends",
    )
    add(
        "--rate",
        type=float,
        default=0.0,
        help="arrivals a second of the open loop; default half of the maximum",
    )
    add(
        "--during",
        choices=("rotation", "reload"),
        help="swap the leaf, or rewrite the configuration, each 0.5 s",
    )
    add(
        "--beside",
        default="",
        metavar="CASE",
        help="one more connection sends this case during the open loops",
    )
    add("--floor", action="store_true", help="measure a fixed answer over TLS too, in every round")
    add("--json", type=Path, metavar="FILE", help="write the figures ('-' for stdout)")
    add("--compare", type=Path, metavar="FILE", help="fail where a case is worse than in FILE")
    add("--threshold", type=float, default=report.THRESHOLD, help="by how much worse; default 0.15")
    add("--report", type=Path, metavar="FILE.html", help="write a page with plots")
    add("--no-pin", action="store_true", help="leave the processes to the scheduler")
    add("service", nargs="*", help="after --: arguments for `serve`, e.g. -- --injectConfig config.yaml")
    return parser.parse_args()


def say(text: str) -> None:
    """Tell what is going on, on stderr."""
    print(text, file=sys.stderr, flush=True)


def cores(*, pin: bool) -> tuple[int | None, int | None]:
    """Return the cores for servers and for clients; None where there is no choice."""
    if not pin or not hasattr(os, "sched_getaffinity"):
        return None, None
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[-1]) if len(available) > 1 else (None, None)


def newest_istio(folder: Path) -> list[str]:
    """Return arguments that serve the newest Istio's default template where the reference data is there."""
    given = os.environ.get("CONFORMANCE_DIR")
    conformance = Path(given) if given else Path(__file__).parents[2] / "shared" / "conformance"
    releases = [path for path in conformance.glob("1.*") if (path / "configs" / "default.yaml").is_file()]
    if not releases:
        say("no reference data: the built-in template is measured")
        return []
    newest = max(releases, key=lambda path: int(path.name.partition(".")[2]))
    say(f"Istio {newest.name}'s default template")
    config = folder / "config"
    config.write_bytes((newest / "configs" / "default.yaml").read_bytes())
    found = [f"--release={newest.name}", f"--injectConfig={config}"]
    for option, kind in (("injectValues", "values/default.json"), ("meshConfig", "mesh/default.yaml")):
        if (newest / kind).is_file():
            found.append(f"--{option}={newest / kind}")
    return found


@contextlib.contextmanager
def disturbance(kind: str | None, folder: Path, authority: IssuedPair | None) -> Iterator[None]:
    """Swap the leaf or rewrite the configuration twice a second meanwhile."""
    over = threading.Event()

    def disturb() -> None:
        config = folder / "config"
        text = config.read_text() if config.is_file() else ""
        number = 0
        while not over.wait(0.5):
            number += 1
            if kind == "rotation" and authority is not None:
                servers.write_leaf(folder, authority)
            elif kind == "reload" and text:
                new = folder / "config.new"
                new.write_text(f"{text}\n# {number}\n")
                new.replace(config)

    thread = threading.Thread(target=disturb)
    if kind:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if kind:
            thread.join()


def remote(url: str, ca: str | None, name: str) -> servers.Server:
    """Return the service at a URL."""
    parts = urlsplit(url)
    if not parts.hostname or not ca:
        raise SystemExit("--url needs a host, and --ca the CA of its certificate")
    return servers.Server(
        host=parts.hostname, port=parts.port or 443, ca=ca, name=name, path=parts.path or "/inject"
    )


def machine() -> str:
    """Describe the machine and the Python that measured."""
    model = platform.processor()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    system = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{model or platform.machine()}, {system}"


def main() -> int:
    """Measure, print, write, compare; return the exit code."""
    given = arguments()
    names = [name for name in given.cases.split(",") if name]
    unknown = set(names) - set(reviews.known())
    if unknown:
        raise SystemExit(
            f"unknown cases: {', '.join(sorted(unknown))}; there are {', '.join(reviews.known())}"
        )
    server_core, client_core = cores(pin=not given.no_pin)
    folder = given.reviews or Path(__file__).parents[2] / "shared" / "bench"
    settings = Settings(
        seconds=given.duration,
        rounds=given.rounds,
        connections=given.connections,
        fresh=given.fresh,
        rate=given.rate,
        reviews=str(folder) if folder.is_dir() else None,
        client_core=client_core,
        beside=given.beside,
    )
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        here = Path(place)
        authority, floor, idle = None, None, 0.0
        if given.url:
            service = remote(given.url, given.ca, given.server_name)
        else:
            authority = servers.make_certificates(here)
            chosen = given.service or newest_istio(here)
            service = servers.start_service(here, server_core, chosen)
            stack.callback(service.stop)
            idle = service.rss_mib()
            say(f"ready in {service.ready_seconds:.2f} s, {idle:.0f} MiB")
            if given.floor:
                floor = servers.start_floor(here, server_core)
                stack.callback(floor.stop)
        with disturbance(given.during, here, authority):
            cases = measure.measure(service, floor, names, settings, say)
        result = {
            "cases": {name: case.figures() for name, case in cases.items()},
            "machine": machine(),
            "ready_seconds": round(service.ready_seconds, 3),
            "idle_rss_mib": round(idle, 1),
        }
    return finish(given, result, {name: sorted(case.open or case.closed) for name, case in cases.items()})


def finish(given: argparse.Namespace, result: dict[str, Any], latencies: dict[str, list[float]]) -> int:
    """Write what was asked for; return 1 where a case failed or got worse."""
    figures = result["cases"]
    text = json.dumps(result, indent=1)
    if given.json and str(given.json) == "-":
        print(text)
    else:
        print(report.table(figures))
        if given.json:
            given.json.write_text(text + "\n")
    for name, case in figures.items():
        if given.beside:
            beside = f"{case['beside_p50_ms']} ms, p99 {case['beside_p99_ms']} ms"
            say(f"{name}: {given.beside} beside it took {beside}")
        if case["client_bound"]:
            say(f"{name}: the client was the bottleneck; reviews/s is its limit, CPU time is not affected")
        for fault, count in case["faults"].items():
            say(f"{name}: {count} failed: {fault}")
    if given.report:
        given.report.write_text(report.page(result, latencies))
    if given.compare:
        sentences = report.worse(result, json.loads(given.compare.read_text()), given.threshold)
        for sentence in sentences:
            say(f"WORSE  {sentence}")
        return 1 if sentences else 0
    return 1 if any(case["failed"] for case in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
