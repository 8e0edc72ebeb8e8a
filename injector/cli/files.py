"""Read manifests from files, folders, stdin or https addresses; and write files, whole or not at all."""

from __future__ import annotations

import functools
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import click

from injector.cli.addresses import is_web, shown
from injector.cli.options import Command, Named, recursive_option, together
from injector.diagnosis.items import Item, items_of
from injector.errors import InjectorError, YAMLError
from injector.kubeyaml import Document, documents

SECRET = 0o600

SUFFIXES = (".yaml", ".yml", ".json")
"""The files of a folder that are read, as kubectl does."""

LARGEST_INPUT: Final = 256 << 20
"""Bytes of one file or of stdin: thousands of manifests. YAML of that length takes minutes, but it ends."""

INPUT: Final = Named(allow_dash=True, readable=False)
"""A file, a folder, ``-`` or an address, as text; shells complete it as a path. Whether it is readable is
found by reading it: click would report a file without permission as a usage error, but not a missing one."""


class FileError(InjectorError):
    """A file that cannot be read or written: its path and the system's reason."""

    def __init__(self, action: str, path: Path | str, error: OSError) -> None:
        super().__init__(f"{path}: cannot {action}: {error.strerror or error}")


def read_text(path: Path | str, *, largest: int = LARGEST_INPUT) -> str:
    """Return the text of ``path`` with its line ends unchanged.

    FileError if it is unreadable, not UTF-8, or of more than ``largest`` bytes.
    """
    try:
        with Path(path).open("rb") as file:
            return text_of(_read(file, path, largest), path)
    except OSError as error:
        raise FileError("read it", path, error) from error


def _read(file: BinaryIO, source: Path | str, largest: int = LARGEST_INPUT) -> bytes:
    """Return the content of a file; a device or a pipe may have no end."""
    content = file.read(largest + 1)
    if len(content) > largest:
        raise FileError("read it", source, OSError(0, f"it is larger than {largest >> 20} MiB"))
    return content


def text_of(content: bytes, source: Path | str) -> str:
    """Return the content of ``source`` as text; FileError if it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = OSError(0, f"it is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x})")
        raise FileError("read it", source, reason) from error


def write_whole(path: Path | str, content: bytes, *, mode: int | None = None) -> None:
    """Replace ``path`` by ``content`` in one step, so that a reader sees the old file or the new one.

    Without a ``mode`` the file keeps its own, and a new file gets what the umask leaves, as in a shell. What
    is not a regular file (``/dev/stdout``, a pipe) cannot be replaced and is written in place.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        _replace(path, content, mode)
    except OSError as error:
        raise FileError("write it", path, error) from error


def _replace(path: Path, content: bytes, mode: int | None) -> None:
    # A symbolic link stays a link: its target is replaced.
    target = path.resolve() if path.is_symlink() else path
    if mode is None and target.exists():
        mode = stat.S_IMODE(target.stat().st_mode)
    temporary = target.with_name(f".{target.name}.{secrets.token_urlsafe(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else SECRET)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


# ---- arguments that name manifests


def filename_option(text: str) -> Callable[[Command], Command]:
    """Return the option -f for manifests, with ``text`` as its help."""
    return click.option(
        "-f", "--filename", "filenames", multiple=True, type=INPUT, metavar="FILE|DIR|URL|-", help=text
    )


def input_options(command: Command) -> Command:
    """Add the arguments for manifests: ``filenames``, given with or without -f, and ``recursive``."""

    @functools.wraps(command)
    def with_all(*, filenames: Sequence[str], positional: Sequence[str], **rest: Any) -> Any:
        return command(filenames=(*filenames, *positional), **rest)

    add = together(
        click.argument("positional", nargs=-1, type=INPUT, metavar="[FILE|DIR|URL|-]..."),
        filename_option("Manifests, also without the -f; repeatable."),
        recursive_option,
    )
    return cast("Command", add(with_all))


def input_documents(filenames: Sequence[str], *, recursive: bool) -> Iterator[Document]:
    """Yield the documents of every input, in the given order; a folder's files are sorted by name."""
    for filename in filenames:
        for source, text in _texts(filename, recursive=recursive):
            yield from documents(text, source=source)


def input_items(filenames: Sequence[str], *, recursive: bool) -> list[Item]:
    """Return the objects of every input; raises ClickException with each document that is not YAML."""
    items: list[Item] = []
    faults: list[str] = []
    for filename in filenames:
        with _noting(faults):
            for document in input_documents((filename,), recursive=recursive):
                with _noting(faults):
                    items += items_of((document,))
    if faults:
        raise click.ClickException("\n".join(faults))
    return items


@contextmanager
def _noting(faults: list[str]) -> Iterator[None]:
    try:
        yield
    except YAMLError as error:
        faults.append(str(error))


def _texts(filename: str, *, recursive: bool) -> Iterator[tuple[str, str]]:
    if filename == "-":
        yield "<stdin>", stdin_text()
        return
    if is_web(filename):
        from injector.cli.web import fetch  # noqa: PLC0415 - a tenth of a second that files need not cost

        yield shown(filename), text_of(fetch(filename), shown(filename))
        return
    try:
        found = _files(Path(filename), recursive=recursive)
    except OSError as error:
        raise FileError("read it", error.filename or filename, error) from error
    if not found:
        raise click.ClickException(f"{filename}: the folder holds no {', '.join(SUFFIXES)} file")
    for each in found:
        yield each, read_text(each)


def _files(path: Path, *, recursive: bool) -> list[str]:
    """Return a file itself, or a folder's files that are read; OSError where a folder is unreadable."""
    if not path.is_dir():
        return [str(path)]
    found: list[Path] = []
    for folder, below, names in os.walk(path, onerror=_refuse):
        found += (Path(folder, name) for name in names)
        if not recursive:
            below.clear()
    return [str(each) for each in sorted(found) if each.suffix in SUFFIXES and each.is_file()]


def _refuse(error: OSError) -> None:
    raise error


def stdin_text() -> str:
    """Return all of stdin; FileError when it is unreadable or not UTF-8."""
    try:
        text = text_of(_read(sys.stdin.buffer, "<stdin>"), "<stdin>")
    except OSError as error:
        raise FileError("read it", "<stdin>", error) from error
    if not text.strip():
        # Usually the command in front of the pipe has failed: that must not look like success.
        raise click.ClickException("<stdin> is empty: there is no manifest to read")
    return text
