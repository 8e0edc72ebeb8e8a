"""Divide the memory for the caches of one injector.

The manifest gives a replica 256 MiB, of which four fifths may be used: 204 MiB. Python, its imports and
Istio's newest configuration take up to 75, and requests in flight may take 64. That leaves 65. In a process
that has run for long, counted bytes may take half as much again, since freed blocks lie between others: 48
for 32. While files are reloaded two injectors exist at once, but the new one has seen only a dozen pods by
then, and the old one goes with its last review.

In addition, the memos of the process (`memo.PROCESS_WIDE`) take 5 MiB at most, the hashes of keys that were
seen once take one, and texts that are themselves templates, which Istio 1.2 to 1.13 can render, take four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from injector.memo import Memo

CACHE_BYTES: Final = 32 << 20
"""The default for all caches of an injector: an eighth of the manifest's memory limit."""

SMALLEST: Final = 8 << 20
"""The least: below it, a sixteenth of a share could not hold a skeleton of Istio's newest template, and none
would be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one cache may take: a number of sixteenths of the bytes, and at most a number of entries."""

    sixteenths: int
    entries: int


SHARES: Final = {
    # 110 KiB each of Istio's newest template: 130 sets of branches and ports. A miss costs milliseconds.
    "skeletons": Share(sixteenths=8, entries=512),
    # 16 KiB each for a small pod, 35 for a typical one: 350 to 750 workloads. A miss costs a review.
    "replicas": Share(sixteenths=7, entries=1024),
    # 4 KiB each: 500 annotations and sets of ProxyConfig resources. A miss costs reading YAML.
    "proxy_configs": Share(sixteenths=1, entries=1024),
}


def memo_of(name: str, cache_bytes: int) -> Memo[Any, Any]:
    """Return an empty memo for one of `SHARES`; ``cache_bytes`` is the total of all caches."""
    share = SHARES[name]
    return Memo(cache_bytes * share.sixteenths // 16, share.entries)


def cache_bytes_within(limit: int | None) -> int:
    """Return what all caches may take in a container whose memory has this ``limit``; None: it has none."""
    return CACHE_BYTES if limit is None else max(limit // 8, SMALLEST)
