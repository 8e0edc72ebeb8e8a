from __future__ import annotations

import copy

from injector.injection.overlay.rebase import rebase
from tests.injection.overlay.builders import a_container, a_pod

# What Go prints beyond what the pod below says.
ZEROS = {"metadata": {"creationTimestamp": None}, "status": {}}


def a_raw_pod():
    return {
        "kind": "Pod",
        "newer": {"x": 1},
        "metadata": {"name": "web", "labels": None, "annotations": {"a": "1"}},
        "spec": {
            "containers": [
                {"name": "app", "image": "app:1", "future": 1, "env": [{"name": "A", "value": "1", "f": 2}]}
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "tolerations": [{"key": "k", "new": 1}],
            "hostNetwork": False,
        },
    }


def its_typed_form():
    return {
        "kind": "Pod",
        "metadata": {"name": "web", "creationTimestamp": None, "annotations": {"a": "1"}},
        "spec": {
            "containers": [
                {"name": "app", "image": "app:1", "resources": {}, "env": [{"name": "A", "value": "1"}]}
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "tolerations": [{"key": "k"}],
        },
        "status": {},
    }


def test_a_pod_that_did_not_change_is_the_same_object():
    raw, typed = a_raw_pod(), its_typed_form()
    assert rebase(raw, typed, typed) is raw
    assert rebase(raw, typed, its_typed_form()) is raw


def test_only_what_changed_is_carried_over():
    raw, typed = a_raw_pod(), its_typed_form()
    final = copy.deepcopy(typed)
    final["metadata"]["labels"] = {"l": "1"}
    final["metadata"]["annotations"]["b"] = "2"
    final["spec"]["containers"][0]["env"].append({"name": "B"})
    final["spec"]["containers"].append(a_container("istio-proxy"))
    expected = a_raw_pod()
    expected["metadata"]["labels"] = {"l": "1"}
    expected["metadata"]["annotations"]["b"] = "2"
    expected["spec"]["containers"][0]["env"].append({"name": "B"})
    expected["spec"]["containers"].append(a_container("istio-proxy"))
    before = copy.deepcopy(raw)
    result = rebase(raw, typed, final)
    assert result == expected
    assert raw == before
    assert result["spec"]["volumes"] is raw["spec"]["volumes"]
    assert result["spec"]["tolerations"] is raw["spec"]["tolerations"]


def test_a_container_keeps_what_is_newer_than_the_types_wherever_it_moves():
    raw, typed = a_raw_pod(), its_typed_form()
    app = typed["spec"]["containers"][0]
    final = typed | {
        "spec": typed["spec"] | {"containers": [a_container("istio-proxy"), app | {"image": "app:2"}]}
    }
    containers = rebase(raw, typed, final)["spec"]["containers"]
    assert [container["name"] for container in containers] == ["istio-proxy", "app"]
    assert containers[1] == raw["spec"]["containers"][0] | {"image": "app:2"}


def test_a_field_that_injection_removes_is_removed():
    raw, typed = a_raw_pod(), its_typed_form()
    spec = {key: value for key, value in typed["spec"].items() if key not in ("volumes", "hostNetwork")}
    result = rebase(raw, typed, typed | {"spec": spec})
    assert "volumes" not in result["spec"]
    assert result["spec"]["hostNetwork"] is False


def test_changes_reach_a_pod_that_lacks_what_go_prints():
    typed = ZEROS | {"spec": {"containers": None}}
    final = {
        "metadata": {"creationTimestamp": None, "labels": {"a": "1"}},
        "spec": {"containers": []},
        "status": {},
    }
    assert rebase({}, typed, final) == {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": []}}
    assert rebase({"metadata": None}, ZEROS, {"metadata": {"creationTimestamp": None}, "status": {}}) == {
        "metadata": None
    }


def test_a_changed_element_of_a_list_without_a_key_is_found_by_its_place():
    raw, typed = a_raw_pod(), its_typed_form()
    final = typed | {"spec": typed["spec"] | {"tolerations": [{"key": "k"}, {"key": "j"}]}}
    assert rebase(raw, typed, final)["spec"]["tolerations"] == [{"key": "k", "new": 1}, {"key": "j"}]


def test_containers_of_one_name_are_taken_in_order():
    raw = a_pod(a_container(x=1), a_container(x=2))
    typed = a_pod(a_container(), a_container())
    final = a_pod(a_container(image="new"), a_container(image="newer"))
    containers = rebase(raw, typed, final)["spec"]["containers"]
    assert [(container["image"], container["x"]) for container in containers] == [("new", 1), ("newer", 2)]
