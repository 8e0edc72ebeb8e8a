"""Keep a dict in memory equal to a collection at the API server.

What ends a watch, and what follows:

=====================================  ==========================================================
the server's own time limit, clean EOF  watch on from the last resourceVersion, at once
410 as status or as ERROR event         list again, at once the first time
401, 403, 404, 429, 5xx                 wait (as Retry-After asks), then list again
refused, reset, cut line, silence       wait, then list again
cancelled                               the reflector ends; nothing else ends it
=====================================  ==========================================================

After every failure it lists again: what a broken watch has missed is unknown, and a list is cheap.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import Gone, KubeError
from injector.kube.waiting import Backoff

WATCH_SECONDS = (240, 300)
"""Seconds. The server ends a watch after a random time in this range, so that replicas do not return
together."""

IDLE_SECONDS = 330.0
"""More than the longest watch: silence beyond it means a dead connection, which is found within six
minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What to list and watch: the whole collection at ``path``, or only the object called ``name``.

    A field selector selects the object: RBAC's resourceNames allow list and watch only in this form.
    """

    path: str
    name: str = ""

    def parameters(self) -> dict[str, str | int | bool]:
        """Return the query that selects the same objects for the list and the watch."""
        return {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long a watch may last and may be silent, in seconds; tests make both short."""

    watch: tuple[int, int] = WATCH_SECONDS
    idle: float = IDLE_SECONDS
    monotonic: Callable[[], float] = time.monotonic


def ignore(*_: object) -> None:
    """Do nothing: the default callback."""


@dataclass(slots=True, kw_only=True, eq=False)
class Reflector:
    """Keeps ``objects`` equal to the collection while ``run`` runs: by ``name`` or ``namespace/name``.

    ``changed`` is called after every change of ``objects``, and once after the first list; ``failed`` with
    each error, and with None when the server answers again. ``keep`` reduces an object to what is needed.
    ``objects`` may be passed in, so that they outlive a reflector that is restarted.
    """

    client: KubeClient
    collection: Collection
    changed: Callable[[], None] = ignore
    failed: Callable[[KubeError | None], None] = ignore
    keep: Callable[[JSONObject], Any] = lambda item: item
    timing: Timing = field(default_factory=Timing)
    backoff: Backoff = field(default_factory=Backoff)
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    objects: dict[str, Any] = field(default_factory=dict)
    _version: str = ""
    _heard: float = 0.0

    def staleness(self) -> float:
        """Return the seconds since the server last sent anything; infinity before the first list."""
        return self.timing.monotonic() - self._heard if self.synced.is_set() else float("inf")

    async def run(self) -> None:
        """List and watch for ever."""
        while True:
            try:
                await self._list()
                while True:
                    await self._watch()
            except Gone as error:
                # Normal after a long silence; only a server that says it again and again is an error.
                await asyncio.sleep(self.backoff.next(at_least=error.retry_after))
            except KubeError as error:
                self.failed(error)
                await asyncio.sleep(self.backoff.next(at_least=error.retry_after))

    async def _list(self) -> None:
        found: dict[str, Any] = {}
        async for page in self.client.pages(self.collection.path, self.collection.parameters()):
            for item in page.get("items") or ():
                found[_key(item)] = self.keep(item)
        self._version = str(page["metadata"].get("resourceVersion", ""))
        # The dict stays the same object: others hold views of it.
        self.objects.clear()
        self.objects.update(found)
        self._alive()
        self.synced.set()
        self.changed()

    async def _watch(self) -> None:
        seconds = random.randint(*self.timing.watch)  # noqa: S311 - jitter, not a secret
        parameters = {
            **self.collection.parameters(),
            "resourceVersion": self._version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": seconds,
        }
        events = 0
        async for event in self.client.watch(self.collection.path, parameters, idle_seconds=self.timing.idle):
            events += 1
            self._take(event)
        if not events:
            # A server that ends every watch at once must not be asked thousands of times a second.
            await asyncio.sleep(self.backoff.next())

    def _take(self, event: JSONObject) -> None:
        item = event["object"]
        self._version = str(item["metadata"]["resourceVersion"])
        self._alive()
        if event["type"] == "BOOKMARK":
            return
        if event["type"] == "DELETED":
            self.objects.pop(_key(item), None)
        else:
            self.objects[_key(item)] = self.keep(item)
        self.changed()

    def _alive(self) -> None:
        self._heard = self.timing.monotonic()
        self.backoff.reset()
        self.failed(None)


def _key(item: JSONObject) -> str:
    metadata = item["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
