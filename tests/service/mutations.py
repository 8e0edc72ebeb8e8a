"""Faults put into the product on purpose, in the process of a test: each is one that a load test must see."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Final

from injector.service import tls
from injector.service.files import FileSet
from injector.service.process import Service
from injector.service.server import Edge


def leave_unannounced() -> None:
    """Drain without `Connection: close`."""
    Edge.draining = property(lambda _: False, lambda _, draining: None)  # type: ignore[assignment]


def restart_for_a_pair() -> None:
    """End all connections when a new pair serves, as one does who begins to listen anew with it."""
    accept = Service._accept_reviews

    async def end_connections(service: Service) -> None:
        async with aclosing(service.mounted.pair.updates()) as pairs:
            await anext(pairs)
            async for _ in pairs:
                await service._edge.shutdown(0)

    async def accept_and_restart(service: Service) -> None:
        ending = asyncio.create_task(end_connections(service))
        try:
            await accept(service)
        finally:
            ending.cancel()

    Service._accept_reviews = accept_and_restart  # type: ignore[method-assign]


def take_any_pair() -> None:
    """Serve whatever certificate fits its key."""
    tls.KeyPair.fault = lambda *_: None  # type: ignore[assignment]
    tls._check_chain = lambda *_: None  # type: ignore[assignment]
    tls._check_use = lambda *_: ()  # type: ignore[assignment]


MUTATIONS: Final[dict[str, Callable[[], None]]] = {
    "unannounced": leave_unannounced,
    "restarts": restart_for_a_pair,
    "any pair": take_any_pair,
}
"""What `fake_service` does to itself before it serves, by name."""


def read_apart(paths: Iterable[Path | None]) -> FileSet:
    """Read files one after the other through the mount, which is swapped in between for as long as it changes."""
    contents: dict[Path, bytes] = {}
    for path in paths:
        if path is None:
            continue
        if contents:
            time.sleep(0.4)  # more than between two swaps of the test that uses this
        contents[path] = path.read_bytes()
    digest = hashlib.sha256(b"\0".join(contents.values())).hexdigest()
    return FileSet(contents=contents, digest=digest)
