"""What the long tests measured, kept: a test's figures become one entry of the JSON file $SOAK_FIGURES.

`scripts/soak` names that file and makes docs/soak.md's table of it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A dict to fill with name and value of what is measured; written down when a soak runs the test."""
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
            "seconds": round(time.monotonic() - begin),
            "figures": found,
        },
    )


def keep(path: Path, test: str, entry: dict[str, Any]) -> None:
    """Put an entry in the file, in the place of the test's last one."""
    entries = json.loads(path.read_text()) if path.exists() else {}
    entries[test] = entry
    path.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
