"""Write log lines as JSON or text to stderr: callers pass the few fields that may be seen.

A line costs a review a few microseconds: it is encoded at once, queued, and written by a thread, so that a
log collector that stops reading cannot stop reviews.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any, ClassVar, Final

import orjson

LONGEST_TEXT: Final = 1024
"""Characters of a text from outside in one line: an error message names its cause much earlier."""

BATCH_SECONDS: Final = 0.02
"""How long lines are collected for one write: all reviews of 20 ms."""

LONGEST_NAME: Final = 256
"""Characters of a name from outside: Kubernetes allows 253, and a caller may invent a longer one."""

PENDING_BYTES: Final = 4 << 20
"""Bytes of lines kept for a slow reader of stderr, some 15,000 lines; newer ones are dropped and counted."""

OURS: Final = "injector"
"""The parent of all our loggers; their records show from the log's level on, with their fields."""

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own; never blocks the caller.

    ``turn`` is a file that processes with one stderr lock in turn: a pipe may split lines of more than 4 KiB.
    """

    turn: ClassVar[int] = -1

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending: list[bytes] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self.size = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue one line, which ends in a newline."""
        with self._lock:
            if self.size + len(line) > PENDING_BYTES:
                self.dropped += 1
                return
            self.size += len(line)
            self._pending.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is pending and end the thread; a reader that hangs gets one second."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(BATCH_SECONDS)
            self._wake.clear()
            self._drain()
        # `close` may come while a batch is being written, and new lines between the two.
        self._drain()

    def _drain(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
        if not batch:
            return
        written = self._write_all(b"".join(batch))
        with self._lock:
            self.size -= sum(map(len, batch))
            if not written:
                self.dropped += len(batch)

    def _write_all(self, data: bytes) -> bool:
        view = memoryview(data)
        with self._in_turn():
            while view:
                try:
                    view = view[os.write(self._descriptor, view) :]
                except OSError:  # stderr is gone: there is nowhere to report it
                    return False
        return True

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if self.turn < 0:
            yield
            return
        fcntl.lockf(self.turn, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self.turn, fcntl.LOCK_UN)


class Log:
    """The log of the process: events of the service by level, reviews by `review`.

    ``text`` makes lines for a person at a terminal instead of JSON. The command line sets it for the process,
    before a log is made.
    """

    __slots__ = ("_encode", "_handler", "_second", "_threshold", "_writer")

    text: ClassVar[bool] = False

    def __init__(self, *, level: str = "info", descriptor: int | None = None) -> None:
        self._encode = text_line if self.text else json_line
        self._writer = LineWriter(sys.stderr.fileno() if descriptor is None else descriptor)
        self._threshold = LEVELS[level]
        self._second = (-1, "")
        self._handler = _LoggingHandler(self)
        logging.getLogger().addHandler(self._handler)
        logging.getLogger(OURS).setLevel(self._threshold)

    @property
    def pending(self) -> int:
        """Bytes of lines that are not yet written."""
        return self._writer.size

    @property
    def dropped(self) -> int:
        """Lines dropped because the reader of stderr was too slow."""
        return self._writer.dropped

    def close(self) -> None:
        """Write what is pending and remove the handler from the root logger."""
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger(OURS).setLevel(logging.NOTSET)
        self._writer.close()

    def review(self, fields: Mapping[str, Any]) -> None:
        """Write the one line of a review; ``fields`` are a few names and reasons, never the object."""
        self._write("info", fields)

    def info(self, message: str, **fields: Any) -> None:
        """Log what an operator may want to know: a constant sentence and its fields."""
        self.event("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        """Log what an operator should look at."""
        self.event("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        """Log what an operator has to act on."""
        self.event("error", message, fields)

    def crash(self, message: str, cause: BaseException, **fields: Any) -> None:
        """Log a fault of ours by its location, without its text, which may quote a pod."""
        self.event("error", message, {**fields, "trace": trace(cause)})

    def event(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """Log at a level of `LEVELS`; texts are cut to what a line may hold."""
        if LEVELS[level] >= self._threshold:
            shown = {
                key: shorten(value) if isinstance(value, str) else value for key, value in fields.items()
            }
            self._write(level, {"message": message, **shown})

    def _write(self, level: str, fields: Mapping[str, Any]) -> None:
        self._writer.write(self._encode({"time": self._stamp(), "level": level, **fields}))

    def _stamp(self) -> str:
        now = time.time()
        second = int(now)
        known, text = self._second  # read as one tuple, since several threads log
        if second != known:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = (second, text)
        return f"{text}.{int((now - second) * 1e6):06d}Z"


class _LoggingHandler(logging.Handler):
    """Turns records of `logging` into our lines: all of our own loggers, warnings of aiohttp's and others.

    A record of ours may have fields: ``extra={"fields": {…}}``.
    """

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and not f"{record.name}.".startswith(f"{OURS}."):
            return
        fields = {"logger": record.name, **getattr(record, "fields", {})}
        cause = record.exc_info[1] if record.exc_info else None
        if cause is not None:
            self._log.crash(shorten(record.getMessage()), cause, **fields)
        else:
            self._log.event(_level(record.levelno), shorten(record.getMessage()), fields)


def json_line(fields: Mapping[str, Any]) -> bytes:
    """Return one line of JSON; invalid characters (of a path that is not UTF-8) become question marks."""
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return f"{json.dumps(fields, default=str, ensure_ascii=False)}\n".encode(errors="replace")


def text_line(fields: Mapping[str, Any]) -> bytes:
    """Return ``time LEVEL message name=value …``; a value that is not one plain word is quoted as JSON."""
    rest = dict(fields)
    words = [rest.pop("time"), f"{rest.pop('level').upper():<7}"]
    if message := rest.pop("message", ""):
        words.append(message if message.isprintable() else _quoted(message))
    words += [f"{name}={_quoted(value)}" for name, value in rest.items()]
    return f"{' '.join(words)}\n".encode()


def _quoted(value: Any) -> str:
    if isinstance(value, str) and value and value.isprintable() and not set(value) & {" ", '"', "="}:
        return value
    shown = json.dumps(value, default=str, ensure_ascii=False)
    # A pod may contain control characters for a terminal: they are shown by their numbers.
    return shown if shown.isprintable() else json.dumps(value, default=str)


def _level(number: int) -> str:
    """Return the name of our highest level that is not above the number."""
    return max(
        (level for level in LEVELS if LEVELS[level] <= number), key=LEVELS.__getitem__, default="debug"
    )


def cut(name: str) -> str:
    """Cut a name from outside to what a line may hold."""
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"


def shorten(text: str) -> str:
    """Cut a text from outside to what a line may hold."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def trace(error: BaseException) -> list[str]:
    """Return the error's class and its location, innermost first; not its text, which may quote a pod."""
    places = [
        f"{frame.f_code.co_filename}:{line} {frame.f_code.co_qualname}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return [type(error).__qualname__, *reversed(places[-20:])]
