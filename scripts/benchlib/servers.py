"""Servers to measure: the service and its comparisons, each a process on its own core. Sends no load.

The floor is the least that HTTPS costs in Python: aiohttp's low-level server over TLS, which reads the body,
parses it with orjson and answers with the same ten kilobytes. The edge is the whole service with that in
place of the injector: its cost above the floor is that of our HTTP, logs, metrics and deadlines.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import orjson
from aiohttp import web

from injector.registration.issue import IssuedPair, issue_ca, issue_leaf

NAME: Final = "sidecar-injector.istio-system.svc"
FLOOR_BYTES: Final = 10_000
START_SECONDS: Final = 30
DAY: Final = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Server:
    """A server to send reviews to; without a process (``--url``) only time can be measured."""

    host: str
    port: int
    ca: str
    name: str = NAME
    path: str = "/inject"
    monitoring: int = 0
    process: subprocess.Popen[bytes] | None = None
    folder: Path | None = None
    ready_seconds: float = 0.0
    ports: tuple[int, ...] = ()
    """Ports of a fleet; each connection goes to one at random."""

    def pids(self) -> list[int]:
        """Return the processes: the one that was started, and its descendants."""
        return family(self.process.pid) if self.process is not None else []

    def cpu_seconds(self) -> float:
        """Return the CPU time so far of all threads and processes, including those that have ended."""
        return sum(map(cpu_seconds_of, self.pids()))

    def rss_mib(self) -> float:
        """Return the resident memory."""
        if self.process is None:
            return 0.0
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def counters(self) -> dict[str, float]:
        """Return the counters of the caches from the metrics, by name without prefix."""
        if not self.monitoring:
            return {}
        with urlopen(f"http://{self.host}:{self.monitoring}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            name, _, value = line.partition(" ")
            if name.startswith(("sidecar_injector_skeleton_", "sidecar_injector_replica_")):
                found[name.removeprefix("sidecar_injector_").removesuffix("_total")] = float(value)
        return found

    def toggle_sampling(self) -> None:
        """Start or stop the sampler of a server, if it has one."""
        if self.process is not None:
            self.process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def family(pid: int) -> list[int]:
    """Return a process and its descendants that have not ended."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended meanwhile
        children = []
    return [pid, *(each for child in children for each in family(int(child)))]


def cpu_seconds_of(pid: int) -> float:
    """Return the CPU time of a process by its own clock, whose number clock_getcpuclockid(3) makes.

    The time of its children that have ended is added, in hundredths of a second.
    """
    try:
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        own = time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has ended meanwhile, and its parent has its time
        return 0.0
    return own + sum(map(int, ended)) / os.sysconf("SC_CLK_TCK")


def make_certificates(folder: Path) -> IssuedPair:
    """Write ``ca.crt`` and a leaf (``tls.crt``, ``tls.key``) for the service's name; return the CA."""
    authority = issue_ca(name="bench", now=datetime.now(UTC), lifetime=DAY)
    (folder / "ca.crt").write_bytes(authority.certificate)
    write_leaf(folder, authority)
    return authority


def write_leaf(folder: Path, authority: IssuedPair) -> None:
    """Replace the leaf by a new one, each file at once."""
    leaf = issue_leaf(authority, names=[NAME, "localhost"], now=datetime.now(UTC), lifetime=DAY)
    for name, content in (("tls.crt", leaf.certificate), ("tls.key", leaf.key)):
        new = folder / f"{name}.new"
        new.write_bytes(content)
        new.replace(folder / name)


def start_service(folder: Path, core: int | None, arguments: list[str]) -> Server:
    """Start the service as a user would, logs and metrics on, and wait until it accepts reviews."""
    return _start("service", _serve_command(folder, arguments), folder, core)


def start_workers(folder: Path, count: int, arguments: list[str]) -> Server:
    """Start one service with so many workers, on any core."""
    command = [*_serve_command(folder, arguments), f"--workers={count}"]
    return _start(f"workers{count}", command, folder, None, count=count)


def start_replica(folder: Path, number: int, core: int | None, arguments: list[str]) -> Server:
    """Start one service of a fleet."""
    return _start(f"replica{number}", _serve_command(folder, arguments), folder, core)


