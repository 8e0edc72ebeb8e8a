"""The state of the process in, answers for probes, scrapers and people out. Knows no reviews.

Alive means that the loop turns; ready means that a review posted now would be answered well. Liveness depends
on nothing outside, or a fault of the API server would restart us.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import orjson

from injector import __version__
from injector.service.http import JSON_TYPE, Page, Reply
from injector.service.metrics import Metrics

Condition = Callable[[], str | None]
"""None while it holds, else the reason for which it does not."""


@dataclass(slots=True)
class Readiness:
    """What must hold before reviews are sent here, by name; all of it is asked at each probe."""

    conditions: dict[str, Condition] = field(default_factory=dict)
    remarks: list[Callable[[], Mapping[str, str]]] = field(default_factory=list)

    def require(self, name: str, condition: Condition) -> None:
        """Add a condition."""
        self.conditions[name] = condition

    def remark(self, remark: Callable[[], Mapping[str, str]]) -> None:
        """Add something to say to people that does not change the answer: names and sentences."""
        self.remarks.append(remark)

    def missing(self, *, but: str = "") -> dict[str, str]:
        """Return the conditions that do not hold and why, ``but`` left out."""
        found = {name: condition() for name, condition in self.conditions.items() if name != but}
        return {name: reason for name, reason in found.items() if reason is not None}


def pages(readiness: Readiness) -> dict[str, Page]:
    """Return the pages that both ports serve."""
    live = _live
    ready = _Ready(readiness)
    return {
        "/healthz": live,
        "/healthz/live": live,
        "/livez": live,
        "/healthz/ready": ready,
        "/ready": ready,
        "/readyz": ready,
        "/version": _version,
    }


def metrics_page(metrics: Metrics) -> Page:
    """Return the page for scrapers."""

    def page(_query: str, accept: str) -> Reply:
        body, content_type = metrics.text(accept)
        return Reply(200, body, content_type)

    return page


def _live(_query: str, _accept: str) -> Reply:
    return Reply(200, b"ok\n")


def _version(_query: str, _accept: str) -> Reply:
    return Reply(200, orjson.dumps({"version": __version__, "python": platform.python_version()}), JSON_TYPE)


class _Ready:
    """Answers 200 or 503; with ``?verbose`` a line for each condition, as the API server's own page has."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    def __call__(self, query: str, _accept: str) -> Reply:
        missing = self._readiness.missing()
        status = 503 if missing else 200
        if "verbose" not in parse_qs(query, keep_blank_values=True):
            body = "not ready: " + ", ".join(missing) if missing else "ok"
            return Reply(status, f"{body}\n".encode())
        lines = [
            f"[-]{name} failed: {missing[name]}" if name in missing else f"[+]{name} ok"
            for name in self._readiness.conditions
        ]
        for remark in self._readiness.remarks:
            lines.extend(f"[~]{name}: {sentence}" for name, sentence in remark().items())
        lines.append("not ready" if missing else "ready")
        return Reply(status, "".join(f"{line}\n" for line in lines).encode())
