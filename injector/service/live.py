"""A value that changes while others read it: set by one, read by all without a lock.

Knows nothing of what the value is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

T = TypeVar("T")


class Live(Generic[T]):
    """The newest value; a request reads ``value`` once and keeps what it got."""

    __slots__ = ("_changed", "_value")

    def __init__(self, value: T) -> None:
        self._value = value
        self._changed = asyncio.Event()

    @property
    def value(self) -> T:
        """The newest value."""
        return self._value

    def set(self, value: T) -> None:
        """Replace the value and wake every reader of `updates`; never waits for one."""
        self._value = value
        self._changed.set()
        self._changed = asyncio.Event()

    async def updates(self) -> AsyncGenerator[T, None]:
        """Yield the value now, then every newer one; a slow reader skips to the newest."""
        while True:
            changed = self._changed
            yield self._value
            await changed.wait()
