"""What was read before is not read again, and nobody sees a difference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.patch import (
    POD,
    GoType,
    MergeError,
    go_type,
    normalise,
    readings,
    strategic_merge,
)
from injector.patch.equality import same

from .overlays import Overlays


def inner(value: Any) -> list[Any]:
    """Return every list and object in a value."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [part for child in children if isinstance(child, dict | list) for part in (child, *inner(child))]


def outcome(read: Any) -> Any:
    try:
        return read()
    except TypedError as error:
        return str(error)


OLDEST = go_type("Pod", 10)


def drawn(seed: int, pod_type: GoType = POD) -> tuple[Any, Any, Any] | None:
    """Return a typed pod, an overlay and the merged pod; None where they cannot be had."""
    original, overlay = Overlays(seed).pair()
    try:
        typed = normalise(original, pod_type)
        return typed, overlay, strategic_merge(typed, overlay)
    except (MergeError, TypedError):
        return None


@pytest.mark.slow
@settings(max_examples=400)
@given(
    seed=st.integers(0, 2**48),
    choice=st.randoms(use_true_random=False),
    pod_type=st.sampled_from([POD, OLDEST]),
)
def test_a_merged_pod_is_read_as_if_nothing_of_it_was_known(seed: int, choice: Any, pod_type: GoType) -> None:
    found = drawn(seed, pod_type)
    if found is None:
        return
    _, overlay, merged = found
    constants = frozenset(id(part) for part in inner(overlay) if choice.random() < 0.5)
    known = readings(overlay, constants, pod_type)
    expected = outcome(lambda: normalise(merged, pod_type))
    assert same(outcome(lambda: normalise(merged, pod_type, any_order=True, known=known)), expected)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**48))
def test_reading_changes_nothing(seed: int) -> None:
    found = drawn(seed)
    if found is None:
        return
    typed, overlay, merged = found
    before = json.dumps([typed, overlay, merged])
    outcome(lambda: normalise(merged, POD, any_order=True, known=readings(overlay, frozenset(), POD)))
    assert json.dumps([typed, overlay, merged]) == before


def test_what_is_known_is_not_looked_at() -> None:
    volume = {"name": "v", "emptyDir": {"sizeLimit": "1024Mi"}}
    overlay = {"spec": {"volumes": [volume]}}
    typed = normalise({"spec": {"containers": [{"name": "a"}]}}, POD)
    merged = strategic_merge(typed, overlay)
    known = readings(overlay, {id(volume)}, POD)
    known[id(volume)]["seen"] = True
    result = normalise(merged, POD, any_order=True, known=known)
    assert result["spec"]["volumes"] == [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}, "seen": True}]


def test_what_does_not_fit_is_said_when_it_is_read_where_it_stands() -> None:
    container = {"name": "a", "image": 1}
    overlay = {"spec": {"containers": [container]}}
    known = readings(overlay, {id(container)}, POD)
    assert known == {}
    typed = normalise({}, POD)
    with pytest.raises(TypedError, match=r"spec\.containers\.image"):
        normalise(strategic_merge(typed, overlay), POD, known=known)


def test_what_is_read_of_a_part_is_part_of_what_is_read_of_the_whole() -> None:
    items: list[object] = [{}]  # is read as {"name": ""}
    value = {"spec": {"volumes": items}}
    found = readings(value, {id(value["spec"])}, POD)
    volumes = found[id(value["spec"])]["volumes"]  # type: ignore[index, call-overload]
    assert volumes is found[id(items)]
    assert volumes[0] is found[id(items[0])]
