from __future__ import annotations

import json

import pytest

from injector.errors import ConfigError
from injector.istio.facts import NEWEST
from injector.istio.mesh.defaults import default_mesh_config, default_proxy_config
from injector.istio.mesh.jsonpb import apply
from injector.istio.mesh.loading import load_mesh
from injector.istio.mesh.mesh_validation import locality_faults, mesh_faults, zone_aware_faults
from injector.kubeyaml import load
from tests.istio.mesh.builders import a_mesh_config

ADDRESS = 'unable to split "bad": address bad: missing port in address'


def faults(text: str, minor: int = 31) -> list[str]:
    mesh = apply(default_mesh_config(minor), load(text))
    return mesh_faults(mesh, default_proxy_config(minor))


@pytest.mark.parametrize("minor", range(NEWEST + 1))
def test_defaults_have_no_fault(minor):
    assert faults("", minor) == []


def test_a_mesh_without_anything_lacks_what_has_to_be_there():
    assert mesh_faults(a_mesh_config("{connectTimeout: 2h}"), default_proxy_config(31)) == [
        "invalid proxy listen port: port number 0 must be in the range 1..65535",
        "invalid connect timeout: time 2h0m0s must be >1ms and <1h0m0s",
        "trustDomain: empty domain name not allowed",
    ]


TABLE = [
    ("mixerCheckServer: bad", 7, [f"invalid Policy Check Server address: {ADDRESS}"]),
    ("mixerReportServer: bad", 7, [f"invalid Telemetry Server address: {ADDRESS}"]),
    ("mixerReportServer: bad", 8, []),
    ("connectTimeout: 0s", 31, ["invalid connect timeout: duration must be greater than 1ms"]),
    ("connectTimeout: 31s", 19, ["invalid connect timeout: time 31s must be >1ms and <30s"]),
    ("connectTimeout: 31s", 20, []),
    ("authPolicy: 7", 0, ['unrecognized auth policy "7"']),
    ("authPolicy: 7", 1, []),
    ("rdsRefreshDelay: 1ms", 0, ["invalid rds refresh delay: time 1ms must be >1s and <10m0s"]),
    ("sdsRefreshDelay: 1h", 0, ["invalid sds refresh delay: time 1h0m0s must be >1s and <10m0s"]),
    ("rdsRefreshDelay: 1ms", 1, []),
    *(
        (f"protocolDetectionTimeout: {timeout}", minor, sentences)
        for timeout, minor, sentences in (
            ("1500us", 4, []),
            (
                "1500us",
                5,
                ["invalid protocol detection timeout: only durations to ms precision are supported"],
            ),
            ("0s", 31, []),
            ("5s", 31, []),
            ("-1s", 31, []),
            ("1ns", 31, ["invalid protocol detection timeout: only durations to ms precision are supported"]),
        )
    ),
    ("trustDomain: ''", 7, []),
    ("trustDomain: ''", 8, ["trustDomain: empty domain name not allowed"]),
    ("trustDomain: ' '", 31, ['trustDomain: trust domain name " " invalid']),
    ("trustDomain: a_b.c", 31, ['trustDomain: trust domain name "a_b.c" invalid']),
    ("trustDomain: Example.org.", 31, []),
    ("trustDomain: 127.0.0.1", 31, []),
    ("trustDomain: .", 31, ['trustDomain: trust domain name "." invalid']),
    (f"trustDomain: {'a' * 64}", 31, [f'trustDomain: trust domain name "{"a" * 64}" invalid']),
    (
        "trustDomainAliases: [ok, '', 'a b']",
        31,
        [
            "trustDomainAliases[1], domain `` : empty domain name not allowed",
            'trustDomainAliases[2], domain `a b` : trust domain name "a b" invalid',
        ],
    ),
    (
        "serviceSettings: [{hosts: ['*.svc', '*']}, {hosts: ['', 'a..b', 'x.1', '-', '*-a.b', '**.c', 'a.b.']}]",
        6,
        [
            "serviceSettings[1], host ``: empty domain name not allowed",
            'serviceSettings[1], host `a..b`: domain name ".b" invalid (label "" invalid)',
            'serviceSettings[1], host `x.1`: domain name "1" invalid (top level domain "1" cannot be all-numeric)',
            'serviceSettings[1], host `-`: domain name "-" invalid (label "-" invalid)',
            'serviceSettings[1], host `**.c`: domain name "**.c" invalid (label "**" invalid)',
        ],
    ),
    (
        f"serviceSettings: [{{hosts: ['{'a.' * 128}']}}]",
        31,
        [f'serviceSettings[0], host `{"a." * 128}`: domain name "{"a." * 128}" too long (max 255)'],
    ),
    ("serviceSettings: [{hosts: ['']}]", 5, []),
    ("meshMTLS: {ecdhCurves: [P-256]}", 17, []),
    ("meshMTLS: {ecdhCurves: [P-256]}", 18, ["mesh TLS does not support ECDH curves configuration"]),
    ("meshMTLS: {ecdhCurves: []}", 31, []),
    ("tlsDefaults: {ecdhCurves: [nope]}", 31, []),
]


