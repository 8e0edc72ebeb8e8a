"""What `lint` finds, by rule."""

from __future__ import annotations

from typing import Final

from injector.diagnosis.findings import RULES

HEAD: Final = """# Findings

What `sidecar-injector lint` finds, by rule.

* **Exit code.** An `error` makes it 1; with `--strict` a `warning` does too; an `info` never does. Exit
  code 0 means that `serve` starts with these files and injects a sample pod.
* **Silence a warning** with a comment in the template: `# lint: ignore=SI203` (several: `SI203,SI206`). It
  applies to its own line, or to the next line if the comment stands alone. A warning without a line is
  silenced by such a comment anywhere. Errors cannot be silenced.

This page is written by `scripts/reference.py`.
"""


def page() -> str:
    """Return the text of docs/findings.md."""
    rules = (
        f"## {name}: {rule.title}\n\n*{rule.severity}* — {rule.what}\n\nWhat to do: {rule.advice}.\n"
        for name, rule in RULES.items()
    )
    return "\n".join((HEAD, *rules))
