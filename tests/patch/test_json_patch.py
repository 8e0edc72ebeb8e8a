"""diff: the operations themselves for what happens to pods, and what holds for every two documents."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings

from injector.patch import apply, diff
from injector.patch.json_patch import same

from .documents import JSON, changed


def containers(*names: str, **image: str) -> dict[str, Any]:
    made = [{"name": name} | ({"image": image[name]} if name in image else {}) for name in names]
    return {"spec": {"containers": made}}


CASES = {
    "nothing": ({"a": [1]}, {"a": [1]}, []),
    "true is not one": ([1], [True], [{"op": "replace", "path": "/0", "value": True}]),
    "one is not one point nought": ({"a": 1}, {"a": 1.0}, [{"op": "replace", "path": "/a", "value": 1.0}]),
    "minus nought is not nought": ({"a": 0.0}, {"a": -0.0}, [{"op": "replace", "path": "/a", "value": -0.0}]),
    "the whole document": ([], {}, [{"op": "replace", "path": "", "value": {}}]),
    "null is a value": ({"a": 1}, {"a": None}, [{"op": "replace", "path": "/a", "value": None}]),
    "keys in the order of both": (
        {"z": 1, "b": 1, "keep": 1},
        {"y": 1, "keep": 1, "a": 1},
        [
            {"op": "remove", "path": "/z"},
            {"op": "remove", "path": "/b"},
            {"op": "add", "path": "/y", "value": 1},
            {"op": "add", "path": "/a", "value": 1},
        ],
    ),
    "escapes": (
        {"sidecar.istio.io/status": "a", "m~n": 1},
        {"sidecar.istio.io/status": "b"},
        [
            {"op": "remove", "path": "/m~0n"},
            {"op": "replace", "path": "/sidecar.istio.io~1status", "value": "b"},
        ],
    ),
    "a container behind": (
        containers("app"),
        containers("app", "istio-proxy"),
        [{"op": "add", "path": "/spec/containers/1", "value": {"name": "istio-proxy"}}],
    ),
    "a container in front leaves the others alone": (
        containers("app", "other"),
        containers("istio-proxy", "app", "other"),
        [{"op": "add", "path": "/spec/containers/0", "value": {"name": "istio-proxy"}}],
    ),
    "a container in front of one that changes": (
        containers("app"),
        containers("istio-proxy", "app", app="new"),
        [
            {"op": "add", "path": "/spec/containers/0", "value": {"name": "istio-proxy"}},
            {"op": "add", "path": "/spec/containers/1/image", "value": "new"},
        ],
    ),
    "a container that moves is not written again": (
        containers("app", "other", "istio-proxy"),
        containers("istio-proxy", "app", "other"),
        [{"op": "move", "from": "/spec/containers/2", "path": "/spec/containers/0"}],
    ),
    "one goes, one comes, one moves, one changes": (
        containers("old", "app", "istio-proxy", "other"),
        containers("istio-proxy", "app", "other", "last", other="new"),
        [
            {"op": "remove", "path": "/spec/containers/0"},
            {"op": "move", "from": "/spec/containers/0", "path": "/spec/containers/1"},
            {"op": "add", "path": "/spec/containers/3", "value": {"name": "last"}},
            {"op": "add", "path": "/spec/containers/2/image", "value": "new"},
        ],
    ),
    "an argument in the middle": (
        ["a", "b", "c"],
        ["a", "x", "b", "c"],
        [{"op": "add", "path": "/1", "value": "x"}],
    ),
    "an argument that changes": (
        ["a", "b", "c"],
        ["a", "x", "c"],
        [{"op": "replace", "path": "/1", "value": "x"}],
    ),
    "two of the same argument": (["a", "b"], ["a", "a", "b"], [{"op": "add", "path": "/1", "value": "a"}]),
    "removals from the back": (
        ["a", "b", "c"],
        [],
        [{"op": "remove", "path": f"/{place}"} for place in (2, 1, 0)],
    ),
    "mounts are told apart by their path": (
        [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
        [{"name": "v", "mountPath": "/c"}, {"name": "v", "mountPath": "/b", "readOnly": True}],
        [
            {"op": "remove", "path": "/0"},
            {"op": "add", "path": "/0", "value": {"name": "v", "mountPath": "/c"}},
            {"op": "add", "path": "/1/readOnly", "value": True},
        ],
    ),
    "ports without a name are told apart by number and protocol": (
        [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
        [{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"}],
        [
            {"op": "remove", "path": "/0"},
            {"op": "add", "path": "/1", "value": {"containerPort": 80, "protocol": "TCP"}},
        ],
    ),
    "elements of one name are told apart by their value": (
        [{"name": "a", "v": 1}, {"name": "a", "v": 2}],
        [{"name": "a", "v": 0}, {"name": "a", "v": 1}, {"name": "a", "v": 2}],
        [{"op": "add", "path": "/0", "value": {"name": "a", "v": 0}}],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_change_has_these_operations(case: tuple[Any, Any, list[Any]]) -> None:
    before, after, operations = case
    assert same(diff(before, after), operations)
    assert same(apply(before, operations), after)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(changed())
def test_the_operations_make_the_second_of_the_first_and_touch_neither(documents: tuple[Any, Any]) -> None:
    before, after = documents
    texts = json.dumps(before), json.dumps(after)
    operations = diff(before, after)
    assert same(apply(before, operations), after)
    assert (json.dumps(before), json.dumps(after)) == texts
    assert bool(operations) is not same(before, after)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(changed())
def test_the_jsonpatch_package_makes_the_same_of_them(documents: tuple[Any, Any]) -> None:
    before, after = documents
    operations = diff(before, after)
    assert same(jsonpatch.apply_patch(copy.deepcopy(before), copy.deepcopy(operations)), after)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_a_document_does_not_differ_from_its_copy(document: Any) -> None:
    assert diff(document, copy.deepcopy(document)) == []


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(changed())
def test_the_same_input_has_the_same_operations_in_the_same_order(documents: tuple[Any, Any]) -> None:
    assert json.dumps(diff(*documents)) == json.dumps(diff(*copy.deepcopy(documents)))


class Untouchable(dict[str, Any]):
    """A dict that nobody may look into."""

    def __getitem__(self, key: str) -> Any:
        raise AssertionError(key)

    def __iter__(self) -> Any:
        raise AssertionError


def test_a_shared_subtree_is_not_looked_into() -> None:
    shared = Untouchable(a=1)
    assert diff({"spec": shared, "list": [shared]}, {"spec": shared, "list": [shared, 1]}) == [
        {"op": "add", "path": "/list/1", "value": 1}
    ]


def environment() -> list[Any]:
    return [{"name": f"E{number}", "value": str(number)} for number in range(100_000)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "count"),
    [
        (lambda variables: [{"name": "X"}, *variables], 1),
        (lambda variables: variables[::-1], 99_999),
        (lambda variables: [*variables[:1000], {"name": "X"}, *variables[1001:]], 2),
        (lambda variables: random.Random(1).sample(variables, len(variables)), None),
        (lambda _: environment(), 0),
    ],
    ids=["one in front", "reversed", "one replaced", "shuffled", "equal, nothing shared"],
)
def test_a_hundred_thousand_variables_cost_no_square(
    change: Callable[[list[Any]], list[Any]], count: int | None
) -> None:
    """It takes a second; a quadratic comparison would be stopped by the limit of all tests."""
    before = environment()
    after = change(before)
    operations = diff(before, after)
    assert count is None or len(operations) == count
    assert apply(before, operations) == after
