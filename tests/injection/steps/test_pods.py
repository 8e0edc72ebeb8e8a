from __future__ import annotations

from injector.injection.steps.pods import (
    append_env,
    containers_of,
    find_anywhere,
    moved,
    with_annotations,
    with_container,
    with_containers,
    with_labels,
)
from tests.injection.steps.builders import a_container, a_pod


def test_a_pod_without_spec_has_no_containers():
    assert list(containers_of({})) == []
    assert list(containers_of({"spec": None}, "initContainers")) == []


def test_a_container_is_looked_for_among_init_containers_last():
    pod = a_pod(a_container("istio-proxy", image="one"), init=[a_container("istio-proxy", image="two")])
    assert find_anywhere(pod, "istio-proxy")["image"] == "one"
    assert find_anywhere(a_pod(init=[a_container("istio-init")]), "istio-init")["name"] == "istio-init"
    assert find_anywhere(pod, "nobody") is None


def test_replacing_a_container_leaves_the_rest_of_the_pod_as_it_is():
    pod = a_pod(a_container(), a_container("istio-proxy"))
    new = a_container("istio-proxy", image="new")
    changed = with_container(pod, "istio-proxy", new)
    assert changed["spec"]["containers"][1] is new
    assert pod["spec"]["containers"][1]["image"] == "istio-proxy:1"
    assert changed["spec"]["containers"][0] is pod["spec"]["containers"][0]
    assert changed["metadata"] is pod["metadata"]
    assert with_container(pod, "istio-proxy", new, ("initContainers",)) is pod


def test_no_init_containers_is_no_key_but_no_containers_is_an_empty_list():
    pod = a_pod(init=[a_container("setup")])
    assert "initContainers" not in with_containers(pod, "initContainers", [])["spec"]
    assert with_containers(pod, "containers", [])["spec"]["containers"] == []


def test_of_several_containers_of_one_name_only_the_last_is_moved():
    twice = [a_container("p", image="1"), a_container("app"), a_container("p", image="2")]
    assert [c["image"] for c in moved(twice, "p", first=True)] == ["2", "app:1"]
    assert [c["image"] for c in moved(twice, "p", first=False)] == ["app:1", "2"]
    assert moved(twice, "absent", first=True) == twice


def test_empty_annotations_and_labels_are_no_key():
    pod = a_pod(annotations={"a": "1"}, labels={"b": "2"})
    assert with_labels(with_annotations(pod, {}), {})["metadata"] == {"name": "web"}
    assert with_annotations(pod, {"c": "3"})["metadata"]["annotations"] == {"c": "3"}


def test_an_empty_variable_has_no_value():
    assert append_env({"name": "p"}, "A", "")["env"] == [{"name": "A"}]
    assert append_env({"name": "p", "env": [{"name": "B"}]}, "A", "x")["env"][1] == {
        "name": "A",
        "value": "x",
    }
