"""What can be said of an input: a finding or a gate's verdict, where it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Severity = Literal["error", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""The gravest first: an error is what `serve` refuses or a pod is denied for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file or an object, and where in it.

    ``source`` is a file's name as the user gave it, or ``kind namespace/name`` of an object of the cluster.
    ``line`` and ``column`` count from 1, 0 where they are not known. ``path`` is a field's path as
    `kubectl explain` writes it.
    """

    source: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Return it as compilers do: ``file:line:column: path``."""
        position = ":".join(str(part) for part in (self.line, self.column) if part)
        return ": ".join(part for part in (f"{self.source}:{position}".rstrip(":"), self.path) if part)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong or surprising; ``rule`` is its id, by which docs and `ignore` name it."""

    rule: str
    severity: Severity
    message: str
    place: Place
    advice: str = ""


Name = Literal[
    "registration", "policy", "templates", "values", "render", "merge", "post-processing", "accepted"
]
Status = Literal["passed", "warned", "stopped"]

Verdict = Literal["injected", "unknown", "skipped", "denied"]
"""``unknown``: the injector injects it where it is asked, and whether it is asked is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What one gate says: ``rule`` is what decided there, ``place`` where that stands."""

    name: Name
    status: Status
    rule: str
    message: str
    place: Place
    advice: str = ""
