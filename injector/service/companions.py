"""Tasks beside the reviews, as the process sees them: their protocols and what they are given.

The reconciler, the cluster watches and the issuing of certificates come in from outside, and a review never
waits for one of them.
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

    A companion that issues certificates sets ``offered``. One that keeps the registration reads ``pair`` and
    ``ca`` (the CA file's PEM), adds a condition to ``readiness`` and its figures to ``metrics``. Where a
    companion holds pairs back, new pairs are ``offered`` and it sets ``pair`` to the serving one; otherwise
    the two are the same.
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
    """Its name in logs."""

    async def run(self, surroundings: CompanionSurroundings) -> None:
        """Work until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is added to the bare service."""

    companions: Sequence[Companion] = ()
    cluster: ClusterView | None = None
    warn: Callable[[str, str], None] = lambda _reason, _sentence: None
    """Tells the cluster's users about the mounted files by an Event's reason and a sentence; must not
    wait."""
    brings_pair: bool = False
    """Whether a companion brings the key pair, so that none need be on disk."""
    holds_pair: bool = False
    """Whether a companion decides when an offered pair serves; the first pair serves at once."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """The time by which certificates are judged: the API server's if a companion knows it, else the local
    one."""
    seat: Seat | None = None
    """The seat of this process among the workers, None where it is alone."""
    remarks: Sequence[str] = ()
    """What the log should tell an operator once: one sentence each."""


COMPANION_SECONDS: Final = 5.0
"""Delay before a companion that crashed is started again."""


async def accompany(companion: Companion, surroundings: CompanionSurroundings) -> None:
    """Run a companion until cancelled; a fault ends neither the companion for good nor the process."""
    while True:
        try:
            await companion.run(surroundings)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a task of its own
            surroundings.log.crash("a companion crashed and is started again", error, name=companion.name)
        else:
            return
        await asyncio.sleep(COMPANION_SECONDS)
