"""Faults under load: what rotates, reloads or is attacked loses no review.

Each test has a short form in the suite and a long one behind scripts/soak; the load is always the API server's
own transport. Restarts are in test_restarts.py, the CA in test_ca_rotation.py.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from injector.patch import apply
from injector.service.injecting import load_injector
from tests.conftest import PATIENCE
from tests.service.kit import NAME, Answer, Running, Start, a_pair, a_review, client_context
from tests.service.mutations import read_apart
from tests.service.processes import Launch, Pressure, Process, load, outcome_of

pytestmark = pytest.mark.about("injector/service")


def said(process: Process, message: str) -> int:
    return sum(line["message"] == message for line in process.lines())


def leaf_of(process: Process) -> bytes:
    with process.connect() as connection:
        return bytes(connection.getpeercert(binary_form=True) or b"")


def until(condition: Callable[[], bool], words: str, *, seconds: float = PATIENCE) -> float:
    """Wait for what the process does by itself, and return how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, words
        time.sleep(0.02)
    return time.monotonic() - begin


def forms(short: int, long: int) -> pytest.MarkDecorator:
    """Run the test with the short count in the suite, with the long one when soaked."""
    return pytest.mark.parametrize(
        "count", [short, pytest.param(long, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
    )


@forms(6, 500)
def test_leaf_swaps_under_load_lose_nothing(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any], count: int
) -> None:
    """EC and RSA in turn, a fifth of the reviews on a connection of its own."""
    process = launch(log_reviews=False, real=count > 100)
    pace, rate = 0.5, 500 if count > 100 else 300
    seconds = 30 if count > 100 else 1
    pressure = Pressure(lambda: load(apiserver_client, process, seconds, fresh=0.2, rate=rate))
    took = []
    begin = time.monotonic()
    for number in range(count):
        before = leaf_of(process)
        process.pair.swap(a_pair(process.ca, rsa=number % 2 == 1))
        took.append(until(lambda old=before: leaf_of(process) != old, "the new leaf is not served"))  # type: ignore[misc]
        time.sleep(max(0.0, begin + (number + 1) * pace - time.monotonic()))
    outcome = pressure.end()
    figures |= {
        "swaps": count,
        "reviews": outcome["ok"],
        "failed": outcome["failed"],
        "handshakes": outcome["dials"],
        "new leaf served after s, median": sorted(took)[count // 2],
        "slowest": max(took),
        "p99 ms": outcome["p99"],
        "peak RSS MiB": process.peak_mib(),
    }
    assert outcome["failed"] == 0, outcome
    assert outcome["ok"] >= (100_000 if count > 100 else count)
    assert count < 100 or max(took) < 2
    assert said(process, "new files serve") == count


@pytest.mark.control
def test_the_control_that_restarts_for_a_leaf_loses_reviews(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any]
) -> None:
    """A new leaf ends the connections, as it does where one begins to listen anew with it."""
    process = launch(log_reviews=False, mutations=["restarts"])
    pressure = Pressure(lambda: load(apiserver_client, process, 1, fresh=0.2, rate=0))
    swaps = 0
    # An end and a review must cross on the wire: nearly always with so many of them, not always.
    while not pressure.failed and swaps < 50:
        before = leaf_of(process)
        process.pair.swap(a_pair(process.ca))
        swaps += 1
        until(lambda old=before: leaf_of(process) != old, "the new leaf is not served")  # type: ignore[misc]
    outcome = pressure.end()
    figures |= {"swaps": swaps, "failed": outcome["failed"], "of": outcome["ok"] + outcome["failed"]}
    assert outcome["failed"] > 0, outcome


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
def test_bad_pairs_under_load_lose_nothing(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any], count: int
) -> None:
    """Another's key, a truncated chain, empty files, expired, not yet valid, another Service's name."""
    process = launch(log_reviews=False)
    before = leaf_of(process)
    pace = 0.5 if count > 1 else 0.3
    seconds = 30 if count > 1 else 1
    pressure = Pressure(lambda: load(apiserver_client, process, seconds, fresh=0.2))
    rejected = 0
    begin = time.monotonic()
    for _ in range(count):
        for files in bad_pairs(process.ca):
            process.pair.swap(files)
            rejected += 1
            until(
                lambda: said(process, "new files are rejected, the last good ones serve") == rejected,  # noqa: B023
                "the pair is not rejected",
            )
            assert leaf_of(process) == before, rejected
            time.sleep(max(0.0, begin + rejected * pace - time.monotonic()))
    process.pair.swap(a_pair(process.ca))
    recovered = until(lambda: leaf_of(process) != before, "a good pair is not served")
    outcome = pressure.end()
    figures |= {
        "bad pairs": rejected,
        "kinds": 6,
        "reviews": outcome["ok"],
        "failed": outcome["failed"],
        "a good pair served after s": recovered,
    }
    assert outcome["failed"] == 0, outcome
    assert count == 1 or recovered < 2


