"""A release's minor in, the fields of pods that came to Kubernetes after it out. Knows no pod.

Read from k8s.io/api v0.20 to v0.36; which of them an Istio minor was built with is told by its go.mod.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIELDS_SINCE: Final[Mapping[int, str]] = {
    19: "Container.restartPolicy",
}
"""A minor of Istio -> the fields that its types were the first to have, as ``Type.field``."""


def fields_after(minor: int) -> frozenset[str]:
    """Return the fields that the types of an Istio minor do not have yet."""
    return frozenset(
        field for since, fields in FIELDS_SINCE.items() if since > minor for field in fields.split()
    )
