from __future__ import annotations

from typing import Any

import pytest

from injector.errors import InjectionError
from tests.injection.builders import LEGACY, a_pod, a_review, answered, legacy


def injected(pod: Any = None, release: str = "1.8", config: str = LEGACY, **options: Any) -> dict[str, Any]:
    return legacy(release, config, **options).inject_pod(pod or a_pod(), "shop")[0]


def names(pod: dict[str, Any], key: str = "containers") -> list[str]:
    return [(item or {}).get("name", "") for item in pod["spec"].get(key) or ()]


def test_what_the_template_has_is_appended() -> None:
    pod = injected(a_pod(spec={"volumes": [{"name": "v"}]}))
    assert names(pod) == ["app", "istio-proxy"]
    assert names(pod, "initContainers") == ["istio-init"]
    assert names(pod, "volumes") == ["v", "istio-envoy"]
    assert "imagePullSecrets" not in pod["spec"]


def test_a_template_sees_the_requests_namespace_in_the_pod() -> None:
    assert injected()["spec"]["containers"][1]["args"] == ["proxy", "shop"]
    assert "namespace" not in injected()["metadata"]


def test_an_earlier_injection_is_replaced() -> None:
    # With metrics merged, 1.8 takes its own annotations for the application's when it comes again.
    mesh = "enablePrometheusMerge: false"
    once = injected(mesh=mesh)
    assert injected(once, mesh=mesh) == once
    assert names(injected(once)) == ["app", "istio-proxy"]


def test_the_names_of_old_are_removed_where_no_status_tells() -> None:
    pod = a_pod(spec={"volumes": [{"name": "istio-certs"}, {"name": "mine"}]})
    assert names(injected(pod), "volumes") == ["mine", "istio-envoy"]


def test_a_list_that_was_emptied_stays() -> None:
    config = "policy: enabled\ntemplate: |\n  containers: [{name: istio-proxy}]\n"
    pod = injected(a_pod(spec={"volumes": [{"name": "istio-certs"}]}), config=config)
    assert pod["spec"]["volumes"] == []


@pytest.mark.parametrize(
    ("release", "labels"),
    [
        ("1.2", None),
        ("1.4", {"security.istio.io/tlsMode": "istio"}),
        (
            "1.8",
            {
                "istio.io/rev": "canary",
                "security.istio.io/tlsMode": "istio",
                "service.istio.io/canonical-name": "web",
                "service.istio.io/canonical-revision": "latest",
            },
        ),
    ],
)
def test_code_adds_the_labels_of_the_release(release: str, labels: dict[str, str] | None) -> None:
    assert injected(release=release, revision="canary")["metadata"].get("labels") == labels


def test_labels_that_the_pod_has_stay_and_name_the_service() -> None:
    labels = injected(a_pod(labels={"app": "shop", "version": "v2", "istio.io/rev": "mine"}))["metadata"][
        "labels"
    ]
    assert labels["istio.io/rev"] == "mine"
    assert labels["service.istio.io/canonical-name"] == "shop"
    assert labels["service.istio.io/canonical-revision"] == "v2"


def test_the_network_of_the_url_becomes_a_label_and_variables_of_the_proxy() -> None:
    operations = answered(legacy().review(a_review(a_pod()), "/inject/cluster/c/net/n"))["response"]["patch"]
    text = str(operations)
    assert "topology.istio.io/network" in text
    assert "{'name': 'ISTIO_META_CLUSTER_ID', 'value': 'c'}" in text


