"""One process beside the loop for reviews that would hold it: who is next, and the fork that answers them.

It is one process, or several large reviews would take the CPU from the loop at once. A namespace whose
reviews are dear waits for itself: each of the others has its turn after at most one review of it.

The child is forked from what is known then, and no review can hold or kill the service. What is forked has
one thread, the one that forked, and locks that others held are held for ever. Ours calls the core alone,
which takes no lock but a memo's, and is killed when it does not answer in time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import stat
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from mmap import mmap
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

from injector.errors import BadReview, DeadlineError
from injector.injection.inject import Answer
from injector.service.generation import Reviewer
from injector.service.logs import trace
from injector.service.memory import Weight, weigh, without_old_object

_T = TypeVar("_T")

DEAR_SECONDS: Final = 0.02
"""CPU time from which one review is dear: what others may be made to wait for it. An ordinary one takes 0.2
to 5 ms."""

COSTLY_SECONDS: Final = 0.003
"""CPU time from which the reviews of a namespace are added up: a pod whose template's text is new takes 5 ms,
any other less."""

SPENT_SECONDS: Final = 0.5
"""What costly reviews of a namespace may take of the loop at once, as a hundred pods of new shapes do."""

SHARE: Final = 0.01
"""Share of the loop's time that is given to them again."""

FIRST_SECONDS: Final = 5.0
"""How long a dear review keeps its namespace from the loop; each further one does twice as long. The first
may be nobody's fault: what the collector and the hypervisor take meanwhile counts as the review's work."""

LONGEST_SECONDS: Final = 600.0
"""The longest that a namespace is kept from it, and how long afterwards that is remembered: one that has not
held it since begins anew."""

NAMESPACES: Final = 1024
"""Namespaces remembered; of more, the one whose dear review was the longest ago is forgotten."""

CHILD_SECONDS: Final = 5.0
"""After which a child makes room for the next: it knows of the cluster what was known when it began, and
keeps the memory that its reviews took. To fork one takes 10 ms of CPU, 4 of them on the loop."""

GRACE_SECONDS: Final = 1.0
"""How long after the deadline an answer is waited for: a review looks at its deadline between its stages."""

LEAVING_SECONDS: Final = 1.0
"""How long a child has to end by itself: it has nothing to do but to give its memory back."""

OUT_OF_MEMORY_FIRST: Final = "1000"
"""What tells the kernel whom to kill when the container is full: the child and not the service."""

NICENESS: Final = 10
"""Where there is not CPU enough for both, the loop has nine parts of ten: more callers wait for it."""

_HEAD: Final = 2048
"""Bytes in which an API server has named the namespace: identities and kinds come before it, some 600."""

_NAMESPACE: Final = b'"namespace":"'
_LONGEST_NAMESPACE: Final = 63


def namespace_of(data: bytes, start: int = 0) -> bytes:
    """Return the namespace that a review names near its beginning, b"" for none; a guess, to be fair by."""
    at = data.find(_NAMESPACE, start, start + _HEAD) + len(_NAMESPACE)
    end = data.find(b'"', at, at + _LONGEST_NAMESPACE + 1) if at >= len(_NAMESPACE) else -1
    return data[at:end] if end >= 0 else b""


class _Dear(NamedTuple):
    """Until when a namespace is kept from the loop, by the monotonic clock, and for how long that is."""

    until: float
    seconds: float