@pytest.mark.control
def test_the_control_that_takes_any_pair_loses_reviews(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any]
) -> None:
    """An expired pair, one that is not valid yet and another Service's are served like a good one."""
    process = launch(log_reviews=False, mutations=["any pair"])
    failed = {}
    for number, kind in ((3, "expired"), (4, "not valid yet"), (5, "of another Service")):
        taken = said(process, "new files serve")
        process.pair.swap(bad_pairs(process.ca)[number])
        # It may be taken twice: once read while the files change, as any pair is good enough here.
        until(lambda seen=taken: said(process, "new files serve") > seen, "the pair is not taken")  # type: ignore[misc]
        outcome = outcome_of(load(apiserver_client, process, 1, fresh=0.2))
        failed[kind] = outcome["failed"]
    figures |= failed
    assert all(failed.values()), failed


def configuration(number: int) -> dict[str, str]:
    """Return two files that both carry ``number``; of a broken tenth either may be the broken one."""
    template = f"""\
policy: enabled
templates:
  sidecar: |
    metadata:
      annotations:
        config: "{number}"
        values: "{{{{ .Values.number }}}}"
    spec:
      containers:
      - name: istio-proxy
        image: "proxy:{number}-{{{{ .Values.number }}}}"
"""
    values = f'{{"number": "{number}"}}'
    if number % 10 == 9:
        broken = [
            (template + "    {{ if }}\n", values),
            (template + '    {{ fail "no pod gets through" }}\n', values),
            (template, '{"number": [}'),
            (template.replace("  sidecar", "\tsidecar"), values),
        ]
        template, values = broken[number // 10 % len(broken)]
    return {"config": template, "values": values}


def generations(answer: Answer) -> tuple[int, int, str]:
    """Return which config and which values an answer is made of, and the image, made of both."""
    patch = orjson.loads(base64.b64decode(answer.json["response"]["patch"]))
    pod = apply(orjson.loads(a_review())["request"]["object"], patch)
    annotations = pod["metadata"]["annotations"]
    (image,) = [each["image"] for each in pod["spec"]["containers"] if each["name"] == "istio-proxy"]
    return int(annotations["config"]), int(annotations["values"]), image


class Callers:
    """Four callers who look at every answer: which generation it is of, and whether it is of one alone."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.context = client_context(service.ca)
        self.seen: list[list[int]] = [[] for _ in range(4)]
        self.mixed: list[Any] = []
        self.over = asyncio.Event()
        self.tasks = [asyncio.create_task(self._ask(numbers)) for numbers in self.seen]

    async def _ask(self, numbers: list[int]) -> None:
        client = await self.service.connect(context=self.context)
        while not self.over.is_set():
            config, values, image = generations(await client.request(body=a_review()))
            numbers.append(config)
            if (values, image) != (config, f"proxy:{config}-{config}"):
                self.mixed.append((config, values, image))
            await asyncio.sleep(0.005)

    def have_met(self, number: int) -> bool:
        return any(numbers[-1:] == [number] for numbers in self.seen)

    async def end(self) -> None:
        self.over.set()
        await asyncio.gather(*self.tasks)


@forms(15, 1000)
async def test_every_answer_is_of_one_whole_generation(
    start: Start, apiserver_client: Path, figures: dict[str, Any], count: int
) -> None:
    """The real injector's, of a config and values that belong together."""
    service = await start(load=load_injector, first=configuration(0), log_reviews=False)
    callers = Callers(service)
    pace = 0.4 if count > 100 else 0.3
    seconds = 30 if count > 100 else 1
    pressure = Pressure(lambda: load(apiserver_client, service, seconds, rate=100))
    state = service.service.metrics.reload("configuration")
    begin = time.monotonic()
    for number in range(1, count + 1):
        done = state.succeeded + state.failed
        service.config.swap(configuration(number))
        await service.until(lambda: state.succeeded + state.failed > done)  # noqa: B023
        if number % 10 != 9:
            await service.until(lambda: callers.have_met(number))  # noqa: B023
        await asyncio.sleep(max(0.0, begin + number * pace - time.monotonic()))
    await callers.end()
    outcome = await asyncio.to_thread(pressure.end)
    broken = sum(number % 10 == 9 for number in range(1, count + 1))
    served = {config for numbers in callers.seen for config in numbers}
    figures |= {
        "swaps": count,
        "of them broken": state.failed,
        "answers looked at": sum(map(len, callers.seen)),
        "generations seen": len(served),
        "mixed": len(callers.mixed),
        "reviews beside": outcome["ok"],
        "failed": outcome["failed"],
    }
    assert not callers.mixed
    assert all(numbers == sorted(numbers) for numbers in callers.seen), "a caller met an older one later"
    assert not [number for number in served if number % 10 == 9]
    assert len(served) >= (count - broken) * 0.9
    assert (state.failed, outcome["failed"]) == (broken, 0)


@pytest.mark.control
async def test_the_control_that_reads_files_apart_mixes_generations(
    start: Start, monkeypatch: pytest.MonkeyPatch, figures: dict[str, Any]
) -> None:
    """The template is read at one time and the values at another, each through the mount as it is then."""
    monkeypatch.setattr("injector.service.reload.read_files", read_apart)
    service = await start(load=load_injector, first=configuration(0), log_reviews=False)
    callers = Callers(service)
    swaps = 0
    while not callers.mixed and swaps < 100:
        swaps += 1
        service.config.swap(configuration(10 * swaps))
        await asyncio.sleep(0.3)
    await callers.end()
    figures |= {"swaps until one is mixed": swaps, "mixed": len(callers.mixed)}
    assert callers.mixed


KINDS = ("no handshake", "silent after it", "dripping head", "stalled body")
HEAD = b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


class SlowClients:
    """A number of sockets that are slow in four ways; whoever is ended comes again a second later.

    They are not of the honest callers' address, whose connections may be silent.
    """

    def __init__(self, process: Process, count: int) -> None:
        self.process = process
        self.count = count
        self.longest: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        self.ended: Counter[str] = Counter()
        self.open = 0
        self.came: set[int] = set()
        self.context = ssl.create_default_context(cafile=str(process.folder / "ca.crt"))
        self.over = asyncio.Event()

    async def attack(self) -> None:
        """Keep all of them open until it is over."""
        await asyncio.gather(*(self._socket(KINDS[number % 4], number) for number in range(self.count)))

    async def last(self) -> None:
        """Come no more, and see the last ones end."""
        self.over.set()
        async with asyncio.timeout(PATIENCE):
            while self.open:
                await asyncio.sleep(0.05)

    async def _socket(self, kind: str, number: int) -> None:
        # They come one after the other, a thousand within two seconds.
        await asyncio.sleep(number / 500)
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                await self._once(kind, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.over.wait()

    async def _once(self, kind: str, number: int) -> None:
        secured = {} if kind == "no handshake" else {"ssl": self.context, "server_hostname": NAME}
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.process.ports[0], local_addr=("127.0.0.2", 0), **secured
        )
        self.open += 1
        self.came.add(number)
        begin = time.monotonic()
        dripping = None
        if kind == "dripping head":
            dripping = asyncio.create_task(self._drip(writer))
        elif kind == "stalled body":
            writer.write(HEAD + b"Content-Length: 100000\r\n\r\n{")
        try:
            async with asyncio.timeout(PATIENCE):
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    await reader.read()
        finally:
            self.open -= 1
            self.ended[kind] += 1
            self.longest[kind] = max(self.longest[kind], time.monotonic() - begin)
            if dripping is not None:
                dripping.cancel()
            writer.transport.abort()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"X-Drip: ")
        while not writer.transport.is_closing():
            await asyncio.sleep(1)
            writer.write(b"x")


