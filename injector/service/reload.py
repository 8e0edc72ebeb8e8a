"""Mounted files in, the newest good value made from them out. Knows no meaning: how it is made is handed in.

Each unit reloads apart: a bad template must not keep a new certificate from being served, nor the other way
round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from injector.errors import ConfigError, InjectorError
from injector.service.files import FileSet, read_files
from injector.service.live import Live
from injector.service.logs import Log, shorten
from injector.service.metrics import Metrics

T = TypeVar("T")


Rejected = Callable[[str, str], None]
"""Told unit and reason, once for each content, when what is mounted cannot be used; must not wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """To whom a unit tells what became of its files."""

    metrics: Metrics
    log: Log
    rejected: Rejected


class ReloadUnit(Generic[T]):
    """One set of files and the `Live` value made from it.

    ``in_thread`` is for values that take more than milliseconds to make: reviews go on meanwhile.
    ``retry_rejected`` is for values that the clock can make good: a certificate which is not valid yet.
    """

    def __init__(
        self,
        name: str,
        paths: Iterable[Path | None],
        *,
        live: Live[T],
        make: Callable[[FileSet], T],
        reports: Reports,
        in_thread: bool = False,
        retry_rejected: bool = False,
    ) -> None:
        self.name = name
        self.paths = tuple(path for path in paths if path is not None)
        self.fault: str | None = None
        self._live = live
        self._make = make
        self._reports = reports
        self._state = reports.metrics.reload(name)
        self._in_thread = in_thread
        self._retry_rejected = retry_rejected
        self._serving = ""
        self._seen = ""

    def start(self) -> None:
        """Read and make the first value; ConfigError when it cannot be had."""
        files = read_files(self.paths)
        self._live.set(self._make(files))
        self._serves(files)

    async def refresh(self) -> None:
        """Read the files; where they changed, swap in what is made of them, or keep what serves."""
        try:
            files = read_files(self.paths)
        except ConfigError as error:
            self._reject(str(error), content=f"unreadable: {error}")
            return
        if files.digest == self._serving:
            self._heal(files.digest)
            return
        if files.digest == self._seen and not (self.fault and self._retry_rejected):
            return
        await self._try(files)

    async def _try(self, files: FileSet) -> None:
        start = time.monotonic()
        try:
            value = await asyncio.to_thread(self._make, files) if self._in_thread else self._make(files)
        except InjectorError as error:
            self._reject(str(error), content=files.digest)
        except Exception as error:  # noqa: BLE001 - our own fault on new content must not end the watch
            self._reports.log.crash("new files crashed the loader", error, unit=self.name)
            self._reject(f"internal error: {type(error).__name__}", content=files.digest)
        else:
            self._live.set(value)
            self._serves(files)
            self._heal(files.digest)
            self._reports.log.info(
                "new files serve",
                unit=self.name,
                digest=files.digest[:12],
                seconds=round(time.monotonic() - start, 3),
            )

    def _serves(self, files: FileSet) -> None:
        self._serving = self._seen = files.digest
        self._state.succeeded += 1
        self._state.last_success = time.time()

    def _heal(self, digest: str) -> None:
        if self.fault is not None and self._seen != digest:
            self._reports.log.info("the files that serve are back", unit=self.name, digest=digest[:12])
        self._seen = digest
        self.fault = None
        self._state.healthy = True

    def _reject(self, reason: str, *, content: str) -> None:
        if self.fault is not None and self._seen == content:
            return
        self._seen = content
        self.fault = shorten(reason)
        self._state.failed += 1
        self._state.healthy = False
        self._reports.log.error(
            "new files are rejected, the last good ones serve", unit=self.name, reason=self.fault
        )
        self._reports.rejected(self.name, self.fault)
