from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from injector.budget import Budget
from injector.errors import BadReview, InjectionError
from injector.injection.config import InjectConfig
from injector.injection.inject import request_for
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.steps.pipeline import inject_overlay, select_templates
from injector.patch import POD, normalise
from tests.injection.steps.builders import a_container, a_pod, env_of, names, the_proxy

SIDECAR = """
metadata:
  labels: {tlsMode: istio}
spec:
  containers:
  - name: istio-proxy
    image: proxyv2
    securityContext: {runAsUser: 1337}
  initContainers:
  - name: istio-init
    image: init
    args: ["-u", "1337"]
  volumes:
  - {name: istio-envoy, emptyDir: {}}
"""
NATIVE = """
spec:
  initContainers:
  - name: istio-proxy
    image: proxyv2
    restartPolicy: Always
"""


def a_snapshot(release: str = "1.31", mesh: str = "", values: Any = None, **around: Any):
    templates = around.pop("templates", {"sidecar": SIDECAR, "native": NATIVE})
    config = {"policy": "enabled", "templates": templates} | around.pop("config", {})
    return load_snapshot(
        Sources(config=json.dumps(config), values=json.dumps(values or {}), mesh=mesh),
        Surroundings(release=release, **around),
    )


def inject(pod, snapshot=None, *, path="/inject", namespace="shop", **around):
    snapshot = snapshot or a_snapshot(**around)
    return inject_overlay(request_for(pod, namespace, namespace, path, snapshot, Budget()), snapshot).pod


def status_of(pod) -> Any:
    return json.loads(pod["metadata"]["annotations"]["sidecar.istio.io/status"])


