"""The service as a process: how it starts, what it says when it cannot, and how it leaves."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import ROOT, shared_folder
from tests.service.conftest import NAME, Mount, a_pair, a_review


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

    def __post_init__(self) -> None:
        self.pair = Mount(self.folder / "certs")
        self.config = Mount(self.folder / "config")
        self.pair.swap(a_pair(self.ca))
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
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for line in self.lines():
                if line["message"] == "serving":
                    self.ports = (line["port"], line["monitoring_port"])
                    return
            assert self.popen.poll() is None, self.text()
            time.sleep(0.02)
        raise AssertionError(f"not serving after 20 s: {self.text()}")

    def text(self) -> str:
        return (self.folder / "log").read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().split("\n")[:-1]]

    def end(self, *, seconds: float = 20) -> int:
        return self.popen.wait(timeout=seconds)

    def status(self, path: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.ports[1], timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        return context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.ports[0]), timeout=10), server_hostname=NAME
        )


Launch = Callable[..., Process]


@pytest.fixture
def launch(tmp_path: Path, ca: trustme.CA) -> Iterator[Launch]:
    begun: list[Process] = []

    def begin(*, wait: bool = True, **options: Any) -> Process:
        process = Process(tmp_path / str(len(begun)), ca, options)
        begun.append(process)
        process.launch()
        if wait:
            process.wait_until_serving()
        return process

    yield begin
    for process in begun:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.wait()


def post(connection: ssl.SSLSocket, uid: str) -> bytes:
    """Post a review on a connection and return the whole answer."""
    body = a_review(uid)
    head = f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    top, _, rest = answer.partition(b"\r\n\r\n")
    length = int(top.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    while len(rest) < length:
        rest += connection.recv(65536)
    return top + b"\r\n\r\n" + rest


QUICK = {"minimum": 0.5, "quiet": 0.3, "maximum": 5, "in_flight": 2}


def test_a_start_is_quick_and_says_what_serves(launch: Launch) -> None:
    process = launch()
    (line,) = [line for line in process.lines() if line["message"] == "serving"]
    assert line["certificate"] == f"{NAME}, localhost"
    assert line["release"] == "fake"
    assert process.status("/healthz/ready") == 200
    assert process.status("/metrics") == 200


def test_sigterm_drains_closes_and_exits_with_zero(launch: Launch) -> None:
    process = launch(drain=QUICK)
    with process.connect() as connection:
        assert b"Connection: close" not in post(connection, "before")
        process.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while process.status("/healthz/ready") != 503:
            assert time.monotonic() < deadline
        assert process.status("/healthz/live") == 200
        assert b"Connection: close" in post(connection, "after")
        assert connection.recv(1) == b""
    with process.connect() as late:
        assert b"Connection: close" in post(late, "late")
    assert process.end() == 0
    assert [line["message"] for line in process.lines()][-1] == "stopped"


def test_a_second_sigterm_stops_at_once(launch: Launch) -> None:
    process = launch(drain={**QUICK, "minimum": 60, "maximum": 60})
    process.popen.send_signal(signal.SIGTERM)
    while "stopping" not in process.text():
        time.sleep(0.01)
    begin = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    assert process.end() == 0
    assert time.monotonic() - begin < 5


def test_ctrl_c_stops_at_once(launch: Launch) -> None:
    process = launch()
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 0


def test_a_port_in_use_is_one_sentence(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = launch(wait=False, port=port)
        assert process.end() == 1
    assert process.text() == f"cannot listen on 127.0.0.1 port {port}: another process uses it\n"


def test_a_missing_certificate_is_one_sentence(launch: Launch) -> None:
    process = launch(wait=False, tls_certificate="/nonexistent/tls.crt")
    assert process.end() == 1
    assert process.text() == "/nonexistent/tls.crt: does not exist\n"


def test_faults_of_the_options_are_told_together(launch: Launch) -> None:
    process = launch(wait=False, port=70000, recheck_seconds=0)
    assert process.end() == 1
    assert "port 70000 is not between 0 and 65535; the time between two looks" in process.text()


def test_the_health_file_is_rewritten(launch: Launch, tmp_path: Path) -> None:
    path = tmp_path / "healthy"
    launch(health_check_file=str(path), health_check_interval=0.05)
    deadline = time.monotonic() + 5
    while not path.exists() or path.read_text() != "ok":
        assert time.monotonic() < deadline
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before:
        assert time.monotonic() < deadline


def test_without_uvloop_it_serves_as_well(launch: Launch) -> None:
    process = launch(uvloop=False, drain=QUICK)
    with process.connect() as connection:
        assert b"200 OK" in post(connection, "asyncio")
    process.popen.send_signal(signal.SIGTERM)
    assert process.end() == 0


# --- under load from a client with the API server's transport


@pytest.fixture(scope="session")
def apiserver_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared = shared_folder()
    if shared is None or shutil.which("go") is None:
        pytest.skip("NO GO or no ../shared: tests with the API server's own transport are skipped")
    binary = tmp_path_factory.mktemp("go") / "apiserver-client"
    subprocess.run(["go", "build", "-o", binary, "."], cwd=shared / "apiserver-client", check=True)
    return binary


def load(client: Path, process: Process, seconds: float, *, fresh: float = 0, rate: int = 300) -> Any:
    """Begin to send reviews; `.communicate()` of what is returned gives the result as JSON."""
    review = process.folder / "review.json"
    review.write_bytes(a_review())
    return subprocess.Popen(
        [client, "-url", f"https://127.0.0.1:{process.ports[0]}/inject", "-server-name", NAME]
        + ["-ca", process.folder / "ca.crt", "-review", review, "-duration", f"{seconds}s"]
        + ["-fresh", str(fresh), "-rate", str(rate)],
        stdout=subprocess.PIPE,
    )


def result(running: Any) -> dict[str, Any]:
    output, _ = running.communicate(timeout=60)
    return dict(json.loads(output))


def test_swaps_of_leaf_and_configuration_under_load_lose_nothing(
    launch: Launch, apiserver_client: Path
) -> None:
    process = launch()
    running = load(apiserver_client, process, 4, fresh=0.3)
    deadline = time.monotonic() + 3.5
    swaps = 0
    broken = {"tls.crt": b"", "tls.key": b"x"}
    while time.monotonic() < deadline:
        swaps += 1
        process.pair.swap(broken if swaps % 4 == 3 else a_pair(process.ca, rsa=swaps % 2 == 0))
        process.config.swap({"config": "broken" if swaps % 3 == 2 else f"c-{swaps}", "values": "{}"})
        time.sleep(0.25)
    outcome = result(running)
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] > 800
    said = [line["message"] for line in process.lines()]
    assert said.count("new files serve") >= 8
    assert said.count("new files are rejected, the last good ones serve") >= 4


def test_a_drain_under_load_loses_nothing(launch: Launch, apiserver_client: Path) -> None:
    """The Service's endpoints move to the second process half a second after the first is told to stop."""
    drain = {"minimum": 1.5, "quiet": 0.5, "maximum": 8, "in_flight": 2}
    first, second = launch(drain=drain), launch(drain=drain)
    endpoints = first.folder / "endpoints"
    endpoints.write_text(f"127.0.0.1:{first.ports[0]}\n")
    review = first.folder / "review.json"
    review.write_bytes(a_review())
    running = subprocess.Popen(
        [apiserver_client, "-url", "https://sidecar.example/inject", "-server-name", NAME]
        + ["-ca", first.folder / "ca.crt", "-review", review, "-duration", "4s", "-rate", "600"]
        + ["-endpoints", endpoints],
        stdout=subprocess.PIPE,
    )
    time.sleep(1)
    first.popen.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    endpoints.write_text(f"127.0.0.1:{second.ports[0]}\n")
    outcome = result(running)
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] > 1500
    assert first.end() == 0


def test_a_burst_of_connections_is_answered(launch: Launch, apiserver_client: Path) -> None:
    process = launch()
    outcome = result(load(apiserver_client, process, 2, fresh=1, rate=150))
    assert outcome["failed"] == 0, outcome