@contextlib.asynccontextmanager
async def attacked(process: Process, count: int) -> AsyncIterator[SlowClients]:
    clients = SlowClients(process, count)
    attack = asyncio.create_task(clients.attack())
    try:
        async with asyncio.timeout(PATIENCE):
            while len(clients.came) < count:
                await asyncio.sleep(0.05)
        yield clients
    finally:
        attack.cancel()
        await asyncio.gather(attack, return_exceptions=True)


@forms(120, 1000)
async def test_slow_clients_are_ended_and_not_felt(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any], count: int
) -> None:
    """The sockets are slow in four ways, a quarter each; in the long form the limits are the product's own."""
    short = dict.fromkeys(("handshake_seconds", "head_seconds", "body_seconds"), 3.0)
    limits = {} if count == 1000 else {"limits": short}
    process = await asyncio.to_thread(launch, log_reviews=False, **limits)
    seconds = 30 if count == 1000 else 2

    async def honest(seconds: float) -> dict[str, Any]:
        return await asyncio.to_thread(lambda: outcome_of(load(apiserver_client, process, seconds, rate=200)))

    baseline = await honest(seconds)
    async with attacked(process, count) as slow:
        held, ended = slow.open, sum(slow.ended.values())
        while_held = await honest(2.5 if count == 1000 else 0.5)
        ended = sum(slow.ended.values()) - ended
        outcome = await honest(seconds)
        async with asyncio.timeout(PATIENCE):
            while not all(slow.ended[kind] for kind in KINDS):
                await asyncio.sleep(0.05)
        await slow.last()
    figures |= {
        "sockets": count,
        "open at once": held,
        "baseline p99 ms": baseline["p99"],
        "p99 ms while they are held": while_held["p99"],
        "of them ended in that time": ended,
        "p99 ms while all come again, each 1 s after its end": outcome["p99"],
        "median ms before and then": f"{baseline['p50']:.2g}, {outcome['p50']:.2g}",
        "ended in all": sum(slow.ended.values()),
        "failed": while_held["failed"] + outcome["failed"],
        **{f"{kind}, longest s": longest for kind, longest in slow.longest.items()},
        "peak RSS MiB": process.peak_mib(),
    }
    assert (while_held["failed"], outcome["failed"]) == (0, 0), outcome
    assert process.peak_mib() < 256
    if count == 1000:  # times are claims of the long form alone
        assert held >= count * 0.99
        assert max(slow.longest.values()) < 10, slow.longest
        # A handshake of a newcomer is up to two milliseconds of the loop; under a few a ratio says nothing.
        assert while_held["p99"] < max(2 * baseline["p99"], 5), (baseline, while_held)
        assert outcome["p99"] < 250, outcome