def test_the_group_of_the_proxy_is_set_as_the_release_does() -> None:
    sds = "sdsUdsPath: unix:/x\nenableSdsTokenMount: true\n"
    pod = a_pod(spec={"securityContext": {"runAsUser": 5}})
    assert injected(pod, "1.2")["spec"]["securityContext"] == {"runAsUser": 5}
    assert injected(pod, "1.2", mesh=sds)["spec"]["securityContext"] == {"fsGroup": 1337}
    assert injected(pod, "1.3", mesh=sds)["spec"]["securityContext"] == {"fsGroup": 1337}
    assert injected(pod, "1.4", mesh=sds)["spec"]["securityContext"] == {"runAsUser": 5, "fsGroup": 1337}
    without_mount = "sdsUdsPath: unix:/x"
    assert injected(pod, "1.2", mesh=without_mount)["spec"]["securityContext"] == {"runAsUser": 5}
    assert injected(pod, "1.3", mesh=without_mount)["spec"]["securityContext"] == {"fsGroup": 1337}
    assert injected(pod, "1.8")["spec"]["securityContext"] == {"runAsUser": 5, "fsGroup": 1337}


@pytest.mark.parametrize(
    ("switch", "policy", "expected"),
    [
        (None, None, True),
        (None, "third-party-jwt", True),
        (None, "first-party-jwt", False),
        ("true", "first-party-jwt", True),
        ("1", "first-party-jwt", True),
        ("false", None, False),
        ("0", None, False),
        ("F", None, False),
        ("no", None, True),
        ("no", "first-party-jwt", False),
        ("", "first-party-jwt", False),
    ],
)
def test_the_group_is_a_feature_in_1_8_which_the_tokens_policy_decides_on_by_default(
    switch: str | None, policy: str | None, expected: bool
) -> None:
    given = {"ENABLE_LEGACY_FSGROUP_INJECTION": switch, "JWT_POLICY": policy}
    env = {name: value for name, value in given.items() if value is not None}
    context = injected(a_pod(), "1.8", env=env)["spec"].get("securityContext")
    assert context == ({"fsGroup": 1337} if expected else None)


def test_the_proxy_goes_in_front_where_the_application_waits_for_it() -> None:
    values = "global: {proxy: {holdApplicationUntilProxyStarts: true}}"
    assert names(injected(values=values)) == ["istio-proxy", "app"]
    mesh = "defaultConfig: {holdApplicationUntilProxyStarts: true}"
    assert names(injected(mesh=mesh)) == ["istio-proxy", "app"]
    assert names(injected(release="1.6", values=values)) == ["app", "istio-proxy"]
    assert names(injected(a_pod(spec={"containers": []}), values=values)) == ["istio-proxy"]


def test_validation_goes_before_other_init_containers_from_1_6() -> None:
    config = LEGACY.replace("istio-init", "istio-validation")
    pod = a_pod(spec={"initContainers": [{"name": "mine"}]})
    assert names(injected(pod, "1.6", config), "initContainers") == ["istio-validation", "mine"]
    assert names(injected(pod, "1.4", config), "initContainers") == ["mine", "istio-validation"]


def test_dns_and_secrets_of_the_template_are_put_in() -> None:
    config = f"{LEGACY}  dnsConfig: {{searches: [x]}}\n  imagePullSecrets: [{{name: s}}]\n"
    spec = injected(config=config)["spec"]
    assert (spec["dnsConfig"], spec["imagePullSecrets"]) == ({"searches": ["x"]}, [{"name": "s"}])
    assert injected(a_pod(spec={"dnsConfig": {"searches": ["m"]}}))["spec"]["dnsConfig"] == {
        "searches": ["m"]
    }


def test_configured_annotations_are_added_from_1_4() -> None:
    config = f"{LEGACY}injectedAnnotations: {{a: b}}\n"
    assert injected(config=config)["metadata"]["annotations"]["a"] == "b"
    assert "a" not in injected(release="1.2", config=config)["metadata"]["annotations"]


