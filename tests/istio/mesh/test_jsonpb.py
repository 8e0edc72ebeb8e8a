from __future__ import annotations

import json

import pytest
from hypothesis import given

from injector.istio.mesh.descriptors import PROXY_CONFIG, Message, MessageError, schema_of
from injector.istio.mesh.jsonpb import apply, dotted, proto_to_json, to_json, unknown_fields
from injector.istio.mesh.views import message_text
from injector.kubeyaml import load
from tests.istio.mesh.builders import a_mesh_config, a_proxy_config, messages

GOLANG, GOGO = 31, 11


def test_an_absent_key_and_null_leave_a_field_alone():
    before = a_proxy_config("{statusPort: 1, proxyMetadata: {A: b}, concurrency: 2}")
    assert apply(before, load("{statusPort: null, proxyMetadata: null, concurrency: null}")) == before
    assert apply(before, None) is before
    assert apply(before, {}) == before


@pytest.mark.parametrize(
    ("before", "over", "after"),
    [
        ("proxyMetadata: {A: '1'}", "proxyMetadata: {B: '2'}", {"proxyMetadata": {"B": "2"}}),
        ("extraStatTags: [a]", "extraStatTags: [b]", {"extraStatTags": ["b"]}),
        (
            "tracing: {sampling: 5, zipkin: {address: a}}",
            "tracing: {sampling: 6}",
            {"tracing": {"sampling": 6.0}},
        ),
    ],
)
def test_lists_maps_and_messages_are_replaced(before, over, after):
    assert apply(a_proxy_config(before), load(over)).data == after


def test_one_member_of_a_oneof_clears_the_others():
    config = a_proxy_config("serviceCluster: a")
    assert apply(config, load("tracingServiceName: CANONICAL_NAME_ONLY")).data == {"tracingServiceName": 1}


def test_a_oneof_remembers_an_empty_string():
    assert a_proxy_config("serviceCluster: ''").data == {"serviceCluster": ""}


def test_a_zero_takes_a_plain_field_away_but_not_a_wrapper():
    config = a_proxy_config("{statusPort: 5, concurrency: 5}")
    assert apply(config, {"statusPort": 0, "concurrency": 0}).data == {"concurrency": 0}


def test_golang_forgets_an_empty_list_and_gogo_keeps_it():
    assert a_proxy_config("{extraStatTags: [], proxyMetadata: {}}", GOLANG).data == {}
    assert a_proxy_config("{extraStatTags: [], proxyMetadata: {}}", GOGO).data == {
        "extraStatTags": [],
        "proxyMetadata": {},
    }


def test_both_spellings_are_read_and_the_camel_case_one_wins():
    assert a_proxy_config("{status_port: 1}").data == {"statusPort": 1}
    assert a_proxy_config("{statusPort: 2, status_port: 1}").data == {"statusPort": 2}


@pytest.mark.parametrize("text", ['"7"', "7", "7.0", '" 7 "'])
def test_a_number_may_stand_in_quotes(text):
    assert a_proxy_config(f"statusPort: {text}").data == {"statusPort": 7}


def test_null_in_quotes_is_zero():
    assert a_proxy_config('concurrency: "null"').data == {"concurrency": 0}


def test_a_double_may_be_spelt_infinite():
    assert a_proxy_config('tracing: {sampling: "-Infinity"}').data == {"tracing": {"sampling": float("-inf")}}
    assert a_proxy_config('tracing: {sampling: "1e3"}').data == {"tracing": {"sampling": 1000.0}}


@pytest.mark.parametrize("value", ["TPROXY", "1"])
def test_an_enum_is_read_by_name_or_number(value):
    assert a_proxy_config(f"interceptionMode: {value}").data == {"interceptionMode": 1}


def test_an_unknown_number_of_an_enum_is_kept():
    assert a_proxy_config("interceptionMode: 9").data == {"interceptionMode": 9}


def test_null_elements_are_zero_for_scalars_and_empty_for_messages():
    assert a_proxy_config("proxyMetadata: {A: null}").data == {"proxyMetadata": {"A": ""}}
    assert a_proxy_config("extraStatTags: [null]").data == {"extraStatTags": [""]}
    assert a_mesh_config("extensionProviders: [null]").data == {"extensionProviders": [{}]}
    assert a_mesh_config("extensionProviders: [null]", GOGO).data == {"extensionProviders": [None]}
    text = "tracing: {openCensusAgent: {context: [null]}}"
    assert a_proxy_config(text).data == {"tracing": {"openCensusAgent": {"context": [0]}}}


def test_gogo_sets_a_oneof_to_a_null_member():
    assert a_proxy_config("tracing: {zipkin: null}", GOGO).data == {"tracing": {"zipkin": None}}
    assert a_proxy_config("tracing: {zipkin: null}", GOLANG).data == {"tracing": {}}
    assert a_mesh_config("caCertificates: [{pem: null}]", GOGO).data == {"caCertificates": [{"pem": ""}]}


