"""Keep the newest good value that can be made from mounted files; how it is made is handed in.

Each unit reloads apart: a bad template must not keep a new certificate from being served, nor the other way
round. A value changes while others read it: it is set by one, and read by all without a lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

from injector.errors import ConfigError, InjectorError
from injector.service.files import Disk, FileSet, hung, read_files
from injector.service.logs import Log, shorten
from injector.service.metrics import Metrics

T = TypeVar("T")

LONGEST_RETRY_SECONDS: Final = 600.0
"""A refused content may be right once the cluster has changed; whoever changed it looks for so long."""

Rejected = Callable[[str, str], None]
"""Told unit and reason, once for each content, when what is mounted cannot be used; must not wait."""


class Live(Generic[T]):
    """The newest value; a request reads ``value`` once and keeps what it got."""

    __slots__ = ("_changed", "_value")

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = asyncio.Event()

    @property
    def value(self) -> T:
        """The newest value."""
        return self._value

    def set(self, value: T) -> None:
        """Replace the value and wake every reader of `updates`; never waits for one."""
        self._value = value
        self._changed.set()
        self._changed = asyncio.Event()

    async def updates(self) -> AsyncGenerator[T, None]:
        """Yield the value now, then every newer one; a slow reader skips to the newest."""
        while True:
            changed = self._changed
            yield self._value
            await changed.wait()

    async def follow(self, act: Callable[[], None]) -> None:
        """Call ``act`` now and after each change, for ever."""
        async with aclosing(self.updates()) as updates:
            async for _ in updates:
                act()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """To whom a unit tells what became of its files."""

    metrics: Metrics
    log: Log
    rejected: Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Generic[T]):
    """How the value of a unit is made.

    ``in_thread`` is for values that take more than milliseconds: reviews go on meanwhile. ``taken`` is called
    on the loop with each value once it serves. A rejected content is tried again after ``retry_seconds``,
    then after twice as many and so on: the clock makes a certificate good that is not valid yet, and the
    cluster may change what a configuration is tried out with.
    """

    make: Callable[[FileSet], T]
    in_thread: bool = False
    retry_seconds: float = 0.0
    taken: Callable[[T], None] = lambda _value: None


class ReloadUnit(Generic[T]):
    """One set of files and the `Live` value made from it."""

    def __init__(
        self,
        name: str,
        paths: Iterable[Path | None],
        recipe: Recipe[T],
        *,
        live: Live[T],
        reports: Reports,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.paths = tuple(path for path in paths if path is not None)
        self.fault: str | None = None
        self._recipe = recipe
        self._live = live
        self._reports = reports
        self._state = reports.metrics.reload(name)
        self._clock = clock
        self._disk = Disk()
        self._wait = recipe.retry_seconds
        self._next_try = 0.0
        self._serving = ""
        self._seen = ""

    def start(self) -> None:
        """Read and make the first value; ConfigError when it cannot be had."""
        try:
            files = self._disk.run_here(partial(read_files, self.paths))
        except TimeoutError:
            raise hung(self.paths) from None
        self._serve(self._recipe.make(files), files)

    async def read(self) -> FileSet | ConfigError:
        """Read the files beside the loop; return the fault where that cannot be done."""
        try:
            return await self._disk.run(partial(read_files, self.paths))
        except TimeoutError:
            return hung(self.paths)
        except ConfigError as error:
            return error

    async def take(self, files: FileSet | ConfigError) -> None:
        """Where the files changed, swap in what is made of them, or keep what serves."""
        if isinstance(files, ConfigError):
            self._reject(files, content=f"unreadable: {files}")
        elif files.digest == self._serving:
            self._heal(files.digest)
        elif files.digest != self._seen or self._clock() >= self._next_try:
            await self._try(files)

    async def _try(self, files: FileSet) -> None:
        start = time.monotonic()
        self._postpone(files.digest)
        try:
            value = await self._make(files)
        except InjectorError as error:
            self._reject(error, content=files.digest)
        except Exception as error:  # noqa: BLE001 - our own fault on new content must not end the watch
            if files.digest != self._seen:
                self._reports.log.crash("new files crashed the loader", error, unit=self.name)
            self._reject(ConfigError(f"internal error: {type(error).__name__}"), content=files.digest)
        else:
            self._reports.log.info(
                "new files serve",
                unit=self.name,
                seconds=round(time.monotonic() - start, 3),
            )
            self._serve(value, files)

    async def _make(self, files: FileSet) -> T:
        make = self._recipe.make
        return await asyncio.to_thread(make, files) if self._recipe.in_thread else make(files)

    def _postpone(self, digest: str) -> None:
        """Say when a content is tried next if it is rejected now."""
        again = digest == self._seen
        self._wait = min(2 * self._wait, LONGEST_RETRY_SECONDS) if again else self._recipe.retry_seconds
        self._next_try = self._clock() + self._wait

    def _serve(self, value: T, files: FileSet) -> None:
        self._live.set(value)
        self._serving = self._seen = files.digest
        self._state.succeeded += 1
        self._state.last_success = time.time()
        self._heal(files.digest)
        self._recipe.taken(value)

    def _heal(self, digest: str) -> None:
        if self.fault is not None and self._seen != digest:
            self._reports.log.info("the files that serve are back", unit=self.name)
        self._seen = digest
        self.fault = None
        self._state.healthy = True

    def _reject(self, error: InjectorError, *, content: str) -> None:
        """Keep what serves; say it once for each content and reason, count it once for each content."""
        reason = shorten(str(error))
        if self.fault is not None and self._seen == content:
            if self.fault != reason:
                self.fault = reason
                self._say(error)
            return
        self._seen = content
        self.fault = reason
        self._state.failed += 1
        self._state.healthy = False
        self._say(error)
        self._reports.rejected(self.name, self.fault)

    def _say(self, error: InjectorError) -> None:
        detail = error.detail if isinstance(error, ConfigError) else ""
        self._reports.log.error(
            "new files are rejected, the last good ones serve",
            unit=self.name,
            reason=self.fault,
            **({"detail": shorten(detail)} if detail else {}),
        )
