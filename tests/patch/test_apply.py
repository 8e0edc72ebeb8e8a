"""apply: the examples of RFC 6902, what it forbids, and that the input stays as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from injector.errors import PatchError
from injector.patch import apply
from injector.patch.apply import equal
from injector.patch.json_patch import same

from .documents import JSON

APPLIES = {
    "A.1 adding a member": ({"foo": "bar"}, [("add", "/baz", "qux")], {"baz": "qux", "foo": "bar"}),
    "A.2 adding an element": (
        {"foo": ["bar", "baz"]},
        [("add", "/foo/1", "qux")],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 removing a member": ({"baz": "qux", "foo": "bar"}, [("remove", "/baz")], {"foo": "bar"}),
    "A.4 removing an element": (
        {"foo": ["bar", "qux", "baz"]},
        [("remove", "/foo/1")],
        {"foo": ["bar", "baz"]},
    ),
    "A.5 replacing a value": ({"baz": "qux"}, [("replace", "/baz", "boo")], {"baz": "boo"}),
    "A.6 moving a value": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [("move", "/foo/waldo", "/qux/thud")],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 moving an element": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [("move", "/foo/1", "/foo/3")],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 testing a value": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [("test", "/baz", "qux"), ("test", "/foo/1", 2)],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 adding a nested object": (
        {"foo": "bar"},
        [("add", "/child", {"grandchild": {}})],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.14 escapes": ({"/": 9, "~1": 10}, [("test", "/~01", 10)], {"/": 9, "~1": 10}),
    "A.16 adding an array": ({"foo": ["bar"]}, [("add", "/foo/-", ["abc"])], {"foo": ["bar", ["abc"]]}),
    "add replaces a member": ({"a": 1}, [("add", "/a", None)], {"a": None}),
    "add at the end of a list": ([1], [("add", "/1", 2)], [1, 2]),
    "add of the whole document": ({"a": 1}, [("add", "", [])], []),
    "replace of the whole document": ({"a": 1}, [("replace", "", None)], None),
    "an empty key": ({"": 1}, [("replace", "/", 2)], {"": 2}),
    "a minus is a key of an object": ({}, [("add", "/-", 1)], {"-": 1}),
    "copy": ({"a": [1]}, [("copy", "/a", "/b")], {"a": [1], "b": [1]}),
    "a copy goes its own way": (
        {"a": [1]},
        [("add", "/a/-", 2), ("copy", "/a", "/b"), ("add", "/b/-", 3), ("remove", "/a/0")],
        {"a": [2], "b": [1, 2, 3]},
    ),
    "a value that is added is changed in a copy": ({}, [("add", "/a", []), ("add", "/a/-", 1)], {"a": [1]}),
    "move to the same place": ({"a": 1}, [("move", "/a", "/a")], {"a": 1}),
    "move to a name that starts alike": ({"a": 1}, [("move", "/a", "/ab")], {"ab": 1}),
    "a number is tested by its value": ({"a": 1}, [("test", "/a", 1.0)], {"a": 1}),
    "objects are tested without order": (
        {"a": {"x": 1, "y": [1.0]}},
        [("test", "/a", {"y": [1], "x": 1})],
        {"a": {"x": 1, "y": [1.0]}},
    ),
    "the whole document is tested": ([1], [("test", "", [1])], [1]),
}


def operation(op: str, *operands: Any) -> dict[str, Any]:
    if op in ("move", "copy"):
        return {"op": op, "from": operands[0], "path": operands[1]}
    return {"op": op, "path": operands[0]} | ({"value": operands[1]} if len(operands) > 1 else {})


@pytest.mark.parametrize("case", APPLIES.values(), ids=APPLIES)
def test_an_operation_makes_this_document(case: tuple[Any, list[Any], Any]) -> None:
    document, operations, expected = case
    before = json.dumps(document)
    assert same(apply(document, [operation(*each) for each in operations]), expected)
    assert json.dumps(document) == before


REFUSED = {
    "A.9 a test that fails": (
        {"baz": "qux"},
        operation("test", "/baz", "bar"),
        "/baz: the tested value is another",
    ),
    "true is not tested as one": ({"a": 1}, operation("test", "/a", True), "/a: the tested value is another"),
    "A.12 adding to what is not there": (
        {"foo": "bar"},
        operation("add", "/baz/bat", "qux"),
        "/baz/bat: there is no 'baz'",
    ),
    "A.15 a number is no string": (
        {"~1": 10},
        operation("test", "/~01", "10"),
        "/~01: the tested value is another",
    ),
    "replacing what is not there": ({}, operation("replace", "/a", 1), "/a: there is no 'a'"),
    "removing what is not there": ([], operation("remove", "/0"), "/0: index 0 is outside of a list of 0"),
    "removing the whole document": ({}, operation("remove", ""), "the whole document cannot be removed"),
    "an index beyond the end": ([1], operation("add", "/2", 1), "/2: index 2 is outside of a list of 2"),
    "an index of more digits than Python reads": (
        [1],
        operation("remove", f"/{'1' * 5000}"),
        f"/{'1' * 5000}: index {'1' * 40} is outside of a list of 1",
    ),
    "an index with a leading zero": ([1], operation("add", "/01", 1), "/01: '01' is not an index of a list"),
    "a negative index": ([1], operation("remove", "/-1"), "/-1: '-1' is not an index of a list"),
    "an index of other digits": ([1], operation("remove", "/٠"), "/٠: '٠' is not an index of a list"),
    "a word as an index": ([1], operation("add", "/x", 1), "/x: 'x' is not an index of a list"),
    "the end where nothing is": ([1], operation("replace", "/-", 1), "/-: '-' is not an index of a list"),
    "into a scalar": (
        {"a": 1},
        operation("add", "/a/b", 1),
        "/a/b: 'b' is looked up in a value that is neither an object nor a list",
    ),
    "through a scalar": (
        {"a": 1},
        operation("test", "/a/b/c", 1),
        "/a/b/c: 'b' is looked up in a value that is neither an object nor a list",
    ),
    "into itself": ({"a": {}}, operation("move", "/a", "/a/b"), "/a/b: '/a' cannot be moved into itself"),
    "from what is not there": ({}, operation("copy", "/a", "/b"), "/a: there is no 'a'"),
    "moved onto itself from nowhere": ({}, operation("move", "/a", "/a"), "/a: there is no 'a'"),
    "an unknown operation": ({}, {"op": "spam", "path": "/a"}, "/a: unknown operation 'spam'"),
    "no operation": ({}, {"path": "/a"}, "/a: unknown operation None"),
    "no path": ({}, {"op": "remove"}, "the operation 'remove' needs a 'path' that is a string"),
    "a path that is no string": (
        {},
        {"op": "remove", "path": None},
        "the operation 'remove' needs a 'path' that is a string",
    ),
    "no from": ({}, {"op": "copy", "path": "/a"}, "the operation 'copy' needs a 'from' that is a string"),
    "no value": ({"a": 1}, {"op": "test", "path": "/a"}, "/a: the operation 'test' needs a 'value'"),
    "no pointer": ({"a": 1}, operation("remove", "a"), "a: a JSON pointer is empty or starts with /"),
    "a bad escape": (
        {"~2": 1},
        operation("remove", "/~2"),
        "/~2: in a JSON pointer ~ is followed by 0 or 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_an_operation_that_does_not_apply_says_why(case: tuple[Any, dict[str, Any], str]) -> None:
    document, refused, sentence = case
    before = json.dumps(document)
    with pytest.raises(PatchError) as caught:
        apply(document, [refused])
    assert str(caught.value) == sentence
    assert json.dumps(document) == before


def test_what_no_operation_reaches_is_shared() -> None:
    document = {"spec": {"containers": [{"name": "app"}]}, "metadata": {"labels": {}}}
    result = apply(document, [operation("add", "/metadata/labels/a", "b")])
    assert result["spec"] is document["spec"]
    assert result["metadata"] == {"labels": {"a": "b"}}


def test_no_operations_give_the_document_itself() -> None:
    document = {"a": 1}
    assert apply(document, []) is document


@settings(max_examples=50, deadline=None)
@given(JSON, JSON)
def test_equality_in_json_text_is_finer_than_that_of_the_test_operation(left: Any, right: Any) -> None:
    if same(left, right):
        assert equal(left, right)
    assert equal(left, right) is equal(right, left)


@given(
    st.sampled_from([True, False, 0, 1, 0.0, 1.0, -0.0]), st.sampled_from([True, False, 0, 1, 0.0, 1.0, -0.0])
)
def test_a_bool_equals_no_number(left: Any, right: Any) -> None:
    assert equal(left, right) is (left == right and isinstance(left, bool) is isinstance(right, bool))
