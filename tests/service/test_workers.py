"""Several processes behind one port, through the sockets and signals that users and kubelets use."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from injector.errors import ConfigError
from injector.service import workers
from injector.service.listener import listening
from injector.service.options import Limits, ServiceOptions
from tests.conftest import PATIENCE, ROOT
from tests.service.kit import a_pair, a_review, samples
from tests.service.processes import PATIENT, QUICK, Launch, Process

pytestmark = pytest.mark.socket

RESTARTS = "sidecar_injector_worker_restarts_total"
REVIEWS = "sidecar_injector_reviews_total{outcome=injected,reason=fake}"


def until(condition: Callable[[], bool], process: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, process.text()
        time.sleep(0.02)


def ready(process: Process) -> bool:
    try:
        return process.status("/healthz/ready") == 200
    except OSError:  # the worker that was asked is gone
        return False


def begin(launch: Launch, count: int = 2, drain: Mapping[str, float] = QUICK, **options: Any) -> Process:
    process = launch(workers=count, drain=drain, **options)
    until(lambda: ready(process), process)
    return process


def workers_of(process: Process) -> list[int]:
    """Return the processes that the parent has forked."""
    pid = process.popen.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def metrics(process: Process) -> dict[str, float]:
    return samples(process.page("/metrics"))


def answered(process: Process, uid: str) -> dict[str, Any]:
    """Post a review on a connection of its own; return what the fake has put into the pod."""
    body = a_review(uid)
    head = (
        f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    with process.connect() as connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        with http.client.HTTPResponse(connection) as response:
            response.begin()
            (operation,) = json.loads(base64.b64decode(json.load(response)["response"]["patch"]))
    value: dict[str, Any] = operation["value"]
    return value


class Callers:
    """Threads that post one review after the other, each on a new connection, until they are told to end."""

    def __init__(self, process: Process, count: int = 4) -> None:
        self.answers = 0
        self.faults: list[str] = []
        self._process = process
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=[number]) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _go_on(self, number: int) -> None:
        while not self._over.is_set():
            try:
                answered(self._process, f"{number}-{self.answers}")
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
            else:
                self.answers += 1

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_all_workers_answer_behind_one_port_and_one_page_counts_for_all(launch: Launch) -> None:
    process = begin(launch, 3)
    pids = workers_of(process)
    assert len(pids) == 3
    for number in range(60):
        answered(process, f"u-{number}")
    until(lambda: metrics(process)[REVIEWS] == 60, process)
    found = metrics(process)
    assert found["sidecar_injector_workers"] == 3
    assert found["sidecar_injection_time_seconds_count"] == 60
    assert found["sidecar_injector_reloads_total{result=success,unit=configuration}"] == 3
    assert found["sidecar_injector_ready"] == 1
    assert found[RESTARTS] == 0
    assert len({line["port"] for line in process.lines() if line["message"] == "serving"}) == 1
    process.popen.send_signal(signal.SIGTERM)
    assert process.end() == 0
    took = [line["reviews"] for line in process.lines() if line["message"] == "stopped"]
    assert sum(took) == 60
    assert all(took), "a worker got none of sixty connections"


def test_the_parent_has_no_thread_that_a_fork_would_leave_behind(launch: Launch) -> None:
    process = begin(launch)
    assert len([*Path(f"/proc/{process.popen.pid}/task").iterdir()]) == 1


def test_a_worker_that_is_killed_under_load_is_replaced_and_its_counts_stay(launch: Launch) -> None:
    process = begin(launch)
    callers = Callers(process)
    until(lambda: metrics(process).get(REVIEWS, 0) > 50, process)
    before = metrics(process)[REVIEWS]
    victim = workers_of(process)[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in workers_of(process) and len(workers_of(process)) == 2, process)
    until(lambda: metrics_of_living(process).get("sidecar_injector_workers") == 2, process)
    done = callers.answers
    until(lambda: callers.answers > done + 50, process)
    callers.end()
    # Lost is what was on its connections, and on those made while the kernel takes the process apart: each
    # of the four callers may meet its end more than once on a busy machine, and none of them for long.
    assert len(callers.faults) <= 3 * 4, callers.faults
    found = metrics(process)
    assert found[RESTARTS] == 1
    assert found[REVIEWS] >= before
    (line,) = [line for line in process.lines() if line["message"] == "a worker died and is replaced"]
    assert (line["level"], line["code"]) == ("error", -signal.SIGKILL)


def test_a_death_does_not_make_the_replica_unready(launch: Launch) -> None:
    process = begin(launch, 3)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    states: Counter[int] = Counter()
    while metrics_of_living(process).get(RESTARTS) != 1 or len(workers_of(process)) < 3:
        states[status_of_living(process)] += 1
    assert set(states) <= {0, 200}, states


def status_of_living(process: Process) -> int:
    """Return what readiness says; 0 where the connection was of the one that died."""
    try:
        return process.status("/healthz/ready")
    except OSError:
        return 0


def metrics_of_living(process: Process) -> dict[str, float]:
    try:
        return metrics(process)
    except OSError:
        return {}


def test_a_worker_that_hangs_is_seen_in_readiness(launch: Launch) -> None:
    process = begin(launch)
    hanging = workers_of(process)[1]
    os.kill(hanging, signal.SIGSTOP)
    try:
        until(lambda: "has said nothing for" in page_of_living(process), process)
    finally:
        os.kill(hanging, signal.SIGCONT)
    until(lambda: ready(process), process)


def test_a_worker_that_hangs_for_long_is_killed_and_replaced(launch: Launch) -> None:
    process = begin(launch)
    hanging = workers_of(process)[1]
    os.kill(hanging, signal.SIGSTOP)
    until(lambda: hanging not in workers_of(process), process)
    until(lambda: ready(process) and len(workers_of(process)) == 2, process)
    assert metrics(process)[RESTARTS] == 1


def page_of_living(process: Process) -> str:
    """Return the page of readiness from a worker that answers soon."""
    with socket.create_connection(("127.0.0.1", process.ports[1]), timeout=0.5) as connection:
        connection.sendall(b"GET /healthz/ready?verbose HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return connection.recv(65536).decode()
        except TimeoutError:
            return ""


def test_a_new_configuration_reaches_all_workers_and_those_that_come_later(launch: Launch) -> None:
    process = begin(launch)
    process.config.swap({"config": "second", "values": "{}"})

    def loaded() -> bool:
        return metrics(process)["sidecar_injector_reloads_total{result=success,unit=configuration}"] == 4

    until(loaded, process)
    assert {answered(process, f"u-{number}")["config"] for number in range(30)} == {"second"}
    os.kill(workers_of(process)[0], signal.SIGKILL)
    until(lambda: metrics_of_living(process).get(RESTARTS) == 1 and ready(process), process)
    assert {answered(process, f"v-{number}")["config"] for number in range(30)} == {"second"}


def test_sighup_and_a_new_certificate_reach_all_workers(launch: Launch) -> None:
    process = begin(launch, recheck_seconds=600)
    before = certificates(process)
    process.pair.swap({**a_pair(process.ca), "ca.crt": process.ca.cert_pem.bytes()})
    process.popen.send_signal(signal.SIGHUP)
    until(lambda: certificates(process).isdisjoint(before), process)
    assert len(certificates(process)) == 1


def certificates(process: Process) -> set[str]:
    """Return the serial numbers that twenty connections see."""
    found = set()
    for _ in range(20):
        with process.connect() as connection:
            certificate: Any = connection.getpeercert()
            found.add(certificate["serialNumber"])
    return found


def test_sigterm_drains_all_workers_and_loses_no_review(launch: Launch) -> None:
    process = begin(launch, 3, drain=PATIENT)
    callers = Callers(process)
    until(lambda: callers.answers > 50, process)
    process.popen.send_signal(signal.SIGTERM)
    until(lambda: process.text().count('"leads_to":"drain"') == 3, process)
    done = callers.answers
    until(lambda: callers.answers > done + 30, process)
    callers.end()
    assert process.end() == 0
    assert callers.faults == []
    counted = sum(line["reviews"] for line in process.lines() if line["message"] == "stopped")
    assert counted == callers.answers


def test_workers_end_with_their_parent(launch: Launch) -> None:
    process = begin(launch)
    pids = workers_of(process)
    process.popen.kill()
    process.end()
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids), process)


def test_what_is_mounted_wrongly_is_said_once_and_ends_the_start(launch: Launch, tmp_path: Path) -> None:
    process = launch(wait=False, workers=3, inject_config=str(tmp_path / "nothing"))
    assert process.end() == 1
    assert process.text().count("nothing") == 1


def test_a_port_that_is_taken_ends_the_start_even_where_workers_have_it(launch: Launch) -> None:
    first = begin(launch)
    second = launch(wait=False, workers=2, port=first.ports[0])
    assert second.end() == 1
    assert second.text() == (f"cannot listen on 127.0.0.1 port {first.ports[0]}: another process uses it\n")


def test_a_port_that_is_taken_while_it_is_being_reserved_ends_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thief = socket.socket()

    @contextmanager
    def taken_afterwards(address: str, port: int, *, backlog: int) -> Iterator[socket.socket]:
        with listening(address, port, backlog=backlog) as alone:
            place = alone.getsockname()
            yield alone
        thief.bind(place)
        thief.listen()

    monkeypatch.setattr(workers, "listening", taken_afterwards)
    with thief, pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1 port \d+: another process"):
        workers._reserved("127.0.0.1", 0)


def test_a_worker_that_is_killed_while_it_drains_is_seen_in_the_exit_code(launch: Launch) -> None:
    process = begin(launch, drain={**QUICK, "minimum": 600, "maximum": 600})
    process.popen.send_signal(signal.SIGTERM)
    until(lambda: process.text().count('"leads_to":"drain"') == 2, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 128 + signal.SIGKILL


WRITES = """
import sys
from injector.service.logs import LineWriter
LineWriter.turn = int(sys.argv[1])
writer = LineWriter(2)
for number in range(200):
    writer.write(sys.argv[2].encode() * 5000 + b"\\n")