def test_a_structure_takes_any_object():
    text = "extensionProviders: [{envoyFileAccessLog: {logFormat: {labels: {a: [1, null]}}}}]"
    assert a_mesh_config(text).data == {
        "extensionProviders": [{"envoyFileAccessLog": {"logFormat": {"labels": {"a": [1, None]}}}}]
    }


def test_an_unknown_field_is_ignored_and_told():
    value = load(
        """
        nope: 1
        tracing: {zipkin: {address: a, x: 1}, customTags: {t: {header: {why: 1}}}}
        proxyStatsMatcher: []
        """
    )
    declared = schema_of(GOLANG).message(PROXY_CONFIG)
    assert apply(Message(type=declared), {"nope": 1}).data == {}
    assert unknown_fields(declared, value) == ["nope", "tracing.zipkin.x", "tracing.customTags.t.header.why"]
    mesh = a_mesh_config().type
    assert unknown_fields(mesh, {"extensionProviders": [{"name": "a"}, {"z": 1}]}) == [
        "extensionProviders[1].z"
    ]
    assert unknown_fields(mesh, ["no object"]) == []


FAULTS = [
    ("proxyMetadata: {A: 1}", "json: cannot unmarshal number into Go value of type string"),
    ("proxyMetadata: [a]", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
    ("extraStatTags: a", "json: cannot unmarshal string into Go value of type []json.RawMessage"),
    ("statusPort: 1.5", "json: cannot unmarshal number 1.5 into Go value of type int32"),
    ("statusPort: 4294967296", "json: cannot unmarshal number 4294967296 into Go value of type int32"),
    ("statusPort: true", "json: cannot unmarshal bool into Go value of type int32"),
    ('statusPort: "true"', "json: cannot unmarshal bool into Go value of type int32"),
    ('statusPort: "[]"', "json: cannot unmarshal array into Go value of type int32"),
    ('statusPort: "{}"', "json: cannot unmarshal object into Go value of type int32"),
    ('statusPort: "x"', "invalid character 'x' looking for beginning of value"),
    ('statusPort: ""', "unexpected end of JSON input"),
    ('statusPort: "1x"', "invalid character 'x' after top-level value"),
    ("fileFlushMinSizeKb: -1", "json: cannot unmarshal number -1 into Go value of type uint32"),
    ("tracing: {sampling: {}}", "json: cannot unmarshal object into Go value of type float64"),
    ('tracing: {sampling: "1e999"}', "json: cannot unmarshal number 1e999 into Go value of type float64"),
    ('statsCompression: "true"', "json: cannot unmarshal string into Go value of type bool"),
    ("drainDuration: 5", "json: cannot unmarshal number into Go value of type string"),
    ("drainDuration: banana", 'bad Duration: time: invalid duration "banana"'),
    ("tracing: a", "json: cannot unmarshal string into Go value of type map[string]json.RawMessage"),
    ("- a", "json: cannot unmarshal array into Go value of type map[string]json.RawMessage"),
    ("interceptionMode: true", "json: cannot unmarshal bool into Go value of type protoreflect.EnumNumber"),
    (
        "interceptionMode: tproxy",
        'unknown value "\\"tproxy\\"" for enum istio.mesh.v1alpha1.ProxyConfig.InboundInterceptionMode',
    ),
]


@pytest.mark.parametrize(("text", "sentence"), FAULTS)
def test_a_wrong_value_gets_gos_sentence(text, sentence):
    with pytest.raises(MessageError) as caught:
        a_proxy_config(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "interceptionMode: tproxy",
            'unknown value "tproxy" for enum istio.mesh.v1alpha1.ProxyConfig_InboundInterceptionMode',
        ),
        (
            "interceptionMode: 1.5",
            "json: cannot unmarshal number 1.5 into Go value of type v1alpha1.ProxyConfig_InboundInterceptionMode",
        ),
    ],
)
def test_gogo_words_a_wrong_enum_in_its_own_way(text, sentence):
    with pytest.raises(MessageError) as caught:
        a_proxy_config(text, GOGO)
    assert str(caught.value) == sentence


def test_a_structure_that_is_no_object_gets_gos_sentence():
    with pytest.raises(MessageError, match="bad StructValue: json: cannot unmarshal array"):
        a_mesh_config("extensionProviders: [{envoyFileAccessLog: {logFormat: {labels: []}}}]")


@pytest.mark.slow
@pytest.mark.parametrize("minor", [GOLANG, GOGO])
def test_what_is_applied_twice_is_as_if_applied_once(minor):
    declared = schema_of(minor).message(PROXY_CONFIG)

    @given(messages(declared))
    def check(value):
        once = apply(Message(type=declared), value)
        assert apply(once, value) == once

    check()


