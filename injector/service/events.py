"""Post Kubernetes Events about objects of our namespace; they wait while the API server is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import ApiError, KubeError

EVENT_CHARACTERS: Final = 1000
"""The API server accepts 1,024 characters in an Event's message."""

EVENTS_KEPT: Final = 16
"""Events queued while the API server is away; older ones are not of interest any more."""

RETRY_SECONDS: Final = 30.0
"""Seconds before an Event is posted again."""


class Events:
    """A queue of Events by the replica ``identity``; ``now`` is the time that they show."""

    def __init__(self, namespace: str, identity: str, now: Callable[[], datetime]) -> None:
        self._namespace = namespace
        self._identity = identity
        self._now = now
        self._queue: deque[JSONObject] = deque(maxlen=EVENTS_KEPT)
        self._added = asyncio.Event()

    def warn(self, kind: str, name: str, reason: str, message: str) -> None:
        """Queue a Warning on an object of the namespace."""
        time = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        event: JSONObject = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name}.", "namespace": self._namespace},
            "involvedObject": {"apiVersion": "v1", "kind": kind, "namespace": self._namespace, "name": name},
            "type": "Warning",
            "reason": reason,
            "message": message[:EVENT_CHARACTERS],
            "source": {"component": "sidecar-injector", "host": self._identity},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }
        self._queue.append(event)
        self._added.set()

    async def post(self, client: KubeClient) -> None:
        """Post what is queued, for ever."""
        path = f"/api/v1/namespaces/{self._namespace}/events"
        while True:
            await self._added.wait()
            self._added.clear()
            while self._queue:
                event = self._queue.popleft()
                try:
                    await client.create(path, event)
                except KubeError as error:
                    # The log and the metric already have it; an Event is for those who look later.
                    if _may_pass(error):
                        if len(self._queue) < EVENTS_KEPT:  # newer ones may have come in the meantime
                            self._queue.appendleft(event)
                        await asyncio.sleep(RETRY_SECONDS)


def _may_pass(error: KubeError) -> bool:
    """Return whether the API server is away or overloaded, and may accept later what it refused now."""
    return not isinstance(error, ApiError) or error.code == 429 or error.code >= 500
