from __future__ import annotations

import pytest

from injector.istio.mesh.prototext import message_text
from tests.istio.mesh.builders import a_mesh_config, a_proxy_config

TABLE = [
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


@pytest.mark.parametrize(("text", "golang", "gogo"), TABLE)
def test_a_message_prints_as_gos_fmt_prints_it(text, golang, gogo):
    for minor, printed in ((31, golang), (11, gogo)):
        config = a_proxy_config(text, minor)
        assert message_text(config.type, config.data) == printed


def test_a_structure_prints_as_json():
    mesh = a_mesh_config("extensionProviders: [{envoyFileAccessLog: {logFormat: {labels: {a: 1}}}}]")
    assert message_text(mesh.type, mesh.data).endswith('labels:{{"a":1}}}}}')
