"""What users of sidecar injectors have reported in public, made small: each with Istio's template and with ours.

A test is one report. What it asserts is what Istio 1.31 does, also where that does not help the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from injector.errors import InjectionError
from injector.injection.injector import Injector
from injector.injection.kinds import place_of, put_at
from injector.json_types import at
from injector.kubeyaml import load
from injector.patch import apply
from injector.templates import built_in
from tests.fields.pods import over
from tests.injection.builders import a_pod, a_review, answered
from tests.injection.pods import CHANGED_BY_FILE, losses

NATIVE, PLAIN = "true", "false"
Load = Callable[..., Injector]


def texts_of(name: str, shared: Path) -> tuple[str, str]:
    if name == "built-in":
        return built_in().config, built_in().values
    folder = shared / "conformance/1.31"
    return (folder / "configs/default.yaml").read_text(), (folder / "values/default.json").read_text()


@pytest.fixture(params=["built-in", pytest.param("Istio's", marks=pytest.mark.conformance)])
def injector(request: pytest.FixtureRequest) -> Load:
    """Load a configuration for 1.31: with further templates, values laid over its own, native sidecars or not."""
    shared = request.getfixturevalue("shared") if request.param != "built-in" else Path()
    config_text, values_text = texts_of(request.param, shared)

    def injector(
        native: str = PLAIN, *, templates: dict[str, str] | None = None, values: Any = None, **around: Any
    ) -> Injector:
        config, all_values = load(config_text), load(values_text)
        assert isinstance(config, dict)
        config["templates"] |= templates or {}
        env = {"ENABLE_NATIVE_SIDECARS": native} | around.pop("env", {})
        texts = (orjson.dumps(config).decode(), orjson.dumps(over(all_values, values or {})).decode())
        # What is given beside may have no hash.
        return (loaded.__wrapped__ if around else loaded)(*texts, tuple(env.items()), **around)

    return injector


@cache
def loaded(config: str, values: str, env: tuple[tuple[str, str], ...], **around: Any) -> Injector:
    """Load what many tests ask for once; an injector's answers do not depend on those before."""
    return Injector.load(config, values, release="1.31", env=dict(env), **around)


