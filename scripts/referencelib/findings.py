"""What `lint` finds, by rule."""

from __future__ import annotations

from typing import Final

from injector.diagnosis.findings import RULES

HEAD: Final = """# Findings

What `sidecar-injector lint` finds, by rule. `error` makes it exit 1, `--strict` a `warning` too; `info` never
does. A comment in a template silences a warning of its own line, or of the next one where it stands alone:
`# lint: ignore=SI203` (several: `SI203,SI206`). What has no line is silenced by such a comment anywhere.
Errors cannot be silenced: exit code 0 means that `serve` starts with these files and injects a sample pod.

This page is written by `scripts/reference.py`.
"""


def page() -> str:
    """Return the text of docs/findings.md."""
    rules = (
        f"## {name}: {rule.title}\n\n*{rule.severity}* — {rule.what}\n\nWhat to do: {rule.advice}.\n"
        for name, rule in RULES.items()
    )
    return "\n".join((HEAD, *rules))
