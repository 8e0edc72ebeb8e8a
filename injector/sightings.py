"""What was met once, by hash: most of what is met once is never met again, and not worth keeping."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress


class Sightings:
    """Remembers the last ``most`` things; two of the same hash count as one. Threads may share it."""

    __slots__ = ("_hashes", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._hashes: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._hashes)

    def is_first(self, thing: Hashable) -> bool:
        """Remember a thing; when it was remembered already, forget it and return False."""
        digest = hash(thing)
        if self._hashes.pop(digest, self) is None:
            return False
        self._hashes[digest] = None
        if len(self._hashes) > self._most:
            with suppress(KeyError, RuntimeError):  # another thread changed it in between
                del self._hashes[next(iter(self._hashes))]
        return True
