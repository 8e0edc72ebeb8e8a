from __future__ import annotations

import copy

from injector.injection.steps.rebase import rebase as rebase_with
from injector.patch import POD, go_type
from tests.injection.steps.builders import a_container, a_pod

# What Go prints beyond what the pod below says.
ZEROS = {"metadata": {"creationTimestamp": None}, "status": {}}


def rebase(received, typed, final):
    return rebase_with(received, typed, final, POD)


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


def a_volume(name, *sources):
    return {"name": name, "projected": {"sources": list(sources)}}


def a_pod_with_volumes(*volumes):
    return {"spec": {"containers": [], "volumes": list(volumes)}}


def test_what_is_newer_goes_with_its_element_through_lists_without_a_merge_key():
    certificate = {"podCertificate": {"signerName": "x", "userAnnotations": {"a": "b"}}}
    token = {"serviceAccountToken": {"path": "token", "future": 1}}
    raw = a_pod_with_volumes(
        a_volume("tls", certificate, token), {"name": "model", "image": {"reference": "m"}}
    )
    typed = a_pod_with_volumes(
        a_volume("tls", {"podCertificate": {"signerName": "x"}}, {"serviceAccountToken": {"path": "token"}}),
        {"name": "model"},
    )
    injected = [
        {"name": "istio-envoy", "emptyDir": {}},
        a_volume("istio-token", {"configMap": {"name": "ca"}}),
    ]
    final = a_pod_with_volumes(*injected, *copy.deepcopy(typed["spec"]["volumes"]))
    result = rebase_with(raw, typed, final, go_type("Pod", 30))
    assert result["spec"]["volumes"] == [*injected, *raw["spec"]["volumes"]]


def test_an_element_of_the_same_look_at_the_old_index_gets_nothing_of_another():
    raw = {"spec": {"tolerations": [{"key": "a", "new": 1}, {"key": "b", "new": 2}]}}
    typed = {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}}
    final = {"spec": {"tolerations": [{"key": "b"}, {"key": "c"}]}}
    assert rebase(raw, typed, final) == {"spec": {"tolerations": [{"key": "b", "new": 2}, {"key": "c"}]}}


def test_a_container_that_becomes_an_init_container_keeps_what_is_newer():
    own = a_container("istio-proxy", restartPolicyRules=[{"action": "Restart"}])
    raw = a_pod(a_container("app"), own)
    typed = a_pod(a_container("app"), a_container("istio-proxy"))
    final = a_pod(
        a_container("app"), init=[a_container("istio-init"), a_container("istio-proxy", image="new")]
    )
    result = rebase_with(raw, typed, final, go_type("Pod", 28))
    assert result["spec"]["containers"] == [a_container("app")]
    assert result["spec"]["initContainers"] == [a_container("istio-init"), own | {"image": "new"}]


def test_an_unknown_field_in_an_object_that_go_prints_empty_moves_with_it():
    raw = a_pod(a_container("app", resources={"x": 1}), a_container("b"))
    typed = a_pod(a_container("app", resources={}), a_container("b", resources={}))
    final = a_pod(a_container("b", resources={}), a_container("app", resources={}))
    assert rebase(raw, typed, final)["spec"]["containers"][1] == a_container("app", resources={"x": 1})
