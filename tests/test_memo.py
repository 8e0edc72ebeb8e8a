"""The bounded memo: never larger than it may be, CLOCK, and otherwise a dict."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.memo import (
    LARGEST_SHARE,
    OVERHEAD,
    PROCESS_WIDE,
    SMALL,
    Doorkeeper,
    Memo,
    deep_size,
    remembered,
)

KEYS = st.integers(0, 30)
STEPS = st.lists(st.tuples(st.sampled_from(["get", "put", "put"]), KEYS, st.integers(0, 3000)))


class Clock:
    """The textbook's CLOCK, to compare with: a ring of (key, value, size, used), and a hand at its start."""

    def __init__(self, limit: int, entries: int) -> None:
        self.limit, self.entries = limit, entries
        self.ring: list[tuple[int, int, int, bool]] = []

    def get(self, key: int) -> int | None:
        for index, (known, value, size, _) in enumerate(self.ring):
            if known == key:
                self.ring[index] = (known, value, size, True)
                return value
        return None

    def put(self, key: int, value: int, size: int) -> None:
        self.ring = [entry for entry in self.ring if entry[0] != key]
        if size > self.limit // LARGEST_SHARE:
            return
        while self.ring and (self.size + size > self.limit or len(self.ring) >= self.entries):
            oldest, *self.ring = self.ring
            if oldest[3]:
                self.ring.append((*oldest[:3], False))
        self.ring.append((key, value, size, False))

    @property
    def size(self) -> int:
        return sum(entry[2] for entry in self.ring)


@given(limit=st.integers(0, 60_000), entries=st.integers(1, 20), steps=STEPS)
def test_it_evicts_as_clock_does_and_is_never_larger_than_it_may_be(
    limit: int, entries: int, steps: list[tuple[str, int, int]]
) -> None:
    memo: Memo[int, int] = Memo(limit, entries)
    clock = Clock(limit, entries)
    for number, (step, key, size) in enumerate(steps):
        if step == "get":
            assert memo.get(key) == clock.get(key)
        else:
            memo.put(key, number, size)
            clock.put(key, number, size + OVERHEAD)
        assert memo.size == clock.size <= limit
        assert len(memo) == len(clock.ring) <= entries


@given(steps=STEPS)
def test_where_there_is_room_it_is_a_dict(steps: list[tuple[str, int, int]]) -> None:
    memo: Memo[int, int] = Memo(1 << 30, 1000)
    known: dict[int, int] = {}
    for step, key, value in steps:
        if step == "put":
            memo.put(key, value, 10)
            known[key] = value
        assert {each: memo.get(each) for each in range(31) if memo.get(each) is not None} == known
    assert memo.evictions == 0


def test_what_is_used_stays_and_what_is_not_goes_in_the_order_in_which_it_came() -> None:
    memo: Memo[str, str] = Memo(1 << 20, 3)
    for key in "abc":
        memo.put(key, key, 1)
    memo.get("a")
    for number, (key, gone) in enumerate([("d", "b"), ("e", "c"), ("f", "a")], 1):
        memo.put(key, key, 1)
        assert gone not in memo._entries
        assert (len(memo), memo.evictions) == (3, number)


def test_a_value_larger_than_its_share_is_not_kept_nor_is_the_one_before() -> None:
    memo: Memo[str, str] = Memo(16_000, 10)
    memo.put("a", "small", 1)
    memo.put("a", "large", 1_000)
    assert memo.get("a") is None
    assert (len(memo), memo.size, memo.evictions) == (0, 0, 0)


def test_none_is_a_value_like_others() -> None:
    memo: Memo[str, None] = Memo(1 << 20, 10)
    assert memo.get("a", "nothing") == "nothing"
    memo.put("a", None, 1)
    assert memo.get("a", "nothing") is None


def test_threads_that_share_one_get_what_they_put_and_lose_count_of_nothing() -> None:
    memo: Memo[int, int] = Memo(100_000, 64)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def work(offset: int) -> bool:
        good = True
        for number in range(3000):
            key = (number * 7 + offset) % 199
            found = memo.get(key)
            good = good and found in (None, 2 * key)
            if found is None:
                memo.put(key, 2 * key, key)
            if number % 100 == 0:
                memo.put(key, 2 * key, 100_000)  # which puts it out
        return good

    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(work, range(8)))
    finally:
        sys.setswitchinterval(before)
    sizes = [key + OVERHEAD for key in range(199) if memo.get(key) is not None]
    assert (memo.size, len(memo)) == (sum(sizes), len(sizes))
    assert memo.size <= 100_000


def test_a_doorkeeper_lets_in_what_comes_again() -> None:
    doorkeeper = Doorkeeper(2)
    assert [doorkeeper.is_first(key) for key in "aabab"] == [True, False, True, True, False]


def test_a_doorkeeper_knows_whom_it_has_met_for_as_long_as_they_come() -> None:
    doorkeeper = Doorkeeper(4)
    assert not doorkeeper.has_met("a")
    for other in "bcdefgh":
        assert doorkeeper.has_met("a")
        assert not doorkeeper.has_met(other)
    assert not doorkeeper.has_met("b")


def test_a_doorkeeper_forgets_the_oldest_of_many() -> None:
    doorkeeper = Doorkeeper(100)
    for key in range(1000):
        assert doorkeeper.is_first(key)
    assert len(doorkeeper) == 100
    assert doorkeeper.is_first(899)
    assert not doorkeeper.is_first(999)


def test_a_function_remembers_results_by_arguments_and_no_exceptions() -> None:
    calls = []

    @remembered("test_memo")
    def halved(number: int, name: str) -> tuple[str, int] | None:
        calls.append(number)
        if number % 2:
            raise ValueError(name)
        return (name, number // 2) if number else None

    assert halved(4, "a") is halved(4, "a")
    assert halved(0, "a") is halved(0, "a") is None
    for _ in range(2):
        with pytest.raises(ValueError, match="odd"):
            halved(3, "odd")
    assert calls == [4, 0, 3, 3]
    assert len(PROCESS_WIDE["test_memo"]) == 2


def test_a_function_that_remembers_takes_no_argument_by_name() -> None:
    @remembered("test_memo_names")
    def total(first: int, second: int) -> int:
        return first + second

    assert total(1, 5) == 6
    with pytest.raises(TypeError, match="second"):
        total(1, second=1)  # type: ignore[call-arg]


def test_the_memos_of_the_process_take_five_mebibytes_at_most() -> None:
    for module in ("injector.injection.injector", "injector.service.http"):
        import_module(module)  # they and what they import make all there are
    names = [name for name in PROCESS_WIDE if not name.startswith("test_")]
    assert "quantities" in names
    assert "targets" in names
    assert len(names) * SMALL <= 5 << 20


@dataclass(frozen=True, slots=True)
class Point:
    """Something with fields."""

    x: str
    y: object


def test_the_size_of_a_value_is_that_of_all_its_parts_once() -> None:
    text = "x" * 1000
    assert deep_size(text) == sys.getsizeof(text)
    assert deep_size([text, text]) == sys.getsizeof([1, 2]) + sys.getsizeof(text)
    assert deep_size({"a": {text: 1}}) > 1000
    assert deep_size((frozenset({text}), Point(text * 2, [text * 3]))) > 6000
    assert deep_size(Point) == sys.getsizeof(Point)
    loop: list[object] = []
    loop.append(loop)
    assert deep_size(loop) == sys.getsizeof(loop)
