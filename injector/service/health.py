"""Answer probes, scrapers and people from the state of the process.

Alive means that the loop turns; ready means that a review posted now would be answered well. Liveness depends
on nothing outside, or a fault of the API server would restart us.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs

import orjson

from injector import __version__
from injector.service.http import JSON_TYPE, Page, Reply

Condition = Callable[[], str | None]
"""Returns None while the condition holds, else why it does not."""


@dataclass(slots=True)
class Readiness:
    """The conditions under which reviews may be sent here, by name; each probe asks all of them."""

    conditions: dict[str, Condition] = field(default_factory=dict)
    remarks: list[Callable[[], Mapping[str, str]]] = field(default_factory=list)

    def require(self, name: str, condition: Condition) -> None:
        """Add a condition."""
        self.conditions[name] = condition

    def remark(self, remark: Callable[[], Mapping[str, str]]) -> None:
        """Add information for people that does not change the answer: names and sentences."""
        self.remarks.append(remark)

    def missing(self, *, but: str = "") -> dict[str, str]:
        """Return the conditions that do not hold and why, without those named in ``but``."""
        found = {name: condition() for name, condition in self.conditions.items() if name != but}
        return {name: reason for name, reason in found.items() if reason is not None}


def pages(readiness: Readiness) -> dict[str, Page]:
    """Return the pages that both ports serve."""
    ready = partial(_ready, readiness)
    return {
        "/healthz": _live,
        "/healthz/live": _live,
        "/livez": _live,
        "/healthz/ready": ready,
        "/ready": ready,
        "/readyz": ready,
        "/version": _version,
    }


def metrics_page(text: Callable[[str], tuple[bytes, str]]) -> Page:
    """Return the page for scrapers; the function maps what they accept to metrics and a content type."""

    def page(_query: str, accept: str) -> Reply:
        return Reply(200, *text(accept))

    return page


def _live(_query: str, _accept: str) -> Reply:
    return Reply(200, b"ok\n")


def _version(_query: str, _accept: str) -> Reply:
    return Reply(200, orjson.dumps({"version": __version__, "python": platform.python_version()}), JSON_TYPE)


def _ready(readiness: Readiness, query: str, _accept: str) -> Reply:
    """Answer 200 or 503; with ``?verbose`` a line for each condition, like the API server's own page."""
    missing = readiness.missing()
    status = 503 if missing else 200
    if "verbose" not in parse_qs(query, keep_blank_values=True):
        body = "not ready: " + ", ".join(missing) if missing else "ok"
        return Reply(status, f"{body}\n".encode())
    lines = [
        f"[-]{name} failed: {missing[name]}" if name in missing else f"[+]{name} ok"
        for name in readiness.conditions
    ]
    for remark in readiness.remarks:
        lines.extend(f"[~]{name}: {sentence}" for name, sentence in remark().items())
    lines.append("not ready" if missing else "ready")
    return Reply(status, "".join(f"{line}\n" for line in lines).encode())
