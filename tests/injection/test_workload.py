from __future__ import annotations

from typing import Any

import pytest

from injector.errors import InjectionError
from injector.injection.workload import WorkloadOutcome
from tests.injection.builders import LEGACY, OVERLAYS, a_pod, legacy, overlays


def a_deployment(kind: str = "Deployment", version: str = "apps/v1", **template: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "image": "app:1"}]} | template.pop("spec", {})
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "web"},
        "spec": {"template": {"metadata": template, "spec": spec}},
    }


def containers_of(outcome: WorkloadOutcome) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = outcome.document["spec"]["template"]["spec"]["containers"]
    return found


def containers(outcome: WorkloadOutcome) -> list[str]:
    return [each["name"] for each in containers_of(outcome)]


@pytest.mark.parametrize("injector", [legacy("1.4"), legacy("1.8"), overlays()], ids=["1.4", "1.8", "1.31"])
def test_the_pod_template_of_a_workload_is_injected(injector: Any) -> None:
    outcome = injector.inject_workload(a_deployment())
    assert containers(outcome) == ["app", "istio-proxy"]
    assert (outcome.injected, outcome.reencoded, outcome.warnings) == (True, True, ())
    assert (outcome.considered[0].kind, outcome.considered[0].name) == ("Deployment", "web")


def test_a_workload_is_printed_as_go_types_it() -> None:
    document = legacy("1.4").inject_workload(a_deployment()).document
    assert document["spec"]["strategy"] == {}
    assert document["metadata"]["creationTimestamp"] is None
    assert "creationTimestamp" not in overlays().inject_workload(a_deployment()).document["metadata"]


def test_numbers_become_the_text_of_string_fields() -> None:
    document = a_deployment(annotations={"a": 1})
    annotations = overlays().inject_workload(document).document["spec"]["template"]["metadata"]["annotations"]
    assert annotations["a"] == "1"


def test_a_document_without_pods_comes_back_as_it_is() -> None:
    document = {"apiVersion": "v1", "kind": "Service"}
    outcome = overlays().inject_workload(document)
    assert outcome.document is document
    assert (outcome.reencoded, outcome.injected) == (False, False)


def test_the_items_of_a_list_are_injected_and_the_others_kept() -> None:
    service = {"apiVersion": "v1", "kind": "Service"}
    document = {"apiVersion": "v1", "kind": "List", "items": [service, a_deployment()]}
    outcome = overlays().inject_workload(document)
    assert outcome.document["items"][0] is service
    assert outcome.document["metadata"] == {}
    assert outcome.injected


def test_as_written_has_what_was_injected_and_nothing_else() -> None:
    document = a_deployment(spec={"containers": [{"name": "app", "args": [1], "unheardOf": 1}]})
    outcome = overlays().inject_workload(document)
    template = outcome.as_written["spec"]["template"]
    app, proxy = template["spec"]["containers"]
    assert app is document["spec"]["template"]["spec"]["containers"][0]
    assert proxy["name"] == "istio-proxy"
    assert "sidecar.istio.io/status" in template["metadata"]["annotations"]
    assert outcome.as_written.keys() == document.keys()
    assert outcome.document["spec"]["template"]["spec"]["containers"][0]["args"] == ["1"]


def test_as_written_is_the_very_document_where_nothing_is_injected() -> None:
    skipped = a_deployment(spec={"hostNetwork": True})
    for document in (skipped, {"apiVersion": "v1", "kind": "List", "items": [skipped, {"kind": "Service"}]}):
        assert overlays().inject_workload(document).as_written is document


@pytest.mark.parametrize(
    ("release", "words"),
    [("1.8", ""), ("1.11", ""), ("1.12", "while decoding JSON: "), ("1.31", "while decoding JSON: ")],
)
def test_a_workload_that_does_not_fit_its_type_is_an_error(release: str, words: str) -> None:
    document = a_deployment(spec={"hostNetwork": "yes"})
    injector = legacy(release) if release == "1.8" else overlays(release)
    with pytest.raises(InjectionError) as caught:
        injector.inject_workload(document)
    assert str(caught.value) == (
        f"error unmarshaling JSON: {words}json: cannot unmarshal string into Go struct field "
        "PodSpec.spec.template.spec.hostNetwork of type bool"
    )