def app(name: str = "app", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": f"registry.example/{name}:1", "resources": {}} | fields


def pod_of(*containers: dict[str, Any], spec: Any = None, **metadata: Any) -> dict[str, Any]:
    given = {"namespace": "shop"} | metadata
    return a_pod(spec={"containers": [*containers]} | (spec or {}), **given)


def injected(injector: Injector, pod: Any) -> Any:
    before = json.dumps(pod)
    result, decision = injector.inject_pod(pod, "shop")
    assert decision.inject
    assert json.dumps(pod) == before
    return result


def reviewed(injector: Injector, pod: Any) -> Any:
    """Return the pod after its review, and check that a second review changes nothing."""
    response = answered(injector.review(a_review(pod)))["response"]
    result = apply(pod, response["patch"])
    again = answered(injector.review(a_review(result)))["response"]
    assert again["patch"] == []
    return result


def names(pod: Any, field: str = "containers") -> list[str]:
    return [each["name"] for each in pod["spec"].get(field, [])]


def one(pod: Any, name: str, field: str = "containers") -> Any:
    (found,) = (each for each in pod["spec"].get(field, []) if each["name"] == name)
    return found


def env_of(container: Any) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def after(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1]


@pytest.mark.parametrize("cut", [".", "_", "-", "._-"])
def test_a_name_that_is_cut_at_63_characters_ends_as_a_label_may(injector: Load, cut: str) -> None:
    start = "a" * (63 - len(cut))
    pod = injected(injector(), pod_of(app(), name=f"{start}{cut}b-2"))
    assert pod["metadata"]["labels"]["service.istio.io/canonical-name"] == start


CUSTOM = {"custom": "spec:\n  containers:\n  - name: istio-proxy\n    env: [{name: MINE, value: x}]\n"}


def test_a_template_before_the_sidecars_that_names_istio_proxy_under_containers_changes_the_native_one(
    injector: Load,
) -> None:
    both = {"inject.istio.io/templates": "custom,sidecar"}
    pod = injected(injector(NATIVE, templates=CUSTOM), pod_of(app(), annotations=both))
    assert names(pod) == ["app"]
    proxy = one(pod, "istio-proxy", "initContainers")
    assert (env_of(proxy)["MINE"], proxy["restartPolicy"]) == ("x", "Always")


def test_behind_the_sidecars_it_adds_a_second_one_as_in_istio(injector: Load) -> None:
    # Istio looks for a container to move before it merges a template, and after the last one no more.
    both = {"inject.istio.io/templates": "sidecar,custom"}
    pod = injected(injector(NATIVE, templates=CUSTOM), pod_of(app(), annotations=both))
    assert names(pod) == ["app", "istio-proxy"]
    assert "istio-proxy" in names(pod, "initContainers")


@pytest.mark.parametrize("native", [NATIVE, PLAIN])
def test_probes_that_another_webhook_adds_later_reach_the_agent(injector: Load, native: str) -> None:
    first = reviewed(injector(native), pod_of(app()))
    late = app("late", readinessProbe={"httpGet": {"path": "/ready", "port": 8081}})
    first["spec"]["containers"].append(late)
    second = reviewed(injector(native), first)
    field = "initContainers" if native == NATIVE else "containers"
    probers = json.loads(env_of(one(second, "istio-proxy", field))["ISTIO_KUBE_APP_PROBERS"])
    assert probers == {"/app-health/late/readyz": {"httpGet": {"path": "/ready", "port": 8081}}}
    assert one(second, "late")["readinessProbe"]["httpGet"] == {
        "path": "/app-health/late/readyz",
        "port": 15020,
    }


@pytest.mark.parametrize("native", [NATIVE, PLAIN])
def test_with_interception_none_the_pods_init_containers_stay_and_istio_init_is_not_added(
    injector: Load, native: str
) -> None:
    pod = pod_of(
        app(),
        spec={"initContainers": [app("migrate")]},
        annotations={"sidecar.istio.io/interceptionMode": "NONE"},
    )
    done = injected(injector(native), pod)
    assert names(done, "initContainers") == (["istio-proxy", "migrate"] if native == NATIVE else ["migrate"])
    assert names(done) == (["app"] if native == NATIVE else ["app", "istio-proxy"])


def test_a_second_template_may_give_the_workload_socket_a_source(injector: Load) -> None:
    csi = {"driver": "csi.example", "readOnly": True}
    spire = f"spec:\n  volumes:\n  - name: workload-socket\n    csi: {json.dumps(csi)}\n"
    both = {"inject.istio.io/templates": "sidecar,spire"}
    pod = injected(injector(templates={"spire": spire}), pod_of(app(), annotations=both))
    assert one(pod, "workload-socket", "volumes") == {"name": "workload-socket", "csi": csi}


def test_a_limit_that_the_values_set_to_null_is_left_out(injector: Load) -> None:
    values = {"global": {"proxy": {"resources": {"limits": {"cpu": None, "memory": "1Gi"}}}}}
    proxy = one(injected(injector(values=values), pod_of(app())), "istio-proxy")
    assert proxy["resources"]["limits"] == {"memory": "1Gi"}


@pytest.mark.parametrize(
    ("annotations", "resources"),
    [
        ({"proxyCPU": "1"}, {"requests": {"cpu": "1"}}),
        ({"proxyMemoryLimit": "1Gi"}, {"limits": {"memory": "1Gi"}}),
        (
            {"proxyMemory": "1Gi", "proxyCPULimit": "2"},
            {"requests": {"memory": "1Gi"}, "limits": {"cpu": "2"}},
        ),
    ],
)
def test_annotations_of_resources_stand_for_all_of_the_values(
    injector: Load, annotations: dict[str, str], resources: Any
) -> None:
    given = {f"sidecar.istio.io/{name}": value for name, value in annotations.items()}
    pod = injected(injector(), pod_of(app(), annotations=given))
    assert one(pod, "istio-proxy")["resources"] == resources
    assert one(pod, "istio-init", "initContainers")["resources"] == resources


@pytest.mark.parametrize("mode", ["scalar", "text"])
def test_a_line_break_in_a_resource_annotation_adds_no_container(injector: Load, mode: Any) -> None:
    annotations = {"sidecar.istio.io/proxyCPU": '100m"\n    - name: extra\n      image: evil'}
    with pytest.raises(InjectionError, match="control characters"):
        injector(untrusted_values=mode).inject_pod(pod_of(app(), annotations=annotations), "shop")


@pytest.mark.parametrize(
    "annotation",
    [
        "traffic.sidecar.istio.io/excludeInterfaces",
        "traffic.sidecar.istio.io/kubevirtInterfaces",
        "istio.io/reroute-virtual-interfaces",
    ],
)
def test_what_is_not_the_name_of_an_interface_is_denied(injector: Load, annotation: str) -> None:
    pod = pod_of(app(), annotations={annotation: "net1,eth0 -j ACCEPT"})
    with pytest.raises(InjectionError, match="eth0 -j ACCEPT"):
        injector().inject_pod(pod, "shop")


def test_of_the_two_annotations_of_virtual_interfaces_the_newer_counts(injector: Load) -> None:
    old = {"traffic.sidecar.istio.io/kubevirtInterfaces": "k6t-old"}
    new = {"istio.io/reroute-virtual-interfaces": "net5"}
    for given, counts in ((old, "k6t-old"), (new, "net5"), (old | new, "net5")):
        pod = injected(injector(), pod_of(app(), annotations=given))
        arguments = one(pod, "istio-init", "initContainers")["args"]
        assert arguments.count("-k") == 1
        assert after(arguments, "-k") == counts


def test_excluded_interfaces_reach_istio_init(injector: Load) -> None:
    annotations = {"traffic.sidecar.istio.io/excludeInterfaces": "net1,net2"}
    pod = injected(injector(), pod_of(app(), annotations=annotations))
    assert after(one(pod, "istio-init", "initContainers")["args"], "-c") == "net1,net2"


def test_a_misspelt_source_of_a_user_volume_is_dropped_as_istio_drops_it(injector: Load) -> None:
    annotations = {
        "sidecar.istio.io/userVolume": '{"filters": {"comfigMap": {"name": "filters"}}}',
        "sidecar.istio.io/userVolumeMount": '{"filters": {"mountPath": "/var/filters", "readonly": true}}',
    }
    pod = injected(injector(), pod_of(app(), annotations=annotations))
    assert one(pod, "filters", "volumes") == {"name": "filters"}
    (mount,) = (each for each in one(pod, "istio-proxy")["volumeMounts"] if each["name"] == "filters")
    # encoding/json finds a field in any case: `readonly` is no mistake.
    assert mount == {"name": "filters", "mountPath": "/var/filters", "readOnly": True}


OPENSHIFT = {
    "env": {"PLATFORM": "openshift"},
    "namespaces": {
        "shop": {
            "metadata": {"name": "shop", "annotations": {"openshift.io/sa.scc.uid-range": "1000650000/10000"}}
        }
    },
}


def test_on_openshift_a_declared_proxy_gets_another_user_than_the_app(injector: Load) -> None:
    user = {"runAsUser": 1000650000}
    proxy = app("istio-proxy", image="auto", securityContext={"readOnlyRootFilesystem": False} | user)
    pod = injected(injector(**OPENSHIFT), pod_of(proxy, app(securityContext=user)))
    security = one(pod, "istio-proxy")["securityContext"]
    assert (security["runAsUser"], security["readOnlyRootFilesystem"]) == (1000659999, False)
    assert one(pod, "app")["securityContext"] == user
    assert after(one(pod, "istio-init", "initContainers")["args"], "-u") == "1000659999"


def test_with_tproxy_the_proxy_runs_as_root_of_the_group_1337(injector: Load) -> None:
    pod = injected(injector(), pod_of(app(), annotations={"sidecar.istio.io/interceptionMode": "TPROXY"}))
    security = one(pod, "istio-proxy")["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (0, 1337)
    assert security["capabilities"] == {"add": ["NET_ADMIN"], "drop": ["ALL"]}
    assert after(one(pod, "istio-init", "initContainers")["args"], "-u") == "1337"


def test_resources_of_the_whole_pod_stay_as_they_are(injector: Load) -> None:
    whole = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
    pod = injected(injector(), pod_of(app(), spec={"resources": whole}))
    assert pod["spec"]["resources"] == whole
    assert one(pod, "istio-proxy")["resources"]["requests"] == {"cpu": "100m", "memory": "128Mi"}


def test_a_windows_pod_is_injected_like_any_other_unless_it_has_the_hosts_network(injector: Load) -> None:
    windows = {"os": {"name": "windows"}, "nodeSelector": {"kubernetes.io/os": "windows"}}
    done = injected(injector(), pod_of(app(), spec=windows))
    assert names(done) == ["app", "istio-proxy"]
    on_host = pod_of(app(), spec=windows | {"hostNetwork": True})
    result, decision = injector().inject_pod(on_host, "shop")
    assert (result, decision.inject) == (on_host, False)


def test_ports_and_variables_that_a_declared_proxy_repeats_are_merged_as_go_merges_them(
    injector: Load,
) -> None:
    proxy = app(
        "istio-proxy",
        image="auto",
        ports=[
            {"containerPort": 15090, "protocol": "TCP", "name": "metrics"},
            {"containerPort": 53, "protocol": "UDP", "name": "d1"},
            {"containerPort": 53, "protocol": "TCP", "name": "d2"},
        ],
        env=[
            {"name": "GOMAXPROCS", "value": "2"},
            {"name": "A", "value": "1"},
            {"name": "A", "value": "$(A)2"},
        ],
    )
    done = injected(injector(), pod_of(app("dns"), proxy))
    found = one(done, "istio-proxy")
    # Two elements with one merge key: the last one stands in the places of both.
    assert [(each["containerPort"], each["protocol"], each["name"]) for each in found["ports"]] == [
        (15090, "TCP", "metrics"),
        (53, "TCP", "d2"),
        (53, "TCP", "d2"),
    ]
    assert [each["value"] for each in found["env"] if each["name"] == "A"] == ["$(A)2", "$(A)2"]
    (limit,) = (each for each in found["env"] if each["name"] == "GOMAXPROCS")
    assert limit["value"] == "2"


def test_several_scrape_targets_reach_the_agent(injector: Load) -> None:
    annotations = {"prometheus.istio.io/scrape-targets": "8080:/metrics, 9090:/q?x=1"}
    pod = injected(injector(), pod_of(app(), annotations=annotations))
    merged = json.loads(env_of(one(pod, "istio-proxy"))["ISTIO_PROMETHEUS_ANNOTATIONS"])
    assert [(each["port"], each["path"]) for each in merged["targets"]] == [
        ("8080", "/metrics"),
        ("9090", "/q?x=1"),
    ]


@pytest.mark.parametrize("port", ["15020", "15090", "0", "65536"])
def test_a_scrape_target_on_a_port_of_istio_or_on_none_is_denied(injector: Load, port: str) -> None:
    annotations = {"prometheus.istio.io/scrape-targets": f"8080:/metrics,{port}:/m"}
    with pytest.raises(InjectionError, match=port):
        injector().inject_pod(pod_of(app(), annotations=annotations), "shop")


@pytest.mark.parametrize(
    ("networks", "after_it"),
    [
        ("", "default/istio-cni"),
        ("sriov, other", "sriov, other, default/istio-cni"),
        (
            '[{"name":"sriov","namespace":"net"}]',
            '[{"name":"sriov","namespace":"net"}, {"name": "istio-cni", "namespace": "default"}]',
        ),
    ],
)
def test_networks_of_multus_keep_those_of_the_pod(injector: Load, networks: str, after_it: str) -> None:
    values = {"pilot": {"cni": {"enabled": True, "provider": "multus"}}}
    annotation = "k8s.v1.cni.cncf.io/networks"
    given = {annotation: networks} if networks else {}
    pod = injected(injector(values=values), pod_of(app(), annotations=given))
    assert pod["metadata"]["annotations"][annotation] == after_it


def test_fields_of_probes_that_istio_does_not_know_stay_on_the_probe(injector: Load) -> None:
    pod = pod_of(
        app(
            ports=[{"containerPort": 8080, "name": "h2c"}],
            readinessProbe={"httpGet": {"path": "/r", "port": "h2c", "protocol": "HTTP2"}},
            livenessProbe={"grpc": {"port": 9090, "mode": "TLS"}},
        )
    )
    done = reviewed(injector(), pod)
    assert one(done, "app")["readinessProbe"]["httpGet"] == {
        "path": "/app-health/app/readyz",
        "port": 15020,
        "protocol": "HTTP2",
    }
    assert one(done, "app")["livenessProbe"]["httpGet"] == {"path": "/app-health/app/livez", "port": 15020}
    probers = json.loads(env_of(one(done, "istio-proxy"))["ISTIO_KUBE_APP_PROBERS"])
    assert probers["/app-health/app/livez"] == {"grpc": {"port": 9090, "service": None}}


def test_a_hook_of_a_declared_proxy_stands_beside_that_of_the_template(injector: Load) -> None:
    hook = {"preStop": {"httpGet": {"path": "/bye", "port": 80, "scheme": "HTTP"}}}
    done = injected(injector(NATIVE), pod_of(app(), app("istio-proxy", image="auto", lifecycle=hook)))
    found = one(done, "istio-proxy", "initContainers")["lifecycle"]["preStop"]
    assert found["httpGet"] == hook["preStop"]["httpGet"]
    assert found["exec"]["command"] == ["pilot-agent", "request", "--debug-port=15020", "POST", "drain"]


def test_what_was_injected_by_hand_is_left_alone_by_the_webhook(injector: Load) -> None:
    template = {
        "metadata": {
            "labels": {"app": "httpbin"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8000"},
        },
        "spec": {
            "containers": [
                app(
                    "httpbin",
                    ports=[{"containerPort": 8000, "name": "web"}],
                    readinessProbe={"httpGet": {"path": "/r", "port": "web"}},
                )
            ]
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "httpbin", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "httpbin"}}, "template": template},
    }
    by_hand: Any = injector().inject_workload(deployment).document
    pod = by_hand["spec"]["template"] | {"apiVersion": "v1", "kind": "Pod"}
    before = env_of(one(pod, "istio-proxy"))
    assert json.loads(before["ISTIO_PROMETHEUS_ANNOTATIONS"])["port"] == "8000"
    assert "/app-health/httpbin/readyz" in json.loads(before["ISTIO_KUBE_APP_PROBERS"])
    response = answered(injector().review(a_review(pod)))["response"]
    assert (response["allowed"], response["patch"]) == (True, [])


def test_to_hold_the_application_takes_a_hook_only_where_the_proxy_is_not_native(injector: Load) -> None:
    held = pod_of(
        app("a"),
        app("b"),
        spec={"initContainers": [app("i")]},
        annotations={"proxy.istio.io/config": "holdApplicationUntilProxyStarts: true"},
    )
    plain = injected(injector(PLAIN), held)
    assert names(plain) == ["istio-proxy", "a", "b"]
    assert one(plain, "istio-proxy")["lifecycle"] == {
        "postStart": {"exec": {"command": ["pilot-agent", "wait"]}}
    }
    native = injected(injector(NATIVE), held)
    assert names(native) == ["a", "b"]
    assert "postStart" not in one(native, "istio-proxy", "initContainers")["lifecycle"]
    assert "lifecycle" not in one(injected(injector(PLAIN), pod_of(app())), "istio-proxy")


def test_user_namespaces_stay(injector: Load) -> None:
    security = {"procMount": "Unmasked"}
    pod = injected(injector(), pod_of(app(securityContext=security), spec={"hostUsers": False}))
    assert pod["spec"]["hostUsers"] is False
    assert one(pod, "app")["securityContext"] == security


def test_volumes_of_one_name_and_one_with_a_name_of_istios_are_merged_as_go_merges_them(
    injector: Load,
) -> None:
    claim = {"name": "istio-data", "persistentVolumeClaim": {"claimName": "d"}}
    twice = [{"name": "x", "emptyDir": {}}, {"name": "x", "configMap": {"name": "x"}}]
    mount = {"name": "istio-data", "mountPath": "/d"}
    pod = injected(injector(), pod_of(app(volumeMounts=[mount]), spec={"volumes": [claim, *twice]}))
    volumes = pod["spec"]["volumes"]
    assert [each for each in volumes if each["name"] == "istio-data"] == [claim | {"emptyDir": {}}]
    assert [each for each in volumes if each["name"] == "x"] == twice
    assert one(pod, "app")["volumeMounts"] == [mount]


@pytest.mark.parametrize("mode", ["scalar", "text"])
@pytest.mark.parametrize(
    ("given", "metadata"), [("x\x85y", {"A": "x y"}), ("x\x7fy", {}), ("x\x9fy", {}), ("xéy", {"A": "xéy"})]
)
def test_control_characters_of_the_annotation_never_deny_a_pod(
    injector: Load, mode: Any, given: str, metadata: dict[str, str]
) -> None:
    annotation = {"proxy.istio.io/config": json.dumps({"proxyMetadata": {"A": given}})}
    proxy = one(
        injected(injector(untrusted_values=mode), pod_of(app(), annotations=annotation)), "istio-proxy"
    )
    env = env_of(proxy)
    assert json.loads(env["PROXY_CONFIG"]).get("proxyMetadata", {}) == metadata
    assert {name: value for name, value in env.items() if name == "A"} == metadata


@pytest.mark.parametrize("native", [NATIVE, PLAIN])
def test_an_agent_of_grpc_stays_among_the_containers_also_with_native_sidecars(
    shared: Path, native: str
) -> None:
    config, values = texts_of("Istio's", shared)
    env = {"ENABLE_NATIVE_SIDECARS": native}
    pod = pod_of(
        app("rpc", ports=[{"containerPort": 7070}]),
        annotations={"inject.istio.io/templates": "grpc-agent"},
    )
    done = reviewed(Injector.load(config, values, release="1.31", env=env), pod)
    assert names(done) == ["rpc", "istio-proxy"]
    assert "initContainers" not in done["spec"]
    assert "restartPolicy" not in one(done, "istio-proxy")
    assert env_of(one(done, "rpc"))["GRPC_XDS_BOOTSTRAP"] == "/etc/istio/proxy/grpc-bootstrap.json"


@pytest.mark.parametrize(
    ("labels", "owner", "workload"),
    [
        (
            {"rollouts-pod-template-hash": "6b86f55c9f"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "canary-6b86f55c9f"},
            ("canary", "v1alpha1/namespaces/shop/rollouts/canary"),
        ),
        (
            {},
            {"apiVersion": "batch/v1", "kind": "Job", "name": "warm-cache-29123456"},
            ("warm-cache", "batch/v1/namespaces/shop/cronjobs/warm-cache"),
        ),
        (
            {},
            {"apiVersion": "batch/v1", "kind": "Job", "name": "warm-cache-2912345"},
            ("warm-cache-2912345", "batch/v1/namespaces/shop/jobs/warm-cache-2912345"),
        ),
    ],
    ids=["rollout", "cron job", "job"],
)
def test_the_proxy_is_told_what_its_pod_belongs_to(
    injector: Load, labels: Any, owner: Any, workload: tuple[str, str]
) -> None:
    pod = pod_of(app(), labels=labels, ownerReferences=[owner | {"uid": "1", "controller": True}])
    del pod["metadata"]["name"]
    pod["metadata"]["generateName"] = f"{owner['name']}-"
    env = env_of(one(injected(injector(), pod), "istio-proxy"))
    name, path = workload
    assert env["ISTIO_META_WORKLOAD_NAME"] == name
    assert env["ISTIO_META_OWNER"] == f"kubernetes://apis/{path}"


FURTHER = CUSTOM | {
    "spire": "spec:\n  volumes:\n  - name: workload-socket\n    csi: {driver: csi.example, readOnly: true}\n"
}


@pytest.mark.parametrize("native", [NATIVE, PLAIN])
@pytest.mark.parametrize("mode", ["scalar", "text"])
def test_every_report_has_one_answer_by_webhook_and_by_file(
    injector: Load, shared: Path, native: str, mode: Any
) -> None:
    loaded = injector(native, templates=FURTHER, untrusted_values=mode)
    denied = []
    for path in sorted((shared / "field-cases").glob("*/pod.yaml")):
        # PyYAML leaves `n` a text, where a container is called so.
        pod = yaml.safe_load(path.read_text())
        response = answered(loaded.review(a_review(pod)))["response"]
        if not response["allowed"]:
            denied.append(path.parent.name)
            with pytest.raises(InjectionError, match=re.escape(response["status"]["message"])):
                loaded.inject_workload(pod)
            continue
        outcome = loaded.inject_workload(pod)
        reviewed_pod = apply(pod, response["patch"]) if "patch" in response else pod
        assert outcome.as_written == reviewed_pod, path
        assert outcome.injected is (reviewed_pod != pod) is (path.parent.name != "18-windows")
    own = ["12-resource-annotation-newline", "13-exclude-interfaces"]
    other_templates = ["09-grpc-agent-native", "10-gateway-spire"]
    is_istios = "gateway" in loaded.snapshot.templates
    assert denied == (own if is_istios else [*other_templates, *own])


@pytest.mark.parametrize(
    "name",
    ["01-new-pod-fields/deployment", "24-inject-twice-metrics/deployment", "32-cli-typed-loss/manifest"],
)
def test_files_of_reports_keep_what_they_had_and_get_their_sidecars(
    injector: Load, shared: Path, name: str
) -> None:
    given = [*yaml.safe_load_all((shared / f"field-cases/{name}.yaml").read_text())]
    found = 0
    for document in (each for one in given for each in one.get("items", [one])):
        outcome, place = injector().inject_workload(document), place_of(document)
        assert outcome.injected is (place is not None)
        if place is None:
            assert outcome.document is document
            continue
        found += 1
        for printed in (outcome.document, outcome.as_written):
            before, after = ({"spec": at(each, *place.spec)} for each in (document, printed))
            assert list(losses(before, after, CHANGED_BY_FILE)) == []
            assert "istio-proxy" in names(after)
        rest = put_at(outcome.as_written, place.spec, at(document, *place.spec))
        assert rest["spec"].keys() == document["spec"].keys()
    assert found == {"32-cli-typed-loss/manifest": 3}.get(name, 1)


def test_a_knative_service_without_names_is_refused_with_what_is_missing(
    injector: Load, shared: Path
) -> None:
    document = yaml.safe_load((shared / "field-cases/34-knative-unnamed/manifest.yaml").read_text())
    with pytest.raises(InjectionError, match=r"not set: spec\.template\.spec\.containers\[0\]\.name, "):
        injector().inject_workload(document)
