"""What goes over HTTP besides aiohttp: request targets in, replies and their bytes out. Knows no reviews."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote

from injector.golang.duration import SECOND, DurationError, parse_duration

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


class Reply(NamedTuple):
    """One HTTP answer; ``headers`` are whole lines, ``close`` ends the connection after it."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    headers: bytes = b""
    close: bool = False


Page = Callable[[str, str], Reply]
"""Answers a GET, given the query string and the Accept header."""


class Target(NamedTuple):
    """A request target: the decoded path, and the seconds that the API server will wait."""

    path: str
    query: str
    timeout: float | None


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of ours
    """A call that gets no review; ``reason`` is one of `metrics.REFUSALS`."""

    def __init__(self, reason: str, reply: Reply) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reply = reply


def unavailable(why: str) -> Reply:
    """Return a 503 after which the API server's client tries again, within the webhook's timeout."""
    return Reply(503, f"{why}\n".encode(), headers=b"Retry-After: 1\r\n")


def too_large(limit: int) -> Reply:
    """Return a 413; what is still on its way is not read, so the connection ends."""
    return Reply(413, b"the body is larger than %d bytes\n" % limit, close=True)


@lru_cache(maxsize=256)
def target(raw: str) -> Target:
    """Split a request target; an API server asks for a handful of different ones."""
    path, _, query = raw.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    given = parse_qs(query).get("timeout")
    return Target(unquote(path), query, seconds(given[0]) if given else None)


def seconds(duration: str) -> float | None:
    """Read a duration of Go's as the API server sends it; None for any other text, and for a negative one."""
    try:
        nanoseconds = parse_duration(duration)
    except DurationError:
        return None
    return nanoseconds / SECOND if nanoseconds >= 0 else None


_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_OK_JSON: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n"
)
_ANY: Final = (
    b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nX-Content-Type-Options: nosniff\r\nDate: %b\r\n%b%b"
    b"Content-Length: %d\r\n\r\n"
)


def head(reply: Reply, *, keep: bool) -> bytes:
    """Return the status line and the headers of an answer, after which the connection is kept or not."""
    date = _date(int(time.time()))
    if keep and reply.status == 200 and reply.content_type is JSON_TYPE:
        return _OK_JSON % (date, len(reply.body))
    return _ANY % (
        reply.status,
        _REASONS.get(reply.status, b"Unknown"),
        reply.content_type.encode(),
        date,
        reply.headers,
        b"" if keep else b"Connection: close\r\n",
        len(reply.body),
    )


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
