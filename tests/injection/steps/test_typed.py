from __future__ import annotations

import pytest

from injector.errors import InjectionError
from injector.injection.steps.merge import PodTypes
from injector.injection.steps.typed import containers_json, decode_containers
from tests.injection.steps.builders import a_container


def test_lists_of_containers_are_decoded_as_go_does():
    text = '{"Containers":[{"name":"a","unknown":1,"image":""}],"initContainers":null,"volumes":"x"}'
    assert decode_containers(text, PodTypes()) == {"containers": [{"name": "a", "resources": {}}]}
    assert decode_containers("null", PodTypes()) == {}
    assert decode_containers("{}", PodTypes()) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("bad", "invalid character 'b' looking for beginning of value"),
        ("", "unexpected end of JSON input"),
        ("[]", "json: cannot unmarshal array into Go value of type inject.podOverrides"),
        ('"x"', "json: cannot unmarshal string into Go value of type inject.podOverrides"),
        ("1", "json: cannot unmarshal number into Go value of type inject.podOverrides"),
        (
            '{"containers":"x"}',
            "json: cannot unmarshal string into Go struct field podOverrides.containers of type []v1.Container",
        ),
        (
            '{"initContainers":[{"name":1}]}',
            "json: cannot unmarshal number into Go struct field Container.initContainers.name of type string",
        ),
    ],
)
def test_what_cannot_be_decoded_is_told_in_gos_words(text, sentence):
    with pytest.raises(InjectionError) as refusal:
        decode_containers(text, PodTypes())
    assert str(refusal.value) == sentence


def test_containers_are_written_with_fields_in_the_order_of_declaration():
    container = {
        "volumeMounts": [{"mountPath": "/a", "name": "v"}],
        "resources": {"limits": {"memory": "1Gi", "cpu": "1"}},
        "image": "<i>",
        "name": "istio-proxy",
    }
    assert containers_json({"initContainers": [container], "containers": [a_container()]}, PodTypes()) == (
        '{"containers":[{"name":"app","image":"app:1","resources":{}}],'
        '"initContainers":[{"name":"istio-proxy","image":"\\u003ci\\u003e",'
        '"resources":{"limits":{"cpu":"1","memory":"1Gi"}},"volumeMounts":[{"name":"v","mountPath":"/a"}]}]}'
    )
