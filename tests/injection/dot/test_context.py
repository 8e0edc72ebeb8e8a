from __future__ import annotations

import re

import pytest

from injector.errors import TemplateExecError
from injector.gotemplate import compile_template
from injector.injection.dot.context import dot_of, dot_type, known_fields
from injector.injection.request import InjectionRequest, Workload
from injector.injection.snapshot import InjectConfig, Snapshot
from injector.istio.mesh.loading import load_mesh
from injector.istio.releases import NEWEST, behaviour_of

VALUES = {"global": {"hub": "docker.io/istio", "tag": "1.2.3", "proxy": {"image": "proxyv2"}, "n": 7}}
POD = {
    "metadata": {"name": "web", "annotations": {"a": "b"}, "labels": None},
    "spec": {
        "serviceAccountName": "shop",
        "containers": [{"name": "app", "ports": [{"containerPort": 80, "protocol": "TCP"}]}],
    },
}
WORKLOAD = Workload(metadata={"name": "owner", "namespace": "shop"}, api_version="apps/v1", kind="Deployment")
RANGES = {"openshift.io/sa.scc.uid-range": "1000/100"}


def a_snapshot(release="1.31", mesh="", **fields):
    behaviour = behaviour_of(release)
    made = None if mesh is None else load_mesh(mesh, behaviour.minor)
    config = InjectConfig(policy="enabled", templates={})
    return Snapshot(behaviour=behaviour, config=config, values=VALUES, mesh=made, templates={}, **fields)


def a_request(**fields):
    return InjectionRequest(pod=POD, namespace="shop", workload=WORKLOAD, **fields)


def known_of(snapshot, proxy_config=None):
    return known_fields(
        behaviour=snapshot.behaviour,
        values=snapshot.values,
        mesh=snapshot.mesh,
        revision=snapshot.revision,
        env=snapshot.env,
        proxy_config=proxy_config,
    )


def render(template, snapshot, *, request=None, native=False, proxy_config_known=False):
    config = None if snapshot.mesh is None else snapshot.mesh.proxy_config
    behaviour = snapshot.behaviour
    left, right = behaviour.delimiters
    compiled = compile_template(
        "t",
        template.replace("{{", left).replace("}}", right),
        functions={},
        known=known_of(snapshot, config if proxy_config_known else None),
        dot_type=dot_type(behaviour),
        delimiters=behaviour.delimiters,
    )
    return compiled.render(dot_of(request or a_request(), snapshot, POD, config, native=native)).text


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
    snapshot = a_snapshot(f"1.{minor}")
    assert set(dot_type(snapshot.behaviour).fields) == wanted
    dot = dot_of(a_request(), snapshot, POD, snapshot.mesh.proxy_config)
    assert set(known_of(snapshot)) | set(dot) == wanted
    assert not set(known_of(snapshot)) & set(dot)


@pytest.mark.parametrize("release", ["1.0", "1.4", "1.10", "1.31"])
def test_a_template_reads_the_pod(release):
    template = (
        "{{.ObjectMeta.Name}} {{.ObjectMeta.Annotations.a}} {{.ObjectMeta.Labels.x}} {{.Spec.ServiceAccountName}}"
        "{{range .Spec.Containers}} {{.Name}}{{range .Ports}}:{{.ContainerPort}}/{{.Protocol}}{{end}}{{end}}"
    )
    assert render(template, a_snapshot(release)) == "web b <no value> shop app:80/TCP"


@pytest.mark.parametrize("release", ["1.4", "1.10", "1.12", "1.22"])
def test_a_template_reads_the_workload(release):
    template = (
        "{{.DeploymentMeta.Namespace}}/{{.DeploymentMeta.Name}} {{.TypeMeta.APIVersion}} {{.TypeMeta.Kind}}"
    )
    assert render(template, a_snapshot(release)) == "shop/owner apps/v1 Deployment"


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
    snapshot = a_snapshot(f"1.{minor}")
    assert str(dot_type(snapshot.behaviour).fields[field].type) == name
    assert render(f'{{{{printf "%T" .{field}}}}}', snapshot) == name


