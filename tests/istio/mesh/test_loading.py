from __future__ import annotations

import json

import pytest

from injector.errors import ConfigError
from injector.istio.mesh.defaults import default_mesh_config
from injector.istio.mesh.descriptors import MessageError
from injector.istio.mesh.jsonpb import proto_to_json, to_json
from injector.istio.mesh.loading import layer, load_mesh, merge_proxy_config
from injector.kubeyaml import load
from tests.conformance.judge import effective_mesh
from tests.conftest import conformance_folder
from tests.istio.mesh.builders import a_proxy_config


def inputs() -> list[str]:
    folder = conformance_folder()
    found = sorted(folder.glob("*/mesh/*.input.yaml")) if folder else []
    return [f"{path.parent.parent.name}/{path.name.removesuffix('.input.yaml')}" for path in found]


@pytest.mark.parametrize("name", inputs())
def test_a_mesh_is_what_istio_made_of_the_same_text(shared, name):
    release, _, mesh = name.partition("/")
    folder, minor = shared / "conformance" / release / "mesh", int(release[2:])
    made = load_mesh((folder / f"{mesh}.input.yaml").read_text(), minor)
    effective = (folder / f"{mesh}.yaml").read_text()
    if minor == 0:
        effective = effective.replace(".000s", "s")
    assert json.dumps(to_json(made.config)).replace("50.0", "50") == json.dumps(load(effective))
    assert effective_mesh(effective, minor).config == made.config


def test_an_empty_text_gives_the_defaults():
    assert load_mesh("", 31).config == default_mesh_config(31)


def test_a_list_replaces_a_default_list():
    made = load_mesh("defaultServiceExportTo: ['.']", 31)
    assert made.config.get("defaultServiceExportTo") == ["."]


@pytest.mark.parametrize(("minor", "port"), [(4, 15000), (6, 15000), (7, 0), (31, 0)])
def test_an_explicit_zero_in_the_proxy_config_wins_from_one_seven(minor, port):
    # 1 is a port; 0 would be refused as a whole, so validation is asked about another field
    made = load_mesh("defaultConfig: {statNameLength: 0, discoveryAddress: 'a:1'}", minor)
    assert (made.proxy_config.get("statNameLength", 0) == 0) is (port == 0)


@pytest.mark.parametrize(("minor", "metadata"), [(9, {"B": "2"}), (10, {"B": "2"})])
def test_defaults_have_no_metadata_to_overlay(minor, metadata):
    made = load_mesh("defaultConfig: {proxyMetadata: {B: '2'}}", minor)
    assert made.proxy_config.get("proxyMetadata") == metadata


def test_extension_providers_are_merged_by_name_from_one_eleven():
    text = "extensionProviders: [{name: envoy, prometheus: {}}, {name: mine, zipkin: {service: z, port: 1}}]"
    names = [each["name"] for each in load_mesh(text, 31).config.get("extensionProviders")]
    assert names == ["prometheus", "stackdriver", "envoy", "mine"]
    assert load_mesh(text, 31).config.get("extensionProviders")[2] == {"name": "envoy", "prometheus": {}}
    assert len(load_mesh(text, 8).config.get("extensionProviders")) == 2


@pytest.mark.parametrize("minor", [11, 13])
def test_a_provider_that_is_null_is_refused(minor):
    with pytest.raises(ConfigError, match="a provider of extensionProviders is null"):
        load_mesh("extensionProviders: [null]", minor)


def test_default_providers_are_applied_to_the_default_ones():
    made = load_mesh("defaultProviders: {metrics: [prometheus]}", 11)
    assert made.config.get("defaultProviders") == {"metrics": ["prometheus"], "accessLogging": ["envoy"]}


@pytest.mark.parametrize(("minor", "aliases"), [(11, ["b", "a", "b"]), (12, ["a", "b"]), (14, ["a", "b"])])
def test_trust_domain_aliases_are_sorted_and_single_from_one_twelve(minor, aliases):
    assert load_mesh("trustDomainAliases: [b, a, b]", minor).config.get("trustDomainAliases") == aliases


@pytest.mark.parametrize(("minor", "aliases"), [(13, []), (14, None)])
def test_no_alias_is_an_empty_list_for_gogo_only(minor, aliases):
    assert load_mesh("", minor).config.get("trustDomainAliases") == aliases


def test_what_no_field_takes_is_told():
    made = load_mesh("{nope: 1, defaultConfig: {tracing: {nope: 2}}}", 31)
    assert made.ignored == ("nope", "defaultConfig.tracing.nope")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "accessLogFile: 1",
            "mesh.yaml: mesh configuration: json: cannot unmarshal number into Go value of type string",
        ),
        ("a: [", "mesh.yaml:2: yaml: line 1: did not find expected node content"),
        ("- a", "mesh.yaml: mesh configuration: json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
        ("proxyListenPort: 0", "mesh.yaml: mesh configuration: invalid proxy listen port: port number 0 must be in the range 1..65535"),
        (
            "defaultConfig: {configPath: '', proxyAdminPort: 0}",
            "mesh.yaml: mesh configuration: config path must be set; invalid proxy admin port: port number 0 must be in the range 1..65535",
        ),
    ],
)  # fmt: skip
def test_a_mesh_that_istio_would_refuse_is_a_config_error(text, sentence):
    with pytest.raises(ConfigError) as caught:
        load_mesh(text, 31, file="mesh.yaml")
    assert str(caught.value) == sentence


@pytest.mark.parametrize(("minor", "printed"), [(5, "configPath"), (6, "statusPort"), (31, "statusPort")])
def test_templates_see_a_proxy_config_without_defaults_from_one_six(minor, printed):
    made = load_mesh("defaultConfig: {statusPort: 15021}" if minor > 5 else "", minor)
    assert made.to_template_json(made.proxy_config).startswith(f'{{"{printed}"')


def test_templates_see_any_other_message_as_it_is():
    made = load_mesh("", 31)
    assert made.to_template_json(made.config.submessage("inboundTrafficPolicy")) == "{}"
    assert made.to_template_json(made.config) == proto_to_json(made.config)


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
