"""Fork a process that answers reviews from the current state: no such review can block or kill the service.

A forked process has one thread, the one that forked; locks that other threads held stay locked for ever. Our
child runs only the core, which takes no lock except `memo`'s; a fork waits until no other thread holds that
one. A child that does not answer in time is killed.
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
"""How long after the deadline an answer is awaited: a review checks its deadline between its stages."""

LEAVING_SECONDS: Final = 1.0
"""How long a child has to exit by itself: it only has to free its memory."""

OUT_OF_MEMORY_FIRST: Final = "1000"
"""Tells the kernel to kill the child, not the service, when the container's memory is full."""

NICENESS: Final = 10
"""When both need more CPU than there is, the loop gets nine tenths: more callers wait for it."""


os.register_at_fork(before=WRITING.acquire, after_in_parent=WRITING.release, after_in_child=WRITING.release)


class ChildError(Exception):
    """The child failed on a review, or has ended; ``trace`` says where (see `logs.trace`), or how."""

    def __init__(self, trace: list[str]) -> None:
        super().__init__(trace)
        self.trace = trace


class Child:
    """Answers reviews one after the other; it ends with its parent, or when told to. ``over``: it has ended.

    A body, of at most ``room`` bytes, is passed in shared memory: 3 MiB take 0.7 ms of CPU this way, and 3.6
    through the socket.
    """

    def __init__(self, reviewer: Reviewer, room: int) -> None:
        """Fork, on the loop's thread: only this thread changes the reviewer, so no change is half done then.

        Other threads change only memos, and `memo`'s lock is held during the fork.

        Raises `ChildError` where memory or permission for one more process is missing.
        """
        self.reviewer = reviewer
        self.born = time.monotonic()
        self.over = False
        self._room = mmap(-1, room)
        context = get_context("fork")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._room, reviewer), daemon=True)
        with warnings.catch_warnings():  # Python warns from 3.12 on that other threads may hold locks
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._process.start()
            except OSError as error:
                raise ChildError([f"no process for large reviews can begin: {error.strerror}"]) from None
            finally:
                theirs.close()

    def weigh(self, body: bytes, deadline: float) -> Weight:
        """Pass a body and return what parsing it takes; blocks and raises as `answer` does."""
        self._room[: len(body)] = body
        return cast("Weight", self._ask(len(body), deadline))

    def answer(self, path: str, deadline: float) -> tuple[Answer, float]:
        """Return the answer to the body that was passed, and its seconds of CPU time; blocks until then.

        Raises what a reviewer raises, and `ChildError` for anything else. A child that does not answer by the
        deadline is killed.
        """
        answered, worked = self._ask((path, deadline), deadline)
        if not isinstance(answered, Exception):
            return answered, worked
        try:
            raise answered
        finally:
            del answered  # its traceback refers to this frame: a cycle would keep the body

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
        """Kill the process, whatever it does: who waits for its answer gets an error at once."""
        self._process.kill()

    def end(self) -> None:
        """Tell the process to end, and wait for it."""
        self._connection.close()
        self._room.close()
        self._process.join(LEAVING_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(connection: Connection, room: mmap, reviewer: Reviewer) -> None:
    """Run the child: answer until the other end is closed."""
    _let_go(connection.fileno())
    gc.freeze()  # or the first full collection would copy every shared page
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
    os._exit(0)  # Python's exit handlers are the service's, not the child's


def _let_go(ours: int) -> None:
    """Drop what belongs to the service: its signal handlers, and its sockets, which would stay open."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP):  # sent by a terminal to the whole process group
        signal.signal(number, signal.SIG_IGN)
    for descriptor in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        with suppress(OSError):  # the descriptor of the listing itself, closed by now
            if descriptor != ours and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.close(descriptor)
    os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OUT_OF_MEMORY_FIRST, encoding="ascii")


def _answer(reviewer: Reviewer, body: bytes, path: str, deadline: float) -> tuple[Answer | Exception, float]:
    """Return the answer or the exception raised instead, and the seconds of CPU that it took."""
    start = time.thread_time()
    try:
        answered: Answer | Exception = reviewer.answer(body, path, lambda: time.monotonic() > deadline)
    except (BadReview, DeadlineError) as error:
        answered = error.with_traceback(None)  # a traceback would hold this frame, and the frame the body
    except Exception as error:  # noqa: BLE001 - a fault of ours ends this review and not the process
        answered = ChildError(trace(error))
    return answered, time.thread_time() - start
