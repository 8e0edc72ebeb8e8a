"""Documents sorted by what they are for, places of what is in them, and what is odd about them."""

from __future__ import annotations

from typing import Any

import pytest

from injector.diagnosis.findings import Place
from injector.diagnosis.items import Item, Material, items_of, misread, unknown_pods
from injector.kubeyaml import documents
from tests.diagnosis.builders import a_pod, an_item

TEXT = """\
# a comment
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop, labels: {istio.io/rev: a}}
- {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web}]}}
---
kind: DeploymentList
apiVersion: apps/v1
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: api}, spec: {template: {spec: {}}}}
---
# nothing
---
apiVersion: v1
kind: Service
metadata: {name: svc}
"""


def test_a_proxy_config_whose_namespace_is_no_name_is_nothing_to_go_by() -> None:
    material = Material()
    value = {"kind": "ProxyConfig", "metadata": {"name": "p", "namespace": {"a": 1}}}
    material.add([an_item(value), an_item({**value, "metadata": {"name": "p"}})])
    assert (len(material.proxy_configs), len(material.others)) == (1, 1)


def items() -> list[Item]:
    return list(items_of(documents(TEXT, source="all.yaml")))


def test_lists_of_any_kind_are_unfolded() -> None:
    assert [(item.kind, item.name) for item in items()] == [
        ("Namespace", "shop"),
        ("Pod", "web"),
        ("Deployment", "api"),
        ("Service", "svc"),
    ]


def test_objects_are_sorted_by_what_they_are_for() -> None:
    material = Material()
    material.add(items())
    assert [item.name for item, _ in material.workloads] == ["web", "api"]
    assert list(material.namespaces) == ["shop"]
    assert [item.kind for item in material.others] == ["Service"]


@pytest.mark.parametrize(
    ("index", "path", "place"),
    [
        (0, (), "all.yaml:5:3: items[0]"),
        (0, ("metadata", "labels", "istio.io/rev"), "all.yaml:7:35: items[0].metadata.labels[istio.io/rev]"),
        (1, ("spec", "containers", 0, "name"), "all.yaml:8:75: items[1].spec.containers[0].name"),
        (1, ("spec", "hostNetwork"), "all.yaml:8:54: items[1].spec.hostNetwork"),
        (2, ("metadata",), "all.yaml:13:43: items[0].metadata"),
        (3, ("metadata", "name"), "all.yaml:19:12: metadata.name"),
    ],
)
def test_a_field_has_its_place_in_the_file(index: int, path: tuple[str | int, ...], place: str) -> None:
    assert str(items()[index].at(*path)) == place


def test_an_object_of_the_cluster_has_its_field_alone() -> None:
    assert Item(value={}, source="Pod shop/web").at("spec") == Place("Pod shop/web", path="spec")


@pytest.mark.parametrize(
    ("metadata", "paths"),
    [
        ({"name": "web", "labels": {"app": "web"}}, []),
        ({"name": False}, ["metadata.name"]),
        (
            {"labels": {"version": 1.1}, "annotations": {"on": True}},
            ["metadata.labels.version", "metadata.annotations.on"],
        ),
        ({"labels": None}, []),
    ],
)
def test_names_that_yaml_reads_as_something_else_are_found(
    metadata: dict[str, Any], paths: list[str]
) -> None:
    found = list(misread(an_item({"kind": "Pod", "metadata": metadata})))
    assert [each.place.path for each in found] == paths
    assert {each.severity for each in found} <= {"warning"}


def test_the_pod_template_is_looked_at_too() -> None:
    template = {"metadata": {"labels": {"v": 2}}}
    (found,) = misread(an_item({"metadata": {}, "spec": {"template": template}}), ("spec", "template"))
    assert found.message == "YAML reads a number here (2), and an API server takes only a string"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"kind": "Service", "spec": {"ports": []}}, ""),
        (
            {"kind": "Fleet", "spec": {"game": {"spec": {"containers": [{"name": "a"}]}}}},
            "Fleet has containers at spec.game.spec: `--pod-template-path spec.game`",
        ),
        (
            {"kind": "Fleet", "spec": {"pod": {"containers": [{"name": "a"}]}}},
            (
                "Fleet has containers at spec.pod, which is not a pod template (metadata and spec), "
                "so its pods are unknown"
            ),
        ),
        ({"kind": "Policy", "spec": {"containers": ["a"]}}, ""),
    ],
)
def test_containers_in_unknown_kinds_are_found(value: dict[str, Any], said: str) -> None:
    assert unknown_pods(an_item(value)) == said


def test_a_pod_is_a_workload_whatever_it_holds() -> None:
    material = Material()
    material.add([an_item(a_pod())])
    assert len(material.workloads) == 1
