"""Our typed reading and writing beside encoding/json with corev1.Pod, on random pods of all its types."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.patch import go_type, in_key_order, normalise
from injector.patch.json_patch import same
from injector.patch.kinds_data import VERSIONS
from tests.oracle import BATCH, KUBERNETES, Ask, thorough

from .objects import Objects

POD = go_type("Pod", KUBERNETES)


def answer(value: Any) -> dict[str, Any]:
    before = json.dumps(value)
    try:
        return {"object": normalise(value, POD)}
    except TypedError as error:
        return {"error": str(error)}
    finally:
        assert json.dumps(value) == before, "the input was changed"


def expect_same_text(ask: Ask, pods: list[Any]) -> None:
    answers = ask([{"op": "podJSON", "object": pod} for pod in pods])
    for pod, line in zip(pods, answers, strict=True):
        # As text: the order of fields counts.
        assert json.dumps(answer(pod)) == json.dumps(json.loads(line)), pod


@thorough(full=80, quick=4)
@given(st.integers(0, 2**48))
def test_a_pod_is_read_and_written_as_go_does(ask_go: Ask, seed: int) -> None:
    objects = Objects(seed)
    pods = [objects.value(POD) for _ in range(BATCH // 2)]
    pods += [
        {"spec": {"containers": [objects.value(go_type("Container", KUBERNETES))]}} for _ in range(BATCH // 2)
    ]
    expect_same_text(ask_go, pods)


@thorough(full=40, quick=4)
@given(st.integers(0, 2**48), st.booleans(), st.sampled_from(VERSIONS))
def test_what_go_has_written_it_writes_again(seed: int, keep_unknown: bool, version: int) -> None:
    pod = go_type("Pod", version)
    value = Objects(seed).value(pod)
    try:
        once = normalise(value, pod, keep_unknown=keep_unknown)
    except TypedError:
        return
    # A pointer to the zero time is written as null, and null is read as no pointer.
    once = normalise(once, pod, keep_unknown=keep_unknown)
    again = normalise(once, pod, keep_unknown=keep_unknown)
    assert json.dumps(again) == json.dumps(once)
    assert same(again, once)


@thorough(full=80, quick=4)
@given(st.integers(0, 2**48))
def test_of_several_misfits_go_names_the_first_of_sorted_keys_where_json_comes_from_a_map(
    ask_go: Ask, seed: int
) -> None:
    objects = Objects(seed)
    pods = [objects.value(POD) for _ in range(BATCH)]
    # An empty patch makes the strategic merge print its maps, with sorted keys, and nothing else.
    questions = [{"op": "strategicMerge", "original": pod, "patch": {}} for pod in pods]
    merged = [each["object"] for each in map(json.loads, ask_go(questions)) if "object" in each]
    answers = ask_go([{"op": "podJSON", "object": each} for each in merged])
    for each, line in zip(merged, answers, strict=True):
        assert json.dumps(in_key_order(backwards(each))) == json.dumps(each)
        assert answer(in_key_order(backwards(each))) == json.loads(line), each
    assert merged


def backwards(value: Any) -> Any:
    """Return a value whose objects have their keys in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value
