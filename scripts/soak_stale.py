"""Name the figures of docs/soak.json that are older than the code that they speak of (scripts/soak --stale).

An entry is stale where a commit since its own touched one of its paths, or what was measured was no commit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Print a line for each stale entry; return 1 if there is one."""
    entries = json.loads((ROOT / "docs" / "soak.json").read_text())
    stale = {test: reason for test, entry in entries.items() if (reason := staleness(ROOT, entry))}
    for test, reason in stale.items():
        print(f"{test}: {reason}")
    return 1 if stale else 0


def staleness(root: Path, entry: dict[str, Any]) -> str:
    """Return why an entry does not apply to today's code; "" where it does."""
    commit, about = entry.get("commit", ""), entry.get("about", ())
    if not commit or not about:
        return "it is not known what was measured"
    if commit.endswith("-dirty"):
        return "what was measured was not committed"
    found = subprocess.run(
        ["git", "-C", root, "log", "--oneline", f"{commit}..HEAD", "--", *about],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        return f"commit {commit} is not in the history"
    newer = found.stdout.splitlines()
    if not newer:
        return ""
    return f"{len(newer)} newer {'commit' if len(newer) == 1 else 'commits'}, the last {newer[0]}"


if __name__ == "__main__":
    sys.exit(main())
