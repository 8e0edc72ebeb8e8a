"""Read one consistent set of mounted files.

A ConfigMap or Secret is mounted as symbolic links through ``..data``, which the kubelet swaps by one rename.
All files of a mount are read from the folder to which ``..data`` pointed once: no set mixes two generations.
Only regular files inside the named folder are read: a FIFO never ends, opening a device may have effects, and
a link that leads elsewhere shows what was not mounted. A file system may never answer: all work with files is
done in a thread of its own, and given up when it hangs.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from injector.errors import ConfigError
from injector.injection.loading import LARGEST_FILE

T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
"""After so long file work counts as hung: a kubelet's mounts are in memory or on the node's disk, and read in
milliseconds. It is also the time between two checks of the files."""

ATTEMPTS: Final = 5
"""Attempts at a mount that is being swapped; two swaps in a row take the kubelet seconds."""

DATA: Final = "..data"

KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
"""What may be at the path of a regular file."""

OPENING: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
"""Safe flags in case the file was replaced after the check: follow no link, wait for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """The contents of a set of files, all of one generation; equal contents have an equal ``digest``."""

    contents: Mapping[Path, bytes]
    digest: str

    def text(self, path: Path | None) -> str | None:
        """Return a file as text, None for no path; ConfigError where it is not UTF-8."""
        if path is None:
            return None
        try:
            return self.contents[path].decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"is not UTF-8 at byte {error.start}", file=str(path)) from error


def read_files(paths: Iterable[Path | None]) -> FileSet:
    """Read the paths that are not None; ConfigError names the first that cannot be read."""
    wanted = [path for path in paths if path is not None]
    contents: dict[Path, bytes] = {}
    for folder in folders(wanted):
        contents |= _read_folder(folder, [path for path in wanted if path.parent == folder])
    return FileSet(contents=contents, digest=_digest(contents))


def folders(paths: Iterable[Path | None]) -> tuple[Path, ...]:
    """Return the folders to watch for the paths: the mounts, since the files themselves never change."""
    return tuple(dict.fromkeys(path.parent for path in paths if path is not None))


def hung(paths: Iterable[Path | None]) -> ConfigError:
    """Return the message about paths that `Disk` has given up."""
    return ConfigError(
        f"not read within {PATIENCE_SECONDS:g} s: the file system does not answer",
        file=", ".join(map(str, folders(paths))),
    )


def _read_folder(folder: Path, paths: list[Path]) -> dict[Path, bytes]:
    data = folder / DATA
    home = Path(os.path.realpath(folder))
    for _ in range(ATTEMPTS):
        generation = _target(data)
        try:
            contents = {path: _read(path, _within(path, data, generation), home) for path in paths}
        except FileNotFoundError as error:
            if _target(data) == generation:
                raise ConfigError("does not exist", file=error.filename) from error
            continue
        if _target(data) == generation:
            return contents
    raise ConfigError(f"was replaced {ATTEMPTS} times while it was being read", file=str(folder))


def _target(data: Path) -> str | None:
    try:
        return str(data.readlink())
    except OSError:
        return None


def _within(path: Path, data: Path, generation: str | None) -> Path:
    """Return the path of the file in one generation; a file beside a mount's ``..data`` is read as it is."""
    if generation is None:
        return path
    inside = data.parent / generation / path.name
    return inside if inside.exists() or not path.exists() else path


def _read(path: Path, place: Path, home: Path) -> bytes:
    """Return the content of a regular file at ``place``, inside ``home``; ConfigError for anything else.

    Errors call it ``path``, as the user does.
    """
    try:
        real = Path(os.path.realpath(place, strict=True))
        _check_place(path, real, home)
        _check_kind(path, real.stat())
        with os.fdopen(os.open(real, OPENING), "rb") as file:
            _check_kind(path, os.fstat(file.fileno()))
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"is larger than {LARGEST_FILE >> 20} MiB", file=str(path))
    return content


def _check_place(path: Path, real: Path, home: Path) -> None:
    # A mount below another may be swapped between the two checks; then the second one is right.
    if not (real.is_relative_to(home) or real.is_relative_to(os.path.realpath(path.parent))):
        raise ConfigError(f"is a link that leads out of its folder, to {real}", file=str(path))


def _check_kind(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ConfigError(f"is {kind}; only regular files are read", file=str(path))


def _digest(contents: Mapping[Path, bytes]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(contents.items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


class Disk:
    """Does file work in a thread: while one piece hangs, further work is given up at once.

    A mount that hangs would take all threads of a pool, and Python would wait for them at exit.
    """

    def __init__(self) -> None:
        self._work: Future[object] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Return the result of ``work``; TimeoutError where it hangs, or earlier work still does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.wrap_future(self._begin(work))

    def run_here(self, work: Callable[[], T]) -> T:
        """Do the same, blocking, where nothing else has to go on meanwhile."""
        return self._begin(work).result(PATIENCE_SECONDS)

    def _begin(self, work: Callable[[], T]) -> Future[T]:
        if self._work is not None and not self._work.done():
            raise TimeoutError
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._work = future  # type: ignore[assignment]

        def do() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - the waiting caller gets it
                future.set_exception(error)

        threading.Thread(target=do, name="disk", daemon=True).start()
        return future
