from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml import parse
from yaml.events import NodeEvent

from injector.kubeyaml import count_nodes, count_values, counting, dump

texts = st.text(alphabet='a,:[]{}"\\- \n', max_size=8)
leaves = st.none() | st.booleans() | st.integers() | texts
documents = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=30)


def children_of(value: Any) -> list[Any]:
    return [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []


def values_of(value: Any) -> int:
    return 1 + sum(map(values_of, children_of(value)))


def nodes_of(value: Any) -> int:
    """Return the nodes of the YAML of a value: its keys are nodes as well."""
    keys = len(value) if isinstance(value, dict) else 0
    return 1 + keys + sum(map(nodes_of, children_of(value)))


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.slow
@given(documents, st.integers(0, 60))
def test_values_past_the_most_are_counted_and_none_too_many(document: Any, most: int) -> None:
    assert (count_values(compact(document), most) > most) == (values_of(document) > most)


@pytest.mark.slow
@given(documents, st.integers(0, 60), st.integers(1, 9))
def test_values_are_counted_alike_wherever_a_block_ends(document: Any, most: int, size: int) -> None:
    text = compact(document)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "_BLOCK", size)
        patch.setattr(counting, "_looks_dense", lambda *_: True)
        assert (count_values(text, most) > most) == (values_of(document) > most)


def test_values_are_counted_exactly_where_no_text_is_in_the_way() -> None:
    for document in ([[]] * 50, [1, [2, 3], {}] * 20, [{"a": []}] * 30):
        assert count_values(compact(document), 40) == values_of(document)


@pytest.mark.slow
@given(documents, st.integers(0, 60))
def test_nodes_past_the_most_are_counted_and_none_too_many(document: Any, most: int) -> None:
    assert (count_nodes(dump(document), most) > most) == (nodes_of(document) > most)


@pytest.mark.parametrize(
    "text",
    [
        "- - - a",
        "? a\n? b\n",
        "{a, b: , c}",
        "[a: b, {c}]",
        "a:\n- b\n- c: d\n",
        "[&a b, *a]",
        "- a\r- b",
        "- a\x85- b",
        "[[[[]]]]",
        "!!str",
        "- !!str\n- !!str",
    ],
)
def test_no_way_to_write_yaml_hides_nodes(text: str) -> None:
    nodes = sum(isinstance(event, NodeEvent) for event in parse(text))
    assert count_nodes(text, nodes) <= nodes == count_nodes(text, nodes - 1)


def test_what_is_not_yaml_has_the_nodes_before_its_fault() -> None:
    assert count_nodes("a: b\n" * 50 + "@" + "\nc: d" * 50, 20) == 21
    assert count_nodes("@" + ", d" * 50, 20) == 0


def test_what_libyaml_alone_takes_for_a_fault_hides_no_nodes() -> None:
    assert count_nodes("k: [a:b:]\na:\n" + "- x\n" * 60, 20) == 21


def test_commas_in_strings_are_no_values() -> None:
    text = json.dumps(["a,b," * 100_000, ["x"] * 50]).encode()
    assert count_values(text, 53) <= 53
    assert count_values(compact(["[{,"] * 40), 30) == 41
    assert count_values(compact(["[{,"] * 40), 41) <= 41


@pytest.mark.parametrize("around", [0, 1, 2])
def test_dense_text_is_found_behind_before_and_between_long_strings(around: int) -> None:
    parts: list[Any] = ["x" * 1500, "x" * 1500]
    parts.insert(around, [[]] * 2000)
    assert count_values(compact(parts), 1500) > 1500
