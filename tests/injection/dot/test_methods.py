"""What a template may call and print of the structs in its dot: the answers are real Go's."""

from __future__ import annotations

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template
from injector.injection.dot.context import Known, dot_of, dot_type, known_fields
from injector.injection.dot.functions import function_map
from injector.injection.owner import Workload
from injector.istio.mesh.descriptors import MESH_CONFIG, PROXY_CONFIG, Message, schema_of
from injector.istio.mesh.jsonpb import apply
from injector.istio.mesh.loading import load_mesh
from injector.istio.mesh.views import view
from injector.istio.releases import behaviour_of
from tests.oracle import AskJSON

RELEASE = behaviour_of("1.28")  # the oracle has its version of Kubernetes
MESH = load_mesh("", RELEASE.minor)

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "u1",
        "labels": {"app": "web"},
        "annotations": {"a": "b"},
        "creationTimestamp": "2024-01-01T00:00:00Z",
    },
    "spec": {
        "securityContext": {"fsGroup": 5},
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "0.5Gi"}}],
        "containers": [
            {
                "name": "app",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "env": [{"name": "A", "value": "b"}],
                "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "0.1"}},
                "livenessProbe": {"httpGet": {"port": "web", "path": "/x"}},
                "readinessProbe": {"tcpSocket": {"port": 80}},
            }
        ],
    },
}
PROXY = {"statusPort": 15020, "concurrency": 2, "drainDuration": "45.5s", "proxyMetadata": {"A": "b"}}

CONTAINER = "{{ with index .Spec.Containers 0 }}"

