from __future__ import annotations

import pytest

from injector.budget import Budget
from injector.errors import InjectionError
from injector.injection.steps.merge import PodTypes
from injector.injection.steps.overrides import (
    containers_json,
    decode_containers,
    overrides_of,
    reapply,
    reinsert,
)
from tests.injection.steps.builders import a_container, a_pod, an_injection, names, the_proxy

STATUS = "sidecar.istio.io/status"
OVERRIDES = "proxy.istio.io/overrides"
NEWEST, OLD = "1.31", "1.9"


def injected_proxy(**fields):
    return (
        a_container("istio-proxy", image="proxyv2", args=["proxy"], env=[{"name": "A", "value": "1"}])
        | fields
    )


def own_proxy(**fields):
    return {"name": "istio-proxy", "image": "auto", "resources": {}} | fields


TEMPLATE = a_pod(injected_proxy())
NATIVE_TEMPLATE = a_pod(init=[injected_proxy()]) | {
    "spec": {"containers": [], "initContainers": [injected_proxy()]}
}


def reapplied(original, template=TEMPLATE, release=NEWEST, kept=None, final=None):
    final = final or a_pod(
        a_container(), injected_proxy(), annotations=original["metadata"].get("annotations")
    )
    return reapply(final, an_injection(release, original=original, template_pod=template, kept=kept))


def test_what_the_owner_wrote_wins_over_what_the_template_brought():
    pod = reapplied(a_pod(a_container(), own_proxy(args=["mine"], env=[{"name": "B", "value": "2"}])))
    proxy = the_proxy(pod)
    assert proxy["args"] == ["mine"]
    assert proxy["image"] == "proxyv2"
    assert [variable["name"] for variable in proxy["env"]] == ["B", "A"]


def test_an_image_other_than_auto_is_the_owners():
    assert the_proxy(reapplied(a_pod(own_proxy(image="mine"))))["image"] == "mine"


def test_the_owners_container_is_kept_in_an_annotation_without_auto():
    pod = reapplied(a_pod(own_proxy(args=["mine"])))
    assert pod["metadata"]["annotations"] == {
        OVERRIDES: '{"containers":[{"name":"istio-proxy","args":["mine"],"resources":{}}]}'
    }


def test_a_pod_without_containers_of_these_names_is_the_same_object():
    final = a_pod(a_container(), injected_proxy())
    assert reapply(final, an_injection(template_pod=TEMPLATE)) is final


def test_a_second_injection_takes_what_was_kept_and_writes_no_annotation():
    annotations = {STATUS: '{"containers":["istio-proxy"]}'}
    kept = {"containers": [own_proxy(image="kept")]}
    original = a_pod(a_container(), injected_proxy(image="earlier"), annotations=annotations)
    skipped = reapplied(original, kept=kept)
    assert the_proxy(skipped)["image"] == "proxyv2"
    assert skipped["metadata"]["annotations"] == annotations
    assert the_proxy(reapplied(original, kept=kept, release=OLD))["image"] == "kept"


def test_a_status_that_does_not_name_the_container_lets_it_be_reapplied_without_annotation():
    annotations = {STATUS: "not json"}
    pod = reapplied(a_pod(own_proxy(image="mine"), annotations=annotations))
    assert the_proxy(pod)["image"] == "mine"
    assert pod["metadata"]["annotations"] == annotations


def test_a_native_proxy_takes_the_owners_container_from_either_list():
    final = a_pod(a_container(), init=[injected_proxy()])
    pod = reapplied(a_pod(a_container(), own_proxy(image="mine")), NATIVE_TEMPLATE, final=final)
    assert pod["spec"]["initContainers"][0]["image"] == "mine"
    assert pod["metadata"]["annotations"][OVERRIDES].startswith('{"initContainers":[')
    assert names(pod) == ["app"]
    pod = reapplied(a_pod(a_container(), own_proxy(image="mine")), NATIVE_TEMPLATE, OLD, final=final)
    assert pod["spec"]["initContainers"][0]["image"] == "proxyv2"


@pytest.mark.parametrize(("release", "expected"), [(OLD, None), (NEWEST, "2026-01-01T00:00:00Z")])
def test_a_time_of_creation_is_lost_where_go_prints_a_zero_one(release, expected):
    final = a_pod(a_container(), injected_proxy())
    final["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert (
        reapplied(a_pod(own_proxy()), release=release, final=final)["metadata"].get("creationTimestamp")
        == expected
    )


def test_a_container_that_cannot_be_merged_is_named():
    broken = own_proxy(env=[{"value": "no name"}])
    with pytest.raises(InjectionError, match=r"^failed to apply sidecar container: "):
        reapplied(
            a_pod(own_proxy()),
            kept={"containers": [broken]},
            final=a_pod(injected_proxy(env=[{"value": "x"}])),
        )
    final = a_pod(a_container(), init=[injected_proxy(env=[{"value": "x"}])])
    with pytest.raises(InjectionError, match=r"^failed to apply sidecar init container: "):
        reapplied(a_pod(a_container(), broken), NATIVE_TEMPLATE, final=final)


def test_what_was_kept_is_read_from_the_annotation():
    assert overrides_of({}, PodTypes(), Budget()) == {}
    assert (
        overrides_of({OVERRIDES: '{"containers":[{"name":"a"}]}'}, PodTypes(), Budget())["containers"][0][
            "name"
        ]
        == "a"
    )


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


def test_kept_containers_that_the_pod_lacks_come_back_at_the_end():
    kept = {
        "containers": [a_container("istio-proxy"), a_container("app", image="kept")],
        "initContainers": [a_container("x")],
    }
    pod = reinsert(a_pod(), kept)
    assert names(pod) == ["app", "istio-proxy"]
    assert pod["spec"]["containers"][0]["image"] == "app:1"
    assert names(pod, "initContainers") == ["x"]
    assert reinsert(pod, kept) is pod
