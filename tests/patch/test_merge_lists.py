"""Go's loops within loops, done in one: the same result for every list."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from injector.patch.merge_lists import arranged, drop_duplicates, scalar_identity

scalars = st.sampled_from(("a", "b", "c", "d", 1, True, 1.0))


def as_go_does(elements: list[Any]) -> list[Any]:
    """Return the list without duplicates, which Go replaces by the last element one after the other."""
    both, total, place = list(elements), len(elements), 0
    while place < total - 1:
        at = place + 1
        while at < total:
            if scalar_identity(both[place]) == scalar_identity(both[at]):
                total -= 1
                both[at] = both[total]
            else:
                at += 1
        place += 1
    return both[:total]


@given(st.lists(scalars, max_size=20))
def test_duplicates_are_dropped_as_go_drops_them(elements: list[Any]) -> None:
    wanted = as_go_does(elements)
    total = drop_duplicates(elements)
    assert list(map(scalar_identity, elements[:total])) == list(map(scalar_identity, wanted))


@given(st.permutations("abcdef"), st.permutations("abcdef"), st.sets(st.sampled_from("abcdef")))
def test_named_elements_and_others_meet_in_the_order_of_the_original(
    original: list[str], patch: list[str], named: set[str]
) -> None:
    order = {name: place for place, name in enumerate(original)}
    left = [name for name in original if name not in named]
    right = [name for name in patch if name in named]
    ours = arranged(right, left, {name: place for place, name in enumerate(patch)}, order, str)
    merged = []
    while left and right:
        merged.append((left if order[left[0]] < order[right[0]] else right).pop(0))
    assert ours == merged + left + right
