"""Write docs/findings.md and docs/annotations.md from the tables of rules and of annotations."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from injector.diagnosis import annotations_table, rules_table  # noqa: E402 - from this checkout

PAGES = {
    ROOT / "docs/findings.md": rules_table.page,
    ROOT / "docs/annotations.md": annotations_table.page,
}


def main() -> None:
    """Write both pages."""
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
