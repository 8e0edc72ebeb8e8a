"""strategic_merge, rule by rule: what Kubernetes documents, and what only its code says."""

from __future__ import annotations

from typing import Any

import pytest

from injector.errors import PatchError
from injector.patch import MergeError, go_type, strategic_merge
from tests.oracle import Ask, expect_agreement

from .test_strategic_merge_differential import answer


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


MERGES = {
    "a scalar is replaced": (pod(hostNetwork=True), pod(hostNetwork=False), pod(hostNetwork=False)),
    "a map is merged": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"b": "3", "c": "4"}}},
        {"metadata": {"labels": {"a": "1", "b": "3", "c": "4"}}},
    ),
    "null deletes": ({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": None}}}, {"metadata": {"labels": {}}}),
    "null of what is not there does nothing": (pod(), pod(volumes=None), pod()),
    "nulls of a new map are dropped": (pod(), pod(securityContext={"runAsUser": None, "fsGroup": 1}), pod(securityContext={"fsGroup": 1})),
    "nulls of a new list's elements are dropped where the list is new": (
        pod(),
        pod(volumes=[{"name": "a", "emptyDir": None}]),
        pod(volumes=[{"name": "a"}]),
    ),
    "nulls of a new element of a list that is there are kept": (
        pod(volumes=named("a")),
        pod(volumes=[{"name": "b", "emptyDir": None}]),
        pod(volumes=[{"name": "b", "emptyDir": None}, {"name": "a"}]),
    ),
    "another kind of value takes the place": (pod(containers={"a": None}), pod(containers=[]), pod(containers=[])),
    "a list without a merge key is replaced": (
        pod(tolerations=[{"key": "a"}]),
        pod(tolerations=[{"key": "b"}]),
        pod(tolerations=[{"key": "b"}]),
    ),
    "named elements are merged, the patch's in its order": (
        pod(containers=[{"name": "a", "image": "1"}, {"name": "b"}]),
        pod(containers=[{"name": "c"}, {"name": "a", "image": "2"}]),
        pod(containers=[{"name": "c"}, {"name": "a", "image": "2"}, {"name": "b"}]),
    ),
    "where it does not know better the patch goes first": (
        pod(containers=named("app", "other")),
        pod(containers=named("istio-proxy")),
        pod(containers=named("istio-proxy", "app", "other")),
    ),
    "what stands before the patch's element stays there": (
        pod(containers=named("a", "b", "c")),
        pod(containers=named("b", "d")),
        pod(containers=named("a", "b", "d", "c")),
    ),
    "the first of several of one name is merged": (
        pod(containers=named("a", "a")),
        pod(containers=[{"name": "a", "image": "1"}]),
        pod(containers=[{"name": "a", "image": "1"}, {"name": "a"}]),
    ),
    "mounts are told apart by their path": (
        pod(containers=[{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/a"}]}]),
        pod(containers=[{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/b"}]}]),
        pod(containers=[{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/b"}, {"name": "v", "mountPath": "/a"}]}]),
    ),
    "a whole float is another port": (
        pod(containers=[{"name": "a", "ports": [{"containerPort": 80.0}]}]),
        pod(containers=[{"name": "a", "ports": [{"containerPort": 80}]}]),
        pod(containers=[{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 80.0}]}]),
    ),
    "words that merge are taken once": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"finalizers": ["c", "b"]}},
        {"metadata": {"finalizers": ["c", "a", "b"]}},
    ),
    "a field in another case is found": (pod(Containers=named("a")), pod(Containers=named("b")), pod(Containers=named("b", "a"))),
    "$patch: replace of a map": (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "replace", "b": None}}},
        {"metadata": {"labels": {"b": None}}},
    ),
    "$patch: delete of a map": ({"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"$patch": "delete"}}}, {"metadata": {"labels": {}}}),
    "$patch of the whole pod": (pod(hostNetwork=True), {"$patch": "replace", "spec": {}}, {"spec": {}}),
    "$patch: delete of an element": (
        pod(containers=named("a", "b", "a")),
        pod(containers=[{"$patch": "delete", "name": "a"}]),
        pod(containers=named("b")),
    ),
    "$patch: replace of a list": (
        pod(containers=named("a", "b")),
        pod(containers=[{"$patch": "replace"}, {"name": "c"}]),
        pod(containers=named("c")),
    ),
    "a new map with a directive is not added": (pod(), pod(securityContext={"$patch": "replace", "fsGroup": 1}), pod()),
    "a map with a directive takes away what is of another kind": (pod(securityContext="x"), pod(securityContext={"$patch": "replace"}), pod()),
    "a new element with a directive is not added": (pod(), pod(containers=[{"$patch": "delete", "name": "a"}, *named("b")]), pod(containers=named("b"))),
    "$patch: null is no directive in a new map": (pod(), pod(securityContext={"$patch": None, "fsGroup": 1}), pod(securityContext={"fsGroup": 1})),
    "$deleteFromPrimitiveList": (
        {"metadata": {"finalizers": ["a", "b", "a"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
    ),
    "$deleteFromPrimitiveList of what is not there": (
        {"metadata": {}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {}},
    ),
    "$deleteFromPrimitiveList: null deletes the list": (
        {"metadata": {"finalizers": ["a"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": None}},
        {"metadata": {}},
    ),
    "$deleteFromPrimitiveList of a scalar replaces it": (
        pod(hostname="a"),
        pod(**{"$deleteFromPrimitiveList/hostname": "b"}),
        pod(hostname="b"),
    ),
    "$deleteFromPrimitiveList with objects merges them": (
        pod(containers=named("a")),
        pod(**{"$deleteFromPrimitiveList/containers": named("b")}),
        pod(containers=named("b", "a")),
    ),
    "$setElementOrder": (
        pod(containers=named("a", "b", "c")),
        pod(**{"$setElementOrder/containers": named("c", "a", "new"), "containers": named("new")}),
        pod(containers=named("b", "c", "a", "new")),
    ),
    "$setElementOrder of words": (
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$setElementOrder/finalizers": ["c", "a"]}},
        {"metadata": {"finalizers": ["b", "c", "a"]}},
    ),
    "$setElementOrder of a new list": (
        pod(),
        pod(**{"$setElementOrder/containers": named("b", "a"), "containers": [*named("b", "a"), {"name": "b", "$patch": "delete"}]}),
        pod(containers=named("b", "a")),
    ),
    "$setElementOrder that names nothing": (
        pod(containers=named("a", "b", "c")),
        pod(**{"$setElementOrder/containers": [], "containers": named("d", "b", "e")}),
        pod(containers=named("e", "a", "b", "c", "d")),
    ),
    "$setElementOrder that does not name the patch's words": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$setElementOrder/finalizers": [], "finalizers": ["d", "a", "c"]}},
        {"metadata": {"finalizers": ["c", "a", "b", "d"]}},
    ),
    "$setElementOrder after a deletion": (
        pod(containers=named("a", "b", "c")),
        pod(**{"$setElementOrder/containers": named("c", "b"), "containers": [{"name": "b", "$patch": "delete"}]}),
        pod(containers=named("a", "c")),
    ),
    "$setElementOrder of an element that is deleted and comes again": (
        pod(containers=named("a", "b", "c")),
        pod(
            **{
                "$setElementOrder/containers": named("b"),
                "containers": [{"name": "b", "$patch": "delete"}, {"name": "b", "image": "x"}],
            }
        ),
        pod(containers=[*named("a", "c"), {"name": "b", "image": "x"}]),
    ),
    "$setElementOrder of a list without a merge key": (
        pod(containers=[{"name": "a", "args": ["x", "y", "z"]}]),
        pod(containers=[{"name": "a", "$setElementOrder/args": ["z", "x"], "args": ["z", "x"]}]),
        pod(containers=[{"name": "a", "args": ["z", "x"]}]),
    ),
    "$setElementOrder with a directive in the patch": (
        pod(containers=named("a", "b")),
        pod(**{"$setElementOrder/containers": named("a"), "containers": [{"$patch": "replace", "name": "c"}, {"name": "a"}]}),
        pod(containers=named("a")),
    ),
    "$patch in the pod itself goes last": (
        pod(containers=[{"name": "a", "$patch": "delete"}, {"name": "b"}]),
        pod(containers=named("c")),
        pod(containers=[*named("c", "b"), {"name": "a", "$patch": "delete"}]),
    ),
    "words given twice": (
        {"metadata": {"finalizers": ["a", "a", "b", "c"]}},
        {"metadata": {"finalizers": []}},
        {"metadata": {"finalizers": ["a", "c", "b"]}},
    ),
    "words given twice and more words": (
        {"metadata": {"finalizers": ["a", "b", "a", "c", "a"]}},
        {"metadata": {"finalizers": ["d", "b"]}},
        {"metadata": {"finalizers": ["a", "d", "b", "c"]}},
    ),
    "lists where a pointer to a struct is wanted": (pod(securityContext=[1]), pod(securityContext=[2]), pod(securityContext=[2])),
    "$setElementOrder of nothing": (pod(), pod(**{"$setElementOrder/containers": named("a")}), pod()),
    "$retainKeys": (
        pod(volumes=[{"name": "a", "emptyDir": {}, "configMap": {}}]),
        pod(volumes=[{"name": "a", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]),
        pod(volumes=[{"name": "a", "emptyDir": {}}]),
    ),
    "nothing into nothing": (None, None, {}),
    "lists that are both empty": (pod(containers=[]), pod(containers=[]), pod(containers=[])),
}  # fmt: skip


@pytest.mark.parametrize("case", MERGES.values(), ids=MERGES)
def test_a_patch_is_merged(case: tuple[Any, Any, Any]) -> None:
    original, patch, expected = case
    assert strategic_merge(original, patch) == expected


NOT_STRUCT = "merging an object in json but data type is not struct, instead is: map"
REFUSED = {
    "no object": ([], {}, "invalid JSON document"),
    "a patch that is no object": ({}, "x", "invalid JSON document"),
    "an element without its merge key": (
        pod(containers=named("a")),
        pod(containers=[{"image": "x", "args": ["1", 2, 1.5, True, None], "big": 1e6}]),
        "map: map[args:[1 2 1.5 true <nil>] big:1e+06 image:x] does not contain declared merge key: name",
    ),
    "the pod's element without its merge key": (
        pod(containers=[{"image": "x"}]),
        pod(containers=named("a")),
        "map: map[image:x] does not contain declared merge key: name",
    ),
    "a deletion without the merge key": (
        pod(containers=named("a")),
        pod(containers=[{"$patch": "delete"}]),
        "map: map[$patch:delete] does not contain declared merge key: name",
    ),
    "elements of different kinds": (
        pod(containers=named("a")),
        pod(containers=["b"]),
        "list element types are not identical: [[map[name:a]] [b]]",
    ),
    "words where objects are told apart by name": (
        pod(containers=["a"]),
        pod(containers=["b"]),
        "expected a map[string]interface {}, but received a string",
    ),
    "lists in lists": (pod(containers=[[]]), pod(containers=[[]]), "lists of lists are not supported"),
    "null first in a list": (pod(containers=[None]), pod(containers=[]), "a list that is to be merged starts with null"),
    "objects where words are merged": (
        {"metadata": {"finalizers": [{}]}},
        {"metadata": {"finalizers": [{}]}},
        "cannot merge lists without merge key for string",
    ),
    "a merge key that is an object": (
        pod(containers=[{"name": {}}]),
        pod(containers=[{"name": {}}]),
        "comparing uncomparable type map[string]interface {}",
    ),
    "an unknown directive": (
        pod(),
        {"$patch": {"a": True, "b": [None]}},
        "unknown patch type: map[a:%!s(bool=true) b:[<nil>]] in map: map[$patch:map[a:true b:[<nil>]]]",
    ),
    "an unknown directive in a list": (
        pod(containers=named("a")),
        pod(containers=[{"name": "a", "$patch": 1}]),
        "unknown patch type: %!s(int64=1) in map: map[$patch:1 name:a]",
    ),
    "$patch: merge in a list": (
        pod(containers=named("a")),
        pod(containers=[{"name": "a", "$patch": "merge"}]),
        "merging lists cannot yet be specified in the patch",
    ),
    "an unknown field that both have": (
        pod(unk_nown={}),
        pod(unk_nown={}),
        'unable to find api field in struct PodSpec for the json field "unk_nown"',
    ),
    "an unknown field of odd characters": (
        pod(**{'a"\n\x01é\u2028': {}}),
        pod(**{'a"\n\x01é\u2028': {}}),
        'unable to find api field in struct PodSpec for the json field "a\\"\\n\\x01é\\u2028"',
    ),
    "objects in a map of words": (
        {"metadata": {"labels": {"a": {}}}},
        {"metadata": {"labels": {"a": {}}}},
        NOT_STRUCT,
    ),
    "an object in a time": (
        {"metadata": {"creationTimestamp": {"a": {}}}},
        {"metadata": {"creationTimestamp": {"a": {}}}},
        'unable to find api field in struct Time for the json field "a"',
    ),
    "lists where a struct is wanted": (
        pod(containers=[{"name": "a", "resources": []}]),
        pod(containers=[{"name": "a", "resources": []}]),
        "expected slice or array type, but got: struct",
    ),
    "$retainKeys that is no list": (pod(), {"$retainKeys": "x"}, "invalid patch format of retainKeys"),
    "$retainKeys that does not list what is set": (
        pod(),
        {"$retainKeys": ["metadata"], "spec": {}},
        "invalid patch format of retainKeys",
    ),
    "$deleteFromPrimitiveList of no list": (
        pod(),
        {"$deleteFromPrimitiveList": []},
        "invalid patch format of primitive list",
    ),
    "$setElementOrder of no list": (
        pod(),
        {"$setElementOrder": []},
        "invalid patch format of setElementOrder list",
    ),
    "$setElementOrder that is no list": (
        pod(),
        pod(**{"$setElementOrder/containers": None}),
        "expected a []interface {}, but received a %!s(<nil>)",
    ),
    "$setElementOrder of something else": (
        pod(containers=1.5),
        pod(**{"$setElementOrder/containers": []}),
        "expected a []interface {}, but received a float64",
    ),
    "$setElementOrder in another order": (
        pod(),
        pod(**{"$setElementOrder/containers": named("b", "a"), "containers": named("a", "b")}),
        ("The order in patch list:\n[map[name:a] map[name:b]]\n"
        " doesn't match $setElementOrder list:\n[map[name:b] map[name:a]]\n"),
    ),
    "$setElementOrder of an empty list": (
        pod(containers=[]),
        pod(**{"$setElementOrder/containers": named("a")}),
        "no elements in any of the given slices",
    ),
    "$setElementOrder with an element that names nothing": (
        pod(containers=named("a")),
        pod(**{"$setElementOrder/containers": [{}, *named("a")]}),
        "map: map[] does not contain declared merge key: name",
    ),
    "$setElementOrder with words among names": (
        pod(containers=named("a")),
        pod(**{"$setElementOrder/containers": ["a"]}),
        "value for key 0 is not a map",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_patch_that_does_not_fit_is_refused_in_the_words_of_kubernetes(case: tuple[Any, Any, str]) -> None:
    original, patch, sentence = case
    with pytest.raises(MergeError) as caught:
        strategic_merge(original, patch)
    assert str(caught.value) == sentence
    assert isinstance(caught.value, PatchError)


def test_kubernetes_merges_and_refuses_the_same(ask_go: Ask) -> None:
    asked = [case[:2] for case in (*MERGES.values(), *REFUSED.values())]
    questions = [{"op": "strategicMerge", "original": original, "patch": patch} for original, patch in asked]
    expect_agreement(ask_go, questions, answer)


def test_what_does_not_change_is_shared() -> None:
    original = {
        "metadata": {"labels": {"a": "1"}},
        "spec": {"containers": named("a", "b"), "volumes": named("v")},
    }
    merged = strategic_merge(
        original, {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": named("c")}}
    )
    assert merged["metadata"] is original["metadata"]
    assert merged["spec"]["volumes"] is original["spec"]["volumes"]
    assert merged["spec"]["containers"][1] is original["spec"]["containers"][0]


def test_a_patch_that_says_nothing_new_gives_the_original() -> None:
    original = {"metadata": {"labels": {"a": "1"}}, "spec": {}}
    assert (
        strategic_merge(original, {"metadata": {"labels": {"a": "1"}}, "spec": {"volumes": None}}) is original
    )


def test_another_type_has_its_own_merge_keys() -> None:
    container = go_type("Container")
    merged = strategic_merge({"env": named("a")}, {"env": named("b")}, container)
    assert merged == {"env": named("b", "a")}


def test_two_thousand_variables_cost_no_square() -> None:
    environment = [{"name": f"E{number}", "value": "x"} for number in range(2000)]
    merged = strategic_merge(
        pod(containers=[{"name": "a", "env": environment}]),
        pod(containers=[{"name": "a", "env": [{"name": "E1999", "value": "y"}, {"name": "new"}]}]),
    )
    env = merged["spec"]["containers"][0]["env"]
    assert env[1998] is environment[1998]
    assert env[-2:] == [{"name": "E1999", "value": "y"}, {"name": "new"}]


@pytest.mark.parametrize(
    ("version", "added"),
    [
        (23, {"limits": {"cpu": None, "memory": "1Gi"}, "requests": {"$patch": "delete"}}),
        (24, {"limits": {"memory": "1Gi"}, "requests": {"$patch": "delete"}}),
        (27, {"limits": {"memory": "1Gi"}, "requests": {"$patch": "delete"}}),
        (28, {"limits": {"memory": "1Gi"}}),
    ],
)
def test_what_is_new_is_added_as_the_kubernetes_of_the_types_does_it(
    version: int, added: dict[str, Any]
) -> None:
    resources = {"limits": {"cpu": None, "memory": "1Gi"}, "requests": {"$patch": "delete"}}
    merged = strategic_merge(pod(), pod(resources=resources), go_type("core/v1.Pod", version))
    assert merged == pod(resources=added)


@pytest.mark.parametrize(("version", "names"), [(27, ["a", "b"]), (28, ["b"])])
def test_an_ordered_list_that_is_new_loses_its_directives_from_kubernetes_1_28_on(
    version: int, names: list[str]
) -> None:
    containers = [{"name": "a", "$patch": "delete"}, {"name": "b", "image": None}]
    order = {"containers": containers, "$setElementOrder/containers": named("a", "b")}
    merged = strategic_merge({}, pod(**order), go_type("core/v1.Pod", version))
    assert [each["name"] for each in merged["spec"]["containers"]] == names