ANSWERS = {
    # metadata
    "{{ .ObjectMeta.GetName }} {{ .ObjectMeta.GetNamespace }} {{ .ObjectMeta.GetUID }}": "web shop u1",
    "{{ .ObjectMeta.GetLabels.app }}{{ .ObjectMeta.GetAnnotations }}": "webmap[a:b]",
    "{{ .ObjectMeta.GetGeneration }}{{ .ObjectMeta.GetFinalizers }}{{ .ObjectMeta.GetOwnerReferences }}": "0[][]",
    "{{ .ObjectMeta.GetCreationTimestamp.Unix }} {{ .ObjectMeta.GetDeletionTimestamp }}": "1704067200 <nil>",
    "{{ .ObjectMeta.GetObjectMeta.GetName }}{{ .ObjectMeta.DeepCopy.Name }}": "webweb",
    "{{ $meta := .ObjectMeta }}{{ $meta.GetName }}": "web",
    '{{ .ObjectMeta.GetName "x" }}': "wrong number of args for GetName: want 0 got 1",
    "{{ .ObjectMeta.GetName (index .ObjectMeta.Name 9) }}": "wrong number of args for GetName: want 0 got 1",
    "{{ call .ObjectMeta.GetName }}": (
        "error calling call: non-function .ObjectMeta.GetName of type string"
    ),
    "{{ .DeploymentMeta }} {{ .DeploymentMeta.String }}": "shop/web shop/web",
    # a copy in an interface{} has no methods of the pointer
    '{{ $d := dict "m" .ObjectMeta }}{{ $d.m.Name }}': "web",
    '{{ $d := dict "m" .ObjectMeta }}{{ $d.m.GetName }}': (
        "can't evaluate field GetName in type interface {}"
    ),
    "{{ (first .Spec.Containers).Name }}": "app",
    "{{ (first .Spec.Containers).Resources.Limits.Cpu }}": (
        "can't evaluate field Cpu in type v1.ResourceList"
    ),
    "{{ .ObjectMeta.GetCreationTimestamp.IsZero }}": "can't evaluate field IsZero in type v1.Time",
    # quantities
    CONTAINER + "{{ .Resources.Limits.Cpu }} {{ .Resources.Limits.Memory }}{{ end }}": "500m 1Gi",
    CONTAINER + "{{ .Resources.Limits.Storage }}{{ .Resources.Requests.Pods.IsZero }}{{ end }}": "0true",
    CONTAINER + "{{ .Resources.Limits.Cpu.MilliValue }} {{ .Resources.Limits.Memory.Value }}{{ end }}": (
        "500 1073741824"
    ),
    CONTAINER + "{{ .Resources.Limits.Cpu.Value }}{{ .Resources.Requests.Cpu.String }}{{ end }}": "1100m",
    CONTAINER + "{{ .Resources.Limits.Cpu.Cmp .Resources.Requests.Cpu }}{{ end }}": "1",
    CONTAINER + "{{ .Resources.Limits.Cpu.Equal .Resources.Limits.Cpu.DeepCopy }}{{ end }}": "true",
    CONTAINER + "{{ .Resources.Limits.Cpu.Sign }}{{ .Resources.Limits.Pods.Sign }}{{ end }}": "10",
    CONTAINER + "{{ .Resources.Limits.Cpu.Format }}{{ .Resources.Limits.Memory.Format }}{{ end }}": (
        "DecimalSIBinarySI"
    ),
    CONTAINER + "{{ gt .Resources.Limits.Cpu.MilliValue 499 }}{{ .Resources.Limits.Cpu | quote }}{{ end }}": (
        'true"500m"'
    ),
    CONTAINER + "{{ .Resources.Limits.Cpu.DeepCopy.String }}{{ end }}": (
        "can't evaluate field String in type resource.Quantity"
    ),
    CONTAINER + "{{ .Resources.Limits.cpu }}{{ end }}": "can't evaluate field cpu in type v1.ResourceList",
    CONTAINER + '{{ index .Resources.Limits "cpu" }}{{ end }}': (
        "error calling index: value has type string; should be v1.ResourceName"
    ),
    CONTAINER + "{{ range $name, $limit := .Resources.Limits }}{{ $name }} {{ $limit.Format }} {{ end }}{{ end }}": (
        "cpu DecimalSI memory BinarySI "
    ),
    CONTAINER + "{{ range $limit := .Resources.Limits }}{{ $limit.String }}{{ end }}{{ end }}": (
        "can't evaluate field String in type resource.Quantity"
    ),
    CONTAINER + "{{ toYaml .Resources }}{{ end }}": (
        "limits:\n  cpu: 500m\n  memory: 1Gi\nrequests:\n  cpu: 100m\n"
    ),
    '{{ with index .Spec.Volumes 0 }}{{ printf "%s %10v" .EmptyDir.SizeLimit .EmptyDir.SizeLimit }}{{ end }}': (
        "512Mi      512Mi"
    ),
    # ports
    CONTAINER + "{{ .LivenessProbe.HTTPGet.Port }} {{ .LivenessProbe.HTTPGet.Port.IntValue }}{{ end }}": "web 0",
    CONTAINER + "{{ .ReadinessProbe.TCPSocket.Port.IntValue }}{{ .ReadinessProbe.TCPSocket.Port.String }}{{ end }}": "8080",
    CONTAINER + "{{ print .ReadinessProbe.TCPSocket.Port }}{{ .ReadinessProbe.TCPSocket.Port | quote }}{{ end }}": '{0 80 }"{0 80 }"',
    CONTAINER + "{{ default 1 .ReadinessProbe.TCPSocket.Port }}{{ end }}": "{0 80 }",
    # times
    "{{ .ObjectMeta.CreationTimestamp.String }}": "2024-01-01 00:00:00 +0000 UTC",
    "{{ .ObjectMeta.CreationTimestamp.IsZero }}{{ .ObjectMeta.DeletionTimestamp.IsZero }}": "falsetrue",
    "{{ .ObjectMeta.DeletionTimestamp.Unix }}": (
        "error calling Unix: runtime error: invalid memory address or nil pointer dereference"
    ),
    # messages
    "{{ .ProxyConfig.GetStatusPort }} {{ .ProxyConfig.GetConcurrency.GetValue }}": "15020 2",
    "{{ .ProxyConfig.GetTracing.GetZipkin.GetAddress }}{{ .ProxyConfig.GetTracing.String }}": "<nil>",
    "{{ .ProxyConfig.Concurrency.String }} {{ .ProxyConfig.InterceptionMode.String }}": "value:2 REDIRECT",
    "{{ .ProxyConfig.DrainDuration.AsDuration.Seconds }} {{ .ProxyConfig.DrainDuration.AsDuration }}": "45.5 45.5s",
    "{{ with .ProxyConfig.DrainDuration.AsDuration }}{{ .Milliseconds }} {{ .Minutes }} {{ .String }}{{ end }}": (
        "45500 0.7583333333333333 45.5s"
    ),
    "{{ .ProxyConfig.DrainDuration.IsValid }}{{ .ProxyConfig.TerminationDrainDuration.IsValid }}": "truefalse",
    "{{ .ProxyConfig.ClusterName }}{{ if .ProxyConfig.ClusterName }}set{{ end }}": "<nil>",
    '{{ printf "%T" .ProxyConfig.ClusterName }}{{ .ProxyConfig.ClusterName | default "x" }}': "<nil>x",
    "{{ .ProxyConfig.ClusterName | quote }}{{ .ProxyConfig.Tracing.GetTracer }}": "<nil>",
    "{{ .ProxyConfig.ClusterName.ServiceCluster }}": (
        "nil pointer evaluating v1alpha1.isProxyConfig_ClusterName.ServiceCluster"
    ),
    "{{ trim .ProxyConfig.ClusterName }}": (
        "wrong type for value; expected string; got v1alpha1.isProxyConfig_ClusterName"
    ),
    "{{ range $i, $e := .ProxyConfig.InterceptionMode }}{{ end }}": (
        "can't use REDIRECT to iterate over more than one variable"
    ),
    # nil pointers
    "{{ .Spec.Affinity }} {{ .Spec.Affinity.String }} {{ print .Spec.Affinity }}": "nil nil nil",
    '{{ printf "%s|%q|%5v|%d" .Spec.Affinity .Spec.Affinity .Spec.Affinity .Spec.Affinity }}': 'nil|"nil"|  nil|0',
    '{{ printf "%s|%q|%6v" .ProxyConfig.Tracing .ProxyConfig.Tracing .ProxyConfig.Tracing }}': '<nil>|"<nil>"| <nil>',
    '{{ printf "%s|%q|%6v" .ObjectMeta.DeletionTimestamp .ObjectMeta.DeletionTimestamp .ObjectMeta.DeletionTimestamp }}': (
        "<nil>|<nil>|<nil>"
    ),
    # copies and lists
    '{{ printf "%v" .ObjectMeta }}': (
        "{web  shop  u1  0 2024-01-01 00:00:00 +0000 UTC <nil> <nil> map[app:web] map[a:b] [] [] []}"
    ),
    CONTAINER + "{{ .Env }}{{ .Ports }}{{ end }}": "[{A b nil}][{ 0 80 TCP }]",
}  # fmt: skip

