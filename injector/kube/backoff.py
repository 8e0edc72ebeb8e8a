"""Failures to waiting times: exponential, jittered, capped."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Seconds to wait after each failure in a row; ``reset`` after a success.

    The cap is low on purpose: few clients, one small object each, and a fault that has cleared must be
    seen within five seconds.
    """

    first: float = 0.1
    cap: float = 4.0
    uniform: Callable[[float, float], float] = random.uniform
    _failures: int = 0

    def next(self, *, at_least: float = 0.0) -> float:
        """Return the next waiting time: jittered over its upper half, never under ``at_least``."""
        ceiling = min(self.cap, self.first * 2.0**self._failures)
        self._failures = min(self._failures + 1, 32)
        return max(at_least, self.uniform(ceiling / 2, ceiling))

    def reset(self) -> None:
        """Start from the first waiting time again."""
        self._failures = 0
