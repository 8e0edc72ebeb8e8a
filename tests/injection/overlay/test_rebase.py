from __future__ import annotations

import copy

from injector.injection.overlay.rebase import print_zero_times, rebase
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
    assert containers[1] == raw["spec"]["containers"][0] | {"image": "app:2", "resources": {}}


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


def test_an_element_that_keeps_its_place_is_changed_inside():
    raw = a_pod(a_container(resources={"limits": {"cpu": "0.5"}}))
    typed = a_pod(a_container(resources={"limits": {"cpu": "500m"}}))
    changed = typed["spec"]["containers"][0] | {"image": "new"}
    proxy = a_container("istio-proxy")
    expected = raw["spec"]["containers"][0] | {"image": "new"}
    assert rebase(raw, typed, a_pod(changed, proxy)) == a_pod(expected, proxy)
    same = copy.deepcopy(typed["spec"]["containers"][0])
    assert rebase(raw, typed, a_pod(same, proxy)) == a_pod(raw["spec"]["containers"][0], proxy)


def test_containers_that_change_places_are_as_go_prints_them():
    raw = a_pod(a_container("a", future=1, resources={"limits": {"cpu": "0.5"}}), a_container("b"))
    typed = a_pod(a_container("a", resources={"limits": {"cpu": "500m"}}), a_container("b"))
    final = typed | {"spec": {"containers": typed["spec"]["containers"][::-1]}}
    assert rebase(raw, typed, final)["spec"]["containers"][1] == typed["spec"]["containers"][0] | {
        "future": 1
    }


def test_what_no_type_knows_survives_at_every_depth():
    probe = {"httpGet": {"port": 1, "future": 2}, "newer": {"x": 1}}
    env = [{"name": "A", "value": "1", "f": 2}, {"name": "B", "value": "1"}]
    raw = a_pod(a_container(readinessProbe=probe, env=env, args=["x"]))
    typed = a_pod(
        a_container(
            readinessProbe={"httpGet": {"port": 1}},
            env=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
        )
    )
    changed = typed["spec"]["containers"][0] | {"readinessProbe": {"httpGet": {"port": 15020, "path": "/p"}}}
    changed = changed | {"env": [{"name": "A", "value": "2"}, {"name": "C"}]}
    container = rebase(raw, typed, a_pod(a_container("istio-proxy"), changed))["spec"]["containers"][1]
    assert container["readinessProbe"] == {
        "httpGet": {"port": 15020, "path": "/p", "future": 2},
        "newer": {"x": 1},
    }
    assert container["env"] == [{"name": "A", "value": "2", "f": 2}, {"name": "C"}]


def a_volume_with_a_claim(name, **metadata):
    return {"name": name, "ephemeral": {"volumeClaimTemplate": {"metadata": metadata, "spec": {}}}}


def test_a_claim_template_that_moved_is_printed_with_an_unset_time():
    typed = {"metadata": {}, "spec": {"volumes": [a_volume_with_a_claim("a", labels={"x": "y"})]}}
    final = {"metadata": {}, "spec": {"volumes": [{"name": "new"}, typed["spec"]["volumes"][0]]}}
    printed = print_zero_times(typed, final)["spec"]["volumes"]
    assert printed == [{"name": "new"}, a_volume_with_a_claim("a", creationTimestamp=None, labels={"x": "y"})]


def test_a_claim_template_that_stayed_is_left_as_it_is():
    pod = {"metadata": {}, "spec": {"volumes": [a_volume_with_a_claim("a"), {"name": "b", "ephemeral": {}}]}}
    assert print_zero_times(pod, pod) == pod


def test_a_timestamp_that_a_merge_took_away_is_printed_as_unset():
    typed = {"metadata": {"creationTimestamp": "2026-01-02T03:04:05Z"}, "spec": {}}
    assert print_zero_times(typed, {"metadata": {"name": "a"}}) == {
        "metadata": {"name": "a", "creationTimestamp": None}
    }
    assert print_zero_times(typed, typed) is typed