def start_go(command: str, folder: Path, core: int | None, arguments: list[str]) -> Server:
    """Start another injector, with the flags that Istio's own had, and wait until it accepts connections."""
    port = _free_port()
    words = [*shlex.split(command), "--address=127.0.0.1", f"--port={port}"]
    words += [f"--tlsCertFile={folder / 'tls.crt'}", f"--tlsKeyFile={folder / 'tls.key'}"]
    begun, log = time.perf_counter(), folder / "go.log"
    with log.open("wb") as output, _on(core):
        flags = [flag for flag in arguments if not flag.startswith("--release")]
        process = subprocess.Popen([*words, *flags], stdout=output, stderr=output)
    _accepting(process, port, log)
    seconds = time.perf_counter() - begun
    ca = str(folder / "ca.crt")
    return Server(host="127.0.0.1", port=port, ca=ca, process=process, folder=folder, ready_seconds=seconds)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _accepting(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until a process accepts connections; SystemExit shows what it wrote."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    process.kill()
    raise SystemExit(f"{log.stem} did not start:\n{log.read_text()[-2000:]}")


@contextlib.contextmanager
def _on(core: int | None) -> Iterator[None]:
    """Start processes inside this block on a core: Go counts the cores that it has when it starts."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start_other(folder: Path, core: int | None, arguments: list[str], checkout: Path) -> Server:
    """Start the service of another checkout of the project."""
    return _start("other", _serve_command(folder, arguments), folder, core, checkout=checkout)


def _serve_command(folder: Path, arguments: list[str], *, before: str = "") -> list[str]:
    code = f"{before}from injector.cli.main import main; main()"
    # -P: the project is the one that PYTHONPATH names, wherever the script was called.
    command = [
        sys.executable,
        "-P",
        "-c",
        code,
        "serve",
        "--address=127.0.0.1",
        "--port=0",
        "--monitoringPort=0",
    ]
    command += [f"--tlsCertFile={folder / 'tls.crt'}", f"--tlsKeyFile={folder / 'tls.key'}"]
    return [*command, "--watchCluster=false", "--reconcileWebhookConfig=false", *arguments]


def start_floor(folder: Path, core: int | None) -> Server:
    """Start the floor."""
    return _start("floor", [sys.executable, "-m", "benchlib.servers", str(folder)], folder, core)


def start_edge(folder: Path, core: int | None) -> Server:
    """Start the service with a reviewer that does the same as the floor."""
    return _start("edge", [sys.executable, "-m", "benchlib.edge", str(folder)], folder, core)


def start_naive(folder: Path, core: int | None) -> Server:
    """Start the naive webhook: render, parse, copy, merge and compare for every pod."""
    return _start("naive", [sys.executable, "-m", "benchlib.naive", str(folder)], folder, core)


def start_sampled(folder: Path, core: int | None, arguments: list[str], report: Path) -> Server:
    """Start the service with a sampler that `Server.toggle_sampling` starts and stops."""
    code = (
        "import json, pathlib, signal\n"
        "from benchlib.sampler import Sampler\n"
        "sampler, report = Sampler(), pathlib.Path(" + repr(str(report)) + ")\n"
        "def toggle(number, frame):\n"
        "    if report.exists():\n"
        "        sampler.stop()\n"
        "    else:\n"
        "        sampler.start()\n"
        "    report.write_text(json.dumps(sampler.counts))\n"
        "signal.signal(signal.SIGUSR1, toggle)\n"
    )
    return _start("service", _serve_command(folder, arguments, before=code), folder, core)


def environment(checkout: Path | None = None) -> dict[str, str]:
    """Return an environment in which processes find the project, or another checkout, and these scripts."""
    scripts = Path(__file__).parent.parent
    places = (scripts, checkout or scripts.parent)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))}


def _start(
    kind: str,
    command: list[str],
    folder: Path,
    core: int | None,
    *,
    checkout: Path | None = None,
    count: int = 1,
) -> Server:
    begun = time.perf_counter()
    log = folder / f"{kind}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stderr=stderr, env=environment(checkout))
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    serving = _serving(process, log, count)
    return Server(
        host="127.0.0.1",
        port=serving["port"],
        monitoring=serving["monitoring_port"],
        ca=str(folder / "ca.crt"),
        process=process,
        folder=folder,
        ready_seconds=time.perf_counter() - begun,
    )


def _serving(process: subprocess.Popen[bytes], log: Path, count: int) -> dict[str, Any]:
    """Wait for the log line with the ports; each worker writes one."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        lines = log.read_text().split("\n")[:-1]
        told = [line for line in lines if '"message":"serving"' in line]
        if len(told) >= count:
            found: dict[str, Any] = json.loads(told[0])
            return found
        time.sleep(0.005)
    process.kill()
    raise SystemExit(f"{log.stem} did not start:\n{log.read_text()[-2000:]}")


# --- the floor, as a process


async def _floor(folder: Path) -> None:
    answer = b"x" * FLOOR_BYTES
    headers = {"Content-Type": "application/json"}

    async def handle(request: web.BaseRequest) -> web.Response:
        orjson.loads(await request.read())
        return web.Response(body=answer, headers=headers)

    await serve_https(folder, handle)


async def serve_https(folder: Path, handle: Callable[[web.BaseRequest], Awaitable[web.Response]]) -> None:
    """Serve over TLS with aiohttp's low-level server, and report the port as the service does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server = web.Server(handle, access_log=None, request_factory=_roomy)
    listening = await asyncio.get_running_loop().create_server(
        server, "127.0.0.1", 0, ssl=context, backlog=1024
    )
    gc.collect()
    gc.freeze()
    port = listening.sockets[0].getsockname()[1]
    print(
        json.dumps({"message": "serving", "port": port, "monitoring_port": 0}, separators=(",", ":")),
        file=sys.stderr,
    )
    await asyncio.Event().wait()


def _roomy(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    """Make a request that takes 8 MiB, as ours does; aiohttp's own cap is one."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=8 << 20)


def main(folder: str) -> None:
    """Serve the floor until interrupted."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            import uvloop  # noqa: PLC0415 - as the service does
        except ImportError:
            asyncio.run(_floor(Path(folder)))
        else:
            uvloop.run(_floor(Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1])
