"""Keep the measurements of the long tests: each test's figures become one entry of the file $SOAK_FIGURES.

`scripts/soak` sets that file and makes docs/soak.md's table from it. An entry has the commit that was
measured and the paths that it is about: the marker ``about`` of its test, and the test's own file.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A dict for the measured values by name; it is written to the file when a soak runs the test."""
    found: dict[str, Any] = {}
    failed, begin = request.session.testsfailed, time.monotonic()
    yield found
    path = os.environ.get("SOAK_FIGURES")
    if path is None or not {"soak", "control"} & {mark.name for mark in request.node.iter_markers()}:
        return
    keep(
        Path(path),
        request.node.name.partition("[")[0],
        {
            "passed": request.session.testsfailed == failed,
            "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            "commit": commit(ROOT),
            "about": paths_of(request.node),
            "seconds": round(time.monotonic() - begin),
            "figures": found,
        },
    )


def paths_of(item: pytest.Item) -> list[str]:
    """Return the paths, below the root, that a test is about."""
    about = [path for mark in item.iter_markers("about") for path in mark.args]
    return [*about, str(item.path.relative_to(ROOT))]


def commit(root: Path) -> str:
    """Return the commit of a working tree, with ``-dirty`` if it has changes; "" outside of git."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        # The figures themselves change with each test.
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{head}-dirty" if changed else head


def _git(root: Path, *arguments: str) -> str:
    return subprocess.check_output(
        ["git", "-C", root, *arguments], text=True, stderr=subprocess.DEVNULL
    ).strip()


def keep(path: Path, test: str, entry: dict[str, Any]) -> None:
    """Put an entry in the file, replacing the test's last one."""
    entries = json.loads(path.read_text()) if path.exists() else {}
    entries[test] = entry
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
