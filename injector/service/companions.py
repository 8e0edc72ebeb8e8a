"""What runs beside the reviews, as the process sees it: protocols and what is handed to them.

The reconciler, the watches on the cluster and the issuing of certificates come in from outside, and a review
never waits for one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from injector.service.board import Seat
from injector.service.generation import ClusterView, Generation
from injector.service.health import Readiness
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import ServiceOptions
from injector.service.reload import Live
from injector.service.tls import KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionSurroundings:
    """What a companion may read, set and add to.

    A companion that issues certificates sets ``offered``; one that keeps the registration reads ``pair`` and
    ``ca`` (the CA file's PEM), adds a condition to ``readiness``, and its figures to ``metrics``. Where one
    holds pairs back, pairs are ``offered``, and it sets ``pair`` to what serves; else the two are the same.
    """

    options: ServiceOptions
    pair: Live[KeyPair | None]
    offered: Live[KeyPair | None]
    ca: Live[bytes | None]
    generation: Live[Generation | None]
    readiness: Readiness
    metrics: Metrics
    log: Log


class Companion(Protocol):
    """A task beside the reviews. It is started again after a crash, and cancelled when the process stops."""

    name: str
    """What it is called in logs."""

    async def run(self, surroundings: CompanionSurroundings) -> None:
        """Work until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is added to the bare service."""

    companions: Sequence[Companion] = ()
    cluster: ClusterView | None = None
    warn: Callable[[str, str], None] = lambda _reason, _sentence: None
    """Tells the cluster's users, by an Event's reason and a sentence, of what is mounted; must not wait."""
    brings_pair: bool = False
    """Whether one of the companions brings the key pair, so that none need be on disk."""
    holds_pair: bool = False
    """Whether one of them decides when a pair that is offered serves; the first one does so at once."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The time by which certificates are judged: the API server's where one of them knows it, else ours."""
    seat: Seat | None = None
    """The place of this process among workers, where it is not alone."""
    remarks: Sequence[str] = ()
    """What an operator should read in the log once: one sentence each."""


COMPANION_SECONDS: Final = 5.0
"""After which a companion that crashed is started again."""


async def accompany(companion: Companion, surroundings: CompanionSurroundings) -> None:
    """Run a companion until cancelled; its faults end neither it for good nor the process."""
    while True:
        try:
            await companion.run(surroundings)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a task of its own
            surroundings.log.crash("a companion crashed and is started again", error, name=companion.name)
        else:
            return
        await asyncio.sleep(COMPANION_SECONDS)
