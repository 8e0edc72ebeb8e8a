"""Faults under load: what rotates, reloads or restarts loses no review.

Each test has a short form in the suite and a long one behind scripts/soak; the load is always the API server's
own transport.
"""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from injector.service.options import Limits
from tests.service.kit import Start, a_pair, a_review, client_context
from tests.service.processes import Launch, Process, load, outcome_of

DRAIN = {"minimum": 1.5, "quiet": 0.5, "maximum": 8, "in_flight": 2}

LONG = pytest.mark.soak


def said(process: Process, message: str) -> int:
    return sum(line["message"] == message for line in process.lines())


def leaf_of(process: Process) -> bytes:
    with process.connect() as connection:
        return bytes(connection.getpeercert(binary_form=True) or b"")


def forms(short: int, long: int) -> pytest.MarkDecorator:
    """Run the test with the short count in the suite, with the long one when soaked."""
    return pytest.mark.parametrize(
        "count", [short, pytest.param(long, marks=[LONG, pytest.mark.timeout(3600)])]
    )


@forms(8, 500)
def test_leaf_swaps_under_load_lose_nothing(launch: Launch, apiserver_client: Path, count: int) -> None:
    process = launch(log_reviews=False)
    pause = 0.3
    rates = 600 if count > 100 else 300
    running = load(apiserver_client, process, count * (pause + 0.1) + 2, fresh=0.2, rate=rates)
    slowest = 0.0
    for number in range(count):
        before = leaf_of(process)
        begin = time.monotonic()
        process.pair.swap(a_pair(process.ca, rsa=number % 2 == 1))
        while leaf_of(process) == before:
            assert time.monotonic() - begin < 5, "the new leaf is not served"
            time.sleep(0.02)
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(max(0.0, pause - (time.monotonic() - begin)))
    outcome = outcome_of(running)
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] > count * pause * rates * 0.5
    assert slowest < 2
    assert said(process, "new files serve") == count


def bad_pairs(ca: trustme.CA) -> list[dict[str, bytes]]:
    """Return six kinds of pair that must not serve."""
    good, other, now = a_pair(ca), a_pair(ca), datetime.now(UTC)
    return [
        {**good, "tls.key": other["tls.key"]},
        {**good, "tls.crt": good["tls.crt"][:300]},
        {"tls.crt": b"", "tls.key": b""},
        a_pair(ca, not_before=now - timedelta(days=3), not_after=now - timedelta(days=1)),
        a_pair(ca, not_before=now + timedelta(days=1), not_after=now + timedelta(days=3)),
        a_pair(ca, "elsewhere.default.svc"),
    ]


@forms(1, 50)
def test_bad_pairs_under_load_lose_nothing(launch: Launch, apiserver_client: Path, count: int) -> None:
    process = launch(log_reviews=False)
    before = leaf_of(process)
    pause = 0.4
    running = load(apiserver_client, process, count * 6 * pause + 1, fresh=0.2)
    for number in range(count):
        for files in bad_pairs(process.ca):
            process.pair.swap(files)
            time.sleep(pause)
        assert leaf_of(process) == before, number
    outcome = outcome_of(running)
    assert outcome["failed"] == 0, outcome
    assert said(process, "new files are rejected, the last good ones serve") == count * 6


@forms(2, 50)
def test_rolling_restarts_under_load_lose_nothing(launch: Launch, apiserver_client: Path, count: int) -> None:
    """Three replicas, each replaced in turn; its endpoint goes a while after it was told to stop."""
    replicas = [launch(drain=DRAIN, log_reviews=False) for _ in range(3)]
    endpoints = replicas[0].folder / "endpoints"
    outcome = restart(
        replicas, endpoints, apiserver_client, launch, count, signal.SIGTERM, (0.0, 0.3, 0.6, 0.9)
    )
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] > count * 500


@pytest.mark.soak
def test_the_control_without_connection_close_loses_reviews(launch: Launch, apiserver_client: Path) -> None:
    """A connection must close in the moment in which a review is written to it: a few restarts meet one."""
    replicas = [launch(drain=DRAIN, log_reviews=False) for _ in range(3)]
    endpoints = replicas[0].folder / "endpoints"
    control = (
        restart(replicas, endpoints, apiserver_client, launch, 1, signal.SIGINT, (0.9,)) for _ in range(8)
    )
    assert any(outcome["failed"] > 0 for outcome in control)


def restart(
    replicas: list[Process],
    endpoints: Path,
    client: Path,
    launch: Launch,
    count: int,
    how: signal.Signals,
    lags: tuple[float, ...],
) -> dict[str, float]:
    """Replace ``count`` replicas under dense load, and return what the client saw.

    ``lags`` are the seconds, in turn, for which an API server goes on dialling a replica that was told to stop.
    """

    def announce() -> None:
        new = endpoints.with_suffix(".new")
        new.write_text("".join(f"127.0.0.1:{replica.ports[0]}\n" for replica in replicas))
        new.replace(endpoints)

    announce()
    seconds = count * 4.0 + 2
    running = load(client, replicas[0], seconds, rate=600, endpoints=endpoints)
    began = time.monotonic()
    for number in range(count):
        replicas.append(launch(drain=DRAIN, log_reviews=False))
        announce()
        old = replicas.pop(0)
        old.popen.send_signal(how)
        time.sleep(lags[number % len(lags)])
        announce()
        assert old.end() == 0
        time.sleep(max(0.0, began + (number + 1) * 4 - time.monotonic()))
    return outcome_of(running)


