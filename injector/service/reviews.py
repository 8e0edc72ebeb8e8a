"""What the service asks of whoever answers reviews.

Of an `Answer`, the body goes to the API server; the rest is for one log line and a few counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson

from injector.injection.inject import Answer

Late = Callable[[], bool]
"""Returns whether the caller does not wait any more."""


class Reviewer(Protocol):
    """Answers reviews from one snapshot of configuration."""

    def answer(self, body: bytes, path: str, late: Late | None = None) -> Answer:
        """Answer one AdmissionReview; never waits.

        Raises BadReview where the call itself is wrong, DeadlineError once ``late`` returns True.
        """

    def advise(self, body: bytes) -> bytes:
        """Answer the AdmissionReview of a workload: allowed, and `warnings` say what becomes of its pods.

        Raises BadReview where the call itself is wrong. It takes milliseconds, and any thread may call it.
        """

    def refresh(self) -> None:
        """Take over what the cluster tells meanwhile; called once a second."""

    def description(self) -> dict[str, str]:
        """Return what an operator wants to read once: the release, the templates."""

    def warnings(self) -> tuple[str, ...]:
        """Return what of the configuration is not used, one sentence each."""

    def counts(self) -> Mapping[str, int]:
        """Return what the reviewer counts itself: name of a metric → how often since it was made."""


def crashed(body: bytes) -> bytes:
    """Return the AdmissionReview for a review that a fault of ours stopped, with its uid if it has one."""
    status = {"metadata": {}, "message": "the sidecar injector failed on this review; its log says where"}
    return _answer(body, {"allowed": False, "status": status})


def allowed(body: bytes) -> bytes:
    """Return the AdmissionReview that allows what it is about and says nothing."""
    return _answer(body, {"allowed": True})


def _answer(body: bytes, response: dict[str, Any]) -> bytes:
    try:
        review = orjson.loads(body)
        uid = review["request"]["uid"]
        version = review["apiVersion"]
    except (ValueError, KeyError, TypeError):
        uid, version = "", "admission.k8s.io/v1"
    return orjson.dumps(
        {
            "kind": "AdmissionReview",
            "apiVersion": version if isinstance(version, str) else "admission.k8s.io/v1",
            "response": {"uid": uid if isinstance(uid, str) else "", **response},
        }
    )