@pytest.mark.parametrize(
    ("kind", "version"), [("ReplicationController", "v1"), ("DeploymentConfig", "apps.openshift.io/v1")]
)
@pytest.mark.parametrize("release", ["1.4", "1.8", "1.9", "1.31"])
def test_a_template_that_a_kind_only_points_to_is_required(release: str, kind: str, version: str) -> None:
    injector = overlays(release) if release in ("1.9", "1.31") else legacy(release)
    for spec in ({}, {"template": None}):
        with pytest.raises(InjectionError, match=r"^spec\.template is required value$"):
            injector.inject_workload({"apiVersion": version, "kind": kind, "spec": spec})
    assert injector.inject_workload({"apiVersion": version, "kind": kind, "spec": {"template": {}}}).injected
    for other in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        assert injector.inject_workload({"apiVersion": "apps/v1", "kind": other}).injected


def test_of_several_misfits_of_a_file_the_first_in_the_order_of_keys_is_named() -> None:
    document = a_deployment(spec={"tolerations": 1, "hostNetwork": "yes"})
    with pytest.raises(InjectionError, match=r"\.hostNetwork of type bool"):
        overlays().inject_workload(document)


@pytest.mark.parametrize(
    ("release", "namespace", "line"),
    [
        ("1.4", "", 'Skipping injection because "web" has host networking enabled\n'),
        ("1.12", "", '===> Skipping injection because "web" has host networking enabled\n'),
        ("1.31", "", '===> Skipping injection because Deployment "web" has host networking enabled\n'),
        (
            "1.31",
            "shop",
            '===> Skipping injection because Deployment "shop/web" has host networking enabled\n',
        ),
    ],
)
def test_a_skipped_workload_is_told_of_as_istioctl_does(release: str, namespace: str, line: str) -> None:
    document = a_deployment(spec={"hostNetwork": True})
    if namespace:
        document["metadata"]["namespace"] = namespace
    injector = legacy(release) if release == "1.4" else overlays(release)
    outcome = injector.inject_workload(document)
    assert outcome.warnings == (line,)
    assert (outcome.injected, outcome.reencoded) == (False, True)
    assert containers(outcome) == ["app"]


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("1.20", 'Pod "shop/"'),
        ("1.21", 'Deployment "shop/web"'),
        ("1.31", 'Deployment "shop/web"'),
    ],
)
def test_a_skipped_pod_is_told_of_by_the_workload_that_owns_it(release: str, line: str) -> None:
    pod = a_pod(labels={"pod-template-hash": "7d9"}, annotations={"sidecar.istio.io/inject": "false"})
    pod |= {"apiVersion": "v1", "kind": "Pod"}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9", "uid": "1", "controller": True}
    pod["metadata"] |= {"namespace": "shop", "generateName": "web-7d9-", "ownerReferences": [owner]}
    pod["metadata"].pop("name", None)
    told = overlays(release).inject_workload(pod).warnings
    assert told == (f"===> Skipping injection because {line} has sidecar injection disabled\n",)
    pod["metadata"]["name"] = "web-7d9-x"
    (named,) = overlays("1.31").inject_workload(pod).warnings
    assert named.startswith('===> Skipping injection because Deployment "shop/web-7d9-x" has')


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("1.12", '"web" has injected "istio-proxy" sidecar already'),
        ("1.13", 'Deployment shop/web "istio-proxy" has host networking enabled'),
        ("1.16", 'Deployment shop/web "istio-proxy" has host networking enabled'),
    ],
)
def test_an_injected_workload_is_told_of_in_the_words_of_its_release(release: str, line: str) -> None:
    containers = [{"name": "app"}, {"name": "istio-proxy"}]
    document = a_deployment(annotations={"sidecar.istio.io/status": "{}"}, spec={"containers": containers})
    document["metadata"]["namespace"] = "shop"
    told = overlays(release).inject_workload(document).warnings
    assert told == (f"===> Skipping injection because {line}\n",)


def test_from_1_8_the_annotation_and_the_namespace_count() -> None:
    refusing = a_deployment(annotations={"sidecar.istio.io/inject": "false"})
    assert legacy("1.7").inject_workload(refusing).injected
    outcome = legacy("1.8").inject_workload(refusing)
    assert outcome.warnings == ('===> Skipping injection because "web" has sidecar injection disabled\n',)
    assert not overlays().inject_workload(a_deployment(), namespace="kube-system").injected


