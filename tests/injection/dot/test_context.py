from __future__ import annotations

import re

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template
from injector.injection.dot.context import Known, configured_fields, dot_of, dot_type, known_fields
from injector.injection.dot.functions.values import struct_to_json
from injector.injection.owner import Workload
from injector.istio.facts import NEWEST
from injector.istio.mesh.loading import load_mesh
from injector.istio.releases import behaviour_of

VALUES = {"global": {"hub": "docker.io/istio", "tag": "1.2.3", "proxy": {"image": "proxyv2"}, "n": 7}}
POD = {
    "metadata": {"name": "web", "annotations": {"a": "b"}, "labels": None},
    "spec": {
        "serviceAccountName": "shop",
        "containers": [{"name": "app", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
    },
}
WORKLOAD = Workload(metadata={"name": "owner", "namespace": "shop"}, api_version="apps/v1", kind="Deployment")


def what_is_known(release="1.31", mesh="", **fields):
    behaviour = behaviour_of(release)
    return Known(behaviour=behaviour, values=VALUES, mesh=load_mesh(mesh, behaviour.minor), **fields)


def dot(known, pod=POD, workload=WORKLOAD, **fields):
    proxy_config, around = known.mesh.proxy_config, {"behaviour": known.behaviour, "values": known.values}
    annotations = pod.get("metadata", {}).get("annotations", {})
    configured = configured_fields(proxy_config, known.mesh.config, annotations, **around)
    return dot_of(pod, workload, proxy_config, **around, **fields) | configured


def render(template, known, *, proxy_config_known=False, **fields):
    behaviour = known.behaviour
    left, right = behaviour.delimiters
    compiled = compile_template(
        "t",
        template.replace("{{", left).replace("}}", right),
        functions={},
        known=known_fields(known, known.mesh.proxy_config if proxy_config_known else None),
        dot_type=dot_type(behaviour),
        delimiters=behaviour.delimiters,
    )
    return compiled.render(dot(known, **fields)).text


FIELDS = [
    ("TypeMeta", 3, NEWEST),
    ("DeploymentMeta", 1, NEWEST),
    ("ObjectMeta", 0, NEWEST),
    ("Spec", 0, NEWEST),
    ("ProxyConfig", 0, NEWEST),
    ("MeshConfig", 0, NEWEST),
    ("Values", 2, NEWEST),
    ("Revision", 9, NEWEST),
    ("EstimatedConcurrency", 10, 17),
    ("ProxyImage", 13, NEWEST),
    ("CompliancePolicy", 19, NEWEST),
    ("ProxyUID", 20, NEWEST),
    ("ProxyGID", 20, NEWEST),
    ("InboundTrafficPolicyMode", 22, NEWEST),
    ("NativeSidecars", 27, NEWEST),
    ("ProxyInitImage", 31, NEWEST),
]


@pytest.mark.parametrize("minor", range(NEWEST + 1))
def test_the_dot_has_the_fields_of_the_release_and_every_one_gets_a_value(minor):
    wanted = {name for name, since, until in FIELDS if since <= minor <= until}
    known = what_is_known(f"1.{minor}")
    assert set(dot_type(known.behaviour).fields) == wanted
    assert set(known_fields(known)) | set(dot(known)) == wanted
    assert not set(known_fields(known)) & set(dot(known))


@pytest.mark.parametrize("release", ["1.0", "1.4", "1.10", "1.31"])
def test_a_template_reads_the_pod(release):
    template = (
        "{{.ObjectMeta.Name}} {{.ObjectMeta.Annotations.a}} {{.ObjectMeta.Labels.x}} {{.Spec.ServiceAccountName}}"
        "{{range .Spec.Containers}} {{.Name}}{{range .Ports}}:{{.ContainerPort}}/{{.Protocol}}{{end}}{{end}}"
    )
    assert render(template, what_is_known(release)) == "web b <no value> shop app:80/TCP"


@pytest.mark.parametrize("release", ["1.4", "1.10", "1.12", "1.22"])
def test_a_template_reads_the_workload(release):
    template = (
        "{{.DeploymentMeta.Namespace}}/{{.DeploymentMeta.Name}} {{.TypeMeta.APIVersion}} {{.TypeMeta.Kind}}"
    )
    assert render(template, what_is_known(release)) == "shop/owner apps/v1 Deployment"


TYPES = [
    ("ObjectMeta", 8, "*v1.ObjectMeta"),
    ("ObjectMeta", 9, "v1.ObjectMeta"),
    ("Spec", 8, "*v1.PodSpec"),
    ("Spec", 9, "v1.PodSpec"),
    ("DeploymentMeta", 10, "*v1.ObjectMeta"),
    ("DeploymentMeta", 11, "v1.ObjectMeta"),
    ("DeploymentMeta", 22, "types.NamespacedName"),
    ("TypeMeta", 10, "*v1.TypeMeta"),
    ("TypeMeta", 11, "v1.TypeMeta"),
    ("ProxyConfig", 31, "*v1alpha1.ProxyConfig"),
    ("MeshConfig", 31, "*v1alpha1.MeshConfig"),
]


@pytest.mark.parametrize(("field", "minor", "name"), TYPES)
def test_a_field_has_the_type_of_the_release(field, minor, name):
    known = what_is_known(f"1.{minor}")
    assert str(dot_type(known.behaviour).fields[field].type) == name
    assert render(f'{{{{printf "%T" .{field}}}}}', known) == name


def test_a_namespaced_name_prints_both_parts_and_has_no_labels():
    assert render("{{.DeploymentMeta}}", what_is_known()) == "shop/owner"
    with pytest.raises(
        TemplateExecError, match=re.escape("can't evaluate field Labels in type types.NamespacedName")
    ):
        render("{{.DeploymentMeta.Labels}}", what_is_known())


@pytest.mark.parametrize(
    ("release", "metadata", "text"),
    [
        ("1.21", {"name": "a", "namespace": ""}, '{"name":"a","creationTimestamp":null}'),
        ("1.22", {"name": "a", "namespace": ""}, '{"Namespace":"","Name":"a"}'),
        ("1.31", {"namespace": "b"}, '{"Namespace":"b","Name":""}'),
    ],
)
def test_a_namespaced_name_has_no_tags_in_go_so_that_json_has_both_parts_by_their_names(
    release, metadata, text
):
    workload = Workload(metadata=metadata)
    meta = dot(what_is_known(release), workload=workload)["DeploymentMeta"]
    assert struct_to_json(meta) == text
    assert struct_to_json(dot(what_is_known(release), workload=workload)["TypeMeta"]) == "{}"


@pytest.mark.parametrize("known", [True, False])
def test_the_proxy_config_may_be_known_or_not(known):
    template = "{{.ProxyConfig.StatusPort}} {{.MeshConfig.TrustDomain}}"
    assert render(template, what_is_known(), proxy_config_known=known) == "15020 cluster.local"


@pytest.mark.parametrize(
    ("mesh", "mode"),
    [("", "passthrough"), ("inboundTrafficPolicy: {mode: LOCALHOST}", "localhost")],
)
def test_the_inbound_mode_is_the_meshs(mesh, mode):
    assert render("{{.InboundTrafficPolicyMode}}", what_is_known(mesh=mesh)) == mode


def test_numbers_of_values_are_floats():
    assert (
        render("{{.Values.global.tag}} {{printf `%T` .Values.global.n}}", what_is_known()) == "1.2.3 float64"
    )


def test_switches_of_the_environment_are_known():
    known = what_is_known(env={"COMPLIANCE_POLICY": "fips-140-2"}, revision="canary")
    assert render("{{.CompliancePolicy}} {{.Revision}}", known) == "fips-140-2 canary"


def test_native_sidecars_are_told():
    assert render("{{.NativeSidecars}}", what_is_known(), native=True) == "true"


def test_images_and_threads_are_told():
    template = "{{.ProxyImage}} {{.ProxyInitImage}}"
    assert render(template, what_is_known()) == "docker.io/istio/proxyv2:1.2.3 docker.io/istio/proxyv2:1.2.3"
    assert render("{{.EstimatedConcurrency}}", what_is_known("1.12")) == "2"
    assert render("{{.EstimatedConcurrency}}", what_is_known("1.10")) == "0"


@pytest.mark.parametrize(
    ("env", "given", "ids"),
    [({"PLATFORM": "openshift"}, (1099, 1098), "1099 1098"), ({}, None, "1337 1337")],
)
def test_ids_are_known_but_on_openshift(env, given, ids):
    template = "{{.ProxyUID}} {{.ProxyGID}} {{printf `%T` .ProxyGID}}"
    assert render(template, what_is_known(env=env), ids=given) == f"{ids} int64"


def test_a_pod_without_metadata_and_spec_has_empty_ones():
    made = dot(what_is_known(), {})
    assert made["ObjectMeta"].get("Name") == ""
    assert len(made["Spec"].get("Containers")) == 0


def test_the_pod_is_viewed_and_not_copied():
    spec = dot(what_is_known())["Spec"]
    assert spec.whole() is POD["spec"]
    assert spec.get("Containers")[0].whole() is POD["spec"]["containers"][0]
