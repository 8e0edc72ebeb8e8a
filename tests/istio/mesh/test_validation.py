from __future__ import annotations

import pytest

from injector.istio.facts import NEWEST
from injector.istio.mesh.defaults import default_proxy_config
from injector.istio.mesh.jsonpb import apply
from injector.istio.mesh.validation import multierror, proxy_config_faults
from injector.kubeyaml import load
from tests.istio.mesh.builders import a_proxy_config


def faults(text: str, minor: int = 31) -> list[str]:
    return proxy_config_faults(apply(default_proxy_config(minor), load(text)))


@pytest.mark.parametrize("minor", range(NEWEST + 1))
def test_defaults_have_no_fault(minor):
    assert proxy_config_faults(default_proxy_config(minor)) == []


ADDRESS = 'unable to split "bad": address bad: missing port in address'
TABLE = [
    ("configPath: ''", 31, ["config path must be set"]),
    ("binaryPath: ''", 31, ["binary path must be set"]),
    ("serviceCluster: ''", 12, ["service cluster must be set"]),
    ("serviceCluster: ''", 13, ["service cluster must be specified"]),
    ("tracingServiceName: CANONICAL_NAME_ONLY", 13, []),
    ("drainDuration: 0s", 31, ["invalid drain duration: duration must be greater than 1ms"]),
    ("drainDuration: 1500us", 31, ["invalid drain duration: only durations to ms precision are supported"]),
    ("drainDuration: 1500ms", 31, ["drain time only supports durations to seconds precision"]),
    (
        "{drainDuration: 0s, parentShutdownDuration: 1us}",
        16,
        [
            "invalid parent and drain time combination invalid drain duration: duration must be greater than 1ms",
            "invalid parent and drain time combination invalid parent shutdown duration: duration must be greater than 1ms",
        ],
    ),
    (
        "{drainDuration: 1500ms, parentShutdownDuration: 1400ms}",
        16,
        [
            "invalid parent and drain time combination drain time only supports durations to seconds precision",
            "invalid parent and drain time combination parent shutdown time only supports durations to seconds precision",
            "invalid parent and drain time combination parent shutdown time 1.4s must be greater than drain time 1.5s",
        ],
    ),
    (
        "{drainDuration: 2h, parentShutdownDuration: 3h}",
        16,
        [
            "invalid parent and drain time combination drain time 2h0m0s must be <1h0m0s",
            "invalid parent and drain time combination parent shutdown time 3h0m0s must be <1h0m0s",
        ],
    ),
    ("discoveryAddress: ''", 31, ["discovery address must be set to the proxy discovery service"]),
    ("discoveryAddress: bad", 31, [f"invalid discovery address: {ADDRESS}"]),
    (
        "tracing: {lightstep: {address: bad}}",
        31,
        [
            f"invalid lightstep config: invalid lightstep address: {ADDRESS}",
            "invalid lightstep config: access token is required",
        ],
    ),
    (
        "tracing: {lightstep: {accessToken: t, secure: true}}",
        4,
        [
            "invalid lightstep config: address is required",
            'invalid lightstep config: invalid lightstep address: unable to split "": missing port in address',
            "invalid lightstep config: cacertPath is required",
        ],
    ),
    ("tracing: {lightstep: {address: 'a:1', accessToken: t}}", 31, []),
    ("tracing: {zipkin: {address: bad}}", 31, [f"invalid zipkin config: {ADDRESS}"]),
    ("tracing: {zipkin: {address: '$(HOST_IP):1'}}", 31, []),
    (
        "tracing: {zipkin: {address: '$(HOST_IP):1'}}",
        7,
        ['invalid zipkin config: "$(HOST_IP)" is not a valid hostname or an IP address'],
    ),
    ("tracing: {zipkin: {address: '$(HOST_IP):1'}}", 8, []),
    ("tracing: {datadog: {address: '$(HOST_IP):1'}}", 8, []),
    ("tracing: {datadog: {address: bad}}", 8, [f"invalid datadog config: {ADDRESS}"]),
    (
        "tracing: {tlsSettings: {mode: MUTUAL}}",
        31,
        [
            "invalid tracing TLS config: client certificate required for mutual tls",
            "invalid tracing TLS config: private key required for mutual tls",
        ],
    ),
    ("tracing: {tlsSettings: {mode: MUTUAL, clientCertificate: a, privateKey: b}}", 31, []),
    ("tracing: {tlsSettings: {mode: MUTUAL, credentialName: a}}", 31, []),
    (
        "tracing: {tlsSettings: {mode: SIMPLE, credentialName: a, caCertificates: b}}",
        21,
        [
            "invalid tracing TLS config: cannot specify client certificates or CA certificate If credentialName is set"
        ],
    ),
    (
        "tracing: {tlsSettings: {mode: SIMPLE, credentialName: a, caCrl: b}}",
        31,
        [
            "invalid tracing TLS config: cannot specify client certificates or CA certificate or CA CRL If credentialName is set"
        ],
    ),
    (
        "tracing: {tlsSettings: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: a}}",
        31,
        [
            "invalid tracing TLS config: cannot specify CaCertificates or CredentialName or SubjectAltNames when InsecureSkipVerify is set true"
        ],
    ),
    (
        "tracing: {tlsSettings: {mode: MUTUAL, credentialName: a}}",
        6,
        [
            "invalid tracing TLS config: client certificate required for mutual tls",
            "invalid tracing TLS config: private key required for mutual tls",
        ],
    ),
    ("tracing: {tlsSettings: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: a}}", 18, []),
    ("tracing: {tlsSettings: {mode: SIMPLE, insecureSkipVerify: true}}", 31, []),
    ("tracing: {tlsSettings: {insecureSkipVerify: true, caCertificates: a}}", 31, []),
    ("tracing: {customTags: {a: {}}}", 31, []),
    ("statsdUdpAddress: bad", 31, [f'invalid statsd udp address "bad": {ADDRESS}']),
    ("envoyMetricsServiceAddress: bad", 31, [f'invalid envoy metrics service address "bad": {ADDRESS}']),
    ("envoyMetricsService: {address: bad}", 31, [f'invalid envoy metrics service address "bad": {ADDRESS}']),
    ("envoyMetricsService: {}", 31, []),
    ("envoyAccessLogService: {address: bad}", 31, [f'invalid envoy access log service address "bad": {ADDRESS}']),
    ("proxyAdminPort: 0", 31, ["invalid proxy admin port: port number 0 must be in the range 1..65535"]),
    ("statusPort: 99999", 31, ["invalid status port: port number 99999 must be in the range 1..65535"]),
    (
        "controlPlaneAuthPolicy: INHERIT",
        31,
        ['invalid authentication policy: unrecognized control plane auth policy "INHERIT"'],
    ),
    ("statusPort: 99999", 10, []),
    ("controlPlaneAuthPolicy: INHERIT", 10, ['unrecognized control plane auth policy "INHERIT"']),
    ("connectTimeout: 2h", 5, ["invalid connect timeout: time 2h0m0s must be >1ms and <30s"]),
    (
        "controlPlaneAuthPolicy: 7",
        31,
        ['invalid authentication policy: unrecognized control plane auth policy "7"'],
    ),
    (
        "privateKeyProvider: {}",
        31,
        [
            "invalid private key provider configuration: private key provider configuration is required",
            "invalid private key provider configuration: unknown private key provider",
        ],
    ),
    (
        "privateKeyProvider: {cryptomb: {}}",
        14,
        ["invalid private key provider confguration: pollDelay is required"],
    ),
    (
        "privateKeyProvider: {qat: {pollDelay: 0s}}",
        31,
        ["invalid private key provider configuration: pollDelay must be non zero"],
    ),
    ("privateKeyProvider: {qat: {pollDelay: 1ms}}", 31, []),
    (
        "privateKeyProvider: {cryptomb: {}}",
        20,
        ["invalid private key provider confguration: pollDelay is required"],
    ),
    (
        "privateKeyProvider: {cryptomb: {}}",
        21,
        ["invalid private key provider configuration: pollDelay is required"],
    ),
    ("drainDuration: 2h", 21, ["drain time 2h0m0s must be <1h0m0s"]),
    ("drainDuration: 2h", 22, []),
    ("discoveryRefreshDelay: 11m", 0, ["invalid refresh delay: time 11m0s must be >1s and <10m0s"]),
    ("zipkinAddress: bad", 0, [f"invalid zipkin address: {ADDRESS}"]),
    ("connectTimeout: 31s", 5, ["invalid connect timeout: time 31s must be >1ms and <30s"]),
    ("tracing: {lightstep: {address: 'a:1', accessToken: t, secure: true}}", 6, []),
    ("tracing: {tlsSettings: {mode: MUTUAL, credentialName: a, clientCertificate: b, privateKey: c}}", 6, []),
    ("tracing: {tlsSettings: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: a}}", 18, []),
    ("statusPort: 99999", 10, []),
    ("controlPlaneAuthPolicy: 7", 10, ['unrecognized control plane auth policy "7"']),
    ("tracing: {tlsSettings: {mode: SIMPLE, credentialName: 'configmap://a'}}", 25, []),
    *(
        (
            f"tracing: {{tlsSettings: {{mode: SIMPLE, credentialName: 'configmap://{name}'}}}}",
            26,
            [f"invalid tracing TLS config: invalid configmap:// credentialName: {sentence}"],
        )
        for name, sentence in (
            ("a", 'invalid resource name "configmap://a". Expected namespace and name'),
            ("/a", 'invalid resource name "configmap:///a". Expected namespace'),
            ("a/", 'invalid resource name "configmap://a/". Expected name'),
            ("a/b", 'namespace must match the configuration namespace ""'),
        )
    ),
    ("connectionSettings: {}", 31, []),
    ("connectionSettings: {httpIdleTimeout: 0s, httpMaxConcurrentStreams: 1}", 31, []),
    (
        ("connectionSettings: {listenerConnectionLimit: 0, httpIdleTimeout: -1s, "
        "http2InitialStreamWindowSize: 65534, httpMaxConcurrentStreams: 0}"),
        31,
        [
            f"invalid connection settings: {sentence}"
            for sentence in (
                "http_idle_timeout must be non-negative",
                "http_max_concurrent_streams must be positive",
                "http2_initial_stream_window_size must be at least 65535",
                "listener_connection_limit must be positive",
            )
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "minor", "sentences"), TABLE)
def test_a_faulty_proxy_config_gets_istios_sentences(text, minor, sentences):
    assert faults(text, minor) == sentences


def test_a_proxy_config_without_a_cluster_name_is_faulty():
    sentence = "oneof service cluster or tracing service name must be specified"
    assert sentence in proxy_config_faults(a_proxy_config("", 31))


def test_gogo_can_hold_a_custom_tag_that_is_nil():
    sentence = "invalid tracing custom tags: encountered nil value for custom tag: a"
    assert faults("tracing: {customTags: {a: null}}", 13) == [sentence]
    assert faults("tracing: {customTags: {a: null}}", 12) == []


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], ""),
        (["a"], "1 error occurred:\n\t* a\n\n"),
        (["a", "b"], "2 errors occurred:\n\t* a\n\t* b\n\n"),
    ],
)
def test_several_faults_are_listed(lines, text):
    assert multierror(lines) == text
