from __future__ import annotations

import pytest

from injector.istio.mesh.descriptors import MessageError
from injector.istio.mesh.loading import layer, merge_proxy_config
from injector.kubeyaml import load
from tests.istio.mesh.builders import a_proxy_config


def merged(base: str, over: str, minor: int) -> object:
    return merge_proxy_config(a_proxy_config(base, minor), load(over)).data


@pytest.mark.parametrize(("minor", "metadata"), [(9, {"A": "3"}), (10, {"A": "3", "B": "2"})])
def test_metadata_is_overlaid_key_by_key_from_one_ten(minor, metadata):
    base = "proxyMetadata: {A: '1', B: '2'}"
    assert merged(base, "proxyMetadata: {A: '3'}", minor) == {"proxyMetadata": metadata}


def test_an_empty_metadata_takes_nothing_away():
    base = "proxyMetadata: {A: '1'}"
    assert merged(base, "proxyMetadata: {}", 31) == {"proxyMetadata": {"A": "1"}}
    assert merged(base, "meshId: m", 31) == {"proxyMetadata": {"A": "1"}, "meshId": "m"}
    assert merged("", base, 31) == {"proxyMetadata": {"A": "1"}}


def test_headers_keep_the_older_parts_that_the_newer_do_not_set():
    base = "proxyHeaders: {requestId: {disabled: true}, setCurrentClientCertDetails: {dns: true}}"
    over = "proxyHeaders: {server: {disabled: true}}"
    assert merged(base, over, 31) == {
        "proxyHeaders": {"requestId": {"disabled": True}, "server": {"disabled": True}}
    }
    assert merged(base, "meshId: m", 31)["proxyHeaders"] == merged(base, "", 31)["proxyHeaders"]
    assert merged("", over, 31) == {"proxyHeaders": {"server": {"disabled": True}}}


def test_a_wrong_value_is_refused():
    with pytest.raises(MessageError):
        merged("", "meshId: 1", 31)


LAYERS = [
    # base, override, joined by protobuf's Merge (1.13 to 1.15), laid over (1.16)
    ("extraStatTags: [a]", "extraStatTags: [b]", {"extraStatTags": ["a", "b"]}, {"extraStatTags": ["b"]}),
    (
        "tracing: {sampling: 5}",
        "tracing: {zipkin: {address: a}}",
        {"tracing": {"sampling": 5.0, "zipkin": {"address": "a"}}},
        {"tracing": {"zipkin": {"address": "a"}}},
    ),
    (
        "tracing: {zipkin: {address: a}}",
        "tracing: {datadog: {}}",
        {"tracing": {"datadog": {}}},
        {"tracing": {"datadog": {}}},
    ),
    (
        "{proxyMetadata: {A: '1', B: '2'}, statusPort: 1}",
        "proxyMetadata: {A: '3'}",
        {"proxyMetadata": {"A": "3", "B": "2"}, "statusPort": 1},
        {"proxyMetadata": {"A": "3", "B": "2"}, "statusPort": 1},
    ),
    ("concurrency: 2", "concurrency: 0", {"concurrency": 0}, {"concurrency": 0}),
    (
        "holdApplicationUntilProxyStarts: true",
        "holdApplicationUntilProxyStarts: false",
        {"holdApplicationUntilProxyStarts": True},
        {"holdApplicationUntilProxyStarts": False},
    ),
]


@pytest.mark.parametrize(("base", "override", "joined", "laid_over"), LAYERS)
def test_layers_are_joined_by_protobuf_up_to_one_fifteen_and_laid_over_from_one_sixteen(
    base, override, joined, laid_over
):
    assert layer(a_proxy_config(base, 15), a_proxy_config(override, 15)).data == joined
    assert layer(a_proxy_config(base, 16), a_proxy_config(override, 16)).data == laid_over


@pytest.mark.parametrize(
    ("base", "override", "joined", "replaced"),
    [
        ("45s", "500ms", 45_500_000_000, 500_000_000),
        ("45s", "0s", 45_000_000_000, 0),
        ("-1s", "-0.5s", -1_500_000_000, -500_000_000),
    ],
)
def test_durations_of_a_layer_are_joined_in_one_thirteen_and_replaced_from_one_fourteen(
    base, override, joined, replaced
):
    for minor, expected in ((13, joined), (14, replaced), (15, replaced), (16, replaced)):
        lower, upper = (a_proxy_config(f"drainDuration: {text}", minor) for text in (base, override))
        assert layer(lower, upper).data == {"drainDuration": expected}


@pytest.mark.parametrize(("minor", "image"), [(13, {"imageType": "debug"}), (14, {})])
def test_the_image_is_replaced_as_a_whole_from_one_fourteen(minor, image):
    base, override = "image: {imageType: debug}", "image: {}"
    assert layer(a_proxy_config(base, minor), a_proxy_config(override, minor)).data == {"image": image}
