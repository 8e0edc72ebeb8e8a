"""Random JSON for a Go type, made from the type itself: mostly of the right kind, seldom not."""

from __future__ import annotations

import random
from typing import Any

from injector.patch import GoType

QUANTITIES = [
    "1",
    "2000m",
    "1024Mi",
    "1.5Gi",
    "100m",
    "0",
    "0.5",
    "1e3",
    "-1",
    "+5",
    "64Ki",
    "1k",
    "",
    "x",
    1,
    1.5,
    0.1,
    True,
    {},
]
TIMES = [
    "2024-01-02T03:04:05Z",
    "2024-01-02T03:04:05.25+02:00",
    "0001-01-01T00:00:00Z",
    "2024-13-02T03:04:05Z",
    "x",
    5,
    [],
]
WORDS = ["", "a", "x", "true", "1", "<&>", "é\u2028"]
NUMBERS = [0, 1, -1, 80, 2**31 - 1, 2**31, -(2**31), 2**63, 1.5, 80.0, "1"]
WRONG = [None, True, False, 0, 1.5, "x", [], {}, [1], {"a": 1}]


class Objects:
    """Draws values."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._fault = self._chance.choice([0.0, 0.0, 0.002, 0.02])

    def value(self, schema: GoType, depth: int = 0) -> Any:
        """Return a value that fits ``schema``, or now and then one that does not."""
        roll = self._chance.random()
        if roll < self._fault:
            return self._chance.choice(WRONG)
        if roll < 0.03:
            return None
        schema = schema.target
        return getattr(self, f"_{schema.kind}")(schema, depth)

    def _pick(self, good: list[Any], count: int) -> Any:
        """Return one of the first ``count``, seldom any."""
        return self._chance.choice(good if self._chance.random() < self._fault * 3 else good[:count])

    def _string(self, _schema: GoType, _depth: int) -> Any:
        return self._chance.choice(WORDS)

    def _bool(self, _schema: GoType, _depth: int) -> Any:
        return self._chance.choice([True, False])

    def _int32(self, _schema: GoType, _depth: int) -> Any:
        return self._pick(NUMBERS, 5)

    def _int64(self, _schema: GoType, _depth: int) -> Any:
        return self._pick(NUMBERS, 7)

    def _quantity(self, _schema: GoType, _depth: int) -> Any:
        return self._pick(QUANTITIES, 12)

    def _time(self, _schema: GoType, _depth: int) -> Any:
        return self._pick(TIMES, 3)

    def _intOrString(self, _schema: GoType, _depth: int) -> Any:  # noqa: N802 - the kind's name
        return self._pick([80, 0, "http", "", 2**31, 1.5, True, {}], 4)

    def _raw(self, _schema: GoType, _depth: int) -> Any:
        return self._chance.choice([{"f:a": {".": {}}}, {}])

    def _list(self, schema: GoType, depth: int) -> Any:
        return [self.value(schema.element, depth + 1) for _ in range(self._chance.choice([0, 1, 1, 2, 3]))]

    def _map(self, schema: GoType, depth: int) -> Any:
        keys = self._chance.sample(["b", "a", "c", "cpu", "<"], self._chance.choice([0, 1, 2, 3]))
        return {key: self.value(schema.element, depth + 1) for key in keys}

    def _struct(self, schema: GoType, depth: int) -> Any:
        likely = 0.5 if depth < 2 else 0.3 if depth < 6 else 0.1
        made = {
            self._spelled(field.name): self.value(field.type, depth + 1)
            for field in schema.fields
            if self._chance.random() < likely
        }
        if self._chance.random() < 0.1:
            made["unknown"] = self._chance.choice(WRONG)
        keys = list(made)
        self._chance.shuffle(keys)
        return {key: made[key] for key in keys}

    def _spelled(self, name: str) -> str:
        return self._chance.choice([name.upper(), name.title()]) if self._chance.random() < 0.01 else name
