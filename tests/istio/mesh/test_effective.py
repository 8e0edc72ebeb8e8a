from __future__ import annotations

import json

import pytest

from injector.errors import ConfigError
from injector.istio.mesh.descriptors import MessageError
from injector.istio.mesh.effective import ProxyConfigs, parse_annotation
from injector.istio.mesh.loading import load_mesh
from injector.memo import Memo


def a_resource(name="r", namespace="shop", created="2024-01-01T00:00:00Z", **spec):
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return {"metadata": metadata, "spec": spec}


def configs(*resources, minor=31, mesh="", memo=None):
    return ProxyConfigs(load_mesh(mesh, minor), resources, Memo(1 << 20, 100) if memo is None else memo)


def metadata_of(found, annotation=None, namespace="shop", labels=None):
    return found.of(namespace, labels or {}, annotation).get("proxyMetadata")


@pytest.mark.parametrize(("minor", "port"), [(5, 0), (6, 9), (12, 9), (13, 9), (31, 9)])
def test_the_annotation_counts_from_one_six(minor, port):
    found = configs(minor=minor).of("shop", {}, "statusPort: 9")
    assert found.get("statusPort", 0) == port


def test_without_an_annotation_pods_share_one_value():
    found = configs(mesh="defaultConfig: {meshId: m}")
    first = found.of("shop", {"a": "b"}, None)
    assert found.of("other", {}, None) is first
    assert first.get("meshId") == "m"


def test_equal_annotations_share_one_value():
    found = configs()
    assert found.of("shop", {}, "statusPort: 9") is found.of("other", {}, "statusPort: 9")
    assert found.annotated("statusPort: 9") is found.annotated("statusPort: 9")


def test_only_so_many_values_are_kept():
    found = configs(memo=Memo(1 << 20, 2))
    first = found.of("shop", {}, "statusPort: 1")
    for port in (2, 3):
        found.of("shop", {}, f"statusPort: {port}")
    again = found.of("shop", {}, "statusPort: 1")
    assert again is not first
    assert again == first


def test_what_was_worked_out_before_the_resources_changed_is_not_taken_for_what_holds_now():
    memo = Memo(1 << 20, 100)
    before = configs(a_resource(environmentVariables={"A": "1"}), memo=memo)
    assert metadata_of(before) == {"A": "1"}
    after = configs(a_resource(environmentVariables={"A": "2"}), memo=memo)
    assert metadata_of(after) == {"A": "2"}
    assert metadata_of(before) == {"A": "1"}
    root = configs(a_resource(namespace="istio-system", environmentVariables={"A": "3"}), memo=memo)
    assert metadata_of(root) == {"A": "3"}


def test_a_large_annotation_is_read_and_not_kept():
    found = configs()
    text = "proxyMetadata: {" + ",".join(f"K{number}: v" for number in range(2000)) + "}"
    assert len(metadata_of(found, text)) == len(found.annotated(text).get("proxyMetadata")) == 2000
    assert len(found.memo) == 0


def test_a_broken_annotation_is_ignored_by_the_webhook_from_one_thirteen():
    assert configs().of("shop", {}, "drainDuration: banana") == configs().of("shop", {}, None)
    assert configs().of("shop", {}, "a: [") == configs().of("shop", {}, None)


@pytest.mark.parametrize("text", ["drainDuration: banana", "a: ["])
def test_a_broken_annotation_is_an_error_before_and_by_hand(text):
    with pytest.raises(MessageError):
        configs(minor=12).of("shop", {}, text)
    with pytest.raises(MessageError):
        configs().annotated(text)


def test_by_hand_the_annotation_lies_on_the_mesh_and_no_resource_counts():
    found = configs(a_resource(concurrency=7), mesh="defaultConfig: {concurrency: 3}")
    assert found.annotated(None).get("concurrency") == 3
    assert found.annotated("meshId: m").get("concurrency") == 3
    assert found.annotated("concurrency: 4").get("concurrency") == 4


def test_the_layers_have_their_order():
    resources = [
        a_resource(namespace="istio-system", environmentVariables={"ROOT": "r", "X": "root"}),
        a_resource(environmentVariables={"NS": "n", "X": "namespace"}),
        a_resource(
            "own", selector={"matchLabels": {"app": "a"}}, environmentVariables={"OWN": "o", "X": "workload"}
        ),
    ]
    found = configs(*resources, mesh="defaultConfig: {proxyMetadata: {MESH: m, X: mesh}}")
    annotation = "proxyMetadata: {ANNOTATION: a, X: annotation}"
    assert metadata_of(found, namespace="other") == {"MESH": "m", "ROOT": "r", "X": "root"}
    assert metadata_of(found) == {"MESH": "m", "ROOT": "r", "NS": "n", "X": "namespace"}
    assert metadata_of(found, annotation)["X"] == "annotation"
    assert metadata_of(found, annotation, labels={"app": "a"}) == {
        "MESH": "m",
        "ROOT": "r",
        "NS": "n",
        "ANNOTATION": "a",
        "OWN": "o",
        "X": "workload",
    }
    assert metadata_of(found, labels={"app": "a"})["X"] == "workload"
    assert metadata_of(found, namespace="istio-system")["X"] == "root"


