"""The container's memory limit, and one count of all bytes in flight.

Bodies being read, bodies waiting for the process beside the loop, the parsed form of one of them, answers
that their client has not read, open connections and queued log lines count against one limit. Past it callers
are told to come again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

MIB: Final = 1 << 20

PLANNED: Final = 0.8
"""Share of the container's limit that is planned with. The rest is for memory that is not counted: the
kernel's socket buffers, libraries loaded late, and free memory in pieces that are too small."""

WORKING_BYTES: Final = 32 * MIB
"""Working memory of the process: 11 MiB for one review on the loop (at most 320 KiB are parsed there, and the
worst content, `[{"a":{"a":1}},…]`, takes 34 times its size), 16 MiB that were freed and are not returned yet
(`WORTH_RETURNING`), and the rest for metrics and reloads."""

LEAST_BYTES: Final = 16 * MIB
"""The least for bytes in flight, however small the container is: below, no large review could be answered."""

UNLIMITED_BYTES: Final = 256 * MIB
"""Bytes in flight where the container has no limit: sixteen bodies of 8 MiB, and the parsed form of one."""

UNKNOWN_RESIDENT: Final = 96 * MIB
"""The process' own memory where the system cannot tell it; 72 MiB measured with the built-in template."""

ABSURD: Final = 1 << 50
"""A limit of this many bytes or more means none: without a limit cgroup v1 says 2**63 less a page."""

VALUE_BYTES: Final = 104
"""Bytes of one parsed JSON value, its place in the parent included. Measured over fifteen shapes: pods 88,
`{"ab1":1}` 102, the worst; numbers 24."""

TIGHT: Final = 0.75
"""Share of the limit above which memory is tight: the rest is for small requests of clients that read their
answers."""

WAITING_SHARE: Final = 0.5
"""Share of the limit that large bodies may fill: the other half is for parsing them."""

WORTH_RETURNING: Final = 16 * MIB
"""Free memory is returned to the system once the peak has been lower by this much for a while. An ordinary
load has a few megabytes in flight and never gets here; large bodies allocate it again at once."""

_CGROUP: Final = Path("sys/fs/cgroup")
_NOTHING_BEFORE_VALUES: Final = bytes(set(range(256)) - set(b"{[,:"))
"""All bytes except those after which a JSON value begins."""
_FOUR_BYTES: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""The first bytes of UTF-8 characters of four bytes."""
_WIDE_ESCAPE: Final = re.compile(rb"\\u(?!00)")


def container_limit(root: Path = Path("/")) -> int | None:
    """Return the memory limit of our container in bytes, None where there is none.

    It is the least of ``memory.max`` (cgroup v2) and ``memory.limit_in_bytes`` (v1) of our own cgroup and
    those above it. In a container, the path in /proc/self/cgroup may be the host's, of which only the mount's
    root exists: then that one is ours.
    """
    found = [limit for path, name in _own_cgroups(root) for limit in _limits(root, path, name)]
    return min(found, default=None)


def _own_cgroups(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders that may hold our limit, relative to the root, and the file's name."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, own = rest.partition(":")
        inside = Path(own.lstrip("/"))
        if ".." in inside.parts:  # our cgroup is above the root of our cgroup namespace
            inside = Path()
        if hierarchy == "0":
            yield _CGROUP / inside, "memory.max"
        elif "memory" in controllers.split(","):
            yield _CGROUP / "memory" / inside, "memory.limit_in_bytes"


def _limits(root: Path, folder: Path, name: str) -> Iterator[int]:
    for place in (folder, *folder.parents):
        if not place.is_relative_to(_CGROUP):
            return
        text = _text(root / place / name).strip()
        if text.isdigit() and 0 < int(text) < ABSURD:
            yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def resident(root: Path = Path("/")) -> int:
    """Return the bytes of memory that the process takes now."""
    fields = _text(root / "proc/self/statm").split()
    pages = int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0
    return pages * os.sysconf("SC_PAGESIZE") or UNKNOWN_RESIDENT


def in_flight_limit(container: int | None, started: int, caches: int) -> int:
    """Return the limit of bytes in flight, for a process that took ``started`` bytes once loaded.

    80 % of the container's limit, less the process itself, the limit of its caches, and its working memory.
    """
    if container is None:
        return UNLIMITED_BYTES
    return max(LEAST_BYTES, int(container * PLANNED) - started - caches - WORKING_BYTES)


WORKER_BYTES: Final = 144 * MIB
"""Memory that a worker should have: the process, its caches, its working memory, and the least in flight."""


def cores(root: Path = Path("/")) -> int:
    """Return the cores that we may use: those that we may run on, and the container's limit rounded up."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _text(root / _CGROUP / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, min(available, -(-int(quota) // int(period))))
    return available


