"""A memory cgroup for one process: when it is full, the kernel kills a process in it, as in a container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class Cage:
    """A cgroup of v1 or v2 with a memory limit; `join` is a shell command that enters it."""

    def __init__(self, folder: Path, limit: int, *, unified: bool) -> None:
        self._folder = folder
        self._unified = unified
        folder.mkdir()
        (folder / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(limit))

    @property
    def join(self) -> str:
        """The shell commands before the process that is caged."""
        return f"echo $$ > {self._folder}/cgroup.procs"

    @property
    def kills(self) -> int:
        """Return how many processes in it were killed for lack of memory."""
        events = self._folder / ("memory.events" if self._unified else "memory.oom_control")
        counts = dict(line.split() for line in events.read_text().splitlines())
        return int(counts.get("oom_kill", 0))

    @property
    def peak(self) -> int:
        """Return the peak memory of all processes in it, including those that have ended."""
        name = "memory.peak" if self._unified else "memory.max_usage_in_bytes"
        return int((self._folder / name).read_text())

    def remove(self) -> None:
        """Remove it; its processes have ended."""
        with contextlib.suppress(OSError):  # a process that is being reaped: the next boot removes it
            self._folder.rmdir()


@contextlib.contextmanager
def caged(limit: int) -> Iterator[Cage | None]:
    """Make a cage; None where this user or system cannot have one."""
    unified = (ROOT / "cgroup.controllers").exists()
    parent = ROOT if unified else ROOT / "memory"
    try:
        cage = Cage(parent / f"sidecar-injector-{os.getpid()}", limit, unified=unified)
    except OSError:
        yield None
        return
    try:
        yield cage
    finally:
        cage.remove()