def test_the_oldest_of_equal_resources_counts():
    found = configs(
        a_resource("new", created="2024-02-01T00:00:00Z", concurrency=2),
        a_resource("old", created="2024-01-01T00:00:00Z", concurrency=1),
    )
    assert found.of("shop", {}, None).get("concurrency") == 1


def test_a_resource_with_an_empty_selector_matches_nothing():
    found = configs(a_resource(selector={}, concurrency=7))
    assert found.of("shop", {}, None).get("concurrency") is None


def test_a_resource_may_name_an_image():
    found = configs(a_resource(image={"imageType": "debug"}))
    assert found.of("shop", {}, None).get("image") == {"imageType": "debug"}


def test_an_image_of_a_resource_does_not_count_in_one_thirteen():
    found = configs(a_resource(image={"imageType": "debug"}, concurrency=7), minor=13).of("shop", {}, None)
    assert (found.get("image"), found.get("concurrency")) == (None, 7)


def test_resources_do_not_count_before_one_thirteen():
    assert configs(a_resource(concurrency=7), minor=12).of("shop", {}, None).get("concurrency") == 2


def test_a_mesh_without_a_root_namespace_has_no_root_resources():
    found = configs(a_resource(namespace="", concurrency=7), mesh="rootNamespace: ''")
    assert found.of("shop", {}, None).get("concurrency") is None


def test_a_resource_that_is_none_is_a_config_error():
    with pytest.raises(
        ConfigError, match="spec: ProxyConfig bad: invalid character 'x' looking for beginning of value"
    ):
        configs(a_resource("bad", concurrency="x", environmentVariables="nope"))


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        (5, "metadata: ProxyConfig: it is not an object with metadata"),
        ({"metadata": None}, "metadata: ProxyConfig: it is not an object with metadata"),
        (a_resource(namespace=["a"]), "metadata.namespace: ProxyConfig r: it is not a string"),
        (a_resource(created=5), "metadata.creationTimestamp: ProxyConfig r: it is not a string"),
        (a_resource(name={}), "metadata.name: ProxyConfig {}: it is not a string"),
    ],
)
def test_a_resource_whose_metadata_cannot_be_read_is_a_config_error(resource, message):
    with pytest.raises(ConfigError) as caught:
        configs(a_resource(), resource)
    assert str(caught.value) == message


def test_a_resource_without_a_namespace_is_of_none():
    assert configs(a_resource(namespace=None, concurrency=7)).of("", {}, None).get("concurrency") == 7


WAYS_THROUGH_YAML = [
    ("x\x85y", "x y"),
    ("x \x85 y", "x y"),
    ("x\x85\x85y", "x\ny"),
    ("\x85y", " y"),
    ("x\u2028y", "x\u2028y"),
    ("x\xa0\ufeffy", "x\xa0\ufeffy"),
    ("x\x1fy", "x\x1fy"),
    ("x\ny", "x\ny"),
    *((f"x{character}y", None) for character in ("\x7f", "\x80", "\x9f", "\ufffe", "\uffff")),
]


@pytest.mark.parametrize(("given", "left"), WAYS_THROUGH_YAML)
def test_a_layer_goes_through_yaml_which_folds_some_characters_and_refuses_others(given, left):
    # What jsonpb and sigs.k8s.io/yaml make of it, asked of Go.
    annotation = json.dumps({"proxyMetadata": {"A": given}, "statusPort": 9})
    found = configs().of("shop", {}, annotation)
    assert found.get("proxyMetadata") == (None if left is None else {"A": left})
    assert found.get("statusPort") == (15020 if left is None else 9)


def test_a_key_may_not_have_a_line_break_in_yaml():
    assert metadata_of(configs(), json.dumps({"proxyMetadata": {"A\x85B": "v"}})) is None


def test_before_1_16_nothing_went_through_yaml():
    annotation = json.dumps({"proxyMetadata": {"A": "x\x85\x7fy"}})
    assert metadata_of(configs(minor=15), annotation) == {"A": "x\x85\x7fy"}
    assert metadata_of(configs(minor=12), annotation) == {"A": "x\x85\x7fy"}


def test_an_annotation_that_is_left_out_leaves_the_resources():
    resource = a_resource(environmentVariables={"B": "r"}, selector={"matchLabels": {"a": "b"}})
    found = configs(resource)
    refused = json.dumps({"proxyMetadata": {"A": "\x7f"}})
    assert metadata_of(found, refused, labels={"a": "b"}) == {"B": "r"}
    folded = json.dumps({"proxyMetadata": {"A": "x\x85y"}})
    assert metadata_of(found, folded, labels={"a": "b"}) == {"A": "x y", "B": "r"}


def test_a_mesh_with_such_a_character_counts_as_the_defaults():
    mesh = json.dumps({"defaultConfig": {"proxyMetadata": {"A": "\x7f"}, "statusPort": 9}})
    found = configs(mesh=mesh).of("shop", {}, None)
    assert (found.get("proxyMetadata"), found.get("statusPort")) == (None, 15020)


def test_an_annotation_that_is_no_yaml_says_what_gos_library_says():
    with pytest.raises(MessageError, match="yaml: line 1: did not find expected node content"):
        parse_annotation("a: [")