def test_a_namespaced_name_prints_both_parts_and_has_no_labels():
    assert render("{{.DeploymentMeta}}", a_snapshot()) == "shop/owner"
    with pytest.raises(
        TemplateExecError, match=re.escape("can't evaluate field Labels in type types.NamespacedName")
    ):
        render("{{.DeploymentMeta.Labels}}", a_snapshot())


@pytest.mark.parametrize("known", [True, False])
def test_the_proxy_config_may_be_known_or_not(known):
    template = "{{.ProxyConfig.StatusPort}} {{.MeshConfig.TrustDomain}}"
    assert render(template, a_snapshot(), proxy_config_known=known) == "15020 cluster.local"


def test_without_a_mesh_both_configurations_are_nil():
    template = "{{if .MeshConfig}}a{{end}}{{if .ProxyConfig}}b{{end}}{{.MeshConfig.GetTrustDomain}}{{.InboundTrafficPolicyMode}}"
    assert render(template, a_snapshot(mesh=None)) == "passthrough"


@pytest.mark.parametrize(
    ("mesh", "mode"),
    [("", "passthrough"), ("inboundTrafficPolicy: {mode: LOCALHOST}", "localhost")],
)
def test_the_inbound_mode_is_the_meshs(mesh, mode):
    assert render("{{.InboundTrafficPolicyMode}}", a_snapshot(mesh=mesh)) == mode


def test_numbers_of_values_are_floats():
    assert render("{{.Values.global.tag}} {{printf `%T` .Values.global.n}}", a_snapshot()) == "1.2.3 float64"


def test_switches_of_the_environment_are_known():
    snapshot = a_snapshot(env={"COMPLIANCE_POLICY": "fips-140-2"}, revision="canary")
    assert render("{{.CompliancePolicy}} {{.Revision}}", snapshot) == "fips-140-2 canary"


def test_native_sidecars_are_told():
    assert render("{{.NativeSidecars}}", a_snapshot(), native=True) == "true"


def test_images_and_threads_are_told():
    template = "{{.ProxyImage}} {{.ProxyInitImage}}"
    assert render(template, a_snapshot()) == "docker.io/istio/proxyv2:1.2.3 docker.io/istio/proxyv2:1.2.3"
    assert render("{{.EstimatedConcurrency}}", a_snapshot("1.12")) == "2"
    assert render("{{.EstimatedConcurrency}}", a_snapshot("1.10")) == "0"


@pytest.mark.parametrize(
    ("env", "by_hand", "ids"),
    [
        ({"PLATFORM": "openshift"}, False, "1099 1099"),
        ({"PLATFORM": "openshift"}, True, "1337 1337"),
        ({}, False, "1337 1337"),
    ],
)
def test_ids_come_from_the_namespace_on_openshift_only(env, by_hand, ids):
    snapshot = a_snapshot(env=env, namespaces={"shop": {"metadata": {"annotations": RANGES}}})
    assert render("{{.ProxyUID}} {{.ProxyGID}}", snapshot, request=a_request(by_hand=by_hand)) == ids


def test_a_pod_without_metadata_and_spec_has_empty_ones():
    snapshot = a_snapshot()
    dot = dot_of(a_request(), snapshot, {}, snapshot.mesh.proxy_config)
    assert dot["ObjectMeta"].get("Name") == ""
    assert len(dot["Spec"].get("Containers")) == 0


def test_the_pod_is_viewed_and_not_copied():
    snapshot = a_snapshot()
    dot = dot_of(a_request(), snapshot, POD, snapshot.mesh.proxy_config)
    assert dot["Spec"].whole() is POD["spec"]
    assert dot["Spec"].get("Containers")[0].whole() is POD["spec"]["containers"][0]
