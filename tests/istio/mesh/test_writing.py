from __future__ import annotations

import json

import pytest
from hypothesis import given

from injector.istio.mesh.descriptors import PROXY_CONFIG, Message, schema_of
from injector.istio.mesh.jsonpb import apply, proto_to_json, to_json
from injector.istio.mesh.views import message_text
from injector.kubeyaml import load
from tests.istio.mesh.builders import a_mesh_config, a_proxy_config, messages


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
