"""What the service asks of whoever answers reviews, and what it is told about each. Knows no HTTP.

The answer's bytes go to the API server; the rest is for one log line and a few counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import orjson

Outcome = Literal["injected", "skipped", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answered review: ``body`` is the AdmissionReview to send.

    ``reason`` comes from a fixed set and may be a label (the rule that decided, or the kind of denial);
    ``message`` is the sentence for a person.
    """

    body: bytes
    outcome: Outcome
    reason: str
    uid: str = ""
    namespace: str = ""
    name: str = ""
    message: str = ""


class Reviewer(Protocol):
    """Answers reviews from one snapshot of configuration; BadReview where the call itself is wrong."""

    def answer(self, body: bytes, path: str) -> Answered:
        """Answer one AdmissionReview; never waits."""

    def description(self) -> dict[str, str]:
        """Return what an operator wants to read once: the release, the templates."""

    def counts(self) -> Mapping[str, int]:
        """Return what the reviewer counts itself: name of a metric → how often since it was made."""


def crashed(body: bytes) -> bytes:
    """Return the AdmissionReview for a review that a fault of ours stopped, with its uid if it has one."""
    try:
        review = orjson.loads(body)
        uid = review["request"]["uid"]
        version = review["apiVersion"]
    except (ValueError, KeyError, TypeError):
        uid, version = "", "admission.k8s.io/v1"
    status = {"metadata": {}, "message": "the sidecar injector failed on this review; its log says where"}
    return orjson.dumps(
        {
            "kind": "AdmissionReview",
            "apiVersion": version if isinstance(version, str) else "admission.k8s.io/v1",
            "response": {"uid": uid if isinstance(uid, str) else "", "allowed": False, "status": status},
        }
    )
