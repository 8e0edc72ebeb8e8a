"""Fork a process that answers reviews from what is known then: none of them can hold or kill the service.

What is forked has one thread, the one that forked, and locks that others held are held for ever. Ours calls
the core alone, which takes no lock but that of `memo`; a fork waits until no other thread holds that one.
It is killed when it does not answer in time.
"""

from __future__ import annotations

import gc
import os
import signal
import stat
import time
import warnings
from contextlib import suppress
from mmap import mmap
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

from injector.errors import BadReview, DeadlineError
from injector.injection.inject import Answer
from injector.memo import WRITING
from injector.service.generation import Reviewer
from injector.service.logs import trace
from injector.service.memory import Weight, weigh, without_old_object

GRACE_SECONDS: Final = 1.0
"""How long after the deadline an answer is waited for: a review looks at its deadline between its stages."""

LEAVING_SECONDS: Final = 1.0
"""How long a child has to end by itself: it has nothing to do but to give its memory back."""

OUT_OF_MEMORY_FIRST: Final = "1000"
"""What tells the kernel whom to kill when the container is full: the child and not the service."""

NICENESS: Final = 10
"""Where there is not CPU enough for both, the loop has nine parts of ten: more callers wait for it."""


os.register_at_fork(before=WRITING.acquire, after_in_parent=WRITING.release, after_in_child=WRITING.release)


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
        """Fork, on the loop's thread, which changes what the reviewer knows: no change is half done then.

        Other threads change memos alone, and none of them is being changed then.

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

    def kill(self) -> None:
        """End the process whatever it does: who waits for its answer hears of that at once."""
        self._process.kill()

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
