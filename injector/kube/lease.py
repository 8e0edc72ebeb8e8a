"""Elect a leader among several replicas by a coordination.k8s.io Lease.

The holder renews every ``retry`` seconds. A holder that cannot renew for ``renew_deadline`` seconds stops
leading before any other may start: others wait ``duration`` seconds after the last renewal that *they* saw,
on their own monotonic clocks. No two clocks are ever compared.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from injector.json_types import JSONObject
from injector.kube.client import KubeClient
from injector.kube.errors import Conflict, KubeError, NotFound
from injector.kube.reflector import ignore

API = "apis/coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTiming:
    """Seconds, with the relations and values that Kubernetes' own components use."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    monotonic: Callable[[], float] = time.monotonic


@dataclass(slots=True, kw_only=True, eq=False)
class LeaseElector:
    """Runs ``lead`` while this ``identity`` holds the Lease ``namespace/name``; again after every loss.

    ``failed`` is called with each error that keeps this replica from leading, and with None after a success.
    """

    client: KubeClient
    namespace: str
    name: str
    identity: str
    failed: Callable[[KubeError | None], None] = ignore
    timing: LeaseTiming = field(default_factory=LeaseTiming)
    leading: bool = False
    _seen: tuple[str, str] = ("", "")
    _seen_at: float = float("-inf")

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Try to get the Lease, for ever; when it is lost, ``lead`` is cancelled and awaited."""
        while True:
            if await self._tried():
                await self._lead(lead)
            await asyncio.sleep(self.timing.retry * random.uniform(1.0, 1.2))  # noqa: S311 - jitter

    async def _lead(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.leading = True
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(lead())
                await self._renew_until_lost()
                work.cancel()
        finally:
            self.leading = False
            # So the next holder need not wait for the Lease to expire.
            await asyncio.shield(self._release())

    async def _renew_until_lost(self) -> None:
        deadline = self._deadline()
        while True:
            await asyncio.sleep(self.timing.retry)
            try:
                async with asyncio.timeout(max(0.0, deadline - self.timing.monotonic())):
                    if await self._tried():
                        deadline = self._deadline()
                    elif self._seen[0] != self.identity:
                        return
            except TimeoutError:
                return

    def _deadline(self) -> float:
        return self.timing.monotonic() + self.timing.renew_deadline

    async def _tried(self) -> bool:
        """Return whether the Lease was taken or renewed: False while another holds it."""
        try:
            acquired = await self._acquired()
        except Conflict:  # another was faster
            acquired = False
        except KubeError as error:
            self.failed(error)
            return False
        self.failed(None)
        return acquired

    async def _acquired(self) -> bool:
        try:
            lease = await self.client.get(self._path)
        except NotFound:
            taken = self._new()
            await self.client.create(self._collection, taken)
            self._see(taken)
            return True
        self._see(lease)
        age = self.timing.monotonic() - self._seen_at
        if self._seen[0] not in ("", self.identity) and age <= self.timing.duration:
            return False
        taken = _held(lease, self.identity, self.timing.duration)
        await self.client.replace(self._path, taken)
        self._see(taken)
        return True

    def _see(self, lease: JSONObject) -> None:
        """Note the Lease's holder and renewal time, and when this state was first seen."""
        spec = lease.get("spec") or {}
        seen = (str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or ""))
        if seen != self._seen:
            self._seen, self._seen_at = seen, self.timing.monotonic()

    async def _release(self) -> None:
        """Give the Lease up, within the time of one try: stopping must not wait for an API server."""
        with suppress(KubeError, TimeoutError):
            async with asyncio.timeout(self.timing.retry):
                lease = await self.client.get(self._path)
                if (lease.get("spec") or {}).get("holderIdentity") == self.identity:
                    await self.client.replace(self._path, _held(lease, "", 1.0))

    @property
    def _collection(self) -> str:
        return f"/{API}/namespaces/{self.namespace}/leases"

    @property
    def _path(self) -> str:
        return f"{self._collection}/{self.name}"

    def _new(self) -> JSONObject:
        lease: JSONObject = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self.namespace},
        }
        return _held(lease, self.identity, self.timing.duration)


def _held(lease: JSONObject, identity: str, duration: float) -> JSONObject:
    """Return ``lease`` held by ``identity`` from now on; an empty one releases it."""
    before = lease.get("spec") or {}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    same = before.get("holderIdentity") == identity
    spec = {
        **before,
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, round(duration)),
        "renewTime": now,
        "acquireTime": before.get("acquireTime", now) if same else now,
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if same else 1),
    }
    return {**lease, "spec": spec}
