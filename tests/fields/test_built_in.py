"""The built-in configuration beside Istio 1.31's own: what its webhook answered, with the built-in template.

Only what the two spell in other ways is made equal before pods are compared: the order of variables and volumes, and
blanks in JSON. The values are those of the case, or each one that Istio's template reads, in turn.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from injector.injection.injector import Injector
from injector.injection.loading import Sources, Surroundings, load_snapshot
from injector.injection.snapshot import UntrustedValues
from injector.istio.facts import NEWEST
from injector.istio.releases import behaviour_of
from injector.kubeyaml import load as load_yaml
from injector.patch import apply
from injector.templates import BUILT_IN, built_in
from tests.conformance.cases import Case, Setup
from tests.conformance.cases import load as cases
from tests.conformance.judge import mesh_of, unequal
from tests.fields.pods import over
from tests.injection.builders import answered

OTHER_TEMPLATES = ("gateway", "grpc-agent", "grpc-simple")
BREAKS_OUT = "yamlish-19"
"""The text of an annotation that ends its YAML in Istio's template, and is one quoted text in ours."""
PORTS = "ISTIO_META_POD_PORTS"
STATUS = "sidecar.istio.io/status"


def chosen(case: Case) -> bool:
    return (
        case.door == "webhook"
        and case.setup.config == "default"
        and isinstance(case.patched, dict)
        and case.operations != 0
        and not any(word in case.name for word in (*OTHER_TEMPLATES, BREAKS_OUT))
    )


def injector_of(setup: Setup) -> Injector:
    sources = Sources(
        config=built_in().config, values=setup.text("values", setup.values, ".json"), mesh=mesh_of(setup)
    )
    around = Surroundings(
        release="1.31",
        revision=setup.revision,
        env=dict(setup.env),
        nodes=dict(setup.nodes),
        namespaces={
            name: {"metadata": {"name": name, "annotations": annotations}}
            for name, annotations in json.loads(setup.namespaces).items()
        },
    )
    return Injector(load_snapshot(sources, around))


def usual(pod: Any) -> Any:
    """Return a pod without what the two templates may spell in other ways; a denial as it is."""
    if "spec" not in pod:
        return pod
    pod = json.loads(json.dumps(pod))
    pod["metadata"].get("annotations", {}).pop(STATUS, None)
    spec = pod["spec"]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        for each in container.get("env", ()):
            if each["name"] == PORTS:
                each["value"] = json.loads(each["value"])
        for field in ("env", "volumeMounts"):
            container.get(field, []).sort(key=lambda each: (each["name"], json.dumps(each)))
    spec.get("volumes", []).sort(key=lambda each: (each["name"], json.dumps(each)))
    return pod


def test_it_makes_of_a_pod_what_istio_1_31_makes_of_it(shared: Path) -> None:
    injectors: dict[Setup, Injector] = {}
    found = [case for case in cases(shared / "conformance", "1.31") if chosen(case)]
    differing = {}
    for case in found:
        if case.setup not in injectors:
            injectors[case.setup] = injector_of(case.setup)
        response = answered(injectors[case.setup].review(case.body, case.path))["response"]
        ours = apply(case.object, response["patch"]) if "patch" in response else response
        if differences := [*unequal(usual(case.patched), usual(ours))]:
            differing[case.name] = differences
    assert differing == {}
    assert len(found) > 250


