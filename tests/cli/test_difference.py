"""The diff that people read, where two pods differ, and how many such places become groups."""

from __future__ import annotations

from typing import Any

import pytest

from injector.cli.difference import Difference, contrast, grouped
from injector.cli.explained import coloured, difference


def places(old: Any, new: Any) -> list[tuple[str, str, str]]:
    return [(each.path, each.old, each.new) for each in contrast(old, new)]


CASES: list[Any] = [
    pytest.param({"a": 1}, {"a": 1}, [], id="the same"),
    pytest.param({"a": 1}, {"a": True}, [("a", "1", "true")], id="one is not true"),
    pytest.param({"a": 1}, {}, [("a", "1", "")], id="gone"),
    pytest.param({}, {"a": None}, [("a", "", "null")], id="null is there"),
    pytest.param([1, 2], [1, 3], [("[1]", "2", "3")], id="by place"),
    pytest.param({"args": ["x"]}, {"args": ["x", "y"]}, [("args", '["x"]', '["x","y"]')], id="longer"),
    pytest.param(
        {"c": [{"name": "a", "image": "x"}, {"name": "b"}]},
        {"c": [{"name": "b"}, {"name": "a", "image": "y"}]},
        [("c[a].image", '"x"', '"y"'), ("c (order)", "a, b", "b, a")],
        id="by name, and the order apart",
    ),
    pytest.param(
        {"c": [{"name": "a"}]},
        {"c": [{"name": "a"}, {"name": "b"}]},
        [("c[b]", "", '{"name":"b"}')],
        id="added",
    ),
    pytest.param(
        {"m": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
        {"m": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b", "readOnly": True}]},
        [("m[/b].readOnly", "", "true")],
        id="by mount path where names repeat",
    ),
    pytest.param(
        {"m": [{"name": "v", "mountPath": "/a"}]},
        {"m": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]},
        [("m[/b]", "", '{"name":"v","mountPath":"/b"}')],
        id="by what names the elements of both",
    ),
    pytest.param({"m": []}, {"m": [{"ip": "1"}]}, [("m[1]", "", '{"ip":"1"}')], id="none before"),
    pytest.param(
        {"s": '{"revision":"a","x":1}'},
        {"s": '{"revision":"b","x":1}'},
        [("s as JSON: .revision", '"a"', '"b"')],
        id="inside JSON",
    ),
    pytest.param(
        {"s": '{"x": 1}'},
        {"s": '{"x":1}'},
        [("s (spelling)", '"{\\"x\\": 1}"', '"{\\"x\\":1}"')],
        id="spelling",
    ),
    pytest.param({"s": "{x"}, {"s": "{y"}, [("s", '"{x"', '"{y"')], id="no JSON after all"),
    pytest.param({"a": {}}, {"a": []}, [("a", "{}", "[]")], id="another kind"),
]


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_differences_are_named_by_their_place(
    old: Any, new: Any, expected: list[tuple[str, str, str]]
) -> None:
    assert places(old, new) == expected


def test_a_difference_of_many_pods_is_one_group_and_the_commonest_is_first() -> None:
    rare, common = Difference("b", "1", "2"), Difference("c", "1", "2")
    groups = grouped([("x", [rare, common]), ("y", [common])])
    assert list(groups.items()) == [(common, ["x", "y"]), (rare, ["x"])]


def test_what_is_expected_to_differ_can_be_left_out() -> None:
    found = Difference("spec.containers[istio-proxy].image", "1", "2")
    other = Difference("metadata.labels.istio.io/rev", "1", "2")
    pods = [("x", [found, other])]
    assert [*grouped(pods, ["spec.containers[istio-proxy].*"])] == [other]
    assert [*grouped(pods, ["*image", "*/rev"])] == []


def test_equal_documents_differ_in_nothing() -> None:
    assert list(difference({"a": 1}, {"a": 1})) == []


def test_a_change_is_shown_with_its_neighbours() -> None:
    lines = list(difference({"a": 1, "b": 2}, {"a": 1, "b": 3}))
    assert lines[-3:] == [" a: 1", "-b: 2", "+b: 3"]


def test_added_is_green_removed_red_and_the_rest_plain() -> None:
    assert "\x1b[32m" in coloured("+x")
    assert "\x1b[31m" in coloured("-x")
    assert coloured(" x") == " x"
    assert "\x1b[1m" in coloured("+++ after")
