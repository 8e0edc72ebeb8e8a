"""An overlay that meets nothing is joined to a pod, and nobody sees a difference from merging."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from injector.errors import TypedError
from injector.patch import POD, GoType, MergeError, go_type, join, normalise, only_adds, strategic_merge
from injector.patch.json_patch import same

from .overlays import Overlays

OLDEST = go_type("Pod", 10)


def joined(pod: Any, overlay: Any, pod_type: GoType = POD) -> Any:
    typed = normalise(pod, pod_type)
    return join(typed, overlay, normalise(overlay, pod_type), pod_type)


def merged(pod: Any, overlay: Any, pod_type: GoType = POD) -> Any:
    return normalise(strategic_merge(normalise(pod, pod_type), overlay, pod_type), pod_type)


@pytest.mark.slow
@settings(max_examples=1000)
@given(seed=st.integers(0, 2**48), pod_type=st.sampled_from([POD, OLDEST]), apart=st.booleans())
def test_what_is_joined_is_what_merging_makes(seed: int, pod_type: GoType, apart: bool) -> None:
    pod, overlay = Overlays(seed).pair()
    if apart:  # names that meet are the rule there
        overlay = renamed(overlay)
    if not only_adds(overlay, pod_type):
        return
    before = json.dumps([pod, overlay])
    try:
        found = joined(pod, overlay, pod_type)
        alone = normalise(overlay, pod_type)
    except TypedError:
        return
    assert same(alone, merged({}, overlay, pod_type))
    if found is not None:
        assert same(found, merged(pod, overlay, pod_type))
    assert json.dumps([pod, overlay]) == before


def renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: f"{item}-of-overlay" if key == "name" and isinstance(item, str) else renamed(item)
            for key, item in value.items()
            if not key.startswith("$")
        }
    return [renamed(item) for item in value] if isinstance(value, list) else value


POD_OF_OWNER = {
    "metadata": {"labels": {"app": "web", "a": "1"}},
    "spec": {
        "containers": [{"name": "app", "resources": {"limits": {"cpu": "1"}}}],
        "volumes": [{"name": "data"}],
        "hostNetwork": True,
        "securityContext": {"fsGroup": 1, "runAsUser": 5},
        "nodeSelector": {"a": "1"},
        "tolerations": [{"key": "a"}],
        "dnsConfig": {"nameservers": ["a"]},
    },
}


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "proxy", "resources": {"limits": {"cpu": "2000m"}}}]},
        {"initContainers": [{"name": "init"}], "volumes": [{"name": "envoy", "emptyDir": {}}]},
        {"hostNetwork": False},
        {"hostNetwork": True, "hostPID": False, "priority": 0},
        {"securityContext": {"fsGroup": 1337}},
        {"securityContext": {"fsGroup": 0, "seLinuxOptions": {}}},
        {"securityContext": {}},
        {"nodeSelector": {"b": "2"}},
        {"tolerations": [{"key": "b"}]},
        {"tolerations": []},
        {"volumes": []},
        {"imagePullSecrets": [{"name": "a"}]},
        {"terminationGracePeriodSeconds": 0},
        {"dnsConfig": {"searches": ["a"]}},
        {"affinity": {"nodeAffinity": {}}},
    ],
    ids=str,
)
def test_what_an_overlay_has_for_itself_is_joined(spec: Any) -> None:
    for metadata in ({}, {"labels": {"b": "2", "a": "2"}, "annotations": {"c": "3"}}, {"labels": {}}):
        overlay = {"metadata": metadata, "spec": spec}
        assert only_adds(overlay, POD)
        assert same(joined(POD_OF_OWNER, overlay), merged(POD_OF_OWNER, overlay))


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"name": "app", "tty": True}]},
        {"containers": [{"image": "without a name"}]},
        {"volumes": [{"name": "data", "emptyDir": {}}]},
        {"Containers": [{"name": "of another spelling"}]},
        {"unknown": 1},
        {"securityContext": None},
    ],
    ids=str,
)
def test_what_meets_something_is_left_to_merging(spec: Any) -> None:
    assert joined(POD_OF_OWNER, {"spec": spec}) is None


@pytest.mark.parametrize(
    "overlay",
    [
        None,
        [],
        "text",
        {"spec": {"volumes": [None]}},
        {"spec": {"volumes": [{"$patch": "delete", "name": "data"}]}},
        {"spec": {"$retainKeys": ["containers"]}},
        {"spec": {"$setElementOrder/containers": []}},
        {"spec": {"$deleteFromPrimitiveList/finalizers": []}},
        {"spec": {"priority": 2**70}},
    ],
    ids=str,
)
def test_what_asks_for_more_than_to_be_added(overlay: Any) -> None:
    assert not only_adds(overlay, POD)


@pytest.mark.parametrize(
    ("container", "adds"),
    [
        ({"args": ["$(POD_NAME)", "null"]}, True),
        ({"args": ["$patch"]}, False),
        ({"args": [None]}, False),
        ({"resources": None, "tty": None}, True),
        ({"resources": {"limits": None}}, True),
        ({"resources": {"limits": {"cpu": None}}}, False),
        ({"unknown": {"a": None}}, False),
        ({"env": [None]}, False),
        ({"env": [{"name": "a", "value": None}]}, True),
    ],
    ids=str,
)
def test_a_null_is_a_field_that_is_not_there_and_nothing_else(container: Any, adds: bool) -> None:
    overlay = {"spec": {"containers": [{"name": "a"} | container]}}
    assert only_adds(overlay, POD) is adds
    if adds:
        assert same(joined(POD_OF_OWNER, overlay), merged(POD_OF_OWNER, overlay))


def test_an_overlay_that_fits_nothing_is_no_merge_error() -> None:
    with pytest.raises(MergeError):
        strategic_merge({}, "text")