def fitting_workers(cores: int, container: int | None) -> int:
    """Return how many workers use these cores and fit into the container's memory."""
    return cores if container is None else max(1, min(cores, int(container * PLANNED) // WORKER_BYTES))


def return_freed_memory() -> None:
    """Make glibc return free memory to the system; by itself it keeps up to twice the peak.

    This takes a few milliseconds, in which other threads may have to wait for memory.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library, with its own rules
        ctypes.CDLL(None).malloc_trim(0)


class InFlight:
    """Counts bytes against a limit. Used by the loop's thread only.

    ``relieve`` is called once before something is refused: it closes what is not needed and counts anew what
    clients have read meanwhile. Memory is tight above ``tight`` bytes. ``beside`` are other counters that
    belong to the same sum.
    """

    __slots__ = ("_peak", "_recent_peak", "beside", "bodies", "held", "limit", "relieve", "tight")

    def __init__(self, limit: int = UNLIMITED_BYTES) -> None:
        self.set_limit(limit)
        self.held = 0
        self.bodies = 0
        self._peak = 0
        self._recent_peak = 0
        self.relieve: Callable[[], None] = lambda: None
        self.beside: list[Callable[[], int]] = []

    def set_limit(self, limit: int) -> None:
        """Change the limit."""
        self.limit = limit
        self.tight = int(limit * TIGHT)

    @property
    def used(self) -> int:
        """Return the bytes in flight now."""
        return self.held + sum(count() for count in self.beside)

    def note(self) -> None:
        """Update the recent peak of bytes in flight."""
        self._recent_peak = max(self._recent_peak, self.held)

    def has_emptied(self) -> bool:
        """Return whether the peak since the last call is much lower than the one before."""
        self.note()
        recent, self._recent_peak = self._recent_peak, self.held
        if self._peak - recent < WORTH_RETURNING:
            self._peak = max(self._peak, recent)
            return False
        self._peak = recent
        return True

    def has_room(self, size: int = 0, share: float = 1.0) -> bool:
        """Return whether ``size`` bytes more fit in a share of the limit, after `relieve` if necessary."""
        limit = self.limit * share
        if self.used + size <= limit:
            return True
        self.relieve()
        return self.used + size <= limit


class Weight(NamedTuple):
    """What parsing a body takes: its JSON values, and at most so many bytes, its copy included."""

    values: int
    size: int


def weigh(body: bytes) -> Weight:
    """Return what parsing a body takes; this count itself takes 2 ms for 3 MiB."""
    values = count_values(body)
    return Weight(values, len(body) + parsed_bytes(body, values))


def count_values(body: bytes) -> int:
    """Return at least the number of JSON values in a body: each follows one of ``{[,:``, or begins the text.

    These characters inside strings count as well. A body that is YAML may have a value on each line.
    """
    # A quarter of the time of a count for each of the four characters.
    values = len(body.translate(None, _NOTHING_BEFORE_VALUES))
    return values if body[:1] == b"{" else values + body.count(b"\n")


def parsed_bytes(body: bytes, values: int) -> int:
    """Return the most bytes that a body with so many values takes once it is parsed.

    A character above U+00FF makes its string take two bytes per character, one above U+FFFF four. A lone
    surrogate, which no API server sends, makes the tree be built twice.
    """
    ascii_only, escapes = body.isascii(), b"\\" in body
    surrogates = escapes and b"\\ud" in body
    if surrogates or (not ascii_only and any(byte in body for byte in _FOUR_BYTES)):
        width = 4
    elif not ascii_only or (escapes and _WIDE_ESCAPE.search(body)):
        width = 2
    else:
        width = 1
    return len(body) * width + values * VALUE_BYTES * (1 + surrogates)


_OLD_OBJECT: Final = b'"oldObject":'
_PARTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_old_object(body: bytes) -> bytes:
    """Return a review without ``request.oldObject``, which we never read and which is half of a large update.

    A body of another form is returned unchanged.
    """
    # From the end, where an API server writes it: it is usually null, and then the whole body is not
    # searched.
    at = body.rfind(_OLD_OBJECT)
    if at < 0 or not body.startswith(b"{", at + len(_OLD_OBJECT)):
        return body
    try:
        review: dict[str, object] = {**_PARTS.decode(body)}
        request: dict[str, object] = {**_PARTS.decode(review["request"])}  # type: ignore[arg-type]
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
        return body
    request["oldObject"] = None
    review["request"] = request
    return msgspec.json.encode(review)
