"""Folders that change, go, come back, or cannot be watched."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
from watchfiles._rust_notify import WatchfilesRustInternalError

from injector.service import watch as watching
from injector.service.watch import FolderWatch
from tests.conftest import PATIENCE
from tests.service.kit import Mount

pytestmark = pytest.mark.slow  # each waits for a folder to be looked at again


class Ticks:
    """Counts the ticks of a watch, and what it complained about."""

    def __init__(self, *folders: Path, recheck: float = 60) -> None:
        self.count = 0
        self.complaints: list[str] = []
        self.watch = FolderWatch(folders, recheck_seconds=recheck, complain=self._complain)
        self.task = asyncio.create_task(self._run())

    def _complain(self, message: str, *, reason: str) -> None:
        self.complaints.append(reason)

    async def _run(self) -> None:
        async with aclosing(self.watch.ticks()) as ticks:
            async for _ in ticks:
                self.count += 1

    async def armed(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.watch.armed:
                await asyncio.sleep(0.01)

    async def more(self, than: int = -1) -> int:
        """Wait for a tick beyond ``than`` (by default beyond those so far)."""
        limit = self.count if than < 0 else than
        async with asyncio.timeout(PATIENCE):
            while self.count <= limit:
                await asyncio.sleep(0.01)
        return self.count

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_every_swap_of_a_mount_is_noticed(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"a": "0"})
    ticks = Ticks(mount.folder)
    await ticks.armed()
    for number in range(5):
        before = ticks.count
        mount.swap({"a": str(number)})
        await ticks.more(before)
    await ticks.stop()
    assert not ticks.complaints


async def test_a_folder_that_is_replaced_is_watched_again(tmp_path: Path) -> None:
    mount = Mount(tmp_path / "m")
    mount.swap({"a": "0"})
    ticks = Ticks(mount.folder)
    await ticks.armed()
    before = ticks.count
    shutil.rmtree(mount.folder)
    await ticks.more(before)
    mount.folder.mkdir()
    await ticks.more()
    await ticks.armed()
    before = ticks.count
    mount.swap({"a": "1"})
    await ticks.more(before)
    await ticks.stop()


async def test_a_folder_that_comes_late_is_watched(tmp_path: Path) -> None:
    late = tmp_path / "late"
    ticks = Ticks(late)
    await ticks.more()
    late.mkdir()
    await ticks.armed()
    before = ticks.count
    (late / "x").write_text("x")
    await ticks.more(before)
    await ticks.stop()


async def test_the_clock_ticks_where_nothing_changes(tmp_path: Path) -> None:
    ticks = Ticks(tmp_path, recheck=0.2)
    await ticks.armed()
    await ticks.more()
    await ticks.more()
    await ticks.stop()


async def test_without_inotify_it_polls_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = watching.watch

    def watch(*paths: Path, force_polling: bool | None, **more: object) -> object:
        if not force_polling:
            raise WatchfilesRustInternalError("Too many open files")
        return real(*paths, force_polling=force_polling, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(watching, "watch", watch)
    ticks = Ticks(tmp_path)
    await ticks.armed()
    before = ticks.count
    (tmp_path / "x").write_text("x")
    await ticks.more(before)
    await ticks.stop()
    assert ticks.complaints == ["Too many open files"]


async def test_the_clock_ticks_beside_a_folder_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, real = threading.Event(), Path.is_dir

    def is_dir(path: Path) -> bool:
        return over.wait() if path == tmp_path else real(path)

    monkeypatch.setattr(Path, "is_dir", is_dir)
    ticks = Ticks(tmp_path, recheck=0.05)
    await ticks.more(3)
    assert not ticks.watch.armed
    over.set()
    await ticks.armed()
    await ticks.stop()


async def test_a_watch_that_hangs_later_is_not_armed_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, hangs, real = threading.Event(), threading.Event(), watching._identities

    def identities(folders: Sequence[Path]) -> list[tuple[int, int] | None]:
        if hangs.is_set():
            over.wait()
        return real(folders)

    monkeypatch.setattr(watching, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(watching, "_identities", identities)
    ticks = Ticks(tmp_path, recheck=0.05)
    await ticks.armed()
    hangs.set()
    async with asyncio.timeout(PATIENCE):
        while ticks.watch.armed:
            await asyncio.sleep(0.01)
    await ticks.more()
    over.set()
    await ticks.armed()
    await ticks.stop()
