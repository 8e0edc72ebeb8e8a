"""Bytes to files, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from injector.errors import InjectorError

PUBLIC = 0o644
SECRET = 0o600


class FileError(InjectorError):
    """A file that cannot be read or written: path and the system's reason."""

    def __init__(self, action: str, path: Path | str, error: OSError) -> None:
        super().__init__(action, str(path), error)
        self.action = action
        self.path = path
        self.error = error

    def __str__(self) -> str:
        """Name the file first: it is what the reader has to look at."""
        return f"{self.path}: cannot {self.action}: {self.error.strerror or self.error}"


def read_text(path: Path | str) -> str:
    """Return the text of ``path``, its line ends as they are; FileError if it is unreadable or not UTF-8."""
    try:
        return text_of(Path(path).read_bytes(), path)
    except OSError as error:
        raise FileError("read it", path, error) from error


def text_of(content: bytes, source: Path | str) -> str:
    """Return what was read from ``source`` as text; FileError if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = OSError(0, f"it is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x})")
        raise FileError("read it", source, reason) from error


def write_whole(path: Path | str, content: bytes, *, mode: int = PUBLIC) -> None:
    """Replace ``path`` by ``content`` in one step, so that a reader sees the old file or the new one.

    What is not a regular file (``/dev/stdout``, a pipe) cannot be replaced and is written in place.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        _replace(path, content, mode)
    except OSError as error:
        raise FileError("write it", path, error) from error


def write_all(files: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write several files, each whole, in the order given."""
    for path, (content, mode) in files.items():
        write_whole(path, content, mode=mode)


def _replace(path: Path, content: bytes, mode: int) -> None:
    # A symbolic link stays one: what it names is replaced.
    target = path.resolve() if path.is_symlink() else path
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