_MESSAGE = "error calling {}: {} has this method, but templates cannot call it here"
_TEXT = "the text of a {} is not made here: print its fields, or its JSON"

REFUSED = {
    "{{ .ObjectMeta.Marshal }}": _MESSAGE.format("Marshal", "v1.ObjectMeta"),
    '{{ .ObjectMeta.SetName "x" }}': _MESSAGE.format("SetName", "v1.ObjectMeta"),
    "{{ .TypeMeta.GroupVersionKind }}": _MESSAGE.format("GroupVersionKind", "v1.TypeMeta"),
    "{{ .ProxyConfig.ProtoReflect }}": _MESSAGE.format("ProtoReflect", "v1alpha1.ProxyConfig"),
    "{{ .ProxyConfig.InterceptionMode.Number }}": _MESSAGE.format(
        "Number", "v1alpha1.ProxyConfig_InboundInterceptionMode"
    ),
    '{{ .ObjectMeta.CreationTimestamp.Format "2006" }}': _MESSAGE.format("Format", "v1.Time"),
    CONTAINER + "{{ .Resources.Limits.Cpu.AsDec }}{{ end }}": _MESSAGE.format("AsDec", "resource.Quantity"),
    "{{ .ObjectMeta }}": _TEXT.format("v1.ObjectMeta"),
    "{{ .Spec.String }}": _TEXT.format("v1.PodSpec"),
    '{{ printf "%v" .Spec.SecurityContext }}': _TEXT.format("v1.PodSecurityContext"),
    CONTAINER + "{{ .LivenessProbe }}{{ end }}": _TEXT.format("v1.Probe"),
    CONTAINER + "{{ .Resources.Limits }}{{ end }}": (
        "the private fields of a resource.Quantity, which Go prints here, are not known"
    ),
    '{{ printf "%d" .ProxyConfig.Concurrency }}': (
        "the private fields of a wrapperspb.Int32Value, which Go prints here, are not known"
    ),
    "{{ range .Spec }}{{ end }}": "range can't iterate over v1.PodSpec",
    "{{ range .MeshConfig }}{{ end }}": "range can't iterate over v1alpha1.MeshConfig",
}  # fmt: skip


def rendered(template: str, *, known: bool) -> str:
    """Return the text, or the error without its place, with what is known at load known or not."""
    schema = schema_of(RELEASE.minor)
    messages = {
        "ProxyConfig": view(apply(Message(type=schema.message(PROXY_CONFIG)), PROXY)),
        "MeshConfig": view(Message(type=schema.message(MESH_CONFIG))),
    }
    settled = known_fields(Known(behaviour=RELEASE, values={}, mesh=MESH)) | messages
    compiled = compile_template(
        "inject",
        template,
        functions=function_map(RELEASE, env={}, mesh=MESH),
        known=settled if known else {},
        dot_type=dot_type(RELEASE),
    )
    workload = Workload(metadata=POD["metadata"])
    pod = dot_of(POD, workload, MESH.proxy_config, behaviour=RELEASE, values={})
    try:
        return compiled.render(pod if known else settled | pod).text
    except TemplateExecError as error:
        return without_place(str(error))


def without_place(error: str) -> str:
    return error.partition(">: ")[2]


@pytest.mark.parametrize("known", [True, False], ids=["known at load", "known per pod"])
@pytest.mark.parametrize("template", ANSWERS | REFUSED)
def test_methods_and_texts_of_structs_are_gos_or_an_error_says_that_they_are_not_made(template, known):
    assert (
        rendered(template, known=known).removeprefix("error calling printf: ")
        == (ANSWERS | REFUSED)[template]
    )


@pytest.mark.go
def test_real_go_gives_these_answers(ask_go_json: AskJSON):
    questions = [{"op": "template", "template": each, "pod": POD, "proxyConfig": PROXY} for each in ANSWERS]
    answers = [
        without_place(answer["execError"]) if "execError" in answer else answer["out"]
        for answer in ask_go_json(questions)
    ]
    assert dict(zip(ANSWERS, answers, strict=True)) == ANSWERS


def test_a_getter_counts_as_reading_the_field_behind_it():
    pod = dot_of(POD, Workload(metadata={}), MESH.proxy_config, behaviour=RELEASE, values={})
    metadata = pod["ObjectMeta"]
    assert not metadata.has_read("Name")
    compile_template("t", "{{ .M.GetName }}", functions={}).render({"M": metadata})
    assert metadata.has_read("Name")
    assert not metadata.has_read("OwnerReferences")
