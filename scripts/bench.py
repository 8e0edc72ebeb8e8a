#!/usr/bin/env python3
"""Load test: starts the service on loopback (or takes --url) and sends it AdmissionReviews over TLS.

    scripts/bench.py --floor                      # every case, each also as a multiple of what HTTPS costs
    scripts/bench.py --floor --duration 2 --json now.json --compare before.json
    scripts/bench.py --cluster-mix --floor        # what a cluster sends, beside the best and the worst of it
    scripts/bench.py --replicas 8                 # how far a fleet carries; --workers for one of workers
    scripts/bench.py --go 'injector --flag'       # beside another injector, such as one of Istio's code
    scripts/bench.py --against ../before          # side by side with another checkout
    scripts/bench.py --cases small --during rotation --report rotation.html
    scripts/bench.py --cases small-unseen@log-shipper,branches64-alone@branches    # other templates
    scripts/bench.py --full --fill-in             # the tables of docs/performance.md and README.md

Closed loop: a pool of connections as the API server's, each sends again as soon as it is answered; this
gives reviews/s and CPU time. Open loop: arrivals at half of that rate (or --rate), latency from the arrival
that was due; this gives p50 to p99.9. Every review has a uid and a pod name of its own, from fifty workloads;
of CASE-alone every pod is the first of a ReplicaSet of its own, as after a restart; of CASE-unseen also its
names, images, labels, values and ports are its own. ``cluster-mix`` is what a cluster sends in all.
The service runs as users run it: logs, metrics, deadlines; Istio's newest template with its default values
where the reference data is beside the repository (or in $CONFORMANCE_DIR), the built-in one elsewhere.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import ssl
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

# ruff: noqa: E402 - what follows is found by the line above
from benchlib import arguments as wanted
from benchlib import clustermix, configurations, fleet, footprint, measure, report, servers
from benchlib.measure import Case, Settings

from injector.registration.issue import IssuedPair

ROOT: Final = Path(__file__).parent.parent
STANDARD: Final = ("small", "small-unseen", "typical", "typical-unseen", "containers16", "env2000", "mib3")
FULL: Final = (
    *STANDARD,
    "small-alone",
    "containers16-unseen",
    "mixed",
    "mixed-unseen",
    clustermix.NAME,
    "small-unseen@built-in",
    "small-unseen@log-shipper",
    "branches1-alone@branches",
    "branches64-alone@branches",
    "branches1024-alone@branches",
)
MIXED: Final = ("mixed", clustermix.NAME, "mixed-unseen")
"""The best case of what a cluster sends, the whole mix, and the worst."""

OURS: Final = (
    *("full", "floor", "edge", "naive", "go", "against"),
    *("footprint", "replicas", "workers", "during"),
)
"""Options of a service that is started here."""

USUAL: Final = "istio"
"""The template of cases that name none."""


def arguments() -> argparse.Namespace:
    """Read argv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--url",
        type=wanted.a_url,
        help="a running service, https://host:port/inject; CPU, RSS and the floor cannot be measured",
    )
    add("--ca", type=wanted.a_ca, help="with --url: the CA file")
    add("--server-name", default=servers.NAME, help="with --url: the name in its certificate")
    add(
        "--cases",
        type=wanted.some_cases,
        help=f"REVIEW or REVIEW@TEMPLATE; reviews: {', '.join(wanted.known())}; templates: "
        f"{', '.join(configurations.known())}; default {','.join(STANDARD)}",
    )
    add(
        "--cluster-mix",
        nargs="?",
        const=clustermix.DEFAULT,
        type=wanted.a_mix,
        metavar="MIX",
        help="send what a cluster sends, KIND=SHARE:REPLICAS[/REPLICAS…],… with KIND of replicaset, "
        f"daemonset, statefulset, job, pod; default {clustermix.DEFAULT}; "
        f"without --cases: {', '.join(MIXED)}",
    )
    add(
        "--reviews",
        type=wanted.a_folder,
        help="folder with review-NAME.json; others are made (default ../shared/bench)",
    )
    add(
        "--duration",
        type=wanted.some_seconds,
        default=5.0,
        metavar="S",
        help="seconds of a case in a round",
    )
    add("--rounds", type=wanted.a_count, default=3)
    add("--connections", type=wanted.a_count, default=25)
    add(
        "--fresh",
        type=wanted.a_share,
        default=0.0,
        metavar="SHARE",
        help="share of reviews after which a connection ends",
    )
    add(
        "--rate",
        type=wanted.a_rate,
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
        type=wanted.a_case,
        metavar="CASE",
        help="one more connection sends this case during the open loops",
    )
    add("--floor", action="store_true", help="measure a fixed answer over TLS too, in every round")
    add(
        "--edge", action="store_true", help="and the service without its injector: what our HTTP and log cost"
    )
    add("--naive", action="store_true", help="and a webhook of PyYAML, deepcopy and jsonpatch")
    add(
        "--go",
        type=wanted.a_command,
        metavar="COMMAND",
        help="and another injector: COMMAND --address=127.0.0.1 --port=N --tlsCertFile=F --tlsKeyFile=F "
        "--injectConfig=F --injectValues=F --meshConfig=F has to answer POST /inject over TLS",
    )
    add(
        "--replicas",
        type=wanted.a_count,
        metavar="N",
        help="measure fleets of 1, 2, 4, … N services instead, and print how far they carry; of one case, "
        f"the first of --cases, or {clustermix.NAME}",
    )
    add(
        "--workers",
        type=wanted.some_workers,
        metavar="N",
        help="the same with one service of 1, 2, 4, … N workers",
    )
    add("--footprint", action="store_true", help="measure start, memory and `inject` too")
    add("--full", action="store_true", help="all of that, more cases, and 3 MiB pods beside small ones")
    add("--markdown", action="store_true", help="print tables for docs/performance.md")
    add("--fill-in", action="store_true", help="write them into docs/performance.md and README.md")
    add(
        "--json",
        type=wanted.stdout_or_a_place,
        metavar="FILE",
        help="write the figures ('-' for stdout)",
    )
    add("--compare", type=wanted.a_result, metavar="FILE", help="fail where a case is worse than in FILE")
    add(
        "--against",
        type=wanted.a_checkout,
        metavar="FOLDER",
        help="another checkout of the project: it is measured in the same rounds, and a case that costs more "
        "than there fails",
    )
    add(
        "--threshold",
        type=wanted.a_threshold,
        default=report.THRESHOLD,
        help="by how much worse; default 0.15",
    )
    add("--report", type=wanted.a_place, metavar="FILE.html", help="write a page with plots")
    add("--no-pin", action="store_true", help="leave the processes to the scheduler")
    add("service", nargs="*", help="after --: arguments for `serve`, e.g. -- --injectConfig config.yaml")
    given = parser.parse_args()
    if given.url and not given.ca:
        parser.error("--url needs --ca, the CA of its certificate")
    if given.url and any("@" in case for case in given.cases or ()):
        parser.error("--url has the template that it has: give cases without @")
    if given.url and (ours := [name for name in OURS if getattr(given, name)]):
        parser.error(f"--url is a service that runs already: leave out --{ours[0]}")
    if given.full:
        given.floor = given.edge = given.naive = given.footprint = True
    # Comparisons use multiples of the floor: two runs on a busy machine have nothing else in common.
    given.floor = given.floor or (given.compare is not None and not given.url)
    return given


