"""Keep the newest good value made from mounted files; the function that makes it is passed in.

Each unit reloads separately: a bad template must not keep a new certificate from being served, nor the other
way round. A value changes while others read it: one task sets it, all read it without a lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

from injector.errors import ConfigError, InjectorError
from injector.service.files import Disk, FileSet, hung, read_files
from injector.service.logs import Log, shorten
from injector.service.metrics import Metrics, ReloadState

T = TypeVar("T")

LONGEST_RETRY_SECONDS: Final = 600.0
"""The longest wait between tries: a refused content may become right once the cluster has changed, and who
changed it watches for about this long."""


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


@dataclass(slots=True, kw_only=True, eq=False)
class ReloadUnit(Generic[T]):
    """One set of files and the ``live`` value that ``make`` makes of it.

    ``in_thread`` is for values that take more than milliseconds to make: reviews go on meanwhile. ``taken``
    is called on the loop with each value once it serves. A rejected content is tried again after
    ``retry_seconds``, then after twice as long and so on: a certificate may become valid with time, and the
    cluster that a configuration is tried with may change. ``rejected`` is called with unit and reason, once
    for each unusable content; it must not wait.
    """

    name: str
    paths: tuple[Path, ...]
    make: Callable[[FileSet], T]
    live: Live[T]
    metrics: Metrics
    log: Log
    rejected: Callable[[str, str], None]
    in_thread: bool = False
    retry_seconds: float = 0.0
    taken: Callable[[T], None] = lambda _value: None
    clock: Callable[[], float] = time.monotonic
    fault: str | None = None
    _disk: Disk = field(default_factory=Disk)
    _wait: float = 0.0
    _next_try: float = 0.0
    _serving: str = ""
    _seen: str = ""

    @property
    def _state(self) -> ReloadState:
        return self.metrics.reload(self.name)

    def start(self) -> None:
        """Read and make the first value; ConfigError where that fails."""
        try:
            files = self._disk.run_here(partial(read_files, self.paths))
        except TimeoutError:
            raise hung(self.paths) from None
        self._serve(self.make(files), files)

    async def read(self) -> FileSet | ConfigError:
        """Read the files in a thread; return the fault where that fails."""
        try:
            return await self._disk.run(partial(read_files, self.paths))
        except TimeoutError:
            return hung(self.paths)
        except ConfigError as error:
            return error

    async def take(self, files: FileSet | ConfigError) -> None:
        """If the files changed, replace the value, or keep the serving one if the new files are bad."""
        if isinstance(files, ConfigError):
            self._reject(files, content=f"unreadable: {files}")
        elif files.digest == self._serving:
            self._heal(files.digest)
        elif files.digest != self._seen or self.clock() >= self._next_try:
            await self._try(files)

    async def _try(self, files: FileSet) -> None:
        start = time.monotonic()
        self._postpone(files.digest)
        try:
            value = await asyncio.to_thread(self.make, files) if self.in_thread else self.make(files)
        except InjectorError as error:
            self._reject(error, content=files.digest)
        except Exception as error:  # noqa: BLE001 - our own fault on new content must not end the watch
            if files.digest != self._seen:
                self.log.crash("new files crashed the loader", error, unit=self.name)
            self._reject(ConfigError(f"internal error: {type(error).__name__}"), content=files.digest)
        else:
            self.log.info("new files serve", unit=self.name, seconds=round(time.monotonic() - start, 3))
            self._serve(value, files)

    def _postpone(self, digest: str) -> None:
        """Set the time of the next try, for the case that this content is rejected now."""
        again = digest == self._seen
        self._wait = min(2 * self._wait, LONGEST_RETRY_SECONDS) if again else self.retry_seconds
        self._next_try = self.clock() + self._wait

    def _serve(self, value: T, files: FileSet) -> None:
        self.live.set(value)
        self._serving = self._seen = files.digest
        self._state.succeeded += 1
        self._state.last_success = time.time()
        self._heal(files.digest)
        self.taken(value)

    def _heal(self, digest: str) -> None:
        if self.fault is not None and self._seen != digest:
            self.log.info("the files that serve are back", unit=self.name)
        self._seen = digest
        self.fault = None
        self._state.healthy = True

    def _reject(self, error: InjectorError, *, content: str) -> None:
        """Keep what serves; report each content and reason once, count each content once."""
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
        self.rejected(self.name, self.fault)

    def _say(self, error: InjectorError) -> None:
        detail = error.detail if isinstance(error, ConfigError) else ""
        self.log.error(
            "new files are rejected, the last good ones serve",
            unit=self.name,
            reason=self.fault,
            **({"detail": shorten(detail)} if detail else {}),
        )