@pytest.mark.control
async def test_the_control_that_evicts_nobody_keeps_slow_clients(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any]
) -> None:
    """With no limit that they reach, not one of them is ended in the time in which all were."""
    patient = dict.fromkeys(("handshake_seconds", "head_seconds", "body_seconds"), 10 * PATIENCE)
    process = await asyncio.to_thread(launch, log_reviews=False, limits=patient)
    async with attacked(process, 120) as slow:
        await asyncio.to_thread(lambda: outcome_of(load(apiserver_client, process, 5, rate=200)))
        held, ended = slow.open, sum(slow.ended.values())
    figures |= {"sockets": 120, "open after s": 5, "open": held, "ended": ended}
    assert (held, ended) == (120, 0)


def test_a_burst_of_new_connections_is_answered(launch: Launch, apiserver_client: Path) -> None:
    process = launch()
    outcome = outcome_of(load(apiserver_client, process, 1, fresh=1, rate=150))
    assert outcome["failed"] == 0, outcome


@forms(2, 60)
def test_overload_is_refused_for_a_second_and_is_over_at_once(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any], count: int
) -> None:
    """A hundred callers where eight may wait: they are told to come again, and the API server's client does.

    Whoever is answered asks again at once, and so holds the place against those who wait a second. Few are
    unlucky in all of the ten tries that the client has; nobody may fail in another way.
    """
    process = launch(limits={"waiting": 8}, log_reviews=False)
    outcome = outcome_of(load(apiserver_client, process, count, rate=0, connections=100))
    after = outcome_of(load(apiserver_client, process, 1, rate=200))
    figures |= {
        "reviews": outcome["ok"],
        "reviews/s": outcome["perSecond"],
        "told to come again": outcome["retries"],
        "unlucky ten times": outcome["failed"],
        "failed otherwise": sum(outcome["faults"].values()) - outcome["faults"].get("status 503", 0),
        "failed in the second after": after["failed"],
        "p99 ms in it": after["p99"],
        "peak RSS MiB": process.peak_mib(),
    }
    assert set(outcome["faults"]) <= {"status 503"}, outcome
    assert outcome["failed"] <= outcome["ok"] / (100 if count == 2 else 1000), outcome
    assert outcome["retries"] > 0
    assert after["failed"] == 0, after
    assert count == 2 or after["p50"] < 1000, after


@pytest.mark.control
def test_the_control_that_lets_everybody_wait_tells_nobody_to_come_again(
    launch: Launch, apiserver_client: Path, figures: dict[str, Any]
) -> None:
    """The same hundred callers where all of them may wait."""
    process = launch(limits={"waiting": 100_000}, log_reviews=False)
    outcome = outcome_of(load(apiserver_client, process, 2, rate=0, connections=100))
    figures |= {"reviews": outcome["ok"], "told to come again": outcome["retries"]}
    assert outcome["retries"] == 0


def test_ten_times_the_callers_of_one_api_server_are_all_answered(
    launch: Launch, apiserver_client: Path
) -> None:
    """With the product's own limits 250 callers at once wait their turn, and nobody is refused."""
    process = launch(log_reviews=False)
    outcome = outcome_of(load(apiserver_client, process, 2, rate=0, connections=250))
    assert (outcome["failed"], outcome["retries"]) == (0, 0), outcome
