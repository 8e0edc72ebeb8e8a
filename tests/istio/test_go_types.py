from __future__ import annotations

import pytest

from injector.gotemplate import compile_template
from injector.gotemplate.values import NilPointer, Pointer, Struct
from injector.injection.dot.functions.encoding import to_json
from injector.istio.go_types import OBJECT_META, POD_SPEC, encodable, struct
from injector.patch import go_type
from injector.patch.schema import NEWEST

SPEC = {
    "dnsPolicy": "ClusterFirst",
    "securityContext": {"fsGroup": 5},
    "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
    "containers": [
        {
            "name": "app",
            "resources": {"limits": {"cpu": "500m"}},
            "tty": True,
            "livenessProbe": {"httpGet": {"port": "web", "path": "/x"}, "periodSeconds": 3},
            "readinessProbe": {"tcpSocket": {"port": 80}},
            "env": [{"name": "A", "value": "b"}],
            "securityContext": {"runAsUser": 7},
        }
    ],
}


def render(template, data, expression=POD_SPEC):
    view = Struct(struct(expression, NEWEST), data)
    return compile_template("t", template, functions={}).render({"S": view}).text


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.S.DNSPolicy}} {{.S.SecurityContext.FSGroup}}", "ClusterFirst 5"),
        ("{{range .S.Volumes}}{{.Name}} {{.EmptyDir.Medium}} {{.VolumeSource.EmptyDir.Medium}}{{end}}", "v Memory Memory"),
        ("{{range .S.Containers}}{{.TTY}} {{.LivenessProbe.HTTPGet.Port}} {{.LivenessProbe.PeriodSeconds}}{{end}}", "true web 3"),
        ("{{range .S.Containers}}{{.LivenessProbe.HTTPGet.Port.Type}}{{.LivenessProbe.HTTPGet.Port.StrVal}}{{end}}", "1web"),
        ("{{range .S.Containers}}{{.ReadinessProbe.TCPSocket.Port}} {{.ReadinessProbe.TCPSocket.Port.IntVal}}{{end}}", "80 80"),
        ("{{range .S.Containers}}{{.Resources.Limits.Cpu}} {{.SecurityContext.RunAsUser}}{{end}}", "500m 7"),
        ("{{range .S.Containers}}{{if .StartupProbe}}probe{{else}}none{{end}}{{end}}", "none"),
        ("{{range .S.Containers}}{{range .Env}}{{.Name}}={{.Value}}{{end}}{{len .VolumeMounts}}{{end}}", "A=b0"),
        ('{{range .S.Containers}}{{printf "%T %T %T" .Ports .LivenessProbe .Resources.Limits}}{{end}}', "[]v1.ContainerPort *v1.Probe v1.ResourceList"),
        ('{{printf "%T" .S.DNSPolicy}}', "v1.DNSPolicy"),
    ],
)  # fmt: skip
def test_templates_read_kubernetes_structs_by_gos_names(template, text):
    assert render(template, SPEC) == text


def test_metadata_has_gos_names():
    metadata = {"uid": "u", "labels": {"a": "b"}, "creationTimestamp": "2024-01-01T00:00:00Z"}
    template = "{{.S.UID}} {{.S.Labels.a}} {{.S.CreationTimestamp}} {{len .S.OwnerReferences}}"
    assert render(template, metadata, OBJECT_META) == "u b 2024-01-01 00:00:00 +0000 UTC 0"


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05 +0000 UTC"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02 01:04:05 +0000 UTC"),
        (None, "0001-01-01 00:00:00 +0000 UTC"),
    ],
)
def test_a_point_in_time_is_printed_as_go_prints_it(written, printed):
    metadata = {"creationTimestamp": written, "deletionTimestamp": written}
    assert render("{{.S.CreationTimestamp}}", metadata, OBJECT_META) == printed
    assert render("{{.S.DeletionTimestamp}}", metadata, OBJECT_META) == (printed if written else "<nil>")


def test_a_struct_type_is_the_same_object_every_time():
    assert struct(POD_SPEC, NEWEST) is struct(POD_SPEC, NEWEST)


def test_the_json_behind_a_view_is_found_with_its_type():
    spec = Struct(struct(POD_SPEC, NEWEST), SPEC)
    containers = spec.get("Containers")
    assert encodable(spec) == (SPEC, go_type(POD_SPEC))
    assert encodable(containers[0]) == (SPEC["containers"][0], go_type("core/v1.Container"))
    assert encodable(containers) == (SPEC["containers"], go_type("[]core/v1.Container"))
    assert encodable(containers[0].get("Ports")) == (None, go_type("[]core/v1.ContainerPort"))


def test_what_is_not_of_kubernetes_is_not_encodable():
    spec = Struct(struct(POD_SPEC, NEWEST), SPEC)
    port = spec.get("Containers")[0].get("LivenessProbe").get("HTTPGet").get("Port")
    assert encodable(port) is None
    assert encodable("text") is None
    assert encodable(spec.get("Containers")[0].get("Command")) is None
    assert isinstance(spec.get("Containers")[0].get("StartupProbe"), NilPointer)
    user = spec.get("Containers")[0].get("SecurityContext").get("RunAsUser")
    assert isinstance(user, Pointer)
    assert encodable(user) is None


def test_a_view_has_the_fields_of_its_version_and_is_written_as_that_one_writes_it():
    assert "HostnameOverride" in struct(POD_SPEC, 34).fields
    assert "HostnameOverride" not in struct(POD_SPEC, 33).fields
    for version, written in ((33, {"name": "a", "creationTimestamp": None}), (34, {"name": "a"})):
        assert to_json(Struct(struct(OBJECT_META, version), {"name": "a"})) == written
