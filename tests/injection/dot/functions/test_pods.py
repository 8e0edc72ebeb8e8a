"""Istio's functions that read a pod."""

from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import NilPointer, StringMap, Struct, compile_template, pointer_to
from injector.injection.dot.functions import function_map, pods
from injector.istio.go_types import OBJECT_META, POD_SPEC, struct
from injector.istio.mesh.loading import load_mesh
from injector.istio.mesh.views import struct_type, view
from injector.istio.releases import behaviour_of
from injector.patch.schema import NEWEST


def rendered(text: str, minor: int = 31, **dot) -> str:
    functions = function_map(behaviour_of(f"1.{minor}"), env={}, mesh=None)
    return compile_template("t", text, functions=functions).render(dot).text


def metadata(annotations=None, *, pointer: bool = False) -> Struct:
    return Struct(
        struct(OBJECT_META, NEWEST), {"annotations": annotations} if annotations else {}, pointer=pointer
    )


def containers(*given):
    return Struct(struct(POD_SPEC, NEWEST), {"containers": list(given)}).get("Containers")


def a_container(name: str = "app", *ports, image: str = "app:1"):
    return {"name": name, "image": image, "ports": list(ports)}


@pytest.mark.parametrize("pointer", [False, True])
def test_an_annotation_is_read_through_a_pointer_too(pointer):
    dot = {"m": metadata({"a": "1", "e": ""}, pointer=pointer)}
    text = '{{ annotation .m "a" 2 }}|{{ annotation .m "b" 2 }}|{{ annotation .m "b" .nope }}|{{ annotation .m "e" 2 }}'
    assert rendered(text, **dot) == "1|2|<nil>|"


def test_no_annotations_have_no_annotation():
    assert rendered('{{ annotation .m "a" 1.0 }}', m=metadata()) == "1"
    with pytest.raises(TemplateExecError, match=r"dereference of nil pointer of type v1\.ObjectMeta"):
        rendered('{{ annotation .m "a" 1 }}', m=NilPointer(pointer_to(struct(OBJECT_META, NEWEST))))


def test_isset_asks_for_the_key_and_not_the_value():
    text = '{{ isset .m "a" }} {{ isset .m "b" }} {{ isset .nope "a" }}'
    assert rendered(text, m=StringMap({"a": ""})) == "true false false"


