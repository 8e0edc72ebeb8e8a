"""Keep the Secret of a self-made CA as `self_signed.decide` says, and report what to serve.

Several replicas do this at once: the second writer gets a Conflict, reads again, and finds nothing due. So
they agree on one CA without an election. Each check begins by reading the Secret: the state that is decided
on is as recent as the API server's time that came with it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from injector.errors import InjectorError
from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import Conflict, KubeError, NotFound
from injector.kube.reflector import Collection, Reflector, Timing, ignore
from injector.kube.waiting import Backoff, wait_for
from injector.registration.bundle import TrustedSince
from injector.registration.contents import Secret, contents
from injector.registration.self_signed import Policy, Served, View, decide

logger = logging.getLogger(__name__)

LONGEST_SLEEP: Final = timedelta(seconds=10)
"""Between two checks. After a clock was corrected, here or at the API server, everything must be right
within a minute: two checks, the bundle's way to API servers and back, and a few seconds for each replica
to serve."""

PART_OF = {"app.kubernetes.io/name": "sidecar-injector", "app.kubernetes.io/managed-by": "sidecar-injector"}


@dataclass(slots=True, kw_only=True, eq=False)
class SelfSigned:
    """Makes and rotates CA and leaf in the Secret ``namespace/name`` while ``run`` runs.

    ``serve`` is called with every key pair to serve, including the first; if it raises an InjectorError, the
    pair cannot be served. ``live_bundle`` returns what the API server's configuration holds now. ``failed``
    is called with a task and its error, and with None when it works again; ``held_back`` with the skew if the
    local clock is too wrong to write, and with zero when it is right again.
    """

    client: KubeClient
    namespace: str
    name: str
    policy: Policy
    serve: Callable[[Served], None]
    live_bundle: Callable[[], bytes]
    failed: Callable[[str, InjectorError | None], None] = ignore
    held_back: Callable[[timedelta], None] = ignore
    timing: Timing = field(default_factory=Timing)
    backoff: Backoff = field(default_factory=Backoff)
    writes: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _served: Served | None = None
    _refused: bytes = b""
    _trusted: TrustedSince = field(default_factory=TrustedSince)
    _waiting: bool = False

    def wake(self) -> None:
        """Check again soon: the live bundle has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Watch the Secret and do what is due, for ever."""
        reflector = Reflector(
            client=self.client,
            collection=self._collection,
            changed=self.wake,
            failed=lambda error: self.failed("secret-watch", error),
            timing=self.timing,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(reflector.run())
            while True:
                self._wake.clear()
                pause = await self._look()
                await wait_for(self._wake, pause)

    async def _look(self) -> float:
        """Make the one change that is due; return the seconds until the next check."""
        try:
            found = await self._read()
        except KubeError as error:
            return self._again("secret", error)
        self.failed("secret", None)
        decision = decide(contents(_decoded(found)), self.policy, self._view(), longest=LONGEST_SLEEP)
        self._say(held_back=decision.held_back)
        if decision.serve is not None:
            self._serve(decision.serve)
        if decision.write is None:
            self.failed("secret-write", None)
            self.backoff.reset()
            return decision.pause.total_seconds()
        try:
            await self._write(found, decision.write)
        except (Conflict, NotFound):
            # Another replica was first; the watch brings what it wrote.
            return self.backoff.next()
        except KubeError as error:
            return self._again("secret-write", error)
        return self.backoff.next()

    async def _read(self) -> JSONObject | None:
        """Return the Secret, by a list of that one object: who may watch it by name may list it."""
        page = await self.client.get(self._collection.path, self._collection.parameters())
        items: list[JSONObject] = page.get("items") or []
        return items[0] if items else None

    def _view(self) -> View:
        now = self.timing.monotonic()
        self._trusted.see(self.live_bundle(), now)
        clock = self.client.clock
        return View(now=clock.now(), skew=clock.skew(), live=self._trusted.ages(now), refused=self._refused)

    def _again(self, work: str, error: KubeError) -> float:
        self.failed(work, error)
        return self.backoff.next(at_least=error.retry_after)

    def _say(self, *, held_back: bool) -> None:
        if held_back != self._waiting:
            self._waiting = held_back
            self.held_back(self.client.clock.skew() if held_back else timedelta())

    async def _write(self, found: JSONObject | None, changed: Secret) -> None:
        data = {key: base64.b64encode(value).decode() for key, value in sorted(changed.items())}
        if found is None:
            await self.client.create(self._collection.path, self._new(data))
        else:
            await self.client.replace(f"{self._collection.path}/{self.name}", {**found, "data": data})
        self.writes += 1
        fields = {"secret": f"{self.namespace}/{self.name}"}
        logger.info("certificates in the Secret renewed", extra={"fields": fields})

    def _serve(self, served: Served) -> None:
        """Serve a new pair; one that cannot be loaded is not offered twice, and is issued anew."""
        if served == self._served:
            return
        self._served = served
        try:
            self.serve(served)
        except InjectorError as error:
            self._refused = served.certificate
            self.failed("certificate", error)
            self.wake()
        else:
            self._refused = b""
            self.failed("certificate", None)

    def _new(self, data: Mapping[str, str]) -> JSONObject:
        metadata = {"name": self.name, "namespace": self.namespace, "labels": dict(PART_OF)}
        return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}

    @property
    def _collection(self) -> Collection:
        return Collection(path=f"/api/v1/namespaces/{self.namespace}/secrets", name=self.name)


def _decoded(secret: JSONObject | None) -> Secret:
    """Return the Secret's data decoded; a value that is not base64 cannot come from an API server."""
    data = (secret or {}).get("data") or {}
    try:
        return {key: base64.b64decode(value) for key, value in data.items()}
    except (binascii.Error, ValueError, TypeError, AttributeError):
        return {}
