"""Whatever a pod holds, an answer comes out, or a BadReview with a sentence: never another exception."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from injector.errors import BadReview
from injector.injection.inject import Answer
from injector.injection.injector import Injector
from injector.injection.snapshot import UntrustedValues
from tests.conformance.cases import load
from tests.conformance.hostile import CORPUS
from tests.conformance.judge import injector_for
from tests.conftest import conformance_folder

MINORS = ("1.0", "1.4", "1.8", "1.12", "1.22", "1.31")

ANNOTATIONS = (
    "proxy.istio.io/config",
    "proxy.istio.io/overrides",
    "sidecar.istio.io/status",
    "sidecar.istio.io/proxyCPU",
    "sidecar.istio.io/proxyMemory",
    "sidecar.istio.io/proxyCPULimit",
    "sidecar.istio.io/proxyImage",
    "sidecar.istio.io/userVolume",
    "sidecar.istio.io/userVolumeMount",
    "sidecar.istio.io/interceptionMode",
    "sidecar.istio.io/logLevel",
    "sidecar.istio.io/nativeSidecar",
    "sidecar.istio.io/rewriteAppHTTPProbers",
    "sidecar.istio.io/statsInclusionPrefixes",
    "status.sidecar.istio.io/port",
    "readiness.status.sidecar.istio.io/initialDelaySeconds",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
    "traffic.sidecar.istio.io/kubevirtInterfaces",
    "prometheus.io/port",
    "prometheus.io/scrape",
    "prometheus.istio.io/scrape-targets",
    "prometheus.istio.io/merge-metrics",
    "inject.istio.io/templates",
    "k8s.v1.cni.cncf.io/networks",
)
LONG = "9" * 5000
"""More digits than Python turns into an integer."""

TOKEN = "12345"
"""Stands for a number in what is drawn, and is replaced by one in the body: so examples can be shown."""

NUMBERS = ("LONG", "-LONG", "0.LONG", "LONGeLONG", "1e400", "1e-LONG", "0xLONG", "-0", "1e3", "80.0")

FIELDS = (
    "concurrency",
    "drainDuration",
    "statusPort",
    "proxyMetadata",
    "tracing",
    "image",
    "discoveryAddress",
    "terminationDrainDuration",
    "interceptionMode",
    "holdApplicationUntilProxyStarts",
    "extraStatTags",
    "proxyStatsMatcher",
    "gatewayTopology",
    "privateKeyProvider",
)
TRACING = ("zipkin", "sampling", "customTags", "maxPathTagLength", "tlsSettings", "lightstep")

texts = st.one_of(
    st.sampled_from((*CORPUS, "", "null", "true", "auto", "\ud800", "\x00", "a" * 300)),
    st.text(max_size=12),
    st.sampled_from(("{}", "{}s", "10.0.0.1/{}", "{}Mi", "0.{}h", "{}:{}", "a:{}", "[{}]")).map(
        lambda form: form.replace("{}", TOKEN)
    ),
)


leaves = st.one_of(st.just(int(TOKEN)), texts, st.none(), st.booleans(), st.integers(-3, 70000), st.floats())
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
configs = st.dictionaries(
    st.sampled_from(FIELDS),
    values | st.dictionaries(st.sampled_from(TRACING), values, max_size=2),
    max_size=3,
).map(json.dumps)
handlers = st.dictionaries(
    st.sampled_from(("port", "host", "path", "scheme", "httpHeaders", "service")), values, max_size=3
)
probes = st.dictionaries(
    st.sampled_from(("httpGet", "tcpSocket", "grpc", "timeoutSeconds")), handlers | values, max_size=2
)
container_fields = {
    "name": st.sampled_from(("app", "istio-proxy", "istio-init", "istio-validation", "")) | texts,
    "image": st.sampled_from(("a", "auto")) | texts,
    "ports": st.lists(st.fixed_dictionaries({"containerPort": values}), max_size=2) | values,
    "env": st.lists(
        st.fixed_dictionaries({"name": st.sampled_from(("A", "ISTIO_KUBE_APP_PROBERS")), "value": texts}),
        max_size=2,
    )
    | values,
    "livenessProbe": probes,
    "readinessProbe": probes,
    "lifecycle": st.dictionaries(st.sampled_from(("preStop", "postStart")), probes, max_size=2),
    "args": st.lists(texts, max_size=3) | values,
    "resources": st.dictionaries(
        st.sampled_from(("limits", "requests")), st.dictionaries(st.just("cpu"), leaves), max_size=2
    ),
    "securityContext": st.dictionaries(st.sampled_from(("runAsUser", "runAsGroup")), leaves, max_size=2),
    "volumeMounts": st.lists(st.fixed_dictionaries({"name": texts, "mountPath": texts}), max_size=2),
    "restartPolicy": texts,
    "$patch": st.sampled_from(("replace", "delete", "merge")) | values,
    "weird": values,
}
containers = st.lists(
    st.one_of(st.none(), st.fixed_dictionaries({}, optional=container_fields)),
    max_size=3,
)
overrides = st.dictionaries(
    st.sampled_from(("containers", "initContainers", "CONTAINERS", "x")), containers | values
).map(json.dumps)
annotation_texts = st.one_of(texts, configs, overrides, values.map(json.dumps))
pods = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {"annotations": st.dictionaries(st.sampled_from(ANNOTATIONS), annotation_texts, max_size=4)},
            optional={
                "name": texts,
                "generateName": texts,
                "namespace": st.sampled_from(("shop", "")) | texts,
                "labels": st.dictionaries(
                    st.sampled_from(
                        ("app", "version", "topology.istio.io/network", "service.istio.io/canonical-name")
                    )
                    | texts,
                    texts,
                    max_size=3,
                ),
                "ownerReferences": values,
                "creationTimestamp": values,
                "generation": values,
                "managedFields": values,
            },
        ),
        "spec": st.fixed_dictionaries(
            {"containers": containers},
            optional={
                "initContainers": containers,
                "volumes": st.lists(st.fixed_dictionaries({"name": texts, "weird": values}), max_size=2)
                | values,
                "priority": values,
                "imagePullSecrets": values,
                "securityContext": st.fixed_dictionaries({"fsGroup": values}) | values,
                "nodeName": texts,
                "dnsConfig": values,
                "affinity": values,
                "weird": values,
            },
        ),
    },
    optional={"weird": values, "SPEC": values},
)


def injector_of(minor: str, untrusted: UntrustedValues) -> Injector:
    folder = conformance_folder()
    if folder is None:
        pytest.skip("REFERENCE DATA MISSING: no ../shared (set SHARED_DIR)")
    case = next(case for case in load(folder, minor) if case.door == "webhook" and case.status == 200)
    snapshot = injector_for(case.setup, untrusted).snapshot
    # What a fuzzer draws is not worth keeping, and caches are tested elsewhere.
    return Injector(replace(snapshot, config=replace(snapshot.config, policy="enabled")))


def body_of(pod: Any, number: str, minor: str) -> bytes:
    version = "v1beta1" if int(minor[2:]) < 7 else "v1"
    request = {"uid": "u", "namespace": "shop", "object": pod}
    review = {"kind": "AdmissionReview", "apiVersion": f"admission.k8s.io/{version}", "request": request}
    return json.dumps(review).replace(TOKEN, number).replace("LONG", LONG).encode()


@pytest.mark.parametrize("untrusted", ["scalar", "text"])
@pytest.mark.parametrize("minor", MINORS)
def test_nothing_but_an_answer_or_a_bad_review_comes_out(minor: str, untrusted: UntrustedValues) -> None:
    injector = injector_of(minor, untrusted)

    @settings(max_examples=120)
    @given(pod=pods | values, number=st.sampled_from(NUMBERS))
    def ask(pod: Any, number: str) -> None:
        body = body_of(pod, number, minor)
        for _ in range(2):  # a text gets its skeleton when it is met again
            try:
                answer = injector.answer(body)
            except BadReview:
                continue
            assert isinstance(answer, Answer)
            json.loads(answer.body)

    ask()
