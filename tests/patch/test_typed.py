"""normalise and check, rule by rule: what encoding/json and the Kubernetes types make of an object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from injector.errors import TypedError
from injector.patch import KINDS, POD, go_type, normalise

CONTAINER = go_type("Container")

READS = {
    "an empty pod": (POD, {}, {"metadata": {}, "spec": {"containers": None}, "status": {}}),
    "null": (POD, None, {"metadata": {}, "spec": {"containers": None}, "status": {}}),
    "resources are always printed": (CONTAINER, {"name": "a"}, {"name": "a", "resources": {}}),
    "fields in the order of declaration": (
        CONTAINER,
        {"resources": {}, "image": "x", "name": "a"},
        {"name": "a", "image": "x", "resources": {}},
    ),
    "zero values are dropped": (
        CONTAINER,
        {"name": "", "image": "", "args": [], "env": None, "stdin": False, "resources": {}},
        {"name": "", "resources": {}},
    ),
    "what a pointer points to is not dropped": (
        CONTAINER,
        {"name": "a", "resources": {}, "securityContext": {"runAsUser": 0, "privileged": False}},
        {"name": "a", "resources": {}, "securityContext": {"privileged": False, "runAsUser": 0}},
    ),
    "keys in any case": (
        CONTAINER,
        {"NAME": "a", "livenessprobe": {"HTTPGet": {"port": 1}}},
        {"name": "a", "resources": {}, "livenessProbe": {"httpGet": {"port": 1}}},
    ),
    "the later of two spellings": (CONTAINER, {"name": "a", "Name": "b"}, {"name": "b", "resources": {}}),
    "null leaves a word that is there": (CONTAINER, {"name": "a", "Name": None}, {"name": "a", "resources": {}}),
    "null unsets a list": (CONTAINER, {"args": ["a"], "Args": None}, {"name": "", "resources": {}}),
    "a struct is filled twice": (
        POD,
        {"spec": {"containers": [], "hostNetwork": True}, "Spec": {"hostname": "h"}},
        {"metadata": {}, "spec": {"containers": [], "hostNetwork": True, "hostname": "h"}, "status": {}},
    ),
    "a list is filled twice": (
        go_type("PodSpec"),
        {"containers": [{"name": "a", "image": "x"}, None], "Containers": [{"name": "b"}, {"name": "c"}, {"name": "d"}]},
        {
            "containers": [
                {"name": "b", "image": "x", "resources": {}},
                {"name": "c", "resources": {}},
                {"name": "d", "resources": {}},
            ]
        },
    ),
    "a map is filled twice": (
        go_type("ResourceRequirements"),
        {"limits": {"a": "1", "b": "1"}, "Limits": {"b": None}},
        {"limits": {"a": "1", "b": "0"}},
    ),
    "a pointer is filled twice": (
        go_type("PodSpec"),
        {"containers": [], "securityContext": {"fsGroup": 1}, "SecurityContext": {"FSGroup": 2, "runAsUser": 3}},
        {"containers": [], "securityContext": {"runAsUser": 3, "fsGroup": 2}},
    ),
    "unknown fields go": (CONTAINER, {"name": "a", "new": {"b": 1}}, {"name": "a", "resources": {}}),
    "quantities are canonical": (
        go_type("ResourceRequirements"),
        {"limits": {"memory": "1024Mi", "cpu": "2000m", "a": 1.5, "b": None, "c": 2}},
        {"limits": {"a": "1500m", "b": "0", "c": "2", "cpu": "2", "memory": "1Gi"}},
    ),
    "map keys are sorted": (go_type("Pod"), {"metadata": {"labels": {"b": "1", "a": None}}, "spec": {"containers": []}, "status": {}},
        {"metadata": {"labels": {"a": "", "b": "1"}}, "spec": {"containers": []}, "status": {}}),
    "an int or a string": (
        go_type("HTTPGetAction"),
        {"port": "http", "scheme": "HTTP"},
        {"port": "http", "scheme": "HTTP"},
    ),
    "no int and no string": (go_type("HTTPGetAction"), {"port": None}, {"port": 0}),
    "times in UTC": (
        go_type("meta/v1.ObjectMeta"),
        {"creationTimestamp": "2024-01-01T00:30:00.9+01:00", "deletionTimestamp": None},
        {"creationTimestamp": "2023-12-31T23:30:00Z"},
    ),
    "a time of zero": (go_type("meta/v1.ObjectMeta"), {"creationTimestamp": "0001-01-01T00:00:00Z"}, {}),
    "a pointer to a time of zero": (
        go_type("meta/v1.ObjectMeta"),
        {"deletionTimestamp": "0001-01-01T00:00:00Z"},
        {"deletionTimestamp": None},
    ),
    "what has no type stays": (
        go_type("meta/v1.ManagedFieldsEntry"),
        {"fieldsV1": {"b": 1, "a": [None, 1.5]}},
        {"fieldsV1": {"b": 1, "a": [None, 1.5]}},
    ),
    "null in a list of structs": (go_type("Container"), {"name": "a", "env": [None]}, {"name": "a", "env": [{"name": ""}], "resources": {}}),
    "a deployment": (
        KINDS["Deployment"],
        {"kind": "Deployment", "spec": {"replicas": 1}},
        {
            "kind": "Deployment",
            "metadata": {},
            "spec": {
                "replicas": 1,
                "selector": None,
                "template": {"metadata": {}, "spec": {"containers": None}},
                "strategy": {},
            },
            "status": {},
        },
    ),
    "null for a map": (go_type("map[string]string"), None, None),
    "the items of a list are left alone": (
        KINDS["List"],
        {"kind": "List", "items": [{"spec": {"b": 1, "a": 2}}, None]},
        {"kind": "List", "metadata": {}, "items": [{"spec": {"b": 1, "a": 2}}, None]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READS.values(), ids=READS)
def test_a_value_is_read_and_written(case: tuple[Any, Any, Any]) -> None:
    schema, value, expected = case
    before = json.dumps(value)
    assert json.dumps(normalise(value, schema)) == json.dumps(expected)
    assert json.dumps(value) == before


MUST = "Go struct field"
REFUSED = {
    "a number for a word": (
        {"spec": {"containers": [{"args": [1]}]}},
        f"json: cannot unmarshal number into {MUST} Container.spec.containers.args of type string",
    ),
    "a word for a number": (
        {"spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}},
        f"json: cannot unmarshal string into {MUST} ContainerPort.spec.containers.ports.containerPort of type int32",
    ),
    "no whole number": (
        {"spec": {"containers": [{"ports": [{"containerPort": 80.5}]}]}},
        f"json: cannot unmarshal number 80.5 into {MUST} ContainerPort.spec.containers.ports.containerPort of type int32",
    ),
    "a whole number with a point": (
        {"spec": {"containers": [{"ports": [{"containerPort": 80.0}]}]}},
        f"json: cannot unmarshal number 80.0 into {MUST} ContainerPort.spec.containers.ports.containerPort of type int32",
    ),
    "too large a number": (
        {"spec": {"terminationGracePeriodSeconds": 2**63}},
        f"json: cannot unmarshal number 9223372036854775808 into {MUST} PodSpec.spec.terminationGracePeriodSeconds of type int64",
    ),
    "true is no number": (
        {"spec": {"containers": [{"ports": [{"hostPort": True}]}]}},
        f"json: cannot unmarshal bool into {MUST} ContainerPort.spec.containers.ports.hostPort of type int32",
    ),
    "a word for a bool": (
        {"spec": {"hostNetwork": "true"}},
        f"json: cannot unmarshal string into {MUST} PodSpec.spec.hostNetwork of type bool",
    ),
    "the names of embedded structs stand in the path": (
        {"spec": {"volumes": [{"configMap": {"name": 5}}]}},
        (f"json: cannot unmarshal number into {MUST} "
        "ConfigMapVolumeSource.spec.volumes.VolumeSource.configMap.LocalObjectReference.name of type string"),
    ),
    "a map's values are named by the map": (
        {"metadata": {"labels": {"a": 1}}},
        f"json: cannot unmarshal number into {MUST} ObjectMeta.metadata.labels of type string",
    ),
    "an array for a map": (
        {"metadata": {"labels": []}},
        f"json: cannot unmarshal array into {MUST} ObjectMeta.metadata.labels of type map[string]string",
    ),
    "an object for a list": (
        {"spec": {"containers": {}}},
        f"json: cannot unmarshal object into {MUST} PodSpec.spec.containers of type []v1.Container",
    ),
    "a number for an element": (
        {"spec": {"containers": [None, 5]}},
        f"json: cannot unmarshal number into {MUST} PodSpec.spec.containers of type v1.Container",
    ),
    "a word of a named type": (
        {"spec": {"restartPolicy": []}},
        f"json: cannot unmarshal array into {MUST} PodSpec.spec.restartPolicy of type v1.RestartPolicy",
    ),
    "a map of a named type": (
        {"spec": {"overhead": "x"}},
        f"json: cannot unmarshal string into {MUST} PodSpec.spec.overhead of type v1.ResourceList",
    ),
    "no object": ([], "json: cannot unmarshal array into Go value of type v1.Pod"),
    "the first of two faults": (
        {"kind": 5, "spec": {"hostNetwork": "true"}},
        f"json: cannot unmarshal number into {MUST} Pod.TypeMeta.kind of type string",
    ),
    "a quantity stops everything": (
        {"kind": 5, "spec": {"overhead": {"cpu": "x"}, "hostNetwork": "true"}},
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    "a quantity that is a list": (
        {"spec": {"overhead": {"cpu": [1]}}},
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
    "an int or string that is neither": (
        {"spec": {"containers": [{"livenessProbe": {"httpGet": {"port": 1.5}}}]}},
        (f"json: cannot unmarshal number 1.5 into {MUST} "
        "HTTPGetAction.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32"),
    ),
    "a time that is none": (
        {"metadata": {"creationTimestamp": "x"}},
        'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
    ),
    "a time that is a number": (
        {"metadata": {"creationTimestamp": 5}},
        f"json: cannot unmarshal number into {MUST} ObjectMeta.metadata.creationTimestamp of type string",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_value_that_does_not_fit_is_refused_in_the_words_of_go(case: tuple[Any, str]) -> None:
    value, sentence = case
    with pytest.raises(TypedError) as caught:
        normalise(value, POD)
    assert str(caught.value) == sentence


COERCED = {
    "an int": (1337, "1337"),
    "a bool": (False, "false"),
    "yes": (True, "true"),
    "a float": (1.5, "1.5"),
    "a float of single precision": (0.1, "0.1"),
    "digits beyond single precision": (3.14159265358979, "3.1415927"),
    "a large float": (1e6, "1e+06"),
    "a float with an exponent": (1.25e-7, "1.25e-07"),
    "a small one without": (0.0001, "0.0001"),
    "beyond single precision": (1e300, "+Inf"),
    "below nought": (-2.5, "-2.5"),
    "nought": (0.0, "0"),
}


@pytest.mark.parametrize("case", COERCED.values(), ids=COERCED)
def test_up_to_1_8_numbers_and_bools_become_the_words_that_are_wanted(case: tuple[Any, str]) -> None:
    value, text = case
    container = {"name": "a", "args": [value], "resources": {}}
    assert normalise(container, CONTAINER, coerce_strings=True)["args"] == [text]


def test_coercion_changes_nothing_but_scalars_for_words() -> None:
    port = {"name": 80, "containerPort": 80}
    assert normalise(port, "ContainerPort", coerce_strings=True) == {"name": "80", "containerPort": 80}
    with pytest.raises(
        TypedError, match=r"cannot unmarshal array into Go struct field Container\.args of type string"
    ):
        normalise({"args": [[1]]}, CONTAINER, coerce_strings=True)
    with pytest.raises(
        TypedError, match=r"cannot unmarshal string into Go struct field Container\.stdin of type bool"
    ):
        normalise({"name": 1, "args": [1], "stdin": "x"}, CONTAINER, coerce_strings=True)


def test_unknown_fields_are_kept_on_demand_where_they_are() -> None:
    value = {
        "future": {"z": 1, "a": [1.0]},
        "spec": {"containers": [{"new": 1, "image": "i"}], "Later": None},
    }
    kept = normalise(value, POD, keep_unknown=True)
    assert json.dumps(kept) == json.dumps(
        {
            "metadata": {},
            "spec": {"containers": [{"name": "", "image": "i", "resources": {}, "new": 1}], "Later": None},
            "status": {},
            "future": {"z": 1, "a": [1.0]},
        }
    )
    assert kept["future"] is value["future"]


def test_fields_of_another_time_are_unknown() -> None:
    older = go_type("Container", 27)
    container = {"name": "a", "restartPolicy": 5, "resources": {}}
    with pytest.raises(TypedError, match=r"Go struct field Container\.restartPolicy of type"):
        normalise(container, go_type("Container", 28))
    assert normalise(container, older) == {"name": "a", "resources": {}}
    with pytest.raises(TypedError, match=r"number into Go struct field Container\.image of type string"):
        normalise({**container, "image": 1}, older)


def test_below_an_embedded_struct_nothing_becomes_a_word() -> None:
    with pytest.raises(
        TypedError, match=r"ConfigMapVolumeSource\.VolumeSource\.configMap\.LocalObjectReference\.name"
    ):
        normalise({"name": 1, "configMap": {"name": 5}}, "Volume", coerce_strings=True)
    assert normalise({"name": 1, "emptyDir": {}}, "Volume", coerce_strings=True) == {
        "name": "1",
        "emptyDir": {},
    }


def test_a_time_that_is_not_set_is_printed_up_to_kubernetes_0_33() -> None:
    assert normalise({}, go_type("meta/v1.ObjectMeta", 33)) == {"creationTimestamp": None}
    assert normalise({"creationTimestamp": None}, go_type("meta/v1.ObjectMeta", 34)) == {}


def test_what_reads_as_it_was_written_is_the_same_object() -> None:
    pod = normalise({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a"}]}}, POD)
    assert normalise(pod, POD) is pod
    changed = {**pod, "metadata": {"name": "x", "labels": pod["metadata"]["labels"]}}
    assert normalise(changed, POD)["spec"] is pod["spec"]
    assert normalise(changed, POD)["metadata"] is changed["metadata"]


def test_a_type_that_holds_itself_is_read() -> None:
    assert normalise({"matchLabels": {"a": "b"}}, "meta/v1.LabelSelector") == {"matchLabels": {"a": "b"}}
