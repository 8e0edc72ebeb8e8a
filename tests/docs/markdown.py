"""Markdown pages to what tests look at: links, anchors, blocks of code with the comment before each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conftest import ROOT

OTHERS: Final = frozenset(
    (".venv", ".venv-docs", "build", "dist", ".git", "node_modules", ".pytest_cache", ".ruff_cache")
)
LINK: Final = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
MARK: Final = re.compile(r"<!-- (.+?) -->")
FENCE: Final = re.compile(r"^ *(```+|~~~+) *(\w*)")


def pages() -> list[Path]:
    """Return every Markdown page of the repository."""
    found = (path for path in ROOT.rglob("*.md") if not OTHERS & set(path.relative_to(ROOT).parts))
    return sorted(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code: its ``language``, "" where none is said, and the comment before it as ``mark``."""

    text: str
    language: str = ""
    mark: str = ""


def blocks(text: str) -> Iterator[Block]:
    """Yield fenced and indented blocks in their order."""
    lines = iter(text.splitlines())
    mark, blank, listed = "", True, False
    indented: list[str] = []
    for line in lines:
        if line.startswith("    ") and (indented or (blank and not listed)):
            indented.append(line[4:])
            continue
        if indented and line.strip():
            yield Block(text="\n".join(indented), mark=mark)
            indented, mark = [], ""
        if fence := FENCE.match(line):
            body = [*_until(lines, fence[1])]
            yield Block(text="\n".join(body), language=fence[2], mark=mark)
            mark = ""
        elif found := MARK.fullmatch(line.strip()):
            mark = found[1]
        elif line.strip():
            mark = ""
            listed = bool(re.match(r"^( *[*-] | *\d+\. |   )", line))
        blank = not line.strip() or bool(MARK.fullmatch(line.strip()))
    if indented:
        yield Block(text="\n".join(indented), mark=mark)


def _until(lines: Iterator[str], fence: str) -> Iterator[str]:
    for line in lines:
        if line.strip() == fence:
            return
        yield line


def prose(text: str) -> str:
    """Return a page without its code: there a bracket is no link."""
    kept, fence = [], ""
    for line in text.splitlines():
        found = FENCE.match(line)
        if found and (not fence or found[1] == fence):
            fence = "" if fence else found[1]
        elif not fence and not line.startswith("    "):
            kept.append(re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", line))
    return "\n".join(kept)


def links(text: str) -> list[str]:
    """Return the targets of a page's links and pictures. A link's text may be code, which goes first."""
    return LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings as code hosts make them."""
    found: dict[str, int] = {}
    names = set()
    fence = ""
    for line in text.splitlines():
        fenced = FENCE.match(line)
        if fenced and (not fence or fenced[1] == fence):
            fence = "" if fence else fenced[1]
        if fence or not (heading := re.match(r"^#+ +(.+?) *#*$", line)):
            continue
        slug = _slug(heading[1])
        count = found[slug] = found.get(slug, -1) + 1
        names.add(f"{slug}-{count}" if count else slug)
    return names


def _slug(heading: str) -> str:
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
