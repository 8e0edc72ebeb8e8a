"""Two JSON documents to a diff that a person reads, in colour where asked."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click

from injector.json_types import JSON
from injector.kubeyaml import dump

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def difference(before: JSON, after: JSON, *, context: int = 3) -> Iterator[str]:
    """Yield the lines of a unified diff of both as YAML, without ends; none when they are equal."""
    lines = difflib.unified_diff(
        dump(before).splitlines(), dump(after).splitlines(), fromfile="before", tofile="after", n=context
    )
    for line in lines:
        yield line.rstrip("\n")


def coloured(line: str) -> str:
    """Return a diff's line in the colour of what it says."""
    if line.startswith(("+++", "---")):
        return click.style(line, bold=True)
    colour = COLOURS.get(line[:1])
    return click.style(line, fg=colour) if colour else line
