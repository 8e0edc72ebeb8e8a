"""Folders in, a tick whenever something may have changed in them out. Knows nothing of what the files mean.

The only module that knows watchfiles. A tick promises nothing and names nothing: what it wakes reads all
of it again and compares contents, since reported paths cannot be relied on and some file systems report none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

from watchfiles import awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

DEBOUNCE_MS: Final = 200
"""A kubelet's swap is five steps within milliseconds; plain files may be written one after another."""

POLLING_MS: Final = 1000
"""Where inotify cannot be had, watchfiles stats the folders once a second."""

REARM_SECONDS: Final = 1.0
"""How long a watch that could not be set up, or that fell down, waits before the next try."""


class Complaint(Protocol):
    """Told, once for each cause, that folders cannot be watched as wished."""

    def __call__(self, message: str, *, reason: str) -> None:
        """Say it to the operator."""


class FolderWatch:
    """Watches folders without their subfolders; ``armed`` tells whether events come or only the clock."""

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        recheck_seconds: float,
        complain: Complaint,
        force_polling: bool = False,
    ) -> None:
        self.armed = False
        self._folders = folders
        self._recheck = recheck_seconds
        self._complain = complain
        self._polling = force_polling
        self._said: set[str] = set()

    async def ticks(self) -> AsyncGenerator[None, None]:
        """Yield on each event, each ``recheck_seconds``, and after a folder was replaced; for ever."""
        while True:
            present = [folder for folder in self._folders if folder.is_dir()]
            try:
                if present:
                    async with aclosing(self._events(present)) as events:
                        async for _ in events:
                            yield
            except (OSError, WatchfilesRustInternalError) as error:
                self._fell(error)
            self.armed = False
            yield
            await asyncio.sleep(min(REARM_SECONDS, self._recheck))

    async def _events(self, present: list[Path]) -> AsyncGenerator[None, None]:
        """Yield until a folder came, went or was replaced: a watch stays on the folder that is gone."""
        armed_for = _identities(self._folders)
        changes_of = awatch(
            *present,
            watch_filter=None,
            recursive=False,
            debounce=DEBOUNCE_MS,
            rust_timeout=int(min(self._recheck, REARM_SECONDS) * 1000),
            yield_on_timeout=True,
            force_polling=self._polling or None,
            poll_delay_ms=POLLING_MS,
        )
        self.armed = True
        loop = asyncio.get_running_loop()
        # The first word of the watch, within a second, ticks whatever it says: what changed before it was
        # armed would go unseen otherwise.
        next_recheck = loop.time()
        async with aclosing(changes_of):
            async for changes in changes_of:
                if changes or loop.time() >= next_recheck:
                    next_recheck = loop.time() + self._recheck
                    yield
                if _identities(self._folders) != armed_for:
                    return

    def _fell(self, error: Exception) -> None:
        reason = str(error)
        if not isinstance(error, FileNotFoundError):
            # No inotify instance left (128 a user by default), or none at all: ask the file system itself.
            self._polling = True
        if reason not in self._said:
            self._said.add(reason)
            self._complain("folders cannot be watched by events, falling back to polling", reason=reason)


def _identities(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino))
    return found
