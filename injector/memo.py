"""A bounded memo for expensive results, and a filter for keys that are seen only once.

Keys are made from what callers send: every cache is limited in bytes, or one caller could fill the memory
that all others need.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from functools import wraps
from sys import getsizeof
from threading import Lock
from typing import Any, Final, Generic, TypeVar, TypeVarTuple, overload

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_Other = TypeVar("_Other")
_Arguments = TypeVarTuple("_Arguments")

OVERHEAD: Final = 288
"""Bytes that an entry takes besides its key and value: its place in an OrderedDict, and its bookkeeping."""

LARGEST_SHARE: Final = 16
"""An entry may take a sixteenth of the limit: a larger one would evict too many others."""

SMALL: Final = 256 << 10
"""Bytes of a memo that the whole process shares: some 700 short texts, of which a cluster has a few dozen."""

_MISSING: Final[Any] = object()

WRITING: Final = Lock()
"""Held while an entry is noted, in any memo. A fork waits for it (see `service.child`): else the child's copy
could stay locked."""


class _Entry(Generic[_Value]):
    __slots__ = ("size", "used", "value")

    def __init__(self, value: _Value, size: int) -> None:
        self.value = value
        self.size = size
        self.used = False


class Memo(Generic[_Key, _Value]):
    """Values by their keys, at most ``limit`` bytes and ``entries`` of them.

    Eviction is CLOCK (second chance): the oldest entry is dropped unless it was used since the hand last
    passed it. ``evictions`` counts dropped entries. Threads may share one: reading takes no lock, and writing
    takes one only while it notes an entry. At worst two threads work out the same value.
    """

    __slots__ = ("_entries", "_limit", "_most", "evictions", "largest", "size")

    def __init__(self, limit: int, entries: int) -> None:
        self._limit = limit
        self._most = entries
        self.largest = limit // LARGEST_SHARE - OVERHEAD
        """Bytes of the largest entry that is kept."""
        self._entries: OrderedDict[_Key, _Entry[_Value]] = OrderedDict()
        self.size = 0
        """Bytes of all entries, `OVERHEAD` included."""
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def get(self, key: _Key) -> _Value | None: ...

    @overload
    def get(self, key: _Key, default: _Other) -> _Value | _Other: ...

    def get(self, key: _Key, default: Any = None) -> Any:
        """Return the value of a key, and mark it as used; ``default`` where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return default
        entry.used = True
        return entry.value

    def put(self, key: _Key, value: _Value, size: int) -> None:
        """Keep a value, replacing an older one of its key; ``size`` is the bytes of key and value.

        A value larger than its share is not kept.
        """
        with WRITING:
            if key in self._entries:
                self._drop(key)
            if size > self.largest:
                return
            size += OVERHEAD
            while self._entries and (self.size + size > self._limit or len(self._entries) >= self._most):
                self._advance()
            self._entries[key] = _Entry(value, size)
            self.size += size

    def _advance(self) -> None:
        """Move the hand past the oldest entry: drop it, or spare it once if it was used."""
        key, entry = next(iter(self._entries.items()))
        if entry.used:
            entry.used = False
            self._entries.move_to_end(key)
        else:
            self._drop(key)
            self.evictions += 1

    def _drop(self, key: _Key) -> None:
        self.size -= self._entries.pop(key).size


class Doorkeeper:
    """Remembers the hashes of recent keys, so that a cache takes only what is met again.

    It is a doorkeeper filter: most keys are seen once and never again. It holds at least the last half of
    ``most`` keys, and never more than ``most``; two keys with the same hash count as one. Threads may
    share it.
    """

    __slots__ = ("_half", "_newer", "_older")

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def has_met(self, key: Hashable) -> bool:
        """Return whether a key is remembered, and remember it from now on."""
        digest = hash(key)
        if digest in self._newer:
            return True
        is_known = digest in self._older
        if len(self._newer) >= self._half:
            self._older, self._newer = self._newer, set()
        self._newer.add(digest)
        return is_known

    def is_first(self, key: Hashable) -> bool:
        """Remember a key; when it was remembered already, forget it and return False."""
        if not self.has_met(key):
            return True
        self._newer.discard(hash(key))
        self._older.discard(hash(key))
        return False


PROCESS_WIDE: Final[dict[str, Memo[Any, Any]]] = {}
"""The memos that belong to no injector, by their purpose; each has a limit of `SMALL` bytes."""


def process_wide(name: str) -> Memo[Any, Any]:
    """Return a new memo of the process; the module that owns ``name`` calls this once."""
    memo = PROCESS_WIDE[name] = Memo(SMALL, 4096)
    return memo


def remembered(
    name: str,
) -> Callable[[Callable[[*_Arguments], _Value]], Callable[[*_Arguments], _Value]]:
    """Decorate a function of a module so that it remembers its results, as `lru_cache` does, but by bytes.

    The memo is `process_wide` by that ``name``. Arguments must be hashable and positional; `deep_size` must
    support them and the result. Exceptions are not remembered.
    """
    memo = process_wide(name)

    def decorate(function: Callable[[*_Arguments], _Value]) -> Callable[[*_Arguments], _Value]:
        @wraps(function)
        def remembering(*args: *_Arguments) -> _Value:
            value: _Value = memo.get(args, _MISSING)
            if value is _MISSING:
                value = function(*args)
                memo.put(args, value, deep_size((args, value)))
            return value

        return remembering

    return decorate


def deep_size(value: object) -> int:
    """Return the bytes of collections, dataclasses and scalars; an object held twice counts once."""
    seen = {}
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = getsizeof(item)
        if isinstance(item, dict | list | tuple | frozenset):
            waiting.extend(item)
            if isinstance(item, dict):
                waiting.extend(item.values())
        elif is_dataclass(item) and not isinstance(item, type):
            waiting.extend(getattr(item, field.name) for field in fields(item))
    return sum(seen.values())
