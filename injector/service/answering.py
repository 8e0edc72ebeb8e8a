"""Answer a request whose body is whole: on the loop, or in a process beside it where it would block others.

The caller has read and checked the request (see `server`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

from injector.errors import BadReview, DeadlineError
from injector.injection.admission import decode_head
from injector.injection.inject import Answer
from injector.service.beside import (
    EXPENSIVE_SECONDS,
    Beside,
    Caller,
    ExpensiveCallers,
    caller_of,
    costly_seconds,
)
from injector.service.child import ChildError
from injector.service.connection import EdgeConnection
from injector.service.generation import Late, Reviewer
from injector.service.held import Held
from injector.service.http import JSON_TYPE, Refusal, Reply, too_many, too_much_memory, unavailable
from injector.service.logs import Log, cut, trace
from injector.service.memory import TIGHT, InFlight, Weight, weigh
from injector.service.metrics import Metrics
from injector.service.options import Limits

LONGEST_ERROR: Final = 256
"""Characters of a denial in the log: it may quote an annotation, and the answer has its whole text."""

LARGE_BODY: Final = 320 << 10
"""Bytes above which a review is answered by a process beside the loop: a pod may have 256 KiB of annotations,
and an ordinary one of this size takes 4 ms."""

READ_AHEAD: Final = 256 << 10
"""Bytes that the TLS layer reads from a client whose request waits, before it stops reading."""


class Answering:
    """Answers reviews, and counts and logs the answers.

    ``seen`` is called with the bodies of pods that were injected.
    """

    def __init__(
        self,
        *,
        reviewer: Callable[[], Reviewer],
        limits: Limits,
        metrics: Metrics,
        log: Log,
        memory: InFlight,
        seen: Callable[[bytes, str, str], None],
        log_reviews: bool,
    ) -> None:
        self.last_review = time.monotonic()
        self._reviewer = reviewer
        self._json_values = limits.json_values
        self._metrics = metrics
        self._log = log
        self._memory = memory
        self._seen = seen
        self._log_reviews = log_reviews
        self.advised = 0
        self.beside = Beside(limits.body_bytes)
        self._adviser = ThreadPoolExecutor(max_workers=1, thread_name_prefix="advice")
        self._expensive = ExpensiveCallers()
        self._crashes: set[tuple[str, ...]] = set()

    def end(self) -> None:
        """End the work beside the loop: its answers are not needed any more."""
        self.beside.end()
        self._adviser.shutdown(wait=False, cancel_futures=True)

    def is_expensive(self, peer: str, data: bytes, start: int = 0) -> bool:
        """Return whether a body, which begins at ``start``, is of a caller that is kept off the loop."""
        return bool(self._expensive) and self._expensive.has(caller_of(peer, data, start))

    async def answer(
        self, connection: EdgeConnection, body: bytes, path: str, deadline: float, held: Held
    ) -> Reply:
        """Answer one review: within this turn of the loop, unless that would block it."""

        def late() -> bool:
            return time.monotonic() > deadline

        if len(body) <= LARGE_BODY and not self.is_expensive(connection.party, body):
            return self.answer_now(connection.party, body, path, late)
        if connection.transport is None:
            raise ConnectionError
        caller = held.caller = caller_of(connection.party, body)
        # While a request waits, nothing more is read from its client: it would not be counted.
        connection.hold_reading()
        try:
            async with held.may_leave(deadline - time.monotonic()):
                held.take(READ_AHEAD if held.size else READ_AHEAD + len(body), TIGHT)
                await self.beside.wait(caller)
        except TimeoutError:
            raise too_late() from None
        finally:
            connection.go_on_reading()
        try:
            held.check()
            if connection.transport is None:
                raise ConnectionError
            return await self._answer_beside(caller, body, path, deadline, held)
        finally:
            self.beside.pass_on()

    async def _answer_beside(
        self, caller: Caller, body: bytes, path: str, deadline: float, held: Held
    ) -> Reply:
        """Answer one review in the process beside the loop, now that its turn has come."""
        start = time.perf_counter()
        self.last_review = time.monotonic()
        if self.last_review > deadline:
            raise too_late()
        try:
            child = self.beside.child(self._reviewer())
            self._charge(await self.beside.run(child.weigh, body, deadline), held)
            answered, worked = await self.beside.run(child.answer, path, deadline)
        except Refusal:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
            return self._failed(body, error)
        if worked > EXPENSIVE_SECONDS and len(body) <= LARGE_BODY:
            self._expensive.add(caller)
        return self._answered(answered, body, path, time.perf_counter() - start)

    def _charge(self, weight: Weight, held: Held) -> None:
        """Count the memory for parsing a body; raises Refusal where it is too much."""
        if weight.values > self._json_values:
            raise Refusal("body_too_large", too_many(self._json_values))
        if weight.size > self._memory.limit:
            raise Refusal("body_too_large", too_much_memory(weight.size, self._memory.limit))
        held.take(weight.size)

    async def advise(self, body: bytes, deadline: float, held: Held) -> Reply:
        """Answer the review of a workload, in a thread of its own: reviews of pods do not wait for it.

        After a fault of ours the workload is allowed without warnings, whatever its failurePolicy. A large
        workload gets no warnings either: a thread that parses megabytes takes the interpreter from reviews
        again and again.
        """
        if len(body) > LARGE_BODY:
            return Reply(200, allowed(body), JSON_TYPE)
        self._charge(weigh(body), held)
        self.advised += 1
        work = asyncio.get_running_loop().run_in_executor(self._adviser, self._reviewer().advise, body)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return Reply(200, await work, JSON_TYPE)
        except TimeoutError:
            raise too_late() from None
        except BadReview as error:
            return self._failed(body, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this answer and not the process
            self._metrics.refused["crash"] += 1
            self._log_crash(error)
            return Reply(200, allowed(body), JSON_TYPE)

    def answer_now(self, peer: str, body: bytes, path: str, late: Late | None = None) -> Reply:
        """Answer one review here and now."""
        start, began = time.perf_counter(), time.thread_time()
        self.last_review = time.monotonic()
        try:
            answered = self._reviewer().answer(body, path, late)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
            return self._failed(body, error)
        seconds = time.perf_counter() - start
        costly = costly_seconds(len(body))
        if seconds > costly and (worked := time.thread_time() - began) > costly:
            self._expensive.spend(caller_of(peer, body), worked)
        return self._answered(answered, body, path, seconds)

    def _failed(self, body: bytes, error: Exception) -> Reply:
        """Return the reply for a review that could not be answered."""
        if isinstance(error, BadReview):
            self._metrics.refused["bad_request"] += 1
            return Reply(error.status, error.message.encode() + b"\n")
        if isinstance(error, DeadlineError):
            late = too_late()
            self._metrics.refused[late.reason] += 1
            return late.reply
        self._metrics.refused["crash"] += 1
        self._log_crash(error)
        return Reply(500, crashed(body), JSON_TYPE)

    def _answered(self, answered: Answer, body: bytes, path: str, seconds: float) -> Reply:
        """Count and log an answer."""
        self._metrics.reviewed(answered.outcome, answered.reason, seconds)
        if self._log_reviews:
            self._log.review(_fields(answered, seconds))
        if answered.outcome == "injected":
            self._seen(body, path, answered.namespace)
        return Reply(200, answered.body, JSON_TYPE)

    def _log_crash(self, error: Exception) -> None:
        where = error.trace if isinstance(error, ChildError) else trace(error)
        innermost = tuple(where[:2])
        if innermost not in self._crashes:
            self._crashes.add(innermost)
            self._log.error("a review crashed; further ones at this place are counted only", trace=where)


def too_late() -> Refusal:
    """Return the reply for a review whose caller has stopped waiting."""
    return Refusal("deadline", unavailable("the API server does not wait for this any more"))


def _fields(answered: Answer, seconds: float) -> dict[str, Any]:
    fields = {
        "message": "review answered",
        "outcome": answered.outcome,
        "reason": answered.reason,
        "namespace": cut(answered.namespace),
        "name": cut(answered.name),
        "uid": cut(answered.uid),
        "ms": round(seconds * 1000, 3),
    }
    if answered.message and answered.reason != "undecodable":  # its message quotes the whole body
        fields["why"] = answered.message[:LONGEST_ERROR]
    return fields


def crashed(body: bytes) -> bytes:
    """Return the AdmissionReview for a review that a fault of ours ended, with its uid if it has one."""
    status = {"metadata": {}, "message": "the sidecar injector failed on this review; its log says where"}
    return _review_of(body, {"allowed": False, "status": status})


def allowed(body: bytes) -> bytes:
    """Return the AdmissionReview that allows its object without warnings."""
    return _review_of(body, {"allowed": True})


def _review_of(body: bytes, response: dict[str, Any]) -> bytes:
    head = decode_head(body)
    return orjson.dumps(
        {
            "kind": "AdmissionReview",
            "apiVersion": head.api_version or "admission.k8s.io/v1",
            "response": {"uid": head.uid, **response},
        }
    )