@pytest.mark.parametrize(("text", "minor", "sentences"), TABLE)
def test_a_faulty_mesh_gets_istios_sentences(text, minor, sentences):
    assert faults(text, minor) == sentences


POLICIES = [
    ("{connectionPool: {}}", ["connection pool must have at least one field"]),
    ("{connectionPool: {tcp: {}, http: {}}, outlierDetection: {}}", []),
    (
        (
            "{connectionPool: {http: {http1MaxPendingRequests: -1, http2MaxRequests: -1, maxRequestsPerConnection: -1, "
            "maxRetries: -1, maxConcurrentStreams: -1, idleTimeout: 0s, h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}"
        ),
        [
            "http1 max pending requests must be non-negative",
            "http2 max requests must be non-negative",
            "max requests per connection must be non-negative",
            "max retries must be non-negative",
            "max concurrent streams must be non-negative",
            "duration must be greater than 1ms",
            "use client protocol must not be true when H2UpgradePolicy is UPGRADE",
        ],
    ),
    (
        (
            "{connectionPool: {tcp: {maxConnections: -1, connectTimeout: 0s, maxConnectionDuration: 1500us, "
            "idleTimeout: 100us, tcpKeepalive: {time: 0s, interval: 1s}}}}"
        ),
        [
            "max connections must be non-negative",
            "duration must be greater than 1ms",
            "only durations to ms precision are supported",
            "duration must be greater than 1ms",
        ],
    ),
    ("{connectionPool: {tcp: {idleTimeout: 1500us}}}", ["only durations to ms precision are supported"]),
    (
        "{outlierDetection: {interval: 0s, consecutiveLocalOriginFailures: 1, maxEjectionPercent: 101, minHealthPercent: -1}}",
        [
            "duration must be greater than 1ms",
            (
                "outlier detection consecutive local origin failures is specified, "
                "but split external local origin errors is set to false"
            ),
            "percentage 101 is not in range 0..100",
            "percentage -1 is not in range 0..100",
        ],
    ),
    ("{outlierDetection: {consecutiveLocalOriginFailures: 1, splitExternalLocalOriginErrors: true}}", []),
]


@pytest.mark.parametrize(("policy", "sentences"), POLICIES)
def test_a_faulty_default_traffic_policy_gets_istios_sentences(policy, sentences):
    assert faults(f"defaultTrafficPolicy: {policy}") == sentences


def test_faults_come_in_istios_order():
    text = "{proxyListenPort: 0, trustDomain: '', localityLbSetting: {distribute: [{from: a, to: {b: 1}}]}}"
    mesh = apply(default_mesh_config(31), load(text))
    proxy_config = apply(default_proxy_config(31), load("{configPath: ''}"))
    assert mesh_faults(mesh, proxy_config) == [
        "invalid proxy listen port: port number 0 must be in the range 1..65535",
        "config path must be set",
        "total locality weight 1 != 100",
        "trustDomain: empty domain name not allowed",
    ]


def test_a_configuration_with_faults_is_refused_with_all_of_them():
    with pytest.raises(ConfigError) as refusal:
        load_mesh("{trustDomain: '', protocolDetectionTimeout: 1us}", 31, file="mesh")
    assert str(refusal.value) == (
        "mesh: mesh configuration: invalid protocol detection timeout: only durations to ms precision are "
        "supported; trustDomain: empty domain name not allowed"
    )


DIFFERENT = "locality lb failover settings must specify different regions"
WILDCARD = "locality lb failover region should not contain '*' wildcard"
ONLY_REGION = "locality lb failover only specify region"


def locality_sentences(text: str, minor: int = 31) -> list[str]:
    return locality_faults(a_mesh_config(f"localityLbSetting: {text}", minor))