PORTS = (
    a_container("app", {"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}),
    a_container("istio-proxy", {"containerPort": 15090, "protocol": "TCP"}),
    a_container("other", {"containerPort": 9, "protocol": "SCTP"}, {"containerPort": 90}),
)


@pytest.mark.parametrize(
    ("minor", "expected"),
    [(1, "80,53,15090,9,90 80,53,9,90"), (4, "80,15090,90 80,90"), (31, "80,15090,90 80,90")],
)
def test_ports_are_joined_and_from_1_4_those_of_tcp_only(minor, expected):
    text = "{{ includeInboundPorts .c }} {{ applicationPorts .c }}"
    assert rendered(text, minor, c=containers(*PORTS)) == expected


def test_no_containers_have_no_ports():
    assert rendered("{{ includeInboundPorts .nope }}{{ applicationPorts .nope }}") == ""


@pytest.mark.parametrize(
    ("port", "excluded", "expected"),
    [
        ("15020", "", "15020"),
        (15020, "1,2", "1,2,15020"),
        (15020.0, "1, 2 ,", "1,2,15020"),
        ("15020", "1,15020", "1,15020"),
        ("15020", "1, 15020", "1,15020,15020"),
        (" 15020 ", "1", "1,15020"),
        ("2\x1c", "1\x1d", "1\x1d,2\x1c"),
        ("0", "1, 2", "1, 2"),
        (0, "1", "1"),
        ("", "1", "1"),
        (None, "1", "1,<nil>"),
    ],
)
def test_a_port_is_excluded_once(port, excluded, expected):
    assert pods.exclude_inbound_port(port, excluded) == expected


@pytest.mark.parametrize(
    ("existing", "network", "old", "middle", "new"),
    [
        ("", "istio-cni", "istio-cni", "istio-cni", "istio-cni"),
        ("a", "istio-cni", "a, istio-cni", "a, istio-cni", "a, istio-cni"),
        ("a, istio-cni", "istio-cni", "a, istio-cni, istio-cni", "a, istio-cni", "a, istio-cni"),
        ("a\x1c", "a", "a\x1c, a", "a\x1c, a", "a\x1c, a"),
        ("[1]", "n", '[1, {"name": "n"}]', "[1]", "[1]"),
        ("]", "n", ', {"name": "n"}]', "]", "]"),
        ('[{"name":"n"}]', "n", '[{"name":"n"}, {"name": "n"}]', '[{"name":"n"}]', '[{"name":"n"}]'),
        (
            '[{"name":"m"}]',
            "default/n",
            '[{"name":"m"}, {"name": "default/n"}]',
            '[{"name":"m"}, {"name": "default/n"}]',
            '[{"name":"m"}, {"name": "n", "namespace": "default"}]',
        ),
        (
            '[{"name":"n","namespace":"x"},null]',
            "default/n",
            '[{"name":"n","namespace":"x"},null, {"name": "default/n"}]',
            '[{"name":"n","namespace":"x"},null, {"name": "default/n"}]',
            '[{"name":"n","namespace":"x"},null, {"name": "n", "namespace": "default"}]',
        ),
        (
            '[{"name":"n","namespace":"x"}]',
            "n",
            '[{"name":"n","namespace":"x"}, {"name": "n"}]',
            '[{"name":"n","namespace":"x"}]',
            '[{"name":"n","namespace":"x"}, {"name": "n"}]',
        ),
        *(
            (
                f'[{{"name":"n","namespace":{nothing}}}]',
                "n",
                f'[{{"name":"n","namespace":{nothing}}}, {{"name": "n"}}]',
            )
            + (f'[{{"name":"n","namespace":{nothing}}}]',) * 2
            for nothing in ("null", '""')
        ),
        (
            "[]",
            "a/b/c",
            '[, {"name": "a/b/c"}]',
            '[, {"name": "a/b/c"}]',
            '[, {"name": "b", "namespace": "a"}]',
        ),
        ("[]", "/c", '[, {"name": "/c"}]', '[, {"name": "/c"}]', '[, {"name": "c"}]'),
        ("[]", "a/", '[, {"name": "a/"}]', '[, {"name": "a/"}]', '[, {"name": "", "namespace": "a"}]'),
    ],
)
def test_a_network_is_appended_as_each_release_appends_it(existing, network, old, middle, new):
    text = "{{ appendMultusNetwork .e .n }}"
    for minor, expected in ((8, old), (9, middle), (22, middle), (23, new), (31, new)):
        assert rendered(text, minor, e=existing, n=network) == expected


# OpenTelemetry.

OTEL = """
extensionProviders:
- {name: a, zipkin: {service: z, port: 1}}
- {name: otel, opentelemetry: {service: o, port: 4317, serviceAttributeEnrichment: OTEL_SEMANTIC_CONVENTIONS}}
"""


def attributes(*, mesh: str = OTEL, annotations=None, labels=None, namespace="ns", given=()) -> str:
    return rendered(
        "{{ otelResourceAttributes .mesh .annotations .labels .namespace .containers }}",
        mesh=view(load_mesh(mesh, 31).config),
        annotations=StringMap(annotations or {}),
        labels=StringMap(labels or {}),
        namespace=namespace,
        containers=containers(*given),
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"given": [a_container("app", image="r:5000/a:1.2")]}, "service.namespace=ns,service.version=1.2,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="a:1@sha256:ab")]}, "service.namespace=ns,service.version=1@sha256:ab,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="a@sha256:ab")]}, "service.namespace=ns,service.version=sha256:ab,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="r:5000/a@sha256:ab")]}, "service.namespace=ns,service.version=sha256:ab,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="a:b:1")]}, "service.namespace=ns,service.version=1,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="a:")]}, "service.namespace=ns,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="r:5000/a")]}, "service.namespace=ns,service.instance.id=ns.$(POD_NAME).app"),
        ({"given": [a_container(image="a")], "namespace": ""}, "service.instance.id=.$(POD_NAME).app"),
        ({"given": [a_container("a"), a_container("b")]}, "service.namespace=ns,service.instance.id=ns.$(POD_NAME).a"),
        ({"labels": {"app.kubernetes.io/version": "v1"}}, "service.namespace=ns,service.version=v1"),
        ({"namespace": "", "annotations": {"resource.opentelemetry.io/service.version": "x"}}, "service.version=x"),
        ({"mesh": ""}, ""),
        ({"mesh": "extensionProviders: [{name: o, opentelemetry: {service: o, port: 1}}]"}, ""),
    ],
)  # fmt: skip
def test_resource_attributes_follow_the_semantic_conventions(facts, expected):
    assert attributes(**facts) == expected


def test_no_mesh_asks_for_no_attributes():
    pointer = pointer_to(struct_type(load_mesh("", 31).config.type))
    assert pods.otel_resource_attributes(NilPointer(pointer), {}, {}, "", []) == ""
