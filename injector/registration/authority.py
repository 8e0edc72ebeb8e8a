"""Keeps the Secret of a self-made CA as `self_signed.step` says, and tells what to serve. Knows no pod.

Several replicas do this at once: who writes second meets a Conflict, reads again, and finds nothing due. So
they agree on one CA without electing anybody.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from injector.json_types import JSONObject
from injector.kube.backoff import Backoff
from injector.kube.client import KubeClient
from injector.kube.errors import ApiError, Conflict, KubeError, NotFound
from injector.kube.reflector import Collection, Reflector, Timing
from injector.registration.reconciler import Trust
from injector.registration.self_signed import Policy, Secret, next_look, step, trusted
from injector.registration.waiting import wait_for

logger = logging.getLogger(__name__)

LONGEST_SLEEP = timedelta(seconds=60)
"""The wall clock is looked at this often: timers stop while a machine sleeps, certificates do not."""

PART_OF = {"app.kubernetes.io/name": "sidecar-injector", "app.kubernetes.io/managed-by": "sidecar-injector"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A key pair to serve (PEM) and what has to be trusted for it; ``repr`` never shows the key."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca_bundle: bytes

    @property
    def trust(self) -> Trust:
        """What the registration needs of it."""
        return Trust(ca_bundle=self.ca_bundle, leaf=self.certificate)


def _no_error(_: KubeError | None) -> None:
    """Be the error callback of nobody."""


@dataclass(slots=True, kw_only=True, eq=False)
class SelfSigned:
    """Makes and rotates CA and leaf in the Secret ``namespace/name`` while ``run`` runs.

    ``serve`` is called with every key pair that is to be served, the first one included. ``live_bundle``
    returns what the API server's configuration holds now.
    """

    client: KubeClient
    namespace: str
    name: str
    policy: Policy
    serve: Callable[[Served], None]
    live_bundle: Callable[[], bytes]
    failed: Callable[[KubeError | None], None] = _no_error
    timing: Timing = field(default_factory=Timing)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    longest_sleep: timedelta = LONGEST_SLEEP
    backoff: Backoff = field(default_factory=Backoff)
    writes: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _served: Served | None = None

    def wake(self) -> None:
        """Look again soon: the live bundle has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Watch the Secret and do what is due, for ever."""
        reflector = Reflector(
            client=self.client,
            collection=Collection(path=self._collection, name=self.name),
            changed=self.wake,
            failed=self.failed,
            timing=self.timing,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            await reflector.synced.wait()
            while True:
                pause = await self._advance(reflector.objects.get(f"{self.namespace}/{self.name}"))
                await wait_for(self._wake, pause)
                self._wake.clear()

    async def _advance(self, found: JSONObject | None) -> float:
        """Do the one thing that is due; return the seconds until the next look."""
        secret = _decoded(found)
        changed = step(secret, self.policy, now=self.now(), live_bundle=self.live_bundle())
        if changed is None:
            self._serve(secret)
            self.backoff.reset()
            pause = next_look(secret, self.policy, now=self.now(), longest=self.longest_sleep)
            return pause.total_seconds()
        try:
            await self._write(found, changed)
        except (Conflict, NotFound):
            # Another replica was first; the watch brings what it wrote.
            return self.backoff.next()
        except KubeError as error:
            self.failed(error)
            logger.warning("cannot write the Secret %s/%s: %s", self.namespace, self.name, error)
            return self.backoff.next(at_least=error.retry_after if isinstance(error, ApiError) else 0.0)
        return self.backoff.next()

    async def _write(self, found: JSONObject | None, changed: Secret) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in sorted(changed.items())}
        if found is None:
            await self.client.create(self._collection, self._new(data))
        else:
            await self.client.replace(f"{self._collection}/{self.name}", {**found, "data": data})
        self.writes += 1
        logger.info("certificates in the Secret %s/%s renewed", self.namespace, self.name)

    def _serve(self, secret: Secret) -> None:
        served = Served(certificate=secret["tls.crt"], key=secret["tls.key"], ca_bundle=trusted(secret))
        if served != self._served:
            self._served = served
            self.serve(served)

    def _new(self, data: Mapping[str, str]) -> JSONObject:
        metadata = {"name": self.name, "namespace": self.namespace, "labels": dict(PART_OF)}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}

    @property
    def _collection(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets"


def _decoded(secret: JSONObject | None) -> Secret:
    """Return the Secret's data decoded; a value that is not base64 cannot come from an API server."""
    data = (secret or {}).get("data") or {}
    try:
        return {key: base64.b64decode(value) for key, value in data.items()}
    except (binascii.Error, ValueError, TypeError):
        return {}
