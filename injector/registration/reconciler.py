"""Keep the caBundle of our entries equal to the CA that signed the serving certificate.

Level-based: woken by the watch, a new CA or a slow resync, it reads the state, plans, and writes only a
difference. Only cancellation ends it. What each error causes:

=========================  =====================================================================
no such object (yet)        wait for the watch to bring it; ``status.missing``
Conflict, NotFound          somebody was faster: the watch brings what they wrote; else try again
Forbidden                   wait and try again, the log names the verb and the resource
refused, reset, 429, 5xx    wait and try again
a rival that keeps writing  a token bucket: five writes, then one a minute; ``status.fighting``;
                            a new bundle of ours does not wait for it
=========================  =====================================================================
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import Conflict, KubeError, NotFound
from injector.kube.reflector import Collection, Reflector, Timing, ignore
from injector.kube.waiting import Backoff, TokenBucket, wait_for
from injector.registration.bundle import Authority, Overlap, authorities, readable, verifies
from injector.registration.plan import (
    CA_BUNDLE_MANAGER,
    COLLECTION,
    KIND,
    WebhookNames,
    in_sync,
    live_bundle,
    ours,
    plan,
    written_by_us,
)

logger = logging.getLogger(__name__)

RESYNC_SECONDS = 300.0
"""Interval of checks without an event: a change that a watch missed is corrected within five minutes."""
GRACE = timedelta(minutes=5)
"""How long an old CA stays trusted: kubelets mount a Secret's new content within about two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The CAs that clients must trust (PEM), and the certificate chain that is served (PEM)."""

    ca_bundle: bytes
    leaf: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationStatus:
    """What metrics and readiness show.

    ``live`` is the bundle of all our entries, empty while they differ. ``in_sync`` means that it is the
    wanted one, and accepts the serving leaf. ``verified`` means that once it accepted the leaf that served
    then; it stays true, since an API server that is away must not make every replica unready.
    """

    missing: bool = True
    live: bytes = b""
    in_sync: bool = False
    verified: bool = False
    fighting: bool = False
    writes: int = 0
    failures: int = 0
    last_error: str = ""


