"""A namespace's annotations in, the user and group of the proxy out, as OpenShift assigns them.

OpenShift gives each namespace ranges of ids, in annotations; Istio takes the last of the range for the proxy.
"""

from __future__ import annotations

import re
from typing import Final

from injector.json_types import JSONObject

DEFAULT_ID: Final = 1337
PLATFORM: Final = "PLATFORM"
OPENSHIFT: Final = "openshift"

_USERS: Final = "openshift.io/sa.scc.uid-range"
_GROUPS: Final = "openshift.io/sa.scc.supplemental-groups"
_BLOCK: Final = re.compile(r"\s*([0-9]+)([/-])\s*([0-9]+)")  # what Sscanf reads; anything may follow
_IDS: Final = 1 << 32


def proxy_ids(namespace: JSONObject | None) -> tuple[int, int]:
    """Return user and group of the proxy in a namespace (its object, None when there is none to look at)."""
    if namespace is None:
        return DEFAULT_ID, DEFAULT_ID
    metadata: JSONObject = namespace.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    users = _end(annotations.get(_USERS, ""))
    groups = [_end(block) for block in str(annotations.get(_GROUPS, annotations.get(_USERS, ""))).split(",")]
    group = None if None in groups else groups[0]
    return DEFAULT_ID if users is None else users, DEFAULT_ID if group is None else group


def _end(block: str) -> int | None:
    """Return the last id of ``START/SIZE`` or ``START-END``; None when it is neither."""
    match = _BLOCK.match(block)
    if match is None or match[2] != ("/" if "/" in block else "-"):
        return None
    start, other = int(match[1]), int(match[3])
    if start >= _IDS or other >= _IDS:
        return None
    return (start + other - 1) % _IDS if match[2] == "/" else other
