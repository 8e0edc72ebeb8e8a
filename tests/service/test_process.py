"""The service as a process: how it starts, what it says when it cannot, and how it leaves."""

from __future__ import annotations

import gc
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from injector.service.process import YOUNG_OBJECTS
from tests.conftest import PATIENCE
from tests.service.kit import NAME, Start, a_review
from tests.service.processes import PATIENT, QUICK, Launch, Process


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


def test_a_start_is_quick_and_says_what_serves(launch: Launch) -> None:
    process = launch()
    (line,) = [line for line in process.lines() if line["message"] == "serving"]
    assert line["certificate"] == f"{NAME}, localhost"
    assert line["release"] == "fake"
    assert process.status("/healthz/ready") == 200
    assert process.status("/metrics") == 200


def test_sigterm_drains_closes_and_exits_with_zero(launch: Launch) -> None:
    process = launch(drain=PATIENT)
    with process.connect() as connection:
        assert b"Connection: close" not in post(connection, "before")
        process.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while process.status("/healthz/ready") != 503:
            assert time.monotonic() < deadline
        assert process.status("/healthz/live") == 200
        assert b"Connection: close" in post(connection, "after")
        assert connection.recv(1) == b""
    with process.connect() as late:
        assert b"Connection: close" in post(late, "late")
    assert process.end() == 0
    assert [line["message"] for line in process.lines()][-1] == "stopped"


def heard(process: Process, count: int) -> list[tuple[str, str]]:
    """Wait until the process has said what so many signals lead to; return it."""
    deadline = time.monotonic() + 60
    while True:
        lines = [line for line in process.lines() if line["message"] == "a signal came"]
        if len(lines) >= count:
            return [(line["signal"], line["leads_to"]) for line in lines]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_second_sigterm_in_the_minimum_of_the_drain_is_not_heard(launch: Launch) -> None:
    process = launch(drain={**QUICK, "minimum": 600, "maximum": 600})
    for number in (1, 2, 3):
        process.popen.send_signal(signal.SIGTERM)
        heard(process, number)
    with process.connect() as connection:
        assert b"Connection: close" in post(connection, "still")
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 0
    ignored = ("SIGTERM", "nothing, the drain has just begun")
    assert heard(process, 4) == [("SIGTERM", "drain"), ignored, ignored, ("SIGINT", "short drain")]


def test_a_second_sigterm_after_the_minimum_of_the_drain_ends_it(launch: Launch) -> None:
    process = launch(drain={**QUICK, "minimum": 0.1, "quiet": 600, "maximum": 600})
    process.popen.send_signal(signal.SIGTERM)
    sent = 1
    while heard(process, sent)[-1] != ("SIGTERM", "the end"):
        process.popen.send_signal(signal.SIGTERM)
        sent += 1
    assert process.end() == 0


def test_ctrl_c_finishes_what_is_in_flight_and_a_second_one_does_not(launch: Launch) -> None:
    process = launch(drain={**QUICK, "minimum": 600, "in_flight": 600}, limits={"body_seconds": 600})
    with process.connect() as connection:
        connection.sendall(
            b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        while "sidecar_injector_reviews_waiting 1.0" not in process.page("/metrics"):
            time.sleep(0.01)
        process.popen.send_signal(signal.SIGINT)
        heard(process, 1)
        assert process.status("/healthz/ready") == 503
        process.popen.send_signal(signal.SIGINT)
        assert process.end() == 0
    assert heard(process, 2) == [("SIGINT", "short drain"), ("SIGINT", "the end")]


def test_ctrl_c_with_nothing_in_flight_ends_the_process(launch: Launch) -> None:
    process = launch()
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 0


def test_sighup_reads_the_mounted_files_again_and_ends_nothing(launch: Launch) -> None:
    process = launch(drain=QUICK)
    process.config.swap({"config": "second", "values": "{}"})
    process.popen.send_signal(signal.SIGHUP)
    assert heard(process, 1) == [("SIGHUP", "the mounted files are read again")]
    while "new files serve" not in process.text():
        time.sleep(0.01)
    with process.connect() as connection:
        assert b"200 OK" in post(connection, "after")
    process.popen.send_signal(signal.SIGTERM)
    assert process.end() == 0


def test_sighup_during_the_start_does_not_end_it(launch: Launch) -> None:
    process = launch(wait=False)
    while process.popen.poll() is None and "serving" not in process.text():
        if "SIGHUP" in process.ignored():
            process.popen.send_signal(signal.SIGHUP)
        time.sleep(0.005)
    process.wait_until_serving()
    assert process.status("/healthz/ready") == 200


@pytest.mark.parametrize("uvloop", [True, False])
def test_silent_connections_do_not_hold_up_the_end(launch: Launch, uvloop: bool) -> None:
    patient = {"handshake_seconds": 10 * PATIENCE, "head_seconds": 10 * PATIENCE}
    process = launch(uvloop=uvloop, limits=patient)
    silent = [socket.create_connection(("127.0.0.1", port)) for port in process.ports for _ in range(5)]
    half = process.connect()
    half.sendall(b"POST /inject HTTP/1.1\r\n")
    process.popen.send_signal(signal.SIGINT)
    assert process.end() == 0
    for connection in (*silent, half):
        connection.close()


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


def test_a_release_older_than_the_built_in_configuration_is_one_sentence(launch: Launch) -> None:
    process = launch(wait=False, inject_config=None, inject_values=None, release="1.20")
    assert process.end() == 1
    assert "built-in config: is for Istio 1.31 and newer: give that of 1.20 with" in process.text()


def test_faults_of_the_options_are_told_together(launch: Launch) -> None:
    process = launch(wait=False, port=70000, recheck_seconds=0)
    assert process.end() == 1
    assert "port 70000 is not between 0 and 65535; the time between two looks" in process.text()


def test_the_health_file_is_rewritten(launch: Launch, tmp_path: Path) -> None:
    path = tmp_path / "healthy"
    launch(health_check_file=str(path), health_check_interval=0.05)
    deadline = time.monotonic() + PATIENCE
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


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_answers_that_nobody_reads_do_not_keep_a_process_from_its_end(launch: Launch, loop: str) -> None:
    """Each is larger than what the kernel takes of it; they may stay unread for longer than the test waits."""
    process = launch(drain=QUICK, limits={"write_seconds": 10 * PATIENCE}, uvloop=loop == "uvloop")
    body = a_review("u" * 5_000_000)
    head = f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    deaf = [process.connect() for _ in range(3)]
    for connection in deaf:
        connection.sendall(head.encode() + body)
    deadline = time.monotonic() + PATIENCE
    while sum(line["message"] == "review answered" for line in process.lines()) < len(deaf):
        assert time.monotonic() < deadline
    process.popen.send_signal(signal.SIGTERM)
    assert process.end() == 0
    assert [line["message"] for line in process.lines()][-1] == "stopped"
    for connection in deaf:
        connection.close()


async def test_the_collector_works_once_all_has_been_loaded(start: Start) -> None:
    gc.disable()
    try:
        await start()
        assert gc.isenabled()
        assert gc.get_threshold()[0] == YOUNG_OBJECTS
    finally:
        gc.enable()