class DearNamespaces:
    """Namespaces whose reviews held the loop lately: the next is answered by the process.

    What counts is what a review worked, here or there: how long it took says little on a busy machine.
    """

    __slots__ = ("_known", "_spent")

    def __init__(self) -> None:
        self._known: dict[bytes, _Dear] = {}
        self._spent: dict[bytes, tuple[float, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    def spend(self, namespace: bytes, seconds: float) -> None:
        """Note what a costly review took of the loop: it is dear, or all of its namespace together are."""
        now = time.monotonic()
        spent, noted = self._spent.pop(namespace, (0.0, now))
        spent = max(0.0, spent - (now - noted) * SHARE) + seconds
        _keep(self._spent, namespace, (spent, now))
        if seconds > DEAR_SECONDS or spent > SPENT_SECONDS:
            self.add(namespace)

    def add(self, namespace: bytes) -> None:
        """Keep the namespace from the loop."""
        last, now = self._known.pop(namespace, None), time.monotonic()
        seconds = min(last.seconds * 2, LONGEST_SECONDS) if last is not None else FIRST_SECONDS
        _keep(self._known, namespace, _Dear(now + seconds, seconds))

    def has(self, namespace: bytes) -> bool:
        """Return whether the namespace is kept from the loop."""
        last, now = self._known.get(namespace), time.monotonic()
        if last is not None and now - last.until > LONGEST_SECONDS:
            del self._known[namespace]
        return last is not None and now < last.until


def _keep(remembered: dict[bytes, _T], namespace: bytes, value: _T) -> None:
    """Remember a value of a namespace that is not there, in place of the oldest where there are too many."""
    if len(remembered) >= NAMESPACES:
        del remembered[next(iter(remembered))]
    remembered[namespace] = value


class Beside:
    """The process and its queue: `wait` for a turn, ask the `child` in it, then `pass_on`.

    There is a process only while there are such reviews. A body may have ``body_bytes``.
    """

    def __init__(self, body_bytes: int) -> None:
        self._body_bytes = body_bytes
        self.busy = False
        self._child: Child | None = None
        self._talking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="large-review")
        self._waiting: dict[bytes, deque[asyncio.Future[None]]] = {}

    async def wait(self, namespace: bytes) -> None:
        """Wait until it is the turn of this one; whoever is cancelled meanwhile gives its turn away."""
        if not self.busy:
            self.busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.pass_on()
            else:
                self._forget(namespace, turn)
            raise

    def child(self, reviewer: Reviewer) -> Child:
        """Return the process that answers from ``reviewer``, forked now where there is none that may go on.

        Raises what `Child` does.
        """
        child = self._child
        if child is None or child.over or child.reviewer is not reviewer or self._is_old(child):
            self.end_child()
            child = self._child = Child(reviewer, self._body_bytes)
        return child

    async def run(self, ask: Callable[..., _T], *args: object) -> _T:
        """Call a method of the child, which blocks, in a thread of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._talking, ask, *args)

    def end_old_child(self) -> None:
        """End a process that has nothing to do; called once a second."""
        if self._child is not None and not self.busy and self._is_old(self._child):
            self.end_child()

    def end_child(self) -> None:
        """End the process once it has answered what it was asked; nothing here waits for it."""
        child, self._child = self._child, None
        if child is not None:
            self._talking.submit(child.end)

    def _is_old(self, child: Child) -> bool:
        return time.monotonic() - child.born > CHILD_SECONDS

    def pass_on(self) -> None:
        """End the turn: the oldest of the namespace that has waited longest for one is next."""
        for namespace in list(self._waiting):
            line = self._waiting.pop(namespace)
            turn = line.popleft()
            if line:
                self._waiting[namespace] = line
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False

    def _forget(self, namespace: bytes, turn: asyncio.Future[None]) -> None:
        line = self._waiting.get(namespace)
        if line is not None and turn in line:
            line.remove(turn)
            if not line:
                del self._waiting[namespace]


class ChildError(Exception):
    """The child failed on a review, or has ended; ``trace`` says where (see `logs.trace`), or how."""

    def __init__(self, trace: list[str]) -> None:
        super().__init__(trace)
        self.trace = trace


class Child:
    """Answers one review after the other; it ends with us, or when told to. ``over`` is whether it has.

    A body, of at most ``room`` bytes, goes to it through shared memory: 3 MiB take 0.7 ms of CPU so, and 3.6
    by the socket.
    """

    def __init__(self, reviewer: Reviewer, room: int) -> None:
        """Fork, on the thread that changes what the reviewer knows: no change is half done then.

        Raises `ChildError` where there is neither room nor leave for one more process.
        """
        self.reviewer = reviewer
        self.born = time.monotonic()
        self.over = False
        self._room = mmap(-1, room)
        context = get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._room, reviewer), daemon=True)
        with warnings.catch_warnings():  # of Python 3.12 on: that other threads may hold locks
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._process.start()
            except OSError as error:
                raise ChildError([f"no process for large reviews can begin: {error.strerror}"]) from None
            finally:
                theirs.close()

    def weigh(self, body: bytes, deadline: float) -> Weight:
        """Hand a body over and return what reading it takes; blocks and raises as `answer` does."""
        self._room[: len(body)] = body
        return cast("Weight", self._ask(len(body), deadline))

    def answer(self, path: str, deadline: float) -> tuple[Answer, float]:
        """Return the answer to what was handed over, and the seconds of CPU that it took; blocks until then.

        Raises what a reviewer raises, and `ChildError` for anything else. One that does not answer by the
        deadline is killed.
        """
        answered, worked = self._ask((path, deadline), deadline)
        if not isinstance(answered, Exception):
            return answered, worked
        try:
            raise answered
        finally:
            del answered  # its traceback has this frame: the two would hold the body for the collector

    def _ask(self, question: object, deadline: float) -> Any:
        try:
            self._connection.send(question)
            if self._connection.poll(max(0.0, deadline - time.monotonic()) + GRACE_SECONDS):
                return self._connection.recv()
        except (EOFError, OSError):
            self.over = True
            self._process.join(LEAVING_SECONDS)
            raise ChildError([f"the process for large reviews ended: {self._process.exitcode}"]) from None
        self.over = True
        self._process.kill()
        raise DeadlineError

    def end(self) -> None:
        """Have the process end, and wait for it."""
        self._connection.close()
        self._room.close()
        self._process.join(LEAVING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection, room: mmap, reviewer: Reviewer) -> None:
    """Be the child: answer until the other end is closed."""
    _let_go(connection.fileno())
    gc.freeze()  # or the first full collection would copy every page that is shared
    body = b""
    with suppress(EOFError, OSError):
        while True:
            asked = connection.recv()
            if isinstance(asked, int):
                body = without_old_object(room[:asked])
                connection.send(weigh(body))
            else:
                connection.send(_answer(reviewer, body, *asked))
                body = b""
    os._exit(0)  # what Python does at its end is for the service, not for a copy of it


def _let_go(ours: int) -> None:
    """Give up what belongs to the service: its signals, and its sockets, or none that it closes would end."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP):  # of a terminal, for the whole group
        signal.signal(number, signal.SIG_IGN)
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):  # the listing's own, closed by now
            if descriptor != ours and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_FIRST, encoding="ascii")


def _answer(reviewer: Reviewer, body: bytes, path: str, deadline: float) -> tuple[Answer | Exception, float]:
    """Return the answer or what was raised instead, and the seconds of CPU that it took."""
    start = time.thread_time()
    try:
        answered: Answer | Exception = reviewer.answer(body, path, lambda: time.monotonic() > deadline)
    except (BadReview, DeadlineError) as error:
        answered = error.with_traceback(None)  # or it would hold this frame, and the frame the body
    except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
        answered = ChildError(trace(error))
    return answered, time.thread_time() - start
