"""Tick whenever something may have changed in watched folders, and by the clock.

The only module that uses watchfiles. A tick promises nothing and names nothing: what it wakes reads all
of it again and compares contents, since reported paths cannot be relied on and some file systems report none.

Everything that touches the folders happens in one thread, which may hang with a mount: the clock ticks on.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from watchfiles import watch
from watchfiles._rust_notify import WatchfilesRustInternalError

from injector.kube.waiting import wait_for

DEBOUNCE_MS: Final = 200
"""A kubelet's swap is five steps within milliseconds; plain files may be written one after another."""

POLLING_MS: Final = 1000
"""Where inotify cannot be had, watchfiles stats the folders once a second."""

REARM_SECONDS: Final = 1.0
"""How long a watch that could not be set up, or that fell down, waits before the next try; also how often one
that hears nothing looks whether its folders are still the same."""

SILENT_SECONDS: Final = 10 * REARM_SECONDS
"""After which a thread that has not looked at its folders hangs with them."""


class FolderWatch:
    """Watches folders without their subfolders.

    ``complain`` is told, once for each ``reason``, that they cannot be watched as wished.
    """

    def __init__(
        self, folders: Sequence[Path], *, recheck_seconds: float, complain: Callable[..., None]
    ) -> None:
        self._folders = folders
        self._recheck = recheck_seconds
        self._complain = complain
        self._polling = False
        self._said: set[str] = set()
        self._armed = False
        self._heard = 0.0

    @property
    def armed(self) -> bool:
        """Whether changes are told by events, and not found by the clock alone."""
        return self._armed and time.monotonic() - self._heard < SILENT_SECONDS

    async def ticks(self) -> AsyncGenerator[None, None]:
        """Yield on each event, each ``recheck_seconds``, and after a folder was replaced; for ever."""
        loop, news, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def on_loop(call: Callable[[], None]) -> None:
            """Have something called on the loop, if that still turns."""
            if not over.is_set():
                with contextlib.suppress(RuntimeError):  # it was closed in between
                    loop.call_soon_threadsafe(call)

        arguments = (partial(on_loop, news.set), on_loop, over)
        threading.Thread(target=self._run, args=arguments, name="folder-watch", daemon=True).start()
        try:
            while True:
                await wait_for(news, self._recheck)
                news.clear()
                yield
        finally:
            over.set()

    def _run(
        self, tell: Callable[[], None], on_loop: Callable[[Callable[[], None]], None], over: threading.Event
    ) -> None:
        """Watch in a thread until it is over; ``tell`` makes a tick."""
        while not over.is_set():
            # Asked here first: watchfiles looks at the folders while it holds the interpreter, which must not
            # be held by a mount that hangs.
            present = [folder for folder in self._folders if folder.is_dir()]
            try:
                if present:
                    self._follow(present, tell, over)
            except (OSError, WatchfilesRustInternalError) as error:
                self._fell(error, on_loop)
            self._armed = False
            tell()
            over.wait(min(REARM_SECONDS, self._recheck))

    def _follow(self, present: list[Path], tell: Callable[[], None], over: threading.Event) -> None:
        """Tell of events until a folder came, went or was replaced: a watch stays on one that is gone."""
        armed_for = _identities(self._folders)
        changes_of = watch(
            *present,
            watch_filter=None,
            recursive=False,
            debounce=DEBOUNCE_MS,
            stop_event=over,
            rust_timeout=int(REARM_SECONDS * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self._polling or None,
            poll_delay_ms=POLLING_MS,
        )
        for changes in changes_of:
            self._heard = time.monotonic()
            # The first word of the watch, within a second, ticks whatever it says: what changed before it was
            # armed would go unseen otherwise.
            if changes or not self._armed:
                tell()
            self._armed = True
            if _identities(self._folders) != armed_for:
                return

    def _fell(self, error: Exception, on_loop: Callable[[Callable[[], None]], None]) -> None:
        reason = str(error)
        if not isinstance(error, FileNotFoundError):
            # No inotify instance left (128 a user by default), or none at all: ask the file system itself.
            self._polling = True
        if reason not in self._said:
            self._said.add(reason)
            message = "folders cannot be watched by events, falling back to polling"
            on_loop(partial(self._complain, message, reason=reason))


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
