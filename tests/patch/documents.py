"""Hypothesis strategies: JSON, and two documents of which the second is the first after some changes."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

KEYS = st.sampled_from(["name", "value", "a", "b", "m~n", "x/y", "~1", "", "0"])
SCALARS = st.sampled_from([None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, 1.5, "", "a", "b", "1", "é"])


def named_lists(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of objects with different names, as containers and volumes are."""
    names = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=7)
    return names.flatmap(
        lambda chosen: st.tuples(
            *(st.fixed_dictionaries({"name": st.just(name), "v": inner}) for name in chosen)
        )
    ).map(list)


JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=4) | named_lists(inner),
    max_leaves=25,
)


@st.composite
def changed(draw: st.DrawFn) -> tuple[Any, Any]:
    """A document and another, either unrelated or made of it."""
    before = draw(JSON)
    if draw(st.booleans()):
        return before, draw(JSON)
    return before, _change(before, random.Random(draw(st.integers(0, 2**32))))


def _change(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.1:
        return chance.choice([None, 1, True, "new", [], {}, [{"name": "a"}]])
    if isinstance(value, dict):
        kept = {key: _change(item, chance) for key, item in value.items() if chance.random() < 0.85}
        return kept | {"new": 1} if chance.random() < 0.2 else kept
    if isinstance(value, list):
        kept = [_change(item, chance) for item in value if chance.random() < 0.85]
        if chance.random() < 0.3:
            chance.shuffle(kept)
        if chance.random() < 0.3:
            kept.insert(chance.randint(0, len(kept)), {"name": "added"})
        return kept
    return value
