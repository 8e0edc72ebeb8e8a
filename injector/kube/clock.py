"""The API server's time, from the `Date` header of its answers, and the skew of the local clock.

API servers judge certificates by their own clock, so we make and renew certificates by it too. Between two
answers the monotonic clock counts, since nobody sets it when the system clock is changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

SLOWEST_ANSWER: Final = 10.0
"""Seconds from request to answer beyond which a `Date` is not used: it may be wrong by as much."""

RESOLUTION: Final = timedelta(seconds=1)
"""`Date` has whole seconds, cut off (RFC 9110, 5.6.7): on average the true time is half a second later."""


@dataclass(slots=True, kw_only=True, eq=False)
class ServerClock:
    """Returns the API server's time by ``now``; the local time until an answer had a usable `Date`."""

    local: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    _known: datetime | None = field(default=None)
    _known_at: float = 0.0

    def heard(self, date: str | None, *, sent: float, received: float) -> None:
        """Use the ``date`` of an answer; ``sent`` and ``received`` are monotonic, in seconds."""
        known = _parsed(date)
        if known is None or received - sent > SLOWEST_ANSWER:
            return
        self._known = known + RESOLUTION / 2
        self._known_at = (sent + received) / 2

    def now(self) -> datetime:
        """Return the time at the API server, accurate to a second or half of the slowest answer."""
        if self._known is None:
            return self.local()
        return self._known + timedelta(seconds=self.monotonic() - self._known_at)

    def skew(self) -> timedelta:
        """Return how far the local clock is ahead of the API server's; zero while that is unknown."""
        return timedelta() if self._known is None else self.local() - self.now()


def _parsed(date: str | None) -> datetime | None:
    """Return an HTTP date; None when there is none, it is malformed or lacks a time zone."""
    try:
        parsed = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo else None
