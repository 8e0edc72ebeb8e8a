"""Services as processes, and the client that loads them as an API server does."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Protocol

import trustme

from tests.conftest import PATIENCE, ROOT
from tests.service.kit import NAME, Mount, a_pair, a_review

Launch = Callable[..., "Process"]

QUICK = {"minimum": 0.5, "quiet": 0.3, "maximum": 5, "in_flight": 2}
PATIENT = {"minimum": 0.5, "quiet": 5, "maximum": PATIENCE, "in_flight": PATIENCE}
"""For reviews that come during the drain: on a busy machine they may be a second apart."""


@dataclass
class Process:
    """A service process, its folders and its log."""

    folder: Path
    ca: trustme.CA
    options: dict[str, Any]
    pair: Mount = field(init=False)
    config: Mount = field(init=False)
    popen: subprocess.Popen[bytes] = field(init=False)
    ports: tuple[int, int] = (0, 0)
    begun: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pair = Mount(self.folder / "certs")
        self.config = Mount(self.folder / "config")
        self.pair.swap({**a_pair(self.ca), "ca.crt": self.ca.cert_pem.bytes()})
        self.config.swap({"config": "first", "values": "{}"})
        self.ca.cert_pem.write_to_path(str(self.folder / "ca.crt"))

    def launch(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.service.fake_service",
            str(self.folder),
            json.dumps(self.options),
        ]
        with (self.folder / "log").open("wb") as log:
            self.popen = subprocess.Popen(command, cwd=ROOT, stderr=log, stdin=subprocess.DEVNULL)

    def wait_until_serving(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["message"] == "serving":
                    self.ports = (line["port"], line["monitoring_port"])
                    return
            assert self.popen.poll() is None, self.text()
            time.sleep(0.02)
        raise AssertionError(f"not serving after {PATIENCE:g} s: {self.text()}")

    def text(self) -> str:
        return (self.folder / "log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().split("\n")[:-1]]

    def end(self, *, seconds: float = PATIENCE) -> int:
        return self.popen.wait(timeout=seconds)

    def status(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.ports[1], timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def page(self, path: str) -> str:
        """Return a page of the monitoring port."""
        connection = HTTPConnection("127.0.0.1", self.ports[1], timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def ignored(self) -> set[str]:
        """Return the names of the signals that the process ignores or handles."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        masks = [int(status.partition(f"{name}:")[2].split()[0], 16) for name in ("SigIgn", "SigCgt")]
        return {each.name for each in signal.Signals if (masks[0] | masks[1]) >> (each - 1) & 1}

    def peak_mib(self) -> float:
        """Return the most memory that the process ever had."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.ports[0]), timeout=PATIENCE), server_hostname=NAME
        )


def children(pid: int) -> list[int]:
    """Return the processes that a process has begun and that are not over."""
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


@contextlib.contextmanager
def watching_memory(pid: int) -> Iterator[list[int]]:
    """Measure 100 times a second the bytes of a process and its children; shared pages count once."""
    looks: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            with contextlib.suppress(FileNotFoundError):  # it has ended
                looks.append(sum(map(_proportional_bytes, [pid, *children(pid)])))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield looks
    over.set()
    thread.join()


def _proportional_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):  # it has ended
        return int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]) << 10
    return 0


def gone(pid: int) -> bool:
    """Return whether a process has ended and was reaped, or only has to be reaped."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


class Loaded(Protocol):
    """A service that can be loaded: its CA is ``ca.crt`` in ``folder``; ``begun`` is ended with it."""

    folder: Path
    begun: list[subprocess.Popen[bytes]]

    @property
    def ports(self) -> tuple[int, int]: ...


def load(
    client: Path,
    process: Loaded,
    seconds: float,
    *,
    fresh: float = 0,
    rate: int = 300,
    connections: int = 25,
    ca: Path | None = None,
    endpoints: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Begin to send reviews; `outcome_of` waits for the result. ``rate`` 0: as fast as they are answered."""
    review = process.folder / "review.json"
    if not review.exists():  # another client may be reading it
        review.write_bytes(a_review())
    dialled = ("-endpoints", endpoints) if endpoints else ()
    running = subprocess.Popen(
        [
            client,
            *("-url", f"https://127.0.0.1:{process.ports[0]}/inject", "-server-name", NAME),
            *("-ca", ca or process.folder / "ca.crt", "-review", review, "-duration", f"{seconds}s"),
            *("-fresh", str(fresh), "-rate", str(rate), "-connections", str(connections)),
            *dialled,
        ],
        stdout=subprocess.PIPE,
    )
    process.begun.append(running)
    return running


def outcome_of(running: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for the client and return what it counted."""
    output, _ = running.communicate()
    return dict(json.loads(output))


def end(popen: subprocess.Popen[bytes]) -> None:
    """End a process that a test has begun."""
    if popen.poll() is None:
        popen.kill()
    popen.wait()
    if popen.stdout is not None:
        popen.stdout.close()


class Pressure:
    """A load that lasts for as long as its test needs: rounds of the client, one after the other."""

    def __init__(self, begin: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._begin = begin
        self._rounds: list[dict[str, Any]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def _go_on(self) -> None:
        while not self._over.is_set():
            output, _ = (running := self._begin()).communicate()
            if running.returncode < 0:  # killed with the test that began it
                return
            self._rounds.append(json.loads(output))

    @property
    def failed(self) -> int:
        """Return how many reviews have failed in finished rounds."""
        return sum(each["failed"] for each in self._rounds)

    def end(self) -> dict[str, Any]:
        """Wait for the last round; return the sums of the counts, and the worst round's latencies."""
        self._over.set()
        self._thread.join()
        counts = ("ok", "failed", "dials", "retries")
        return {
            "rounds": len(self._rounds),
            **{name: sum(each[name] for each in self._rounds) for name in counts},
            **{name: max(each[name] for each in self._rounds) for name in ("p50", "p99", "max")},
            "perSecond": statistics.fmean(each["perSecond"] for each in self._rounds),
            "faults": sum((Counter(each["faults"]) for each in self._rounds), Counter()),
        }
