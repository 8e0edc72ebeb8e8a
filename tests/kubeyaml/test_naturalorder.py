from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.kubeyaml.writing import natural_order


@pytest.mark.parametrize(
    "keys",
    [
        ["a", "a2", "a10"],
        ["", "_", "1", "2", "10", "A", "a"],
        ["b-c", "b.c", "bc"],
        ["a1", "a01", "a001"],
        ["a10b", "a10c", "a11"],
        ["x100", "x101", "x1000"],
        ["a", "ab"],
        ["z", "ä", "ж"],
        ["a-b", "ab"],
        ["1.9", "1.10"],
        ["a\u0661", "a\u0662"],
        ["1", "99999999999999999999"],
    ],
)
def test_keys_come_in_the_order_of_yaml_v2(keys: list[str]) -> None:
    """Each list is in the order in which Go wrote these keys."""
    assert natural_order(reversed(keys)) == keys


@given(st.lists(st.text(alphabet="ab01-.é", max_size=5), unique=True))
def test_the_order_does_not_depend_on_the_given_one(keys: list[str]) -> None:
    assert natural_order(keys) == natural_order(reversed(keys))