SWITCHES: tuple[Any, ...] = (
    {},
    {"global": {"logAsJson": True, "proxy": {"outlierLogPath": "/dev/stdout", "privileged": True}}},
    {"global": {"nativeNftables": True, "proxy_init": {"forceApplyIptables": True}}},
    {"global": {"proxy": {"seccompProfile": {"type": "RuntimeDefault"}, "capNetBindService": "true"}}},
    {"global": {"sts": {"servicePort": 15463}, "mountMtlsCerts": True, "imagePullPolicy": "Always"}},
    {"global": {"caName": "GkeWorkloadCertificate", "trustDomain": "from.values"}},
    {"global": {"pilotCertProvider": "k8s.io/a", "caAddress": "ca:15012", "sds": {"token": {"aud": "a"}}}},
    {"global": {"trustBundleName": "bundle"}, "pilot": {"crlConfigMapName": "crl"}},
    {"pilot": {"env": {"ENABLE_CLUSTER_TRUST_BUNDLE_API": True}}},
    {"global": {"proxy": {"tracer": "datadog", "startupProbe": {"enabled": False}}}},
    {"global": {"proxy": {"tracer": "lightstep", "statusPort": 0}}},
    {"global": {"proxy": {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}}},
    {"global": {"proxy": {"holdApplicationUntilProxyStarts": True, "image": "registry.example/p:1"}}},
    {"global": {"proxy": {"resources": {"limits": {"cpu": None, "memory": "1Gi"}}}}, "revision": "canary"},
    {"global": {"proxy": {"resources": {}, "clusterDomain": "corp.local", "includeOutboundPorts": "80,443"}}},
    {"global": {"network": "n1", "meshID": "m1", "multiCluster": {"clusterName": "c1"}, "variant": "debug"}},
    {"global": {"imagePullSecrets": ["one", "two"], "proxy_init": {"image": "registry.example/i:1"}}},
    {"pilot": {"cni": {"enabled": True, "provider": "multus"}}, "global": {"logAsJson": True}},
)
MESH = """
trustDomain: mesh.domain
defaultConfig:
  tracing: {tlsSettings: {mode: SIMPLE, caCertificates: /etc/lightstep/ca.pem}}
"""
TAGGED = {"app": "shop", "version": "v2"}
APP = {
    "name": "app",
    "image": "app:1",
    "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}],
}


def pod_with(annotations: dict[str, str], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "labels": TAGGED, "annotations": annotations}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [APP | {"resources": {}}]} | spec,
    }


PODS = (
    pod_with({}),
    pod_with({"sidecar.istio.io/interceptionMode": "TPROXY", "sidecar.istio.io/capNetBindService": "true"}),
    pod_with({"sidecar.istio.io/interceptionMode": "NONE", "sidecar.istio.io/nativeSidecar": "false"}),
    pod_with(
        {
            "proxy.istio.io/config": "proxyMetadata: {IPTABLES_TRACE_LOGGING: 'true', A: b}",
            "apm.datadoghq.com/env": '{"DD_ENV": "prod", "DD_SAMPLE": 0.5, "DD_ON": true}',
        }
    ),
    pod_with(
        {
            "istio.io/reroute-virtual-interfaces": "net1",
            "traffic.sidecar.istio.io/kubevirtInterfaces": "k6t-eth0",
            "traffic.sidecar.istio.io/excludeInterfaces": "net2,net3",
            "traffic.sidecar.istio.io/excludeOutboundPorts": "5432",
            "sidecar.istio.io/logLevel": "debug",
            "sidecar.istio.io/agentLogLevel": "ads:debug",
            "sidecar.istio.io/bootstrapOverride": "boot",
            "sidecar.istio.io/userVolume": '{"v": {"configMap": {"name": "c"}}}',
            "sidecar.istio.io/userVolumeMount": '{"v": {"mountPath": "/v", "readOnly": true}}',
            "k8s.v1.cni.cncf.io/networks": "sriov",
        },
        serviceAccountName="robot",
    ),
)


@pytest.mark.parametrize("native", ["true", "false"])
@pytest.mark.parametrize("values", SWITCHES, ids=json.dumps)
def test_each_value_of_the_chart_does_what_it_does_in_istios_template(
    shared: Path, values: Any, native: str
) -> None:
    folder = shared / "conformance/1.31"
    chart = load_yaml((folder / "values/default.json").read_text())
    env = {"ENABLE_NATIVE_SIDECARS": native, "COMPLIANCE_POLICY": "fips-140-3"}
    ours, theirs = (
        Injector.load(config, json.dumps(over(chart, values)), MESH, release="1.31", env=env)
        for config in (built_in().config, (folder / "configs/default.yaml").read_text())
    )
    for pod in PODS:
        made, wanted = (each.inject_pod(pod, "shop")[0] for each in (ours, theirs))
        assert [*unequal(usual(wanted), usual(made))] == []