@pytest.mark.parametrize("own", ["shop", "kube-system"])
def test_the_given_namespace_does_not_count_for_a_workload_that_names_one(own: str) -> None:
    """Its own does not keep the sidecar out either: kube-inject asks for the pod template's."""
    document = a_deployment()
    document["metadata"]["namespace"] = own
    outcome = overlays().inject_workload(document, namespace="kube-system")
    assert [(each.namespace, each.decision.inject) for each in outcome.considered] == [(own, True)]
    document["spec"]["template"]["metadata"]["namespace"] = "kube-system"
    assert not overlays().inject_workload(document, namespace="shop").injected


def test_policy_and_selectors_have_no_say_by_hand() -> None:
    assert (
        overlays(config=OVERLAYS.replace("policy: enabled", "policy: disabled"))
        .inject_workload(a_deployment())
        .injected
    )


@pytest.mark.parametrize(
    ("release", "marked", "injected"),
    [("1.8", False, False), ("1.10", False, True), ("1.10", True, False), ("1.17", True, True)],
)
def test_a_workload_with_a_sidecar_is_left_alone_as_the_release_does(
    release: str, marked: bool, injected: bool
) -> None:
    two = {"containers": [{"name": "app"}, {"name": "istio-proxy"}]}
    document = a_deployment(annotations={"sidecar.istio.io/status": "{}"} if marked else {}, spec=two)
    injector = legacy(release) if release == "1.8" else overlays(release)
    assert injector.inject_workload(document).injected is injected


def test_a_custom_resource_is_injected_where_its_template_is() -> None:
    rollout = a_deployment("Rollout", "argoproj.io/v1alpha1") | {"unknown": 1}
    outcome = overlays().inject_workload(rollout)
    assert containers(outcome) == ["app", "istio-proxy"]
    assert outcome.document["unknown"] == 1
    thing = a_deployment("Thing", "example.com/v1")
    assert not overlays().inject_workload(thing).injected
    assert containers(overlays().inject_workload(thing, pod_template_path="spec.template")) == [
        "app",
        "istio-proxy",
    ]


@pytest.mark.parametrize(
    ("release", "version", "selector"),
    [("1.0", "apps/v1", False), ("1.2", "extensions/v1beta1", True), ("1.31", "", True)],
)
def test_a_deployment_of_any_version_is_printed_as_the_releases_own(
    release: str, version: str, selector: bool
) -> None:
    config = LEGACY.replace("{{", "[[").replace("}}", "]]") if release == "1.0" else LEGACY
    injector = overlays(release) if release == "1.31" else legacy(release, config)
    outcome = injector.inject_workload(a_deployment(version=version))
    assert containers(outcome) == ["app", "istio-proxy"]
    assert outcome.document.get("apiVersion", "") == version
    assert ("selector" in outcome.document["spec"]) is selector


def test_fields_that_no_type_knows_are_kept_also_where_the_workload_is_printed() -> None:
    document = a_deployment(spec={"schedulingGroup": {"podGroupName": "g"}, "brandNew": [1]}) | {"also": 1}
    document["spec"]["rolloutAfter"] = "noon"
    for release in ("1.20", "1.31"):
        outcome = overlays(release).inject_workload(document)
        for printed in (outcome.document, outcome.as_written):
            spec = printed["spec"]["template"]["spec"]
            assert (printed["also"], printed["spec"]["rolloutAfter"]) == (1, "noon")
            assert (spec["schedulingGroup"], spec["brandNew"]) == ({"podGroupName": "g"}, [1])


def test_a_knative_service_keeps_what_is_knatives_own() -> None:
    service = a_deployment(
        "Service", "serving.knative.dev/v1", spec={"containerConcurrency": 10, "timeoutSeconds": 30}
    )
    spec = overlays().inject_workload(service).document["spec"]["template"]["spec"]
    assert (spec["containerConcurrency"], spec["timeoutSeconds"]) == (10, 30)


