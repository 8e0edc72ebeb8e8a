"""-f arguments to documents: files, folders, stdin. Knows no kind and no template."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from injector.cli.files import FileError, read_text
from injector.kubeyaml import Document, documents

SUFFIXES = (".yaml", ".yml", ".json")
"""What is read of a folder, as kubectl does."""


def input_documents(filenames: Sequence[str], *, recursive: bool) -> Iterator[Document]:
    """Yield the documents of every input, in the order given; a folder's files in their names' order."""
    for filename in filenames:
        for source, text in _texts(filename, recursive=recursive):
            yield from documents(text, source=source)


def _texts(filename: str, *, recursive: bool) -> Iterator[tuple[str, str]]:
    if filename == "-":
        yield "<stdin>", _stdin()
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


def _stdin() -> str:
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = OSError(0, f"it is not UTF-8 (byte {error.start})")
        raise FileError("read it", "<stdin>", reason) from error
    if not text.strip():
        # Mostly the command in front of the pipe has failed: that is not to look like success.
        raise click.ClickException("<stdin> is empty: there is no manifest to read")
    return text