WORDS = st.sampled_from(
    (
        "n",
        "y",
        "on",
        "Off",
        "null",
        "~",
        "1e3",
        "0x1",
        "0b1",
        "0o7",
        "08",
        "1_000",
        "1:30",
        ".5",
        ".inf",
        "-",
        "=",
    )
) | st.sampled_from(
    ("2020-01-01", "<<", "!x", "&a", "*a", "@a", "`a", "|", "?", "{}", "[]", "a: b", "#c", '"', "'")
)
TEXTS = (
    *("sidecar.istio.io/logLevel", "sidecar.istio.io/componentLogLevel", "sidecar.istio.io/agentLogLevel"),
    *("sidecar.istio.io/proxyImage", "sidecar.istio.io/bootstrapOverride", "logs.example.com/level"),
    *("logs.example.com/path", "k8s.v1.cni.cncf.io/networks"),
)
LABELS = ("app", "version", "service.istio.io/workload-name", "security.istio.io/tlsMode")


@cache
def loaded(name: str, mode: UntrustedValues, native: str, *, cni: bool) -> Injector:
    values = over(
        load_yaml(built_in(name).values), {"pilot": {"cni": {"enabled": cni, "provider": "multus"}}}
    )
    env = {"ENABLE_NATIVE_SIDECARS": native}
    return Injector.load(
        built_in(name).config, json.dumps(values), release="1.31", untrusted_values=mode, env=env
    )


INJECTORS = st.builds(
    loaded,
    st.sampled_from(BUILT_IN),
    st.sampled_from(get_args(UntrustedValues)),
    st.sampled_from(["true", "false"]),
    cni=st.booleans(),
)


@pytest.mark.slow
@given(injector=INJECTORS, data=st.data())
@settings(max_examples=400)
def test_a_word_that_yaml_takes_for_something_else_is_a_text_like_any_other(
    injector: Injector, data: st.DataObject
) -> None:
    word = lambda: data.draw(WORDS)  # noqa: E731 - one more each time
    name, image, key, value, volume = word(), word(), word(), word(), word()
    annotations = {text: word() for text in TEXTS} | {
        "proxy.istio.io/config": json.dumps({"proxyMetadata": {key: value}}),
        "sidecar.istio.io/userVolume": json.dumps({volume: {"configMap": {"name": word()}}}),
        "sidecar.istio.io/userVolumeMount": json.dumps({volume: {"mountPath": word()}}),
    }
    metadata = {"name": word(), "labels": {label: word() for label in LABELS}, "annotations": annotations}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": name, "image": image}]}}
    done, decision = injector.inject_pod(pod, "shop")
    assert decision.inject
    (app,) = (each for each in done["spec"]["containers"] if each["name"] == name)
    assert app["image"] == image
    assert done["metadata"]["labels"].items() >= metadata["labels"].items()
    proxies = [*done["spec"].get("initContainers", ()), *done["spec"]["containers"]]
    for proxy in (each for each in proxies if each["name"] == "istio-proxy"):
        assert {"name": key, "value": value} in proxy["env"]
        assert f"--proxyLogLevel={annotations['sidecar.istio.io/logLevel']}" in proxy["args"]
        assert volume in [each["name"] for each in proxy["volumeMounts"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT_IN)
def test_it_injects_with_each_release_that_it_says_it_is_for(name: str) -> None:
    template = built_in(name)
    for minor in range(behaviour_of(template.oldest_release).minor, NEWEST + 1):
        injector = Injector.load(template.config, template.values, release=f"1.{minor}")
        done, _ = injector.inject_pod(pod_with({}), "shop")
        assert len(done["spec"]["containers"]) == 2
