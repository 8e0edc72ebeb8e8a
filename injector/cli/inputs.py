"""Arguments that name manifests to documents: files, folders, stdin, https."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import click

from injector.cli.files import FileError, read_text, text_of
from injector.cli.options import Command, recursive_option, together
from injector.kubeyaml import Document, documents

SUFFIXES = (".yaml", ".yml", ".json")
"""What is read of a folder, as kubectl does."""

WEB: Final = ("http://", "https://")

INPUT: Final = click.Path(allow_dash=True)
"""A file, a folder, ``-`` or an address, as text; shells complete it as a path."""


def input_options(command: Command) -> Command:
    """Add how manifests are named; the command gets ``filenames``, with and without -f, and ``recursive``."""

    @functools.wraps(command)
    def with_all(*, filenames: Sequence[str], positional: Sequence[str], **rest: Any) -> Any:
        return command(filenames=(*filenames, *positional), **rest)

    add = together(
        click.argument("positional", nargs=-1, type=INPUT, metavar="[FILE|DIR|URL|-]..."),
        click.option(
            "-f",
            "--filename",
            "filenames",
            multiple=True,
            type=INPUT,
            metavar="FILE|DIR|URL|-",
            help="Manifests, also without the -f; repeatable.",
        ),
        recursive_option,
    )
    return cast("Command", add(with_all))


def input_documents(filenames: Sequence[str], *, recursive: bool) -> Iterator[Document]:
    """Yield the documents of every input, in the order given; a folder's files in their names' order."""
    for filename in filenames:
        for source, text in _texts(filename, recursive=recursive):
            yield from documents(text, source=source)


def _texts(filename: str, *, recursive: bool) -> Iterator[tuple[str, str]]:
    if filename == "-":
        yield "<stdin>", stdin_text()
        return
    if filename.startswith(WEB):
        from injector.cli.web import fetch  # noqa: PLC0415 - a tenth of a second that files need not cost

        yield filename, text_of(fetch(filename), filename)
        return
    path = Path(filename)
    if not path.is_dir():
        yield filename, read_text(path)
        return
    found = [each for each in _walk(path, recursive=recursive) if each.suffix in SUFFIXES]
    if not found:
        raise click.ClickException(f"{filename}: the folder holds no {', '.join(SUFFIXES)} file")
    for each in found:
        yield str(each), read_text(each)


def _walk(folder: Path, *, recursive: bool) -> list[Path]:
    return sorted(each for each in (folder.rglob("*") if recursive else folder.iterdir()) if each.is_file())


def stdin_text() -> str:
    """Return all of stdin; FileError when it cannot be read or is not UTF-8."""
    try:
        text = text_of(sys.stdin.buffer.read(), "<stdin>")
    except OSError as error:
        raise FileError("read it", "<stdin>", error) from error
    if not text.strip():
        # Mostly the command in front of the pipe has failed: that is not to look like success.
        raise click.ClickException("<stdin> is empty: there is no manifest to read")
    return text
