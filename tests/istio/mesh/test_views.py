from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template
from injector.gotemplate.types import pointer_to
from injector.gotemplate.values import NilPointer
from injector.istio.mesh.descriptors import PROXY_CONFIG, schema_of
from injector.istio.mesh.views import (
    message_of,
    nanoseconds_of,
    proxy_config_type,
    struct_type,
    view,
)
from tests.istio.mesh.builders import a_mesh_config, a_proxy_config

TEXT = """
drainDuration: -1.5s
concurrency: 0
proxyMetadata: {B: '2', A: '1'}
interceptionMode: TPROXY
statusPort: 15020
extraStatTags: [p, q]
serviceCluster: mine
tracing: {zipkin: {address: 'a:1'}, sampling: 12.5, tlsSettings: {caCertificates: /ca}}
"""


def render(template: str, config=None) -> str:
    compiled = compile_template("t", template, functions={})
    return compiled.render({"P": view(config or a_proxy_config(TEXT))}).text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.P.StatusPort}} {{.P.GetStatusPort}}", "15020 15020"),
        ("{{.P.InterceptionMode}} {{.P.InterceptionMode.String}}", "TPROXY TPROXY"),
        ('{{printf "%d" .P.InterceptionMode}}', "1"),
        ("{{.P.ControlPlaneAuthPolicy}}", "NONE"),
        ("{{.P.Concurrency}}|{{.P.Concurrency.Value}}|{{.P.Concurrency.GetValue}}", "|0|0"),
        ("{{.P.HoldApplicationUntilProxyStarts.GetValue}}", "false"),
        ("{{.P.DrainDuration}}|{{.P.DrainDuration.Seconds}}|{{.P.DrainDuration.AsDuration}}", "seconds:-1 nanos:-500000000|-1|-1.5s"),
        ("{{.P.TerminationDrainDuration.AsDuration}}", "0s"),
        ("{{.P.ProxyMetadata.A}}{{range $k, $v := .P.ProxyMetadata}} {{$k}}={{$v}}{{end}}", "1 A=1 B=2"),
        ("{{range .P.ExtraStatTags}}{{.}}{{end}}", "pq"),
        ("{{.P.GetTracing.GetZipkin.GetAddress}}|{{.P.GetTracing.GetDatadog.GetAddress}}|", "a:1||"),
        ("{{.P.GetTracing.GetTlsSettings.GetCaCertificates}} {{.P.Tracing.Sampling}}", "/ca 12.5"),
        ("{{.P.GetSds.GetEnabled}}{{.P.GetPrivateKeyProvider.GetQat.GetPollDelay.GetNanos}}", "false0"),
        ("{{.P.GetServiceCluster}}|{{.P.GetTracingServiceName}}", "mine|APP_LABEL_AND_NAMESPACE"),
        ("{{if .P.ClusterName}}set{{end}}{{if .P.Tracing.Tracer}}set{{end}}", "setset"),
        ("{{if .P.Sds}}set{{else}}nil{{end}}", "nil"),
        ("{{.P.Tracing}}", 'zipkin:{address:"a:1"} sampling:12.5 tls_settings:{ca_certificates:"/ca"}'),
    ],
)  # fmt: skip
def test_templates_read_messages_as_go_structs(template, text):
    assert render(template) == text


def test_a_message_without_a_oneof_set_has_a_nil_interface():
    assert render("{{if .P.ClusterName}}set{{else}}nil{{end}}", a_proxy_config()) == "nil"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("{{.P.Image.ImageType}}", "nil pointer evaluating *v1beta1.ProxyImage.ImageType"),
        ("{{.P.Tracing.Zipkin}}", "can't evaluate field Zipkin in type *v1alpha1.Tracing"),
    ],
)
def test_what_go_refuses_is_refused(template, sentence):
    with pytest.raises(TemplateExecError, match=sentence.replace("*", r"\*")):
        render(template)


def test_gogo_has_its_own_types():
    assert render(
        "{{.P.Concurrency}}|{{.P.DrainDuration}}", a_proxy_config("{concurrency: 2, drainDuration: 1s}", 11)
    ) == ("value:2 |seconds:1 ")
    assert (
        render('{{printf "%T" .P.Concurrency}}', a_proxy_config("concurrency: 2", 11)) == "*types.Int32Value"
    )
    assert render('{{printf "%T" .P.FileFlushInterval}}') == "*durationpb.Duration"


def test_any_message_can_be_shown():
    mesh = a_mesh_config("extensionProviders: [{name: a, envoyFileAccessLog: {logFormat: {labels: {b: 1}}}}]")
    text = "{{range .P.ExtensionProviders}}{{.Name}} {{.GetEnvoyFileAccessLog.GetLogFormat.GetLabels}}{{end}}"
    assert render(text, mesh) == "a map[b:1]"


def test_the_message_behind_a_view_is_found():
    config = a_proxy_config(TEXT)
    found = message_of(view(config))
    assert found is not None
    assert found.type is config.type
    assert found.get("statusPort") == 15020
    tracing = message_of(view(config).get("Tracing"))
    assert tracing is not None
    assert tracing.type.name == "istio.mesh.v1alpha1.Tracing"


def test_nothing_else_is_a_message():
    assert message_of(NilPointer(proxy_config_type(31))) is None
    assert message_of("text") is None
    assert message_of(view(a_proxy_config(TEXT)).get("DrainDuration")) is None


def test_a_type_is_the_same_object_every_time():
    declared = schema_of(31).message(PROXY_CONFIG)
    assert struct_type(declared) is struct_type(declared)
    assert proxy_config_type(31) is pointer_to(struct_type(declared))


def test_a_nil_duration_is_zero():
    config = view(a_proxy_config(TEXT))
    assert nanoseconds_of(config.get("TerminationDrainDuration")) == 0
    assert nanoseconds_of(config.get("DrainDuration")) == -1_500_000_000
