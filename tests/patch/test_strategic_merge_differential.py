"""Our strategic merge beside apimachinery's, on random pods and patches."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from injector.patch import MergeError, strategic_merge
from tests.oracle import BATCH, Ask, expect_agreement, thorough

from .overlays import Overlays


def as_go_writes(value: Any) -> Any:
    """Whole floats lose their point in Go's JSON."""
    if isinstance(value, dict):
        return {key: as_go_writes(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(as_go_writes, value))
    return int(value) if isinstance(value, float) and value.is_integer() else value


def answer(question: dict[str, Any]) -> dict[str, Any]:
    original, patch = question["original"], question["patch"]
    before = json.dumps([original, patch])
    try:
        merged = {"object": as_go_writes(strategic_merge(original, patch))}
    except MergeError as error:
        merged = {"error": str(error)}
    assert json.dumps([original, patch]) == before, "the input was changed"
    return merged


@thorough(full=120, quick=4)
@given(st.integers(0, 2**48))
def test_a_patch_merges_as_in_kubernetes(ask_go: Ask, seed: int) -> None:
    overlays = Overlays(seed)
    pairs = [overlays.pair() for _ in range(BATCH)]
    questions = [{"op": "strategicMerge", "original": original, "patch": patch} for original, patch in pairs]
    expect_agreement(ask_go, questions, answer)
