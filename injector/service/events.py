"""What happened, to the Event that tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from injector.json_types import JSONObject

CHARACTERS: Final = 1000
"""The API server takes 1,024 in an Event's message."""


def warning(about: JSONObject, reason: str, message: str, *, host: str, now: datetime) -> JSONObject:
    """Return a Warning on the object that the reference ``about`` names, told by the replica ``host``."""
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{about['name']}.", "namespace": about["namespace"]},
        "involvedObject": about,
        "type": "Warning",
        "reason": reason,
        "message": message[:CHARACTERS],
        "source": {"component": "sidecar-injector", "host": host},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