@pytest.mark.parametrize(
    ("text", "minor", "sentences"),
    [
        ("{}", 31, []),
        ("{distribute: [{from: a, to: {b: 40, c: 60}}]}", 1, []),
        ("{distribute: [{from: a, to: {b: 40, c: 61}}]}", 31, ["total locality weight 101 != 100"]),
        ("{distribute: [{from: a}]}", 31, ["total locality weight 0 != 100"]),
        ("{distribute: [null]}", 31, ["total locality weight 0 != 100"]),
        ("{distribute: [{from: a, to: {b: 0}}]}", 4, ["locality weight must not be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 0}}]}", 5, ["locality weight must be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 101}}]}", 11, ["total locality weight 101 != 100"]),
        ("{distribute: [{from: a, to: {b: 101}}]}", 12, ["locality weight must be in range [1, 100]"]),
        ("{distribute: [{from: a, to: {b: 101, c: 4294967295}}]}", 11, []),
        (
            "{distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]}",
            31,
            ["can not simultaneously specify 'distribute' and 'failover'"],
        ),
        ("{failover: [{from: a, to: a}, {from: b, to: '*'}]}", 13, [DIFFERENT]),
        ("{failover: [{from: a, to: a}, {from: b, to: '*'}]}", 14, [DIFFERENT, WILDCARD]),
        ("{failover: [{from: a/b, to: c}]}", 12, []),
        ("{failover: [{from: a/b, to: c}]}", 13, [ONLY_REGION]),
        ("{failover: [{from: '*', to: c}]}", 12, []),
        ("{failover: [{from: '*', to: c}]}", 13, [WILDCARD]),
        ("{failover: [{from: a, to: b}], failoverPriority: [topology.istio.io/subzone]}", 19, []),
        (
            "{failover: [{from: a, to: b}], failoverPriority: [x, topology.istio.io/subzone]}",
            20,
            [
                (
                    "can not simultaneously set 'failover' and topology label 'topology.istio.io/subzone'"
                    " in 'failover_priority'"
                )
            ],
        ),
        ("{failoverPriority: [topology.istio.io/subzone]}", 31, []),
    ],
)
def test_a_faulty_setting_gets_istios_sentences(text, minor, sentences):
    assert locality_sentences(text, minor) == sentences


def overlap(locality: str) -> list[str]:
    return [f"locality {locality} overlap with previous specified ones"]


@pytest.mark.parametrize(
    ("sources", "sentences"),
    [
        (["a", "b", "c/d", "e/f/g"], []),
        (["a", "a"], overlap("a")),
        (["a/b", "a"], overlap("a")),
        (["a", "a/b"], overlap("a/b")),
        (["a/*", "a/b"], overlap("a/b")),
        (["a/b", "a/b"], overlap("a/b")),
        (["a/b", "a/c", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b/d"], []),
        (["a/b/*", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b/c"], overlap("a/b/c")),
        (["a/b/c", "a/b"], overlap("a/b")),
        (["a/b", "a/*"], []),
        (["a/b/c", "a/b/*"], []),
        (["*", "a"], overlap("a")),
        (["a", "*"], []),
        (["*/a"], ["locality */a wildcard '*' number can not exceed 1 and must be in the end"]),
        (["a/**"], ["locality a/** wildcard '*' number can not exceed 1 and must be in the end"]),
        (["a//b"], ["locality a//b must not contain empty region/zone/subzone info"]),
        ([""], ["locality  must not contain empty region/zone/subzone info"]),
    ],
)
def test_localities_have_to_be_apart(sources, sentences):
    distribute = [{"from": source, "to": {"x": 100}} for source in sources]
    assert locality_sentences(json.dumps({"distribute": distribute})) == sentences


def test_what_is_distributed_to_has_to_be_apart_as_well():
    found = locality_sentences("{distribute: [{from: a, to: {b: 50, b/c: 50}}, {from: a, to: {d: 100}}]}")
    assert found == [*overlap("b/c"), *overlap("a")]


def test_zone_aware_settings_take_no_topology_and_only_regions():
    mesh = a_mesh_config(
        "zoneAwareLbSetting: {failoverPriority: [topology.kubernetes.io/zone, x], "
        "failover: [{from: a/b, to: a/b}, {from: '*', to: c}]}"
    )
    assert zone_aware_faults(mesh) == [
        (
            "'failover_priority' for zone aware lb must not use topology label 'topology.kubernetes.io/zone'; "
            "region- and zone-level routing are handled automatically"
        ),
        "zone aware lb failover settings must specify different regions",
        "zone aware lb failover only specifies region; zone and subzone failover are handled automatically",
        "zone aware lb failover region should not contain '*' wildcard",
    ]
    assert zone_aware_faults(a_mesh_config()) == []
