from __future__ import annotations

from tests.istio.mesh.builders import a_proxy_config


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