def test_the_template_is_merged_in_and_the_pod_post_processed():
    pod = a_pod(
        a_container(readinessProbe={"httpGet": {"port": 80}}),
        init=[a_container("setup")],
        annotations={"prometheus.io/port": "80"},
    )
    result = inject(
        pod,
        path="/inject/cluster/c1/net/n1",
        values={"sidecarInjectorWebhook": {"rewriteAppHTTPProbe": True}},
        config={"injectedAnnotations": {"x": "y"}},
    )
    assert names(result) == ["app", "istio-proxy"]
    assert names(result, "initContainers") == ["setup", "istio-init"]
    assert [name for name, _ in env_of(the_proxy(result))] == [
        "ISTIO_META_CLUSTER_ID",
        "ISTIO_META_NETWORK",
        "ISTIO_PROMETHEUS_ANNOTATIONS",
        "ISTIO_KUBE_APP_PROBERS",
    ]
    assert result["metadata"]["labels"] == {"tlsMode": "istio", "topology.istio.io/network": "n1"}
    assert result["metadata"]["annotations"]["prometheus.io/port"] == "15020"
    assert result["metadata"]["annotations"]["x"] == "y"
    assert status_of(result) == {
        "initContainers": ["istio-init"],
        "containers": ["istio-proxy"],
        "volumes": ["istio-envoy"],
        "imagePullSecrets": None,
        "revision": "default",
    }
    assert result["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] == 15020


def test_no_input_is_changed_and_what_did_not_change_is_shared():
    pod = a_pod(a_container(future=1), a_container("other"))
    before = copy.deepcopy(pod)
    result = inject(pod)
    assert pod == before
    assert result["spec"]["containers"][0] is pod["spec"]["containers"][0]


def test_a_second_injection_changes_nothing():
    once = inject(a_pod(a_container("istio-proxy", image="auto", args=["mine"]), a_container()))
    assert inject(once) == once


def test_a_pod_keeps_the_namespace_and_managed_fields_it_came_with():
    pod = a_pod()
    pod["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    result = inject(pod)
    assert "namespace" not in result["metadata"]
    assert result["metadata"]["managedFields"] is pod["metadata"]["managedFields"]


def test_templates_are_applied_in_order():
    templates = {"one": "metadata: {labels: {a: one, b: one}}", "two": "metadata: {labels: {b: two}}"}
    pod = a_pod(annotations={"inject.istio.io/templates": "one,two"})
    assert inject(pod, templates=templates)["metadata"]["labels"] == {"a": "one", "b": "two"}


def test_no_template_at_all_leaves_only_the_post_processing():
    pod = a_pod(annotations={"inject.istio.io/templates": "none"})
    result = inject(pod, config={"aliases": {"none": []}})
    assert result["spec"] == pod["spec"]
    assert status_of(result)["containers"] is None


@pytest.mark.parametrize("text", ["", "# nothing", "null", "---\n"])
def test_a_template_that_renders_nothing_changes_nothing(text):
    pod = a_pod()
    assert inject(pod, templates={"sidecar": text})["spec"] == pod["spec"]


def test_of_two_documents_only_the_first_is_read():
    labels = inject(a_pod(), templates={"sidecar": "metadata: {labels: {a: '1'}}\n---\nspec: 1"})
    assert labels["metadata"]["labels"] == {"a": "1"}


OVERLAY = "failed to run injection template: failed applying injection overlay: "
OWNER = (
    "failed to run injection template: failed parsing generated injected YAML "
    "(check Istio sidecar injector configuration): "
)
MISMATCH = "unmarshal patched pod: json: cannot unmarshal number into Go struct field"


@pytest.mark.parametrize(
    ("release", "template", "sentence"),
    [
        ("1.31", "- a", f"{OVERLAY}strategic merge: invalid JSON document"),
        ("1.19", "a: b: c", f"{OVERLAY}strategic merge: invalid JSON document"),
        ("1.18", "a: b: c", f"{OWNER}strategic merge: invalid JSON document"),
        ("1.14", "a: b: c", f"{OWNER}strategic merge: invalid JSON document"),
        (
            "1.13",
            "a: b: c",
            "failed to run injection template: yaml to json: yaml: mapping values are not allowed in this context",
        ),
        ("1.31", "spec: {nodeName: 1}", f"{OVERLAY}{MISMATCH} PodSpec.spec.nodeName of type string"),
        ("1.18", "spec: {nodeName: 1}", f"{OWNER}{MISMATCH} PodSpec.spec.nodeName of type string"),
        (
            "1.31",
            "{{ .Nope }}",
            (
                'failed to run injection template: template: inject:1:3: executing "inject" at <.Nope>: '
                "can't evaluate field Nope in type *inject.SidecarTemplateData"
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_template_is_told_in_istios_words(release, template, sentence):
    with pytest.raises(InjectionError) as refusal:
        inject(a_pod(), release=release, templates={"sidecar": template})
    assert str(refusal.value) == sentence


def test_an_element_without_its_merge_key_is_refused():
    template = "spec: {containers: [{image: x}]}"
    with pytest.raises(InjectionError, match="does not contain declared merge key: name"):
        inject(a_pod(), templates={"sidecar": template})


@pytest.mark.parametrize(
    ("annotations", "sentence"),
    [
        (
            {"inject.istio.io/templates": "nope"},
            'failed to run injection template: requested template "nope" not found; have native, sidecar',
        ),
        (
            {"inject.istio.io/templates": 'a"b'},
            'failed to run injection template: requested template "a\\"b" not found; have native, sidecar',
        ),
        (
            {"proxy.istio.io/overrides": "bad"},
            "failed to run injection template: invalid character 'b' looking for beginning of value",
        ),
        (
            {"sidecar.istio.io/interceptionMode": "x"},
            (
                "failed to run injection template: 1 error occurred:\n\t* invalid value 'x' for annotation "
                "'sidecar.istio.io/interceptionMode': interceptionMode invalid, use REDIRECT,TPROXY,NONE: x\n\n"
            ),
        ),
        (
            {"prometheus.io/port": "x"},
            'failed to process pod: invalid prometheus scrape configuration: invalid port "x"',
        ),
    ],
)
def test_what_is_wrong_with_a_pod_is_told_in_istios_words(annotations, sentence):
    with pytest.raises(InjectionError) as refusal:
        inject(a_pod(annotations=annotations))
    assert str(refusal.value) == sentence


def test_a_status_that_crashes_istio_is_a_bad_review():
    with pytest.raises(BadReview):
        inject(a_pod(annotations={"sidecar.istio.io/status": '{"containers":"x"}'}))


# ---- native sidecars

NODES = {"n": "v1.33.1"}


def natively(pod, **around):
    return inject(pod, templates={"sidecar": NATIVE}, **around)


def test_an_owners_proxy_follows_a_native_template():
    result = natively(a_pod(a_container(), a_container("istio-proxy", image="auto")), nodes=NODES)
    assert names(result) == ["app"]
    assert the_proxy(result)["image"] == "proxyv2"


@pytest.mark.parametrize(
    ("release", "path", "env", "annotations", "native"),
    [
        ("1.31", "/inject", {}, {}, True),
        ("1.31", "/inject/cluster/other", {}, {}, False),
        ("1.31", "/inject/cluster/other", {"CLUSTER_ID": "other"}, {}, True),
        ("1.31", "/inject", {}, {"sidecar.istio.io/nativeSidecar": "false"}, False),
        ("1.24", "/inject", {}, {"sidecar.istio.io/nativeSidecar": "true"}, True),
        ("1.23", "/inject", {}, {"sidecar.istio.io/nativeSidecar": "true"}, False),
        ("1.19", "/inject", {"ENABLE_NATIVE_SIDECARS": "true"}, {}, True),
        ("1.18", "/inject", {"ENABLE_NATIVE_SIDECARS": "true"}, {}, False),
    ],
)
def test_whether_it_follows_is_decided_by_nodes_feature_and_annotation(
    release, path, env, annotations, native
):
    pod = a_pod(a_container(), a_container("istio-proxy", image="auto"), annotations=annotations)
    result = natively(pod, release=release, path=path, env=env, nodes=NODES)
    assert ("istio-proxy" not in names(result)) is native


# ---- users, order, switches of single releases


def test_the_set_up_container_follows_the_owners_user_from_1_20():
    pod = a_pod(a_container("istio-proxy", image="auto", securityContext={"runAsUser": 5}))
    assert inject(pod)["spec"]["initContainers"][0]["args"] == ["-u", "5"]
    assert inject(pod, release="1.19")["spec"]["initContainers"][0]["args"] == ["-u", "1337"]


def test_with_tproxy_in_the_mesh_the_proxy_is_root():
    pod = a_pod(a_container("istio-proxy", image="auto", securityContext={"runAsUser": 5}))
    result = inject(pod, mesh="defaultConfig: {interceptionMode: TPROXY}")
    assert the_proxy(result)["securityContext"]["runAsUser"] == 0


def test_openshifts_user_is_reset_from_1_23_but_stays_in_what_was_received():
    users = {"securityContext": {"runAsUser": 7}}
    pod = a_pod(a_container(**users), a_container("istio-proxy", image="auto", **users))
    env = {"PLATFORM": "openshift"}
    assert the_proxy(inject(pod, env=env))["securityContext"] == {"runAsUser": 1337}
    assert the_proxy(inject(pod, env=env, release="1.22"))["securityContext"] == {"runAsUser": 7}


@pytest.mark.parametrize(("release", "user"), [("1.21", 1009), ("1.22", 1337)])
def test_up_to_1_21_the_namespace_is_looked_up_in_istiods_own_cluster(release, user):
    namespace = {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000/10"}}}
    result = inject(
        a_pod(),
        templates={"sidecar": SIDECAR.replace("1337", "{{ .ProxyUID }}")},
        env={"PLATFORM": "openshift"},
        namespaces={"shop": namespace},
        path="/inject/cluster/other",
        release=release,
    )
    assert the_proxy(result)["securityContext"]["runAsUser"] == user


@pytest.mark.parametrize(
    ("values", "mesh", "annotations"),
    [
        ({"global": {"proxy": {"holdApplicationUntilProxyStarts": True}}}, "", {}),
        ({}, "defaultConfig: {holdApplicationUntilProxyStarts: true}", {}),
        ({}, "", {"proxy.istio.io/config": "holdApplicationUntilProxyStarts: true"}),
    ],
)
def test_the_proxy_is_first_where_the_application_waits_for_it(values, mesh, annotations):
    assert names(inject(a_pod(annotations=annotations), values=values, mesh=mesh)) == ["istio-proxy", "app"]


def test_the_annotation_may_say_that_the_application_does_not_wait():
    pod = a_pod(annotations={"proxy.istio.io/config": "holdApplicationUntilProxyStarts: false"})
    mesh = "defaultConfig: {holdApplicationUntilProxyStarts: true}"
    assert names(inject(pod, mesh=mesh)) == ["app", "istio-proxy"]


def test_the_values_name_cluster_and_network_where_the_url_does_not():
    values = {"global": {"network": "n", "multiCluster": {"clusterName": "c"}}}
    expected = [("ISTIO_META_CLUSTER_ID", "c"), ("ISTIO_META_NETWORK", "n")]
    assert env_of(the_proxy(inject(a_pod(), values=values))) == expected
    assert env_of(the_proxy(inject(a_pod(), values={"global": None}))) == []


@pytest.mark.parametrize(("release", "expected"), [("1.18", {"tlsMode": "istio"}), ("1.19", None)])
def test_a_label_that_only_named_the_deployment_config_is_lost_up_to_1_18(release, expected):
    owner = {"apiVersion": "v1", "kind": "ReplicationController", "name": "shop-1", "controller": True}
    pod = a_pod(labels={"deploymentconfig": "shop"})
    pod["metadata"] |= {"generateName": "shop-1-", "ownerReferences": [owner]}
    expected = expected or {"deploymentconfig": "shop", "tlsMode": "istio"}
    assert inject(pod, release=release)["metadata"]["labels"] == expected


def test_the_result_is_what_go_would_print_of_it():
    result = inject(a_pod() | {"status": {}})
    assert normalise(result, POD) == result


# ---- which templates


CONFIG = InjectConfig(
    policy="enabled",
    templates={},
    default_templates=("sidecar", "extra"),
    aliases={"both": ("sidecar", "custom"), "none": (), "nested": ("both",), "extra": ("logs",)},
)


@pytest.mark.parametrize(
    ("annotation", "templates"),
    [
        (None, ("sidecar", "logs")),
        ("gateway", ("gateway",)),
        (" a , b", ("a", "b")),
        ("\x85a\t,\x1cb\x1f", ("a", "\x1cb\x1f")),
        ("a,", ("a", "")),
        ("", ("",)),
        ("both", ("sidecar", "custom")),
        ("none", ()),
        ("nested", ("both",)),
    ],
)
def test_templates_are_those_of_the_annotation_with_aliases_resolved_once(annotation, templates):
    annotations = {} if annotation is None else {"inject.istio.io/templates": annotation}
    assert select_templates(annotations, CONFIG, Budget()) == templates