def test_a_path_is_written_with_dots_and_indexes():
    assert dotted(("global", "imagePullSecrets", 0)) == "global.imagePullSecrets[0]"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", "{}"),
        ("{statusPort: 1, configPath: a}", '{"configPath":"a","statusPort":1}'),
        ("proxyMetadata: {B: '2', A: x<y>&z}", '{"proxyMetadata":{"A":"x\\u003cy\\u003e\\u0026z","B":"2"}}'),
        ("concurrency: 0", '{"concurrency":0}'),
        ("envoyAccessLogService: {}", '{"envoyAccessLogService":{}}'),
        ("drainDuration: 1m", '{"drainDuration":"60s"}'),
        ("interceptionMode: 1", '{"interceptionMode":"TPROXY"}'),
        ("interceptionMode: 7", '{"interceptionMode":7}'),
        ("extraStatTags: [b, a]", '{"extraStatTags":["b","a"]}'),
        (
            "tracing: {stackdriver: {maxNumberOfAttributes: 5}, sampling: 100}",
            '{"tracing":{"stackdriver":{"maxNumberOfAttributes":"5"},"sampling":100}}',
        ),
        ('tracing: {sampling: "NaN"}', '{"tracing":{"sampling":"NaN"}}'),
        ('tracing: {sampling: "Infinity"}', '{"tracing":{"sampling":"Infinity"}}'),
        ('tracing: {sampling: "-Infinity"}', '{"tracing":{"sampling":"-Infinity"}}'),
        (
            "readinessProbe: {httpGet: {port: 80, path: /x}}",
            '{"readinessProbe":{"httpGet":{"path":"/x","port":80}}}',
        ),
    ],
)
def test_a_message_prints_as_jsonpb_prints_it(text, printed):
    assert proto_to_json(a_proxy_config(text)) == printed


def test_gogo_prints_empty_lists_and_nil_members():
    config = a_proxy_config("{extraStatTags: [], tracing: {zipkin: null}}", 11)
    assert proto_to_json(config) == '{"tracing":{"zipkin":null},"extraStatTags":[]}'


def test_a_structure_prints_with_its_keys_sorted():
    mesh = a_mesh_config(
        "extensionProviders: [{envoyFileAccessLog: {logFormat: {labels: {b: [{d: 1, c: 2}], a: x}}}}]"
    )
    assert json.dumps(to_json(mesh)).endswith('{"labels": {"a": "x", "b": [{"c": 2, "d": 1}]}}}}]}')


@pytest.mark.slow
@pytest.mark.parametrize("minor", [31, 11])
def test_what_is_printed_reads_back_as_the_same_message(minor):
    declared = schema_of(minor).message(PROXY_CONFIG)

    @given(messages(declared))
    def check(value):
        message = apply(Message(type=declared), value)
        text = proto_to_json(message)
        again = apply(Message(type=declared), load(text))
        assert proto_to_json(again) == text

    check()


# ---- text


TEXTS = [
    ("", "", ""),
    ("{meshId: m, statusPort: 1}", 'status_port:1 mesh_id:"m"', 'status_port:1 mesh_id:"m" '),
    ("concurrency: 0", "concurrency:{}", "concurrency:<> "),
    ("concurrency: 2", "concurrency:{value:2}", "concurrency:<value:2 > "),
    ("drainDuration: -1.5s", "drain_duration:{seconds:-1 nanos:-500000000}", "drain_duration:<seconds:-1 nanos:-500000000 > "),
    ("interceptionMode: 1", "interception_mode:TPROXY", "interception_mode:TPROXY "),
    ("interceptionMode: 9", "interception_mode:9", "interception_mode:9 "),
    ("holdApplicationUntilProxyStarts: true", "hold_application_until_proxy_starts:{value:true}", "hold_application_until_proxy_starts:<value:true > "),
    ("extraStatTags: [a, b]", 'extra_stat_tags:"a" extra_stat_tags:"b"', 'extra_stat_tags:"a" extra_stat_tags:"b" '),
    (
        "proxyMetadata: {B: '2', A: '1'}",
        'proxy_metadata:{key:"A" value:"1"} proxy_metadata:{key:"B" value:"2"}',
        'proxy_metadata:<key:"A" value:"1" > proxy_metadata:<key:"B" value:"2" > ',
    ),
    ("tracing: {sampling: 1e-7}", "tracing:{sampling:1e-07}", "tracing:<sampling:1e-07 > "),
    ("tracing: {sampling: 'NaN'}", "tracing:{sampling:nan}", "tracing:<sampling:nan > "),
    ("tracing: {stackdriver: {debug: true}}", "tracing:{stackdriver:{debug:true}}", "tracing:<stackdriver:<debug:true > > "),
    (r'meshId: "\"\\\n\té\x01\x85"', r'mesh_id:"\"\\\n\té\x01\u0085"', r'mesh_id:"\"\\\n\t\303\251\001\302\205" '),
]  # fmt: skip


@pytest.mark.parametrize(("text", "golang", "gogo"), TEXTS)
def test_a_message_prints_as_gos_fmt_prints_it(text, golang, gogo):
    for minor, printed in ((31, golang), (11, gogo)):
        config = a_proxy_config(text, minor)
        assert message_text(config.type, config.data) == printed


def test_a_structure_prints_as_json():
    mesh = a_mesh_config("extensionProviders: [{envoyFileAccessLog: {logFormat: {labels: {a: 1}}}}]")
    assert message_text(mesh.type, mesh.data).endswith('labels:{{"a":1}}}}}')
