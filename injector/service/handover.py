"""Decide when an offered key pair serves: once the live caBundle trusts it. A companion of its own.

Where one Secret brings a new leaf together with its new CA, a replica has the leaf before API servers have
the CA: other replicas see the Secret up to a minute later, API servers the bundle seconds later. So the old
pair serves until the new one is trusted. This also works while no API server can be reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from injector.kube.waiting import wait_for
from injector.registration.bundle import TrustedSince
from injector.registration.self_signed import in_force
from injector.service.companions import CompanionSurroundings
from injector.service.tls import KeyPair

SETTLE_SECONDS: Final = 15.0
"""How long a CA must have been in the live bundle before a pair that it signed serves: an API server's watch
of its own configuration lags by seconds, and it makes a client for a new bundle at its next review."""

EXPIRING: Final = timedelta(minutes=1)
"""Remaining life at which the old pair is replaced whatever the bundle says: it would soon be refused as
well."""

LOOK_SECONDS: Final = 5.0
"""Time between two checks while a pair waits; a certificate expires without an event."""


def wait(
    offered: KeyPair,
    serving: KeyPair | None,
    trusted: TrustedSince,
    *,
    settle: float,
    now: datetime,
    monotonic: float,
) -> float | None:
    """Return the seconds until ``offered`` may replace ``serving``; None while that is not known.

    A serving pair that API servers refuse for its dates is replaced at once; an offered one waits. ``now`` is
    the API server's time, ``monotonic`` the seconds of the monotonic clock.
    """
    if serving is None or not serving.not_before <= now < serving.not_after - EXPIRING:
        return 0.0
    if not in_force(offered, now):
        return None
    return trusted.wait(offered.chain_pem, serving.chain_pem, settle=settle, now=monotonic)


@dataclass(slots=True, kw_only=True, eq=False)
class Handover:
    """Sets ``pair`` to what is ``offered`` once the bundle that ``live`` returns trusts it."""

    live: Callable[[], bytes]
    settle: float
    now: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    name: str = "handover"
    _trusted: TrustedSince = field(default_factory=TrustedSince)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: bool = False

    def wake(self) -> None:
        """Check again: the live bundle has changed."""
        self._news.set()

    async def run(self, surroundings: CompanionSurroundings) -> None:
        """Hand over for ever."""
        if "certificate_waits" not in surroundings.metrics.gauges:
            surroundings.metrics.gauges["certificate_waits"] = lambda: float(self._waiting)
            surroundings.readiness.remark(self._remarks)
        async with asyncio.TaskGroup() as group:
            group.create_task(surroundings.offered.follow(self._news.set))
            while True:
                self._news.clear()
                pause = self._look(surroundings)
                await wait_for(self._news, pause)

    def _look(self, surroundings: CompanionSurroundings) -> float | None:
        """Replace the pair if it may be; return the seconds until the next check, None to await an event."""
        monotonic = self.monotonic()
        self._trusted.see(self.live(), monotonic)
        offered, serving = surroundings.offered.value, surroundings.pair.value
        if offered is None or offered is serving:
            return None
        now = self.now()
        left = wait(offered, serving, self._trusted, settle=self.settle, now=now, monotonic=monotonic)
        if left == 0:
            if self._waiting:
                surroundings.log.info("the new certificate serves", expires=offered.not_after.isoformat())
            self._waiting = False
            surroundings.pair.set(offered)
            return None
        if not self._waiting:
            surroundings.log.info("the new certificate waits until caBundle trusts it")
        self._waiting = True
        return LOOK_SECONDS if left is None else min(left, LOOK_SECONDS)

    def _remarks(self) -> dict[str, str]:
        return {"handover": "a new certificate waits until caBundle trusts it"} if self._waiting else {}