def test_a_custom_resource_that_its_controller_completes_is_refused_with_what_is_missing() -> None:
    container = {"image": "a", "ports": [{"name": "h2c"}], "readinessProbe": {"httpGet": {"path": "/r"}}}
    service = a_deployment("Service", "serving.knative.dev/v1", spec={"containers": [container]})
    with pytest.raises(InjectionError) as refusal:
        overlays().inject_workload(service)
    path = "spec.template.spec.containers[0]"
    assert str(refusal.value) == (
        f"not set: {path}.name, {path}.ports[0].containerPort, {path}.readinessProbe.httpGet.port; the controller"
        " of such a kind may fill it in, but only after the sidecar was made for what is there: write it, or label"
        ' the pod template sidecar.istio.io/inject: "false"'
    )
    service["spec"]["template"]["metadata"] = {"labels": {"sidecar.istio.io/inject": "false"}}
    assert not overlays().inject_workload(service).injected


def test_a_stateful_sets_available_replicas_are_printed_from_1_13() -> None:
    document = a_deployment("StatefulSet")
    assert overlays("1.12").inject_workload(document).document["status"] == {"replicas": 0}
    assert overlays("1.13").inject_workload(document).document["status"] == {
        "replicas": 0,
        "availableReplicas": 0,
    }


def test_templates_see_the_workload_and_the_given_namespace() -> None:
    config = OVERLAYS.replace(
        '"proxy:1"', '(printf "%s/%s:%s" .DeploymentMeta.Namespace .DeploymentMeta.Name .TypeMeta.Kind)'
    )
    outcome = overlays(config=config).inject_workload(a_deployment(), namespace="shop")
    assert outcome.document["spec"]["template"]["spec"]["containers"][-1]["image"] == "shop/web:Deployment"


def test_from_1_21_the_owner_of_a_pod_is_found() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
    pod = a_pod(generateName="db-", ownerReferences=[owner])
    config = OVERLAYS.replace('"proxy:1"', '(printf "%s:%s" .DeploymentMeta.Name .TypeMeta.Kind)')
    images = [
        overlays(release, config).inject_workload(pod).document["spec"]["containers"][-1]["image"]
        for release in ("1.20", "1.21")
    ]
    assert images == ["web:Pod", "db:StatefulSet"]


def test_1_7_sets_prometheus_annotations_by_hand() -> None:
    def annotations(release: str, **options: Any) -> dict[str, str]:
        template = legacy(release, **options).inject_workload(a_deployment()).document["spec"]["template"]
        found: dict[str, str] = template["metadata"]["annotations"]
        return {name: text for name, text in found.items() if name.startswith("prometheus.io/")}

    assert annotations("1.6") == {}
    assert annotations("1.7") == {
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": "15020",
        "prometheus.io/scrape": "true",
    }
    assert annotations("1.7", mesh="enablePrometheusMerge: false") == {}


def test_1_7_puts_a_proxy_that_is_waited_for_first_by_hand() -> None:
    values = "global: {proxy: {holdApplicationUntilProxyStarts: true}}"
    template = legacy("1.7", values=values).inject_workload(a_deployment()).document["spec"]["template"]
    assert [each["name"] for each in template["spec"]["containers"]] == ["istio-proxy", "app"]


def test_the_legacy_way_puts_dns_secrets_and_redirection_in() -> None:
    config = f"{LEGACY}  dnsConfig: {{searches: [x]}}\n  imagePullSecrets: [{{name: s}}]\n  podRedirectAnnot:\n    sidecar.istio.io/interceptionMode: TPROXY\n    unheard.of: x\n"
    document = a_deployment(spec={"dnsConfig": {"searches": ["mine"]}})
    template = legacy("1.6", config).inject_workload(document).document["spec"]["template"]
    assert template["spec"]["dnsConfig"] == {"searches": ["x"]}
    assert template["spec"]["imagePullSecrets"] == [{"name": "s"}]
    assert template["metadata"]["annotations"]["sidecar.istio.io/interceptionMode"] == "TPROXY"
    assert "unheard.of" not in template["metadata"]["annotations"]
    assert template["metadata"]["labels"] == {"istio.io/rev": "default", "security.istio.io/tlsMode": "istio"}


def test_the_legacy_way_takes_the_dns_configuration_away_where_the_template_has_none() -> None:
    document = a_deployment(spec={"dnsConfig": {"searches": ["mine"]}})
    assert "dnsConfig" not in legacy("1.4").inject_workload(document).document["spec"]["template"]["spec"]


