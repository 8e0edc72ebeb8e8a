"""HTTP besides aiohttp: parse request targets, and write replies as bytes."""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote, unquote, unquote_to_bytes

from injector.golang.times import SECOND, DurationError, parse_duration
from injector.memo import remembered

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


class Reply(NamedTuple):
    """One HTTP answer; ``headers`` are whole lines, ``close`` ends the connection after it.

    Without a ``content_type`` the headers say everything about the body.
    """

    status: int
    body: bytes
    content_type: str = TEXT_TYPE
    headers: bytes = b""
    close: bool = False


Page = Callable[[str, str], Reply]
"""Answers a GET, given the query string and the Accept header."""


class RequestTarget(NamedTuple):
    """A request target: the decoded path, and the seconds that the API server will wait.

    ``location``: where Go redirects a client that asks for a path with ``//``, ``/./`` or ``/../``; else "".
    """

    path: str
    query: str
    timeout: float | None
    location: str = ""


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
    """Return a 413; the rest of the body is not read, so the connection ends."""
    return Reply(413, b"the body is larger than %d bytes\n" % limit, close=True)


def too_many(limit: int) -> Reply:
    """Return a 413 for a body of too many JSON values."""
    return Reply(413, b"the body has more than %d JSON values\n" % limit)


def too_much_memory(cost: int, limit: int) -> Reply:
    """Return a 413 for a body that takes more memory to parse than there is at all."""
    return Reply(413, b"parsing the body takes %d bytes of memory, and there are %d\n" % (cost, limit))


@remembered("targets")
def target(raw: str) -> RequestTarget:
    """Split a request target; an API server asks for a handful of different ones."""
    path, _, query = raw.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    given = parse_qs(query).get("timeout")
    return RequestTarget(unquote(path), query, seconds(given[0]) if given else None, _location(path, query))


_ESCAPED: Final = re.compile(r"[-\w.~$&+,/:;=@!'()*\[\]%]*", re.ASCII)
_KEPT: Final = "/$&+,:;=@"


def _location(path: str, query: str) -> str:
    """Return where Go 1.26's ServeMux redirects a path to, "" when the path is clean.

    It cleans the escaped path and escapes the result once more, so that ``%2F`` becomes ``%252F``.
    """
    if not path.startswith("/"):
        return ""
    escaped = path if _ESCAPED.fullmatch(path) else _escape(unquote_to_bytes(_bytes(path)))
    clean = "/" + posixpath.normpath(f"/{escaped}").lstrip("/")
    if escaped.endswith("/") and clean != "/":
        clean += "/"
    if clean == escaped:
        return ""
    asked = quote(_bytes(query), safe=_PRINTABLE)
    return _escape(_bytes(clean)) + (f"?{asked}" if asked else "")


_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


def _escape(path: bytes) -> str:
    return quote(path, safe=_KEPT)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


_IN_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"})


def redirect(location: str, method: str) -> Reply:
    """Return Go's 307; only a GET gets a body."""
    place = f"Location: {location}\r\n".encode()
    if method not in ("GET", "HEAD"):
        return Reply(307, b"", "", place)
    link = f'<a href="{location.translate(_IN_HTML)}">Temporary Redirect</a>.\n\n'
    return Reply(307, link.encode(), "", b"Content-Type: text/html; charset=utf-8\r\n" + place)


def seconds(duration: str) -> float | None:
    """Read a Go duration as the API server sends it; None for any other text, and for a negative one."""
    try:
        nanoseconds = parse_duration(duration)
    except DurationError:
        return None
    return nanoseconds / SECOND if nanoseconds >= 0 else None


_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_OK_JSON: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n"
)
_TYPED: Final = b"Content-Type: %b\r\nX-Content-Type-Options: nosniff\r\n"
_ANY: Final = b"HTTP/1.1 %d %b\r\n%bDate: %b\r\n%b%bContent-Length: %d\r\n\r\n"


def head(reply: Reply, *, keep: bool) -> bytes:
    """Return the status line and headers of an answer; ``keep`` says whether the connection is kept."""
    date = _date(int(time.time()))
    if keep and reply.status == 200 and reply.content_type is JSON_TYPE:
        return _OK_JSON % (date, len(reply.body))
    return _ANY % (
        reply.status,
        _REASONS.get(reply.status, b"Unknown"),
        _TYPED % reply.content_type.encode() if reply.content_type else b"",
        date,
        reply.headers,
        b"" if keep else b"Connection: close\r\n",
        len(reply.body),
    )


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
