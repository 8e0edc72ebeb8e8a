"""Frame requests with a known head, without an HTTP parser.

An API server sends identical request heads except for Content-Length. Once aiohttp has parsed a head and its
review was answered, later requests that come whole and with the same head skip the parser, the task and the
stream; this saves about a third of the HTTP cost.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LONGEST_HEAD: Final = 2048
"""Bytes of a head; an API server sends some 300."""

LONGEST_LENGTH: Final = 7
"""Digits of a Content-Length: enough for any review that is answered on the loop."""

KNOWN_HEADS: Final = 256
"""An API server sends a handful: one for each path and timeout of a webhook."""

HEADS_BYTES: Final = KNOWN_HEADS * LONGEST_HEAD
"""Half a mebibyte, so that a head of any length fits."""

_LENGTH: Final = b"\r\nContent-Length: "


class Whole(NamedTuple):
    """The first bytes of a request: its head without the length, and where its body begins and ends."""

    head: bytes
    start: int
    end: int


def frame(data: bytes) -> Whole | None:
    """Find the head and the length of the request at the start of ``data``; None where they are not plain."""
    blank = data.find(b"\r\n\r\n", 0, LONGEST_HEAD)
    at = data.find(_LENGTH, 0, blank) + len(_LENGTH)
    if blank < 0 or at < len(_LENGTH):
        return None
    stop = data.find(b"\r\n", at, blank + 2)
    digits = data[at:stop]
    if not digits.isdigit() or len(digits) > LONGEST_LENGTH:
        return None
    start = blank + 4
    return Whole(data[:at] + data[stop:blank], start, start + int(digits))


class Framing:
    """Tracks where the requests of a connection end.

    Bytes may be framed only where a request is known to begin: at the start of a connection, and after a
    request with a known head when nothing followed it.
    """

    __slots__ = ("_begins", "_fed", "_whole")

    def __init__(self) -> None:
        self._begins = True
        self._fed = 0
        self._whole: Whole | None = None

    def feed(self, data: bytes) -> Whole | None:
        """Add received bytes; return the request that they begin, possibly only a part of it."""
        if not self._begins:
            self._fed += len(data)
            return None
        whole = frame(data)
        self._begins = False
        self._fed = len(data)
        self._whole = whole
        return whole

    @property
    def whole(self) -> Whole | None:
        """The latest request, if exactly that has come."""
        whole = self._whole
        return whole if whole is not None and whole.end == self._fed else None

    def ended(self) -> None:
        """Note that the latest request was ordinary and is answered."""
        self._begins = self.whole is not None
        self._whole = None

    def lost(self) -> None:
        """Note that the start of the next request is not known any more."""
        self._begins = False
        self._whole = None
