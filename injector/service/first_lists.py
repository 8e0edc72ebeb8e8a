"""A replica is ready when its reviews know what the API server has listed, or after a bound without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from injector.kube.cluster import Failed
from injector.kube.errors import KubeError
from injector.service.companions import CompanionSurroundings
from injector.service.health import Readiness

WATCHED: Final = ("namespaces", "nodes", "proxyconfigs")
"""What reviews read of the cluster, by the names of its watches."""

FIRST_LISTS_SECONDS: Final = 5.0
"""How long a replica waits for the first list of each before it is ready. An API server lists thousands of
nodes in two; one that does not answer must not keep reviews from being answered."""


class FirstLists:
    """What was not listed yet, and for how long that counts: it counts once in the life of a replica."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._missing = set(WATCHED)
        self._complete = asyncio.Event()
        self._end = 0.0

    def begin(self, readiness: Readiness) -> None:
        """Hold readiness back from now on."""
        self._end = self._monotonic() + FIRST_LISTS_SECONDS
        readiness.require("cluster", self._reason)

    def heard(self, failed: Failed) -> Failed:
        """Return what a watch tells of its errors to, and of their end: it has listed all by then."""

        def heard(name: str, error: KubeError | None) -> None:
            failed(name, error)
            if error is None:
                self._missing.discard(name)
            if not self._missing:
                self._complete.set()

        return heard

    async def known(self, surroundings: CompanionSurroundings) -> None:
        """Have reviews know what was listed before the replica is ready; say so where that is not all."""
        try:
            async with asyncio.timeout(FIRST_LISTS_SECONDS):
                await self._complete.wait()
        except TimeoutError:
            missing = ", ".join(sorted(self._missing))
            surroundings.log.warning("reviews are answered before the cluster was listed", missing=missing)
        if generation := surroundings.generation.value:
            generation.reviewer.refresh()
        self._end = 0.0

    def _reason(self) -> str | None:
        """Return why not to be ready: the first pods would get something else than those after them."""
        if self._monotonic() >= self._end:
            return None
        return f"the API server has not listed {', '.join(sorted(self._missing)) or 'all'} yet"
