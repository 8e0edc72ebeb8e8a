"""Fields in, lines of JSON on stderr out. Knows no pod: callers pass the few fields that may be seen.

A line costs a review a few microseconds: it is encoded at once, queued, and written by a thread, so that
a log collector that stops reading cannot stop reviews.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

LONGEST_TEXT: Final = 1024
"""Characters of a text from outside that a line may hold: an error message names its cause long before."""

BATCH_SECONDS: Final = 0.02
"""How long lines wait for company: one write for all reviews of 20 ms."""

PENDING_LINES: Final = 50_000
"""Lines kept for a slow reader of stderr (about 15 MiB); newer ones are dropped and counted."""

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own; never blocks the caller."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue one line, which ends in a newline."""
        if len(self._pending) >= PENDING_LINES:
            self.dropped += 1
            return
        self._pending.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is pending and end the thread; a reader who is stuck gets one second."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(BATCH_SECONDS)
            self._wake.clear()
            self._drain()
        # `close` may come while a batch is being written, and lines between the two.
        self._drain()

    def _drain(self) -> None:
        pending = self._pending
        batch = [pending.popleft() for _ in range(len(pending))]
        if batch and not self._write_all(b"".join(batch)):
            self.dropped += len(batch)

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:  # stderr is gone: nobody is left to be told
                return False
        return True


class Log:
    """Where the process logs: what happens to the service by level, what it does by `review`."""

    __slots__ = ("_handler", "_second", "_second_text", "_threshold", "_writer")

    def __init__(self, *, level: str = "info", descriptor: int | None = None) -> None:
        self._writer = LineWriter(sys.stderr.fileno() if descriptor is None else descriptor)
        self._threshold = LEVELS[level]
        self._second = -1
        self._second_text = ""
        self._handler = _LibraryHandler(self)
        logging.getLogger().addHandler(self._handler)

    @property
    def dropped(self) -> int:
        """Lines lost to a reader of stderr who was too slow."""
        return self._writer.dropped

    def close(self) -> None:
        """Write what is pending and let go of the root logger."""
        logging.getLogger().removeHandler(self._handler)
        self._writer.close()

    def review(self, fields: Mapping[str, Any]) -> None:
        """Write the one line of a review; ``fields`` are a few names and reasons, never the object."""
        self._write("info", fields)

    def debug(self, message: str, **fields: Any) -> None:
        """Log what only a developer wants to know."""
        self._event("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        """Log what an operator may want to know: a constant sentence and its fields."""
        self._event("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Log what an operator should look at."""
        self._event("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Log what an operator has to act on."""
        self._event("error", message, fields)

    def crash(self, message: str, cause: BaseException, **fields: Any) -> None:
        """Log a fault of ours: where it arose, not its text, which may quote a pod."""
        self._event("error", message, {**fields, "trace": trace(cause)})

    def _event(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        if LEVELS[level] >= self._threshold:
            self._write(level, {"message": message, **fields})

    def _write(self, level: str, fields: Mapping[str, Any]) -> None:
        line = {"time": self._stamp(), "level": level, **fields}
        self._writer.write(
            orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
        )

    def _stamp(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._second_text}.{int((now - second) * 1e6):06d}Z"


class _LibraryHandler(logging.Handler):
    """Brings the warnings of aiohttp, asyncio and others into our lines."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        message = shorten(record.getMessage())
        if cause is not None:
            self._log.crash(message, cause, logger=record.name)
        elif record.levelno >= logging.ERROR:
            self._log.error(message, logger=record.name)
        else:
            self._log.warning(message, logger=record.name)


def shorten(text: str) -> str:
    """Cut a text that came from outside to what a line may hold."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def trace(error: BaseException) -> list[str]:
    """Return the error's class and where it arose, innermost first; not its text, which may quote a pod."""
    places = []
    at = error.__traceback__
    while at is not None:
        code = at.tb_frame.f_code
        places.append(f"{code.co_filename}:{at.tb_lineno} {code.co_qualname}")
        at = at.tb_next
    return [type(error).__qualname__, *reversed(places[-20:])]
