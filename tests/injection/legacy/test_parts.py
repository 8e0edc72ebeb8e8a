"""The smaller parts of the legacy way: specs, the status, defaults, labels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from injector.errors import TypedError
from injector.injection.legacy.defaults import with_container_defaults, with_volume_defaults
from injector.injection.legacy.metadata import (
    earlier_injection,
    labels_by_hand,
    written_status,
)
from injector.injection.legacy.spec import SidecarInjectionSpec, decode_spec
from injector.injection.steps.status import STATUS
from injector.istio.releases import behaviour_of

LATEST = behaviour_of("1.8")


# ---- specs


def test_a_spec_is_decoded_with_keys_in_any_case() -> None:
    rendered = {"Containers": [{"name": "a", "args": [1337, True]}], "RewriteAppHTTPProbe": True, "more": 1}
    spec = decode_spec(rendered, LATEST)
    assert spec.containers == ({"name": "a", "args": ["1337", "true"], "resources": {}},)
    assert spec.rewrite_probes


def test_nothing_and_nulls_make_an_empty_spec() -> None:
    assert decode_spec(None, LATEST) == SidecarInjectionSpec()
    nothing = {"containers": None, "rewriteAppHTTPProbe": None, "podRedirectAnnot": None}
    assert decode_spec(nothing, LATEST) == SidecarInjectionSpec()


def test_a_null_container_is_an_empty_one() -> None:
    assert decode_spec({"containers": [None]}, LATEST).containers == ({"name": "", "resources": {}},)


def test_the_restart_policy_of_an_init_container_is_dropped() -> None:
    spec = decode_spec({"initContainers": [{"name": "i", "restartPolicy": "Always"}]}, LATEST)
    assert spec.init_containers == ({"name": "i", "resources": {}},)


def test_redirect_annotations_become_strings() -> None:
    spec = decode_spec({"podRedirectAnnot": {"a": 1, "b": None, "c": True, "d": False, "e": "x"}}, LATEST)
    assert spec.redirect_annotations == {"a": "1", "b": "", "c": "true", "d": "false", "e": "x"}


def test_the_oldest_release_knows_neither_dns_nor_probes() -> None:
    spec = decode_spec({"dnsConfig": {"searches": ["a"]}, "rewriteAppHTTPProbe": True}, behaviour_of("1.0"))
    assert (spec.dns_config, spec.rewrite_probes) == (None, False)


@pytest.mark.parametrize(
    ("rendered", "place"),
    [
        (
            {"containers": [{"args": [{}]}]},
            "object into Go struct field Container.Containers.args of type string",
        ),
        (
            {"containers": [5]},
            "number into Go struct field SidecarInjectionSpec.Containers of type v1.Container",
        ),
        (
            {"initContainers": [{"env": [{"value": []}]}]},
            "array into Go struct field EnvVar.InitContainers.env.value of type string",
        ),
        (True, "bool into Go value of type inject.SidecarInjectionSpec"),
        (5, "number into Go value of type inject.SidecarInjectionSpec"),
        (
            {"containers": True},
            "bool into Go struct field SidecarInjectionSpec.Containers of type []v1.Container",
        ),
        (
            {"rewriteAppHTTPProbe": 1},
            "number into Go struct field SidecarInjectionSpec.RewriteAppHTTPProbe of type bool",
        ),
        (
            {"podRedirectAnnot": [1]},
            "array into Go struct field SidecarInjectionSpec.PodRedirectAnnot of type map[string]string",
        ),
        (
            {"podRedirectAnnot": {"a": []}},
            "array into Go struct field SidecarInjectionSpec.PodRedirectAnnot of type string",
        ),
    ],
)
def test_a_fault_is_told_with_its_path_from_the_spec(rendered: Any, place: str) -> None:
    with pytest.raises(TypedError) as refusal:
        decode_spec(rendered, LATEST)
    assert str(refusal.value).endswith(f"json: cannot unmarshal {place}")


@pytest.mark.parametrize(
    "rendered",
    [
        [1],
        "x",
        5,
        {"containers": {}},
        {"containers": [5]},
        {"rewriteAppHTTPProbe": "yes"},
        {"podRedirectAnnot": [1]},
        {"podRedirectAnnot": {"a": {}}},
        {"volumes": [{"name": "v", "configMap": {"name": 5}}]},
    ],
)
def test_what_does_not_fit_is_an_error(rendered: Any) -> None:
    with pytest.raises(TypedError, match=r"^json: cannot unmarshal"):
        decode_spec(rendered, LATEST)


@pytest.mark.parametrize(
    ("rendered", "named"),
    [
        ({"volumes": 5, "containers": 5}, "Containers"),
        ({"podRedirectAnnot": 5, "initContainers": 5}, "InitContainers"),
        ({"containers": [{"tty": [], "args": 5}]}, "Container.Containers.args"),
    ],
)
def test_of_several_misfits_the_first_in_the_order_of_keys_is_named(rendered: Any, named: str) -> None:
    with pytest.raises(TypedError, match=rf"\b{named} of type"):
        decode_spec(rendered, LATEST)


# ---- the status


def test_a_status_lists_names_and_the_templates_hash() -> None:
    spec = SidecarInjectionSpec(containers=({"name": "a<b"},))
    assert written_status(spec, "x") == (
        '{"version":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",'
        '"initContainers":null,"containers":["a\\u003cb"],"volumes":null,"imagePullSecrets":null}'
    )


def test_a_status_is_read() -> None:
    status = {"containers": ["a", None], "volumes": ["v"], "imagePullSecrets": ["s"]}
    found = earlier_injection({STATUS: json.dumps(status)})
    assert found == {
        "containers": {"a", ""},
        "volumes": {"v"},
        "initContainers": frozenset(),
        "imagePullSecrets": {"s"},
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"containers":[]}',
        '{"containers":"x"}',
        '{"version":1,"containers":["a"]}',
        '{"containers":[1]}',
    ],
)
def test_what_is_no_status_means_the_names_of_old(text: str) -> None:
    assert earlier_injection({STATUS: text})["volumes"] == {"istio-certs", "istio-envoy"}


# ---- defaults


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("a", "Always"),
        ("a:latest", "Always"),
        ("a:1", "IfNotPresent"),
        ("host:5000/a", "Always"),
        ("a@sha256:1", "IfNotPresent"),
        ("", "IfNotPresent"),
    ],
)
def test_an_image_is_pulled_always_for_the_tag_latest(image: str, policy: str) -> None:
    assert with_container_defaults({"image": image})["imagePullPolicy"] == policy


def test_a_container_gets_the_api_servers_defaults() -> None:
    container = {
        "name": "a",
        "ports": [{"containerPort": 1}],
        "env": [{"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "f"}}}, {"name": "V", "value": "v"}],
        "readinessProbe": {"httpGet": {"port": 1}, "periodSeconds": 5},
        "livenessProbe": {"exec": {}},
        "lifecycle": {"preStop": {"httpGet": {"port": 1}}},
        "resources": {"limits": {"cpu": "1", "memory": "2"}, "requests": {"cpu": "3"}},
    }
    found = with_container_defaults(container)
    assert found["ports"] == [{"containerPort": 1, "protocol": "TCP"}]
    assert found["env"][0]["valueFrom"]["fieldRef"] == {"apiVersion": "v1", "fieldPath": "f"}
    assert found["readinessProbe"] == {
        "httpGet": {"path": "/", "scheme": "HTTP", "port": 1},
        "timeoutSeconds": 1,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert found["lifecycle"]["preStop"]["httpGet"]["scheme"] == "HTTP"
    assert found["resources"]["requests"] == {"cpu": "3", "memory": "2"}
    assert with_container_defaults({"resources": {"requests": {"cpu": "1"}}})["resources"] == {
        "requests": {"cpu": "1"}
    }


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        ({"name": "v"}, {"name": "v", "emptyDir": {}}),
        (
            {"name": "v", "secret": {"secretName": "s"}},
            {"name": "v", "secret": {"secretName": "s", "defaultMode": 420}},
        ),
        ({"name": "v", "hostPath": {"path": "/"}}, {"name": "v", "hostPath": {"path": "/", "type": ""}}),
        ({"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}),
        (
            {"name": "v", "downwardAPI": {"items": [{"fieldRef": {"fieldPath": "f"}}, {"path": "p"}]}},
            {
                "name": "v",
                "downwardAPI": {
                    "defaultMode": 420,
                    "items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "f"}}, {"path": "p"}],
                },
            },
        ),
        ({"name": "v", "downwardAPI": {}}, {"name": "v", "downwardAPI": {"defaultMode": 420}}),
    ],
)
def test_a_volume_gets_the_api_servers_defaults(volume: dict[str, Any], expected: dict[str, Any]) -> None:
    assert with_volume_defaults(volume) == expected


# ---- labels


def test_by_hand_the_revision_is_set_even_where_there_is_one() -> None:
    labels = {"istio.io/rev": "mine", "security.istio.io/tlsMode": "off"}
    assert labels_by_hand(labels, "r", behaviour_of("1.6")) == {"istio.io/rev": "r"}
    assert labels_by_hand({}, "r", behaviour_of("1.4")) == {"security.istio.io/tlsMode": "istio"}
    assert labels_by_hand({}, "r", behaviour_of("1.2")) == {}
