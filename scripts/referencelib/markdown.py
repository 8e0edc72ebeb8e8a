"""Write texts as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable


def code(text: str) -> str:
    """Return ``text`` as code on one line, with any backquotes in it; "" for none."""
    escaped = text.replace("|", "\\|").replace("\n", " ").replace("\t", " ")
    if not escaped:
        return ""
    return f"`` {escaped} ``" if "`" in escaped else f"`{escaped}`"


def cell(text: str) -> str:
    """Return ``text`` on one line, its bars escaped."""
    return " ".join(text.split()).replace("\\|", "|").replace("|", "\\|")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table that ends with a line break."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
