"""Make the table of docs/soak.md of docs/soak.json, and print it. Run by scripts/soak."""

from __future__ import annotations

import json
import os
import platform
import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
SHORT = 9
"""Characters of a commit, as git shortens it in a repository of this size and larger ones."""

SHOWN = ("aiohttp", "uvloop", "cryptography", "watchfiles", "kubernetes-asyncio")


def main() -> None:
    """Write the table between its marks, and print it."""
    entries = json.loads((DOCS / "soak.json").read_text())
    table = [
        "| test | figures | took | measured (UTC) | commit |",
        "|---|---|---|---|---|",
        *(row(test, entry) for test, entry in entries.items()),
    ]
    text = "\n".join([*table, "", machine(), ""])
    page = DOCS / "soak.md"
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print(text)


def row(test: str, entry: dict[str, Any]) -> str:
    """Return one line of the table."""
    name = test.removeprefix("test_").replace("_", " ")
    figures = "; ".join(f"{key}: {shown(value)}" for key, value in entry["figures"].items())
    verdict = "" if entry["passed"] else "**FAILED** "
    commit = entry.get("commit") or "not known"
    head, _, dirty = commit.partition("-")
    commit = f"{head[:SHORT]}, with changes" if dirty else head[:SHORT]
    return f"| {name} | {verdict}{figures} | {entry['seconds']} s | {entry['at']} | {commit} |"


def shown(value: Any) -> str:
    """Return a figure as people read it."""
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> str:
    """Say what the last run was made on."""
    versions = ", ".join(f"{name} {version(name)}" for name in SHOWN)
    return (
        f"Last run on {os.cpu_count()} CPUs ({platform.machine()}, Linux {platform.release()}), "
        f"{platform.python_implementation()} {platform.python_version()}, {ssl.OPENSSL_VERSION}, {versions}."
    )


if __name__ == "__main__":
    main()