def cases_of(given: argparse.Namespace) -> list[str]:
    """Return the cases to measure."""
    if given.cases:
        named: list[str] = given.cases
        added = given.cluster_mix and clustermix.NAME not in named
        return [*named, clustermix.NAME] if added else named
    return [*(FULL if given.full else MIXED if given.cluster_mix else STANDARD)]


def say(text: str) -> None:
    """Print progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def cores(*, pin: bool) -> tuple[int | None, int | None]:
    """Return the cores for servers and for clients; None where the scheduler chooses."""
    if not pin or not hasattr(os, "sched_getaffinity"):
        return None, None
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[-1]) if len(available) > 1 else (None, None)


def by_template(cases: list[str]) -> dict[str, dict[str, str]]:
    """Return template → name of the case → name of its review."""
    found: dict[str, dict[str, str]] = {}
    for case in cases:
        review, _, template = case.partition("@")
        found.setdefault(template or USUAL, {})[case] = review
    return found


@contextlib.contextmanager
def disturbance(kind: str | None, folder: Path, authority: IssuedPair | None) -> Iterator[None]:
    """Replace the leaf or rewrite the configuration twice a second inside this block."""
    over = threading.Event()

    def disturb() -> None:
        config = folder / "injectConfig"
        text = config.read_text() if config.is_file() else ""
        number = 0
        while not over.wait(0.5):
            number += 1
            if kind == "rotation" and authority is not None:
                servers.write_leaf(folder, authority)
            elif kind == "reload" and text:
                new = folder / "injectConfig.new"
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


def remote(url: str, ca: str, name: str) -> servers.Server:
    """Return the service at a URL."""
    parts = urlsplit(url)
    return servers.Server(
        host=parts.hostname or "", port=parts.port or 443, ca=ca, name=name, path=parts.path or "/inject"
    )


def machine() -> str:
    """Describe the machine and the Python that measured."""
    model = platform.processor()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    packages = ("aiohttp", "uvloop", "orjson", "msgspec", "pyyaml")
    installed = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    system = f"{os.cpu_count()} cores, {platform.system()}, {ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}"
    system += f", Python {platform.python_version()}, {installed}"
    return f"{model or platform.machine()}, {system}"


class Bench:
    """One run: the measured servers and the results."""

    def __init__(self, given: argparse.Namespace, here: Path, stack: contextlib.ExitStack) -> None:
        self.cases: dict[str, Case] = {}
        self.templates: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        self._given = given
        self._here = here
        self._stack = stack
        self._server_core, client_core = cores(pin=not given.no_pin)
        folder = given.reviews or configurations.reviews_folder()
        self._settings = Settings(
            seconds=given.duration,
            rounds=given.rounds,
            connections=given.connections,
            fresh=given.fresh,
            rate=given.rate,
            reviews=str(folder) if folder else None,
            client_core=client_core,
            beside=given.beside or "",
            mix=given.cluster_mix or clustermix.DEFAULT,
        )

    def run_at(self, url: str) -> None:
        """Measure a service that is already running."""
        service = remote(url, self._given.ca, self._given.server_name)
        names = {name: name for name in cases_of(self._given)}
        self.cases = measure.measure(service, {}, names, self._settings, say)

    def run(self) -> None:
        """Start the servers, and measure."""
        given = self._given
        authority = servers.make_certificates(self._here)
        beneath = self._beneath()
        for template, cases in by_template(cases_of(given)).items():
            self._run_template(template, cases, beneath, authority)
        if given.footprint:
            say("start, memory and `inject`")
            usual = configurations.named(USUAL)
            self.extra["footprint"] = footprint.footprint(usual, self._here, self._server_core)

    def run_fleets(self) -> None:
        """Measure the throughput of several processes."""
        given = self._given
        servers.make_certificates(self._here)
        case = cases_of(given)[0] if given.cases else clustermix.NAME
        ((template, cases),) = by_template([case]).items()
        arguments = given.service or configurations.named(template).write(self._here)
        starts = {"replicas": self._replicas, "workers": self._workers}
        for kind, start in starts.items():
            if most := getattr(given, kind):
                points = start(most, arguments)
                self.extra[kind] = fleet.curve(points, cases[case], self._settings, say)
                print(fleet.table(kind, case, self.extra[kind]))

    def _replicas(self, most: int, arguments: list[str]) -> list[fleet.Point]:
        spare = sorted(os.sched_getaffinity(0))[:most] if os.cpu_count() != most else []
        pinned = spare if len(spare) == most and not self._given.no_pin else [None] * most
        started = [
            self._started(servers.start_replica(self._here, number, core, arguments))
            for number, core in enumerate(pinned)
        ]
        return [fleet.Point(servers=started[:count], processes=count) for count in fleet.steps(most)]

    def _workers(self, most: int, arguments: list[str]) -> list[fleet.Point]:
        return [
            fleet.Point(
                servers=[self._started(servers.start_workers(self._here, count, arguments))], processes=count
            )
            for count in fleet.steps(most)
        ]

    def _beneath(self) -> dict[str, servers.Server]:
        starts = {"floor": servers.start_floor, "edge": servers.start_edge, "naive": servers.start_naive}
        wanted = [kind for kind in starts if getattr(self._given, kind)]
        return {kind: self._started(starts[kind](self._here, self._server_core)) for kind in wanted}

    def _started(self, server: servers.Server) -> servers.Server:
        self._stack.callback(server.stop)
        return server

    def _run_template(
        self,
        template: str,
        cases: dict[str, str],
        beneath: dict[str, servers.Server],
        authority: IssuedPair,
    ) -> None:
        configuration = configurations.named(template)
        self.templates[template] = configuration.title
        say(configuration.title)
        arguments = self._given.service or configuration.write(self._here)
        if self._given.go:
            rival = servers.start_go(self._given.go, self._here, self._server_core, arguments)
            beneath = {**beneath, "go": self._started(rival)}
        service = servers.start_service(self._here, self._server_core, arguments)
        other = None
        if self._given.against:
            checkout = self._given.against.resolve()
            other = servers.start_other(self._here, self._server_core, arguments, checkout)
            beneath = {**beneath, "other": other}
        idle = service.rss_mib()
        say(f"ready in {service.ready_seconds:.2f} s, {idle:.0f} MiB")
        if template == USUAL:
            self.extra |= {"ready_seconds": round(service.ready_seconds, 3), "idle_rss_mib": round(idle, 1)}
        try:
            with disturbance(self._given.during, self._here, authority):
                self.cases |= measure.measure(service, beneath, cases, self._settings, say)
            if self._given.full and template == USUAL:
                say("3 MiB pods beside small ones")
                self.extra["beside"] = measure.beside(service, "small", "mib3", self._settings)
        finally:
            service.stop()
            if other is not None:
                other.stop()


def main() -> int:
    """Measure, print, write, compare; return the exit code."""
    given = arguments()
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        bench = Bench(given, Path(place), stack)
        if given.replicas or given.workers:
            bench.run_fleets()
        elif given.url:
            bench.run_at(given.url)
        else:
            bench.run()
    cases = bench.cases
    result = {
        "cases": {name: case.figures() for name, case in cases.items()},
        "machine": machine(),
        "templates": bench.templates,
        **bench.extra,
    }
    return finish(given, result, {name: sorted(case.open or case.closed) for name, case in cases.items()})


def finish(given: argparse.Namespace, result: dict[str, Any], latencies: dict[str, list[float]]) -> int:
    """Show and write the requested output; return 1 where a case failed or got worse."""
    if given.json and str(given.json) == "-":
        print(json.dumps(result, indent=1))
    elif result["cases"]:
        print(report.markdown(result) if given.markdown else report.table(result["cases"]))
    remark(given, result)
    write(given, result, latencies)
    before = given.compare or {"cases": {}}
    sentences = report.worse(result, before, given.threshold) + report.costlier(result, given.threshold)
    for sentence in sentences:
        say(f"WORSE  {sentence}")
    return 1 if sentences else 0


def remark(given: argparse.Namespace, result: dict[str, Any]) -> None:
    """Print remarks for which the table has no column."""
    if clustermix.NAME in result["cases"]:
        say(headline(result["cases"]))
    for name, case in result["cases"].items():
        if given.beside:
            beside = f"{case['beside_p50_ms']} ms, p99 {case['beside_p99_ms']} ms"
            say(f"{name}: {given.beside} beside it took {beside}")
        if case["client_bound"]:
            say(f"{name}: the client was the bottleneck; reviews/s is its limit, CPU time is not affected")
        for fault, count in case["faults"].items():
            say(f"{name}: {count} failed: {fault}")


def headline(cases: dict[str, Any]) -> str:
    """Return the main figure for what a cluster sends, with the best and the worst case where measured."""
    shown = [f"{name} {report.cost(cases[name])}" for name in MIXED if name in cases]
    return f"what a cluster sends: {report.cost(cases[clustermix.NAME])} ({', '.join(shown)})"


def write(given: argparse.Namespace, result: dict[str, Any], latencies: dict[str, list[float]]) -> None:
    """Write the requested files."""
    if given.json and str(given.json) != "-":
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    if given.report:
        given.report.write_text(report.page(result, latencies))
    if given.fill_in:
        tables = {"measured": report.markdown(result), "compared": report.compared(result)}
        for page in (ROOT / "docs" / "performance.md", ROOT / "README.md"):
            page.write_text(report.fill_in(page.read_text(), tables))


if __name__ == "__main__":
    sys.exit(main())
