"""Paths in, one consistent set of their contents out. Knows nothing of what the files mean.

A ConfigMap or Secret is mounted as symbolic links through ``..data``, which the kubelet swaps by one rename.
All files of a mount are read from the folder that ``..data`` named once: no set mixes two generations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from injector.errors import ConfigError

LARGEST_FILE: Final = 8 << 20
"""Bytes of one file, eight times what a ConfigMap or Secret can hold: a device must not fill the memory."""

ATTEMPTS: Final = 5
"""Reads of a mount that is swapped meanwhile; two swaps in a row take the kubelet seconds."""

DATA: Final = "..data"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSet:
    """The contents of a set of files, all of one generation; ``digest`` is equal when the contents are."""

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
    for folder in dict.fromkeys(path.parent for path in wanted):
        contents |= _read_folder(folder, [path for path in wanted if path.parent == folder])
    return FileSet(contents=contents, digest=_digest(contents))


def folders(paths: Iterable[Path | None]) -> tuple[Path, ...]:
    """Return the folders to watch for the paths: the mounts, not the files, which never change themselves."""
    return tuple(dict.fromkeys(path.parent for path in paths if path is not None))


def _read_folder(folder: Path, paths: list[Path]) -> dict[Path, bytes]:
    data = folder / DATA
    for _ in range(ATTEMPTS):
        generation = _target(data)
        try:
            contents = {path: _read(_within(path, data, generation)) for path in paths}
        except FileNotFoundError as error:
            if _target(data) == generation:
                raise ConfigError("does not exist", file=str(folder / Path(error.filename).name)) from error
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
    """Return where the file of one generation lies; a file beside a mount's ``..data`` is read as it is."""
    if generation is None:
        return path
    inside = data.parent / generation / path.name
    return inside if inside.exists() or not path.exists() else path


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"is larger than {LARGEST_FILE >> 20} MiB", file=str(path))
    return content


def _digest(contents: Mapping[Path, bytes]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(contents.items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