@forms(25, 1000)
async def test_every_answer_is_of_one_whole_generation(start: Start, count: int) -> None:
    service = await start(log_reviews=False)
    context = client_context(service.ca)
    answers: list[tuple[str, str]] = []
    over = asyncio.Event()

    async def ask() -> None:
        client = await service.connect(context=context)
        while not over.is_set():
            patched = (await client.request(body=a_review())).patched
            answers.append((patched["config"], patched["values"]))
            await asyncio.sleep(0.002)

    asking = [asyncio.create_task(ask()) for _ in range(4)]
    state = service.service.metrics.reload("configuration")
    for number in range(count):
        done = state.succeeded + state.failed
        text = f"broken-{number}" if number % 10 == 9 else f"generation-{number}"
        service.config.swap({"config": text, "values": text})
        await service.until(lambda: state.succeeded + state.failed > done)  # noqa: B023
    over.set()
    await asyncio.gather(*asking)
    assert {config for config, _ in answers} > {"first"}
    assert not [pair for pair in answers if pair[0] != pair[1] and pair != ("first", "{}")]
    assert not [config for config, _ in answers if config.startswith("broken")]
    assert state.failed == count // 10


@forms(120, 1000)
async def test_slow_clients_are_ended_and_not_felt(start: Start, count: int) -> None:
    """A quarter never begins TLS, a quarter is silent, a quarter drips a head, a quarter stalls a body."""
    service = await start(
        limits=Limits(head_seconds=4, handshake_seconds=4, body_seconds=4), log_reviews=False
    )
    context = client_context(service.ca)
    honest = await service.connect(context=context)

    async def p99() -> float:
        times = []
        for _ in range(400):
            begin = time.perf_counter()
            assert (await honest.request(body=a_review())).status == 200
            times.append(time.perf_counter() - begin)
        return sorted(times)[395]

    baseline = await p99()
    raw = [await asyncio.open_connection("127.0.0.1", service.port) for _ in range(count // 4)]
    for number in range(count * 3 // 4):
        client = await service.connect(context=context)
        if number % 3:
            client.writer.write(b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
            client.writer.write(b"X: " if number % 3 == 1 else b"Content-Length: 100000\r\n\r\n{")
    begin = time.monotonic()
    assert await p99() < max(2 * baseline, 0.02)
    await service.until(lambda: len(service.service._edge.connections) == 1, seconds=12)
    assert time.monotonic() - begin < 10
    for _, writer in raw:
        writer.close()


@forms(3, 20)
def test_a_ca_rotation_with_overlap_loses_nothing(launch: Launch, apiserver_client: Path, count: int) -> None:
    """Old and new CA together, then the new leaf, then the new CA alone: every connection is a new one."""
    process = launch(log_reviews=False)
    bundle = process.folder / "bundle.crt"
    old = process.ca
    write(bundle, old)
    running = load(apiserver_client, process, count * 2.4 + 1, fresh=1, rate=80, ca=bundle)
    for _ in range(count):
        new = trustme.CA(key_type=trustme.KeyType.ECDSA)
        write(bundle, old, new)
        time.sleep(0.4)
        process.pair.swap(a_pair(new))
        time.sleep(1.5)
        write(bundle, new)
        old = new
        time.sleep(0.4)
    outcome = outcome_of(running)
    assert outcome["failed"] == 0, outcome


def test_the_control_without_overlap_loses_reviews(launch: Launch, apiserver_client: Path) -> None:
    process = launch(log_reviews=False)
    bundle = process.folder / "bundle.crt"
    write(bundle, process.ca)
    running = load(apiserver_client, process, 3, fresh=1, rate=80, ca=bundle)
    time.sleep(0.5)
    new = trustme.CA(key_type=trustme.KeyType.ECDSA)
    process.pair.swap(a_pair(new))
    time.sleep(1.5)
    write(bundle, new)
    assert outcome_of(running)["failed"] > 0


def write(bundle: Path, *cas: trustme.CA) -> None:
    new = bundle.with_suffix(".new")
    new.write_bytes(b"".join(ca.cert_pem.bytes() for ca in cas))
    new.replace(bundle)


def test_a_burst_of_new_connections_is_answered(launch: Launch, apiserver_client: Path) -> None:
    process = launch()
    outcome = outcome_of(load(apiserver_client, process, 2, fresh=1, rate=150))
    assert outcome["failed"] == 0, outcome


@forms(3, 60)
def test_overload_is_refused_for_a_second_and_loses_nothing(
    launch: Launch, apiserver_client: Path, count: int
) -> None:
    """More callers than may wait at once: they are told to come again, and the API server's client does."""
    process = launch(limits={"waiting": 8}, log_reviews=False)
    outcome = outcome_of(load(apiserver_client, process, count, rate=0, connections=100))
    assert outcome["failed"] == 0, outcome
    assert outcome["retries"] > 0
