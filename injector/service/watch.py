"""Tick whenever something may have changed in watched folders, and periodically.

The only module that uses watchfiles. A tick promises nothing and names nothing: the receiver reads everything
again and compares contents, since reported paths are not reliable and some file systems report none.

Everything that touches the folders happens in one thread, which may hang with a mount; the periodic ticks go
on.
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
"""Where inotify is not available, watchfiles stats the folders once a second."""

REARM_SECONDS: Final = 1.0
"""Wait before the next try after a watch failed or could not be set up; also how often a watch without events
checks that its folders are still the same."""

SILENT_SECONDS: Final = 10 * REARM_SECONDS
"""A thread that has not checked its folders for so long hangs with them."""


class FolderWatch:
    """Watches folders without their subfolders.

    ``complain`` is called once for each ``reason`` why they cannot be watched as wished.
    """

    def __init__(
        self, folders: Sequence[Path], *, recheck_seconds: float, complain: Callable[..., None]
    ) -> None:
        self._folders = folders
        self._recheck = recheck_seconds
        self._complain = complain
        self._polling = False
        self._reported: set[str] = set()
        self._armed = False
        self._heard = 0.0

    @property
    def armed(self) -> bool:
        """Return whether events report changes; otherwise only the periodic ticks find them."""
        return self._armed and time.monotonic() - self._heard < SILENT_SECONDS

    async def ticks(self) -> AsyncGenerator[None, None]:
        """Yield on each event, each ``recheck_seconds``, and after a folder was replaced; for ever."""
        loop, news, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        def on_loop(call: Callable[[], None]) -> None:
            """Call a function on the loop, if it still runs."""
            if not over.is_set():
                with contextlib.suppress(RuntimeError):  # it was closed in the meantime
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
        """Watch in a thread until the watch is over; ``tell`` makes a tick."""
        while not over.is_set():
            # Checked here first: watchfiles looks at the folders while it holds the interpreter lock, and a
            # mount that hangs must not hold that.
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
        """Report events until a folder came, went or was replaced: a watch stays on the old folder."""
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
            # The first report of the watch, within a second, ticks in any case: changes from before it was
            # armed would otherwise be missed.
            if changes or not self._armed:
                tell()
            self._armed = True
            if _identities(self._folders) != armed_for:
                return

    def _fell(self, error: Exception, on_loop: Callable[[Callable[[], None]], None]) -> None:
        reason = str(error)
        if not isinstance(error, FileNotFoundError):
            # No inotify instance is left (128 per user by default), or there is none: poll the file system.
            self._polling = True
        if reason not in self._reported:
            self._reported.add(reason)
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
