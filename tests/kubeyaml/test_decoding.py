from __future__ import annotations

import pytest

from injector.errors import YAMLError
from injector.kubeyaml import load
from injector.kubeyaml.decoding import allowed_ratio


def test_a_merge_of_many_goes_backwards_so_an_alias_may_come_before_its_anchor() -> None:
    assert load("<<: [&x {a: 1, b: [2]}, *x]") == {"a": 1, "b": [2]}
    assert load("k: {<<: [{c: 1}, {d: 2}]}") == {"k": {"d": 2, "c": 1}}


def test_an_anchor_may_be_set_again() -> None:
    assert load("- &a 1\n- *a\n- &a 2\n- *a") == [1, 1, 2, 2]


def test_an_alias_may_be_a_key() -> None:
    assert load("- &k yes\n- {*k : 1}") == [True, {"true": 1}]
    with pytest.raises(YAMLError, match="invalid map key: map"):
        load("- &k {a: 1}\n- {*k : 1}")


def test_a_merge_may_not_contain_itself() -> None:
    with pytest.raises(YAMLError, match="anchor 'a' value contains itself"):
        load("a: &a {b: {<<: *a}}")


def test_keys_of_different_kinds_are_not_the_same_key() -> None:
    assert load('1: a\n"1": b\n') == {"1": "b"}
    assert load("1: a\n1.0: b\ntrue: c\n") == {"1": "b", "true": "c"}


def test_fewer_nodes_may_come_from_aliases_the_larger_the_document() -> None:
    assert [allowed_ratio(nodes) for nodes in (1000, 400_000, 4_000_000, 10**9)] == [0.99, 0.99, 0.10, 0.10]
    assert allowed_ratio(2_200_000) == pytest.approx(0.545)


def test_merges_need_mappings() -> None:
    for text in ("<<: 1", "<<: [1]", "- &a 1\n- {<<: *a}", "- &a [1]\n- {<<: [*a]}", "<<:"):
        with pytest.raises(YAMLError, match="map merge requires map or sequence of maps as the value"):
            load(text)
