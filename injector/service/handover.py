"""The key pair that files bring, and the live caBundle, to the pair that serves. A companion of its own.

Where one Secret brings a new leaf together with its new CA, a replica has the leaf before API servers have
the CA: other replicas see the Secret a minute later, API servers the bundle seconds later. So the old pair
serves until the new one is trusted. Knows no API server: it works also while none can be reached.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from injector.registration.bundle import Authority, readable, verifies
from injector.registration.waiting import wait_for
from injector.service.companions import Surroundings
from injector.service.tls import KeyPair

SETTLE_SECONDS: Final = 15.0
"""How long a CA must have been live before what it signed serves: an API server's watch of its own
configuration is seconds behind, and a client of a new bundle is made at its next review."""

EXPIRING: Final = timedelta(minutes=1)
"""Life left at which the old pair goes whatever the bundle says: it would soon be refused as well."""

LOOK_SECONDS: Final = 5.0
"""Between two looks while a pair waits; a certificate expires without an event."""


@dataclass(slots=True, kw_only=True)
class TrustedSince:
    """Which CAs the live bundle holds, and since when it has held each."""

    _since: dict[Authority, float] = field(default_factory=dict)

    def see(self, bundle: bytes, now: float) -> None:
        """Take over the live bundle; a CA that left it begins anew when it comes back."""
        self._since = {ca: self._since.get(ca, now) for ca in readable(bundle)}

    def wait(self, new: KeyPair, old: KeyPair, *, settle: float, now: float) -> float | None:
        """Return the seconds until ``new`` may serve in place of ``old``; None while nothing tells."""
        signers = {ca: since for ca, since in self._since.items() if _trusts(ca, new)}
        before = [ca for ca in self._since if _trusts(ca, old)]
        if not before or any(ca in signers for ca in before):
            # Nobody trusts the old one, or whoever does so trusts the new one as well.
            return 0.0
        return max(0.0, settle - (now - min(signers.values()))) if signers else None


@dataclass(slots=True, kw_only=True, eq=False)
class Handover:
    """Sets ``pair`` to what is ``offered`` once the bundle that ``live`` returns trusts it."""

    live: Callable[[], bytes]
    settle: float = SETTLE_SECONDS
    name: str = "handover"
    _trusted: TrustedSince = field(default_factory=TrustedSince)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: bool = False

    def wake(self) -> None:
        """Look again: the live bundle has changed."""
        self._news.set()

    async def run(self, surroundings: Surroundings) -> None:
        """Hand over for ever."""
        if "certificate_waits" not in surroundings.metrics.gauges:
            self._show(surroundings)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._after_offers(surroundings))
            while True:
                self._news.clear()
                pause = self._look(surroundings)
                await wait_for(self._news, pause)

    def _look(self, surroundings: Surroundings) -> float | None:
        """Hand over if it may be; return the seconds until the next look, None to wait for news."""
        now = time.monotonic()
        self._trusted.see(self.live(), now)
        offered, serving = surroundings.offered.value, surroundings.pair.value
        if offered is None or offered is serving:
            return None
        wait: float | None = 0.0
        if serving is not None and serving.remaining(datetime.now(UTC)) > EXPIRING:
            wait = self._trusted.wait(offered, serving, settle=self.settle, now=now)
        if wait == 0:
            if self._waiting:
                surroundings.log.info("the new certificate serves", expires=offered.not_after.isoformat())
            self._waiting = False
            surroundings.pair.set(offered)
            return None
        if not self._waiting:
            surroundings.log.info("the new certificate waits until caBundle trusts it")
        self._waiting = True
        return LOOK_SECONDS if wait is None else min(wait, LOOK_SECONDS)

    async def _after_offers(self, surroundings: Surroundings) -> None:
        async with aclosing(surroundings.offered.updates()) as offers:
            async for _ in offers:
                self._news.set()

    def _show(self, surroundings: Surroundings) -> None:
        surroundings.metrics.gauges["certificate_waits"] = (
            "1 while a mounted certificate does not serve because caBundle does not trust it yet.",
            lambda: float(self._waiting),
        )
        surroundings.readiness.remark(self._remarks)

    def _remarks(self) -> dict[str, str]:
        return {"handover": "a new certificate waits until caBundle trusts it"} if self._waiting else {}


def _trusts(ca: Authority, pair: KeyPair) -> bool:
    return verifies(ca.pem, pair.chain_pem)