@dataclass(slots=True, kw_only=True, eq=False)
class Reconciler:
    """Repairs the webhook configuration ``name``, of ``kind`` in ``collection``, while ``run`` runs.

    ``store`` holds it, by its name, as the API server last sent it, and outlives a crash. ``trust`` returns
    what serves now, or None while nothing does; call ``wake`` when it has changed. ``leading`` says whether
    this replica is the one that writes; all of them check.
    """

    client: KubeClient
    name: str
    names: WebhookNames
    trust: Callable[[], Trust | None]
    leading: Callable[[], bool] = lambda: True
    changed: Callable[[RegistrationStatus], None] = ignore
    kind: str = KIND
    collection: str = COLLECTION
    store: dict[str, JSONObject] = field(default_factory=dict)
    grace: timedelta = GRACE
    resync: float = RESYNC_SECONDS
    timing: Timing = field(default_factory=Timing)
    bucket: TokenBucket = field(default_factory=TokenBucket)
    backoff: Backoff = field(default_factory=Backoff)
    status: RegistrationStatus = field(default_factory=RegistrationStatus)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _overlap: Overlap | None = None
    _before: tuple[Authority, ...] = ()
    _settled: str = ""
    """The resourceVersion that the last write was based on: until the watch shows a newer one, nothing is to
    be done."""
    _written: bytes = b""

    def wake(self) -> None:
        """Check again soon: the CA, the certificate or the leadership has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Watch and repair for ever."""
        reflector = Reflector(
            client=self.client,
            collection=Collection(path=self.collection, name=self.name),
            objects=self.store,
            changed=self.wake,
            failed=self._report,
            timing=self.timing,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            await reflector.synced.wait()
            while True:
                pause = await self._reconcile(reflector.objects.get(self.name))
                await wait_for(self._wake, pause)
                self._wake.clear()

    async def _reconcile(self, configuration: JSONObject | None) -> float:
        """Correct the configuration; return the seconds until the next check."""
        trust = self.trust()
        if configuration is None or trust is None:
            self._update(missing=configuration is None, in_sync=False)
            return self.resync
        bundle = self._desired(configuration, trust)
        self._observe(configuration, trust, bundle)
        body = plan(configuration, self.names, bundle, kind=self.kind)
        if body is None:
            self.backoff.reset()
            self._update(fighting=False)
            return self._until_overlap_ends()
        if not self.leading() or self._settled == _version(configuration):
            return self.resync
        wait = self.bucket.wait(self.timing.monotonic())
        # Only repetitions have to wait: a new CA must be trusted before it may sign, rival or not.
        if wait and bundle == self._written:
            self._fight(wait)
            return wait
        return await self._write(body, bundle)

    async def _write(self, body: JSONObject, bundle: bytes) -> float:
        try:
            await self.client.apply(f"{self.collection}/{self.name}", body, manager=CA_BUNDLE_MANAGER)
        except (Conflict, NotFound):
            # The configuration that was planned on has changed. The watch brings the new one, and wakes us; a
            # server that refuses even the newest version is asked again.
            return self.backoff.next()
        except KubeError as error:
            self._report(error)
            return self.backoff.next(at_least=error.retry_after)
        self._settled = _version(body)
        self._written = bundle
        self._update(writes=self.status.writes + 1, last_error="")
        logger.info("caBundle written", extra={"fields": {**self._subject(), "writes": self.status.writes}})
        return self._until_overlap_ends()

    def _desired(self, configuration: JSONObject, trust: Trust) -> bytes:
        """Return the bundle that every entry of ours should have now."""
        now = self.timing.monotonic()
        current = authorities(trust.ca_bundle)
        before = [
            ca
            for entry in ours(configuration, self.names)
            if written_by_us(configuration, entry)
            for ca in readable(live_bundle(entry))
        ]
        overlap = self._overlap or Overlap(grace=self.grace.total_seconds())
        self._overlap = overlap.after(ours=current, before=(*self._before, *before), now=now)
        self._before = current
        return self._overlap.bundle(current, trust.leaf, now)

    def _until_overlap_ends(self) -> float:
        end = self._overlap.next_end(self.timing.monotonic()) if self._overlap else None
        return self.resync if end is None else min(self.resync, end + 0.1)

    def _observe(self, configuration: JSONObject, trust: Trust, bundle: bytes) -> None:
        live = [live_bundle(entry) for entry in ours(configuration, self.names)]
        accepted = bool(live) and all(verifies(each, trust.leaf) for each in live)
        self._update(
            missing=not live,
            live=live[0] if len(set(live)) == 1 else b"",
            in_sync=accepted and in_sync(configuration, self.names, bundle),
            verified=self.status.verified or accepted,
        )

    def _fight(self, wait: float) -> None:
        if not self.status.fighting:
            fields = {**self._subject(), "again_in_seconds": round(wait)}
            logger.warning("somebody else keeps writing caBundle", extra={"fields": fields})
        self._update(fighting=True)

    def _report(self, error: KubeError | None) -> None:
        if error is None:
            self._update(last_error="")
            return
        if str(error) != self.status.last_error:
            fields = {**self._subject(), "reason": str(error)}
            logger.warning("the registration cannot be kept right", extra={"fields": fields})
        self._update(failures=self.status.failures + 1, last_error=str(error))

    def _subject(self) -> dict[str, str]:
        """Return what a log line is about."""
        return {"configuration": self.name, "webhook": self.names.name}

    def _update(self, **changes: object) -> None:
        status = replace(self.status, **changes)  # type: ignore[arg-type]
        if status != self.status:
            self.status = status
            self.changed(status)


def _version(configuration: JSONObject) -> str:
    return str(configuration["metadata"]["resourceVersion"])