while writer.size:
    pass
writer.close()
"""


def test_lines_of_two_processes_are_not_torn() -> None:
    """A pipe keeps 4 KiB together, and a batch of lines is longer."""
    turn = os.memfd_create("turn")
    reading, writing = os.pipe()
    command = [sys.executable, "-c", WRITES, str(turn)]
    processes = [
        subprocess.Popen([*command, letter], stderr=writing, pass_fds=[turn], cwd=ROOT) for letter in "ab"
    ]
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = pipe.read().splitlines()
    os.close(turn)
    assert [process.wait() for process in processes] == [0, 0]
    assert Counter(lines) == {b"a" * 5000: 200, b"b" * 5000: 200}


def test_tls_of_every_worker_is_that_of_the_service(launch: Launch) -> None:
    process = begin(launch)
    with process.connect() as connection:
        assert connection.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(
            socket.create_connection(("127.0.0.1", process.ports[0]), timeout=PATIENCE),
            server_hostname="localhost",
        )


def test_the_page_of_all_is_one_that_scrapers_can_read(launch: Launch) -> None:
    process = begin(launch)
    families = [*text_string_to_metric_families(process.page("/metrics"))]
    assert len({family.name for family in families}) == len(families)


@pytest.mark.parametrize(("given", "each"), [(None, None), (256 << 20, 64 << 20), (32 << 20, 16 << 20)])
def test_each_worker_has_its_part_of_what_may_be_in_flight_and_what_a_review_needs(
    given: int | None, each: int | None
) -> None:
    options = ServiceOptions(workers=4, limits=Limits(in_flight_bytes=given))
    assert workers._share(options).limits.in_flight_bytes == each
