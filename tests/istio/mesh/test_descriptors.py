from __future__ import annotations

import pytest

from injector.istio.facts import NEWEST
from injector.istio.mesh.descriptors import (
    MESH_CONFIG,
    PROXY_CONFIG,
    PROXY_CONFIG_RESOURCE,
    MessageType,
    ScalarType,
    WrapperType,
    go_name,
    go_type_name,
    json_name,
    schema_of,
)
from tests.istio.mesh.builders import a_proxy_config


def names(minor: int, message: str = PROXY_CONFIG) -> set[str]:
    return {each.json_name for each in schema_of(minor).message(message).fields}


def reached(message: MessageType, seen: dict[str, MessageType]) -> dict[str, MessageType]:
    if message.name not in seen:
        seen[message.name] = message
        for each in message.fields:
            if isinstance(each.type, MessageType):
                reached(each.type, seen)
    return seen


@pytest.mark.parametrize("minor", range(NEWEST + 1))
def test_every_message_of_a_minor_resolves_and_has_each_name_once(minor):
    for message in reached(schema_of(minor).message(MESH_CONFIG), {}).values():
        spelled = [each.json_name for each in message.fields]
        assert len(spelled) == len(set(spelled))
        assert len({each.go_name for each in message.fields}) == len(spelled)


@pytest.mark.parametrize(
    ("field", "since"),
    [
        ("tracing", 1),
        ("envoyMetricsService", 3),
        ("proxyMetadata", 5),
        ("statusPort", 6),
        ("terminationDrainDuration", 7),
        ("holdApplicationUntilProxyStarts", 8),
        ("caCertificatesPem", 9),
        ("image", 12),
        ("privateKeyProvider", 14),
        ("proxyHeaders", 19),
        ("fileFlushInterval", 29),
        ("connectionSettings", 31),
    ],
)
def test_a_field_exists_from_the_release_that_added_it(field, since):
    assert [field in names(minor) for minor in range(NEWEST + 1)] == [
        minor >= since for minor in range(NEWEST + 1)
    ]


def test_a_field_is_gone_from_the_release_that_dropped_it():
    assert "connectTimeout" in names(5)
    assert "connectTimeout" not in names(6)
    assert "parentShutdownDuration" in names(16)
    assert "parentShutdownDuration" not in names(17)


def test_a_field_can_change_its_type():
    def concurrency(minor: int) -> object:
        return schema_of(minor).message(PROXY_CONFIG).by_json_name["concurrency"].type

    assert concurrency(6) == ScalarType(name="int32")
    assert concurrency(7) == WrapperType(scalar=ScalarType(name="int32"))


def test_a_field_can_move_into_a_oneof():
    assert not schema_of(12).message(PROXY_CONFIG).oneofs
    assert schema_of(13).message(PROXY_CONFIG).oneofs == {
        "cluster_name": ("serviceCluster", "tracingServiceName")
    }


def test_a_message_that_a_release_does_not_know_is_a_key_error():
    with pytest.raises(KeyError):
        schema_of(31).message("istio.mesh.v1alpha1.Nope")


def test_the_resource_of_one_thirteen_is_described():
    assert names(13, PROXY_CONFIG_RESOURCE) == {"selector", "concurrency", "environmentVariables", "image"}


@pytest.mark.parametrize(
    ("name", "json", "go"),
    [
        ("mesh_mTLS", "meshMTLS", "MeshMTLS"),
        ("enable_64bit_trace_id", "enable64bitTraceId", "Enable_64BitTraceId"),
        ("preserve_http1_header_case", "preserveHttp1HeaderCase", "PreserveHttp1HeaderCase"),
        ("k8s_sa_jwt_path", "k8sSaJwtPath", "K8SSaJwtPath"),
        ("file_flush_min_size_kb", "fileFlushMinSizeKb", "FileFlushMinSizeKb"),
        ("matchLabels", "matchLabels", "MatchLabels"),
        ("_hidden", "Hidden", "XHidden"),
    ],
)
def test_names_are_made_as_protobuf_makes_them(name, json, go):
    assert json_name(name) == json
    assert go_name(name) == go


def test_a_go_type_is_named_with_its_package_and_its_outer_messages():
    assert go_type_name("istio.mesh.v1alpha1.ProxyConfig.ProxyHeaders") == "v1alpha1.ProxyConfig_ProxyHeaders"


# ---- values


def test_a_change_makes_a_new_message_and_leaves_the_old():
    before = a_proxy_config("statusPort: 1")
    after = before.replace(statusPort=2, meshId="m")
    assert before.data == {"statusPort": 1}
    assert after.data == {"statusPort": 2, "meshId": "m"}


def test_none_takes_a_field_away():
    assert a_proxy_config("{statusPort: 1, meshId: m}").replace(meshId=None).data == {"statusPort": 1}


def test_a_submessage_is_a_message_and_an_unset_one_is_none():
    config = a_proxy_config("tracing: {zipkin: {address: a:1}}")
    tracing = config.submessage("tracing")
    assert tracing is not None
    assert tracing.type.name == "istio.mesh.v1alpha1.Tracing"
    assert tracing.submessage("zipkin").get("address") == "a:1"
    assert config.submessage("sds") is None


def test_a_scalar_is_no_submessage():
    assert a_proxy_config("meshId: m").submessage("meshId") is None


def test_messages_with_the_same_data_are_equal():
    assert a_proxy_config("meshId: m") == a_proxy_config("mesh_id: m")
