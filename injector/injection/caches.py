"""How the memory for the caches of one injector is shared out.

The manifest gives a replica 256 MiB, of which four fifths may be used: 204 MiB. Python with everything that
is imported and Istio's newest configuration take up to 75, and what is in flight may take 64: 65 are left.
Bytes that are counted may take half as much again of a process that has run for long, since freed blocks lie
between others: 48 for 32. Two injectors live at once while files are reloaded, but the new one has met a
dozen pods by then, and the old one goes with its last review.

Beside these the memos of the process (`memo.PROCESS_WIDE`) take 5 MiB at most, the hashes of what was met
once one, and texts that are templates themselves, which Istio 1.2 to 1.13 can render, four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from injector.memo import Memo

CACHE_BYTES: Final = 32 << 20
"""For all caches of an injector where nothing else is said: an eighth of the manifest's limit."""

SMALLEST: Final = 8 << 20
"""Below, a sixteenth of a share would not hold a skeleton of Istio's newest template, and nothing be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one cache may take: so many sixteenths of the bytes, and at most so many entries."""

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
    """Return an empty memo for one of `SHARES`; ``cache_bytes`` is for all of them."""
    share = SHARES[name]
    return Memo(cache_bytes * share.sixteenths // 16, share.entries)


def cache_bytes_within(limit: int | None) -> int:
    """Return what all caches may take in a container of so many bytes; None where it has no limit."""
    return CACHE_BYTES if limit is None else max(limit // 8, SMALLEST)