def test_metrics_are_merged_where_the_mesh_says_so() -> None:
    pod = a_pod(annotations={"prometheus.io/port": "80"})
    annotations = injected(pod)["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "15020"
    proxy = injected(pod)["spec"]["containers"][1]
    assert {"name": "ISTIO_PROMETHEUS_ANNOTATIONS", "value": '{"scrape":"","path":"","port":"80"}'} in proxy[
        "env"
    ]
    off = "enablePrometheusMerge: false"
    assert injected(pod, mesh=off)["metadata"]["annotations"]["prometheus.io/port"] == "80"


def test_the_oldest_release_sends_the_api_servers_defaults() -> None:
    config = LEGACY.replace("{{", "[[").replace("}}", "]]")
    container = injected(release="1.0", config=config)["spec"]["containers"][1]
    assert container["terminationMessagePath"] == "/dev/termination-log"


def test_a_template_that_renders_nothing_adds_only_the_status() -> None:
    pod = injected(config="policy: enabled\ntemplate: '{{/* nothing */}}'\n")
    assert names(pod) == ["app"]
    assert '"containers":null' in pod["metadata"]["annotations"]["sidecar.istio.io/status"]


@pytest.mark.parametrize(
    ("release", "template", "message"),
    [
        ("1.2", "[", "error converting YAML to JSON: yaml: "),
        (
            "1.8",
            "[",
            "failed parsing generated injected YAML (check Istio sidecar injector configuration): error",
        ),
        (
            "1.8",
            "containers: 5",
            (
                "failed parsing generated injected YAML (check Istio sidecar injector configuration): "
                "error unmarshaling JSON: json: cannot unmarshal number into"
            ),
        ),
        ("1.2", "containers: 5", "error unmarshaling JSON: json: cannot unmarshal number into"),
        ("1.8", "{{ index .Spec.Containers 7 }}", 'template: inject:1:3: executing "inject" at <index'),
    ],
)
def test_a_template_that_makes_no_spec_refuses_the_pod(release: str, template: str, message: str) -> None:
    with pytest.raises(InjectionError) as refusal:
        injected(release=release, config=f"policy: enabled\ntemplate: '{template}'\n")
    assert str(refusal.value).startswith(message)


def test_probes_are_led_through_the_agent() -> None:
    probe = {"httpGet": {"path": "/live", "port": "http"}, "timeoutSeconds": 3}
    app = {"name": "app", "ports": [{"name": "http", "containerPort": 80}], "livenessProbe": probe}
    first, proxy = injected(a_pod(spec={"containers": [app]}))["spec"]["containers"]
    assert first["livenessProbe"]["httpGet"] == {"path": "/app-health/app/livez", "port": 15020}
    told = '{"/app-health/app/livez":{"httpGet":{"path":"/live","port":80},"timeoutSeconds":3}}'
    assert {"name": "ISTIO_KUBE_APP_PROBERS", "value": told} in proxy["env"]


@pytest.mark.parametrize(("release", "rewritten"), [("1.6", ["two"]), ("1.8", ["one"])])
def test_1_6_rewrites_probes_where_their_containers_were(release: str, rewritten: list[str]) -> None:
    probe = {"httpGet": {"path": "/live", "port": 80}}
    containers = [{"name": "istio-proxy"}, {"name": "one", "livenessProbe": probe}, {"name": "two"}]
    pod = injected(a_pod(spec={"containers": containers}), release=release)
    found = {each["name"]: each.get("livenessProbe") for each in pod["spec"]["containers"]}
    assert [name for name, each in found.items() if each not in (None, probe)] == rewritten


def test_1_6_forgets_a_probe_whose_old_position_is_past_the_end() -> None:
    probe = {"httpGet": {"path": "/live", "port": 80}}
    containers = [{"name": "istio-proxy"}, {"name": "istio-proxy"}, {"name": "app", "livenessProbe": probe}]
    pod = injected(a_pod(spec={"containers": containers}), release="1.6")
    assert [each.get("livenessProbe") for each in pod["spec"]["containers"]] == [probe, None]


def test_a_pod_may_refuse_to_have_its_probes_rewritten() -> None:
    app = {"name": "app", "livenessProbe": {"httpGet": {"port": 80}}}
    pod = a_pod(annotations={"sidecar.istio.io/rewriteAppHTTPProbers": "false"}, spec={"containers": [app]})
    assert injected(pod)["spec"]["containers"][0] == app


def test_a_null_in_a_list_is_an_object_without_a_name() -> None:
    assert names(injected(a_pod(spec={"containers": [None]}), "1.4")) == ["", "istio-proxy"]
