"""The process for large and expensive reviews: it holds nothing of the service, and nothing that it does ends it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, Timer
from typing import Any

import orjson
import pytest

from injector.errors import BadReview, DeadlineError
from injector.injection.inject import Answer
from injector.memo import Memo
from injector.service import beside, child
from injector.service.child import Child, ChildError
from injector.service.memory import weigh
from injector.service.options import Limits, ServiceOptions
from tests.conftest import PATIENCE
from tests.service.kit import GatedReviewer, Running, Start, a_review
from tests.service.processes import Launch, children, gone

LARGE = 400_000


@pytest.fixture
def forked(gated: GatedReviewer) -> Iterator[Child]:
    forked = Child(gated, 1 << 20)
    yield forked
    forked.end()
    assert gone(pid_of(forked))


def pid_of(forked: Child) -> int:
    pid = forked._process.pid
    assert pid is not None
    return pid


def ask(forked: Child, body: bytes, path: str, deadline: float) -> tuple[Answer, float]:
    forked.weigh(body, deadline)
    return forked.answer(path, deadline)


def soon() -> float:
    return time.monotonic() + 60


def test_it_answers_one_review_after_the_other_with_the_cpu_that_each_took(forked: Child) -> None:
    for uid in ("a", "b"):
        answer, worked = ask(forked, a_review(uid, expensive="0.02"), "/inject", soon())
        assert (answer.uid, answer.outcome) == (uid, "injected")
        assert worked >= 0.02


def test_what_reading_a_body_takes_is_told_before_it_is_read(forked: Child) -> None:
    body = a_review()
    assert forked.weigh(body, soon()) == weigh(body)


def test_a_large_answer_comes_whole(forked: Child) -> None:
    answer, _ = ask(forked, a_review("a"), "/inject/" + "x" * 5_000_000, soon())
    assert len(answer.body) > 5_000_000


def test_what_a_reviewer_raises_comes_back(forked: Child) -> None:
    with pytest.raises(BadReview, match="not an AdmissionReview") as raised:
        ask(forked, b"{}", "/inject", soon())
    assert raised.value.status == 400
    with pytest.raises(DeadlineError):
        ask(forked, a_review(patient="x"), "/inject", time.monotonic() + 0.05)
    assert not forked.over
    assert ask(forked, a_review("after"), "/inject", soon())[0].uid == "after"


def test_what_comes_back_holds_nothing_for_the_collector(forked: Child) -> None:
    gc.collect()
    gc.disable()
    try:
        with suppress(BadReview):
            ask(forked, b"{}", "/inject", soon())
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_fault_of_ours_comes_back_as_where_it_arose_without_its_text(forked: Child) -> None:
    with pytest.raises(ChildError) as raised:
        ask(forked, a_review(crash="a secret"), "/inject", soon())
    name, place, *_ = raised.value.trace
    assert name == "RuntimeError"
    assert "kit.py" in place
    assert "a secret" not in str(raised.value)
    assert not forked.over


def test_one_that_does_not_answer_is_killed(forked: Child, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.05)
    with pytest.raises(DeadlineError):
        ask(forked, a_review(slow="x"), "/inject", time.monotonic())
    assert forked.over


def test_one_that_was_killed_says_so(forked: Child) -> None:
    with pytest.raises(ChildError) as raised:
        ask(forked, a_review(dies="x"), "/inject", soon())
    assert raised.value.trace == ["the process for large reviews ended: -9"]
    assert forked.over
    with pytest.raises(ChildError):
        ask(forked, a_review(), "/inject", soon())


async def test_where_no_process_can_begin_the_log_says_so(
    start: Start, gated: GatedReviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    service = await start(load=lambda *_: gated)
    monkeypatch.setattr(os, "fork", fork)
    assert (await service.post(a_review(size=LARGE))).status == 500
    monkeypatch.undo()
    assert (await service.post(a_review(size=LARGE))).status == 200
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert line["trace"] == ["no process for large reviews can begin: Resource temporarily unavailable"]


async def test_a_review_that_kills_its_process_is_the_only_one_that_fails(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated)
    answer = await service.post(a_review("killer", size=LARGE, dies="x"))
    assert answer.status == 500
    assert answer.json["response"]["uid"] == "killer"
    assert (await service.post(a_review("next", size=LARGE))).json["response"]["uid"] == "next"
    assert service.service.metrics.refused["crash"] == 1
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert line["trace"] == ["the process for large reviews ended: -9"]


async def test_a_fault_in_the_process_is_logged_once_with_its_place(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated)
    for _ in range(2):
        assert (await service.post(a_review(size=LARGE, crash="a secret"))).status == 500
    (line,) = [line for line in service.lines() if line["level"] == "error"]
    assert line["trace"][0] == "RuntimeError"
    assert "a secret" not in str(line)


async def test_it_holds_no_connection_of_the_service(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    client = await service.connect()
    first = asyncio.create_task(service.post(a_review("first", size=LARGE, slow="x")))
    assert await asyncio.to_thread(gated.entered.wait, 60)
    await client.request(body=a_review("last"), headers={"Connection": "close"})
    assert await client.closed()
    assert not first.done()
    gated.gate.set()
    assert (await first).status == 200


def threads_of(service: Running) -> list[Thread]:
    answering = service.service._answering
    return [*answering.beside._talking._threads, *answering._adviser._threads]


def child_of(service: Running) -> Child | None:
    return service.service._answering.beside._child


async def test_it_ends_when_there_is_nothing_to_do(
    start: Start, gated: GatedReviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "CHILD_SECONDS", 0.01)
    service = await start(load=lambda *_: gated)
    await service.post(a_review("large", size=LARGE))
    pid, _ = gated.answered["large"]
    await service.until(lambda: gone(pid))
    assert child_of(service) is None


async def test_it_ends_with_the_service(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    await service.post(a_review("large", size=LARGE))
    pid, _ = gated.answered["large"]
    service.service._leaving.end()
    await service.task
    await service.until(lambda: gone(pid))


async def test_a_review_in_it_does_not_hold_up_the_end_of_the_service(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated, limits=Limits(review_seconds=600))
    asking = asyncio.create_task(
        service.post(a_review(size=LARGE, slow="x", patient="x"), target="/inject?timeout=600s")
    )
    assert await asyncio.to_thread(gated.entered.wait, 60)
    gated.gate.set()
    threads = threads_of(service)
    service.service._leaving.end()
    await service.task
    await service.until(lambda: not any(thread.is_alive() for thread in threads))
    with pytest.raises(asyncio.IncompleteReadError):
        await asking


async def test_its_thread_and_that_of_advice_end_with_the_service(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    await service.post(a_review(size=LARGE))
    await service.post(a_review(), target="/advise")
    threads = threads_of(service)
    assert sorted(thread.name for thread in threads) == ["advice_0", "large-review_0"]
    service.service._leaving.end()
    await service.task
    await service.until(lambda: not any(thread.is_alive() for thread in threads))


async def test_a_new_configuration_answers_large_reviews_at_once(start: Start) -> None:
    def load(texts: Any, _options: ServiceOptions) -> GatedReviewer:
        return GatedReviewer(texts.config)

    service = await start(load=load)
    body = a_review("large", size=LARGE)
    assert (await service.post(body)).patched["config"] == "first"
    service.config.swap({"config": "second", "values": "{}"})
    await service.until(lambda: service.service._reviewer().config == "second")  # type: ignore[attr-defined]
    assert (await service.post(body)).patched["config"] == "second"


async def test_it_ends_when_the_service_is_killed(launch: Launch) -> None:
    process = await asyncio.to_thread(launch)
    with process.connect() as connection:
        body = a_review(size=LARGE)
        head = f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        assert b" 200 " in connection.recv(4096)
        (pid,) = children(process.popen.pid)
        os.kill(process.popen.pid, signal.SIGKILL)
        while not gone(pid):
            await asyncio.sleep(0.01)


def test_the_kernel_ends_it_before_the_service_when_memory_is_short(forked: Child) -> None:
    ask(forked, a_review(), "/inject", soon())
    assert Path(f"/proc/{pid_of(forked)}/oom_score_adj").read_text() == "1000\n"
    assert orjson.loads(Path("/proc/self/oom_score_adj").read_text()) < 1000


class GatedKey:
    """A key whose hash waits: whoever puts it holds what `Memo.put` holds for so long."""

    def __init__(self) -> None:
        self.is_put = Event()
        self.goes_on = Event()

    def __hash__(self) -> int:
        self.is_put.set()
        assert self.goes_on.wait(PATIENCE)
        return 0


def test_a_process_that_is_forked_while_a_thread_puts_can_put() -> None:
    memo: Memo[object, int] = Memo(1 << 20, 10)
    key = GatedKey()
    with ThreadPoolExecutor(1) as pool:
        putting = pool.submit(memo.put, key, 1, 1)
        assert key.is_put.wait(PATIENCE)
        # The fork waits until the entry is there, which is then in the child, too.
        Timer(0.05, key.goes_on.set).start()
        with warnings.catch_warnings():  # of Python 3.12 on: that there are other threads
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            signal.alarm(10)  # it would wait for ever
            memo.put("other", 2, 1)
            os._exit(len(memo))
        putting.result()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    memo.put("after", 3, 1)
