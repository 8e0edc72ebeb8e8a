"""The words in which a walk is told: a gate, what it says, and what becomes of the pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from injector.diagnosis.findings import Place

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