def test_the_legacy_way_rewrites_probes_after_the_sidecar_is_in() -> None:
    probe = {"httpGet": {"port": 80, "path": "/ready", "scheme": "HTTPS"}}
    document = a_deployment(spec={"containers": [{"name": "app", "readinessProbe": probe}]})
    template = legacy("1.6").inject_workload(document).document["spec"]["template"]["spec"]
    app, proxy = template["containers"]
    assert app["readinessProbe"]["httpGet"] == {
        "path": "/app-health/app/readyz",
        "port": 15020,
        "scheme": "HTTP",
    }
    assert proxy["env"][-1]["name"] == "ISTIO_KUBE_APP_PROBERS"


def test_the_legacy_way_leaves_probes_alone_without_an_agents_port() -> None:
    probe = {"httpGet": {"port": 80}}
    document = a_deployment(spec={"containers": [{"name": "app", "readinessProbe": probe}]})
    template = legacy("1.4").inject_workload(document).document["spec"]["template"]["spec"]
    assert template["containers"][0]["readinessProbe"] == probe
    plain = legacy("1.4", LEGACY.replace("rewriteAppHTTPProbe: true", "rewriteAppHTTPProbe: false"))
    assert "env" not in plain.inject_workload(document).document["spec"]["template"]["spec"]["containers"][1]


@pytest.mark.parametrize("release", ["1.4", "1.31"])
def test_keys_in_another_case_are_found_and_put_right_as_in_a_review(release: str) -> None:
    document = a_deployment()
    template = {"Metadata": {"Labels": {"a": "b"}}, "SPEC": document.pop("spec")["template"]["spec"]}
    injector = legacy(release) if release == "1.4" else overlays(release)
    outcome = injector.inject_workload(document | {"Spec": {"template": template}})
    for printed in (outcome.document, outcome.as_written):
        assert "Spec" not in printed
        pod = printed["spec"]["template"]
        assert pod["metadata"]["labels"]["a"] == "b"
        assert [each["name"] for each in pod["spec"]["containers"]] == ["app", "istio-proxy"]


PROXY_CONFIG = "proxy.istio.io/config"


def with_probe(annotation: str, **changes: Any) -> dict[str, Any]:
    app = {"name": "app", "readinessProbe": {"httpGet": {"port": 80}}}
    return a_deployment(annotations={PROXY_CONFIG: annotation}, spec={"containers": [app]}, **changes)


@pytest.mark.parametrize(("release", "port"), [("1.12", 15020), ("1.13", 15030), ("1.31", 15030)])
def test_from_1_13_the_annotation_is_laid_over_the_mesh_of_a_pod_by_hand(release: str, port: int) -> None:
    config = OVERLAYS.replace('"proxy:1"', '(printf "proxy:%d" .MeshConfig.DefaultConfig.StatusPort)')
    values = "sidecarInjectorWebhook: {rewriteAppHTTPProbe: true}"
    injector = overlays(release, config, values=values)
    template = injector.inject_workload(with_probe("statusPort: 15030")).document["spec"]["template"]
    app, proxy = template["spec"]["containers"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(port)
    assert app["readinessProbe"]["httpGet"] == {"path": "/app-health/app/readyz", "port": port}
    assert proxy["image"] == "proxy:15030"
    # The next workload, and the webhook, have the mesh's own.
    assert containers_of(injector.inject_workload(a_deployment()))[1]["image"] == "proxy:15020"
    pod, _ = injector.inject_pod(a_pod(annotations={PROXY_CONFIG: "statusPort: 15030"}))
    assert pod["metadata"]["annotations"]["prometheus.io/port"] == "15020"


def test_from_1_13_an_annotation_that_cannot_be_read_is_an_error_by_hand_also_where_nothing_is_injected() -> (
    None
):
    refused = a_deployment(annotations={PROXY_CONFIG: "[", "sidecar.istio.io/inject": "false"})
    assert not overlays("1.12").inject_workload(refused).injected
    for release in ("1.13", "1.31"):
        with pytest.raises(InjectionError) as error:
            overlays(release).inject_workload(refused)
        assert (
            str(error.value)
            == "could not parse proxy config: yaml: line 1: did not find expected node content"
        )
    host = a_deployment(annotations={PROXY_CONFIG: "["}, spec={"hostNetwork": True})
    assert not overlays().inject_workload(host).injected
