"""How much memory the container has, and one number for all bytes that have come in and not gone out again.

Bodies being read, bodies waiting for the process beside the loop, what parsing one of them costs, answers
that their client has not taken, open connections and queued log lines count against one limit. Past it
callers are told to come again.
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
"""Share of the container's limit that is planned with. The rest is for what nobody counts: the kernel's
socket buffers, libraries loaded late, and free memory in pieces that are too small."""

WORKING_BYTES: Final = 32 * MIB
"""What the process works with: 11 MiB for one review on the loop (at most 320 KiB are parsed there, of which
the worst, `[{"a":{"a":1}},…]`, makes 34 times as much), 16 MiB that were freed and are not returned yet
(`WORTH_RETURNING`), and the rest for metrics and reloads."""

LEAST_BYTES: Final = 16 * MIB
"""In flight however small the container is: below, no large review would ever be answered."""

UNLIMITED_BYTES: Final = 256 * MIB
"""In flight where the container has no limit: sixteen bodies of 8 MiB, and the parsed form of one."""

UNKNOWN_RESIDENT: Final = 96 * MIB
"""The process itself where the system does not tell; measured 72 MiB with the built-in template."""

ABSURD: Final = 1 << 50
"""Bytes from which a limit is none: cgroup v1 says 2**63 less a page where there is none."""

VALUE_BYTES: Final = 104
"""What one JSON value costs once parsed, its place in the parent included. Measured over fifteen shapes: pods
88, `{"ab1":1}` 102, the worst; numbers 24."""

TIGHT: Final = 0.75
"""Share of the limit above which memory is tight: the rest is for small requests of clients that take their
answers."""

WAITING_SHARE: Final = 0.5
"""Share of the limit that large bodies may fill: the other half is for parsing them."""

WORTH_RETURNING: Final = 16 * MIB
"""By how much less must be in flight for a while than once was, for the system to get back what is free. An
ordinary load has a few megabytes in flight and never comes here; large bodies take it again at once."""

_CGROUP: Final = Path("sys/fs/cgroup")
_NOTHING_BEFORE_VALUES: Final = bytes(set(range(256)) - set(b"{[,:"))
"""All bytes but those that a JSON value follows."""
_FOUR_BYTES: Final = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""How UTF-8 begins a character of four bytes."""
_WIDE_ESCAPE: Final = re.compile(rb"\\u(?!00)")


def container_limit(root: Path = Path("/")) -> int | None:
    """Return the memory limit of our container in bytes, None where there is none.

    It is the least of ``memory.max`` (cgroup v2) and ``memory.limit_in_bytes`` (v1) of our own cgroup and
    those above it. In a container the path in /proc/self/cgroup may be the host's, where only the mount's
    root exists: that one is ours then.
    """
    found = [limit for path, name in _own_cgroups(root) for limit in _limits(root, path, name)]
    return min(found, default=None)


def _own_cgroups(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders below the root that may hold our limit, and the file's name."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, own = rest.partition(":")
        inside = Path(own.lstrip("/"))
        if ".." in inside.parts:  # our cgroup is above the root of the namespace that we see
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
    """Return the memory that the process takes now, in bytes."""
    fields = _text(root / "proc/self/statm").split()
    pages = int(fields[1]) if len(fields) > 1 and fields[1].isdigit() else 0
    return pages * os.sysconf("SC_PAGESIZE") or UNKNOWN_RESIDENT


def in_flight_limit(container: int | None, started: int, caches: int) -> int:
    """Return the bytes that may be in flight, for a process that took ``started`` bytes when it was loaded.

    80 % of the container's limit, less the process itself, what its caches may hold, and what it works with.
    """
    if container is None:
        return UNLIMITED_BYTES
    return max(LEAST_BYTES, int(container * PLANNED) - started - caches - WORKING_BYTES)


WORKER_BYTES: Final = 144 * MIB
"""What a worker should have: the process, its caches, what it works with, and the least in flight."""


def cores(root: Path = Path("/")) -> int:
    """Return the cores that our container may use: those that we may run on, and its limit rounded up."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _text(root / _CGROUP / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        return max(1, min(available, -(-int(quota) // int(period))))
    return available


def fitting_workers(cores: int, container: int | None) -> int:
    """Return how many workers use so many cores and fit into a container's memory."""
    return cores if container is None else max(1, min(cores, int(container * PLANNED) // WORKER_BYTES))


def return_freed_memory() -> None:
    """Have glibc return what is free to the system; it keeps up to twice what was in use at once for itself.

    A few milliseconds, in which other threads may have to wait for memory.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library, which has its own ways
        ctypes.CDLL(None).malloc_trim(0)


class InFlight:
    """Counts bytes against a limit. Used by the loop's thread alone.

    ``relieve`` is asked once before something is refused: it closes what is not needed and counts anew what
    clients have taken meanwhile. Memory is tight above ``tight`` bytes. ``beside`` are counters of others
    that belong to the same number.
    """

    __slots__ = ("_lately", "_most", "beside", "bodies", "held", "limit", "relieve", "tight")

    def __init__(self, limit: int = UNLIMITED_BYTES) -> None:
        self.set_limit(limit)
        self.held = 0
        self.bodies = 0
        self._most = 0
        self._lately = 0
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
        """Remember the most that was in flight lately."""
        self._lately = max(self._lately, self.held)

    def has_emptied(self) -> bool:
        """Return whether much less was in flight, ever since the last call, than at the most before."""
        self.note()
        lately, self._lately = self._lately, self.held
        if self._most - lately < WORTH_RETURNING:
            self._most = max(self._most, lately)
            return False
        self._most = lately
        return True

    def has_room(self, size: int = 0, share: float = 1.0) -> bool:
        """Return whether ``size`` bytes more fit in a share of the limit, once what can go has gone."""
        limit = self.limit * share
        if self.used + size <= limit:
            return True
        self.relieve()
        return self.used + size <= limit


class Weight(NamedTuple):
    """What reading a body takes: its JSON values, and bytes at the most, its copy included."""

    values: int
    size: int


def weigh(body: bytes) -> Weight:
    """Return what reading a body takes; itself it takes 2 ms for 3 MiB."""
    values = count_values(body)
    return Weight(values, len(body) + parsed_bytes(body, values))


def count_values(body: bytes) -> int:
    """Return the number of JSON values in a body, or more: each follows one of ``{[,:``, or begins the text.

    Text with these characters counts as well. A body that is YAML may put a value on each line.
    """
    values = len(body.translate(None, _NOTHING_BEFORE_VALUES))  # a quarter of what counting each one takes
    return values if body[:1] == b"{" else values + body.count(b"\n")


def parsed_bytes(body: bytes, values: int) -> int:
    """Return what a body of so many values takes at most once it is parsed, in bytes.

    A character above U+00FF widens the string that it is in to two bytes a character, one above U+FFFF to
    four. A lone surrogate, which no API server sends, makes the tree be built twice.
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
    """Return a review without ``request.oldObject``, which nothing reads and which is half of a large update.

    What is not a review of that form comes back as it is.
    """
    # From the end, where an API server writes it: a whole body is not searched for what is null mostly.
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
