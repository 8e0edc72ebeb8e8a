"""Pods of one workload get one patch whatever their controller writes into each, unless something reads it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.injection.injector import Injector
from injector.injection.perpod import (
    ALL_READ,
    ANNOTATIONS,
    ANY,
    LABELS,
    LONGEST,
    Unread,
    blanked,
    unread,
    without_own,
)
from injector.injection.replicas import is_common, likeness_of
from tests.injection.replicas import a_body, alone, an_injector, ask, counts, with_known_workloads
from tests.injection.steps.builders import a_container, a_pod

SIDECAR = """
metadata:
  annotations: {owner: "{{ .TypeMeta.Kind }}/{{ .DeploymentMeta.Name }}"}
  labels:
    app-of: {{ index .ObjectMeta.Labels "app" | quote }}
    {{- range $name, $value := fromJSON (annotation .ObjectMeta `labels` "{}") }}
    {{ $name }}: {{ $value | quote }}
    {{- end }}
spec:
  {{- with annotation .ObjectMeta "hostname" "" }}
  hostname: {{ . | quote }}
  {{- end }}
  {{- with annotation .ObjectMeta "node" "" }}
  affinity:
    nodeAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [{{ . | quote }}]}]}]
  {{- end }}
  containers:
  - {name: istio-proxy, image: proxyv2}
  {{- with annotation .ObjectMeta "app-image" "" }}
  - {name: app, image: {{ . | quote }}}
  {{- end }}
  volumes:
  - {name: istio-envoy, emptyDir: {}}
  {{- range $name, $claim := fromJSON (annotation .ObjectMeta "claims" "{}") }}
  - {name: {{ $name }}, persistentVolumeClaim: {claimName: {{ $claim | quote }}}}
  {{- end }}
"""
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def affinity_to(node: str) -> dict[str, Any]:
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": fields}]}}}


def an_owned(kind: str, owner: str, each: str, **fields: Any) -> dict[str, Any]:
    """Return a pod as a controller makes them; ``each`` is in all that is different in each."""
    pod = a_pod(a_container(ports=[{"containerPort": 80}]), **fields)
    metadata = pod["metadata"]
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": f"u-{each}", "controller": True}
    metadata |= {"name": f"{owner}-{each}", "generateName": f"{owner}-", "ownerReferences": [reference]}
    metadata["labels"] = {"app": "web"} | metadata.get("labels", {})
    return pod


def of_daemon_set(each: str) -> dict[str, Any]:
    labels = {"controller-revision-hash": each, "pod-template-generation": each}
    return an_owned("DaemonSet", "agent", each, labels=labels, affinity=affinity_to(f"node-{each}"))


def of_stateful_set(each: str) -> dict[str, Any]:
    name = f"db-{each}"
    labels = {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": each}
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}]
    return an_owned("StatefulSet", "db", each, labels=labels, hostname=name, subdomain="db", volumes=volumes)


def of_job(each: str) -> dict[str, Any]:
    prefix = "batch.kubernetes.io/"
    own = {"job-name": f"nightly-2900000{each}", "controller-uid": each}
    labels = own | {f"{prefix}{name}": value for name, value in own.items()}
    index = {f"{prefix}job-completion-index": each}
    pod = an_owned("Job", f"nightly-2900000{each}", "x", labels=labels | index, annotations=index)
    pod["metadata"]["ownerReferences"][0] |= {"apiVersion": "batch/v1", "uid": each}
    return pod


def of_replica_set(each: str) -> dict[str, Any]:
    """Return a pod of a Deployment that was restarted with another image."""
    restarted = {"kubectl.kubernetes.io/restartedAt": f"2026-01-01T00:00:0{each}Z"}
    labels = {"pod-template-hash": f"5d4f{each}"}
    pod = an_owned("ReplicaSet", f"web-5d4f{each}", "x", labels=labels, annotations=restarted)
    pod["spec"]["containers"][0]["image"] = f"shop/web:{each}"
    return pod


CONTROLLERS = (of_daemon_set, of_stateful_set, of_job, of_replica_set)


@pytest.mark.parametrize("made_by", CONTROLLERS)
def test_the_second_pod_of_a_controller_gets_the_patch_of_the_first(made_by: Any) -> None:
    injector = an_injector(SIDECAR)
    for each in "120":
        pod = made_by(each)
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (2, 1)


@pytest.mark.parametrize(
    ("made_by", "look"),
    [
        (of_daemon_set, "toJson .Spec.Affinity"),
        (of_daemon_set, 'index .ObjectMeta.Labels "pod-template-generation"'),
        (of_daemon_set, "(index .ObjectMeta.OwnerReferences 0).UID"),
        (of_stateful_set, ".Spec.Hostname"),
        (of_stateful_set, "toJson .ObjectMeta.Labels"),
        (of_stateful_set, '"apps.kubernetes.io/pod-index" | index .ObjectMeta.Labels'),
        (of_stateful_set, "(index .Spec.Volumes 0).PersistentVolumeClaim.ClaimName"),
        (of_stateful_set, 'index .ObjectMeta.GetLabels "apps.kubernetes.io/pod-index"'),
        (of_job, ".ObjectMeta.GenerateName"),
        (of_job, ".ObjectMeta.GetGenerateName"),
        (of_job, "range $name, $value := .ObjectMeta.GetAnnotations }}{{ $value }}{{ end"),
        (of_job, 'index .ObjectMeta.Labels "controller-uid"'),
        (of_job, 'annotation .ObjectMeta "batch.kubernetes.io/job-completion-index" ""'),
        (of_job, "range $name, $value := .ObjectMeta.Annotations }}{{ $value }}{{ end"),
        (of_job, "with .ObjectMeta }}{{ index .Labels `job-name` }}{{ end"),
        (of_replica_set, 'index $.ObjectMeta.Annotations "kubectl.kubernetes.io/restartedAt"'),
        (of_replica_set, '$all := . }}{{ toJson $all.ObjectMeta }}{{ ""'),
        (of_replica_set, 'index .ObjectMeta.Labels "pod-template-hash"'),
        (of_replica_set, '(index .Spec.Containers 0).Image | hasSuffix "2" | ternary "last" ""'),
        (of_replica_set, "range .Spec.DeepCopy.Containers }}{{ .Image }}{{ end"),
        (of_replica_set, "range .Spec.Containers }}{{ toJson . }}{{ end"),
        (of_replica_set, "with .Spec }}{{ with index .Containers 0 }}{{ .Image }}{{ end }}{{ end"),
    ],
)
def test_a_template_that_reads_what_is_different_is_asked_for_each(made_by: Any, look: str) -> None:
    injector = an_injector(looking_at(look))
    for each in "120":
        pod = made_by(each)
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector)[0] == 0


def looking_at(look: str) -> str:
    """Return the template that prints something more."""
    return SIDECAR.replace("{owner:", "{look: '{{ LOOK }}', owner:").replace("LOOK", look.replace("'", "''"))


@pytest.mark.parametrize(
    "look",
    [
        "(index .DeploymentMeta.OwnerReferences 0).UID",
        ".DeploymentMeta.GenerateName",
        "index .DeploymentMeta.Labels `apps.kubernetes.io/pod-index`",
    ],
)
def test_what_older_releases_show_of_the_workload_counts_as_well(look: str) -> None:
    injector = an_injector(looking_at(look), release="1.10")
    for each in "120":
        pod = of_stateful_set(each)
        pod["metadata"]["generateName"] += each
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector)[0] == 0


def test_a_selector_that_asks_for_what_is_different_is_asked_for_each() -> None:
    config = {
        "policy": "enabled",
        "templates": {"sidecar": SIDECAR},
        "neverInjectSelector": [{"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}],
    }
    injector = with_known_workloads(Injector.load(json.dumps(config), release="1.31"))
    assert ["patch" in ask(injector, of_stateful_set(each)) for each in "1203"] == [True, True, False, True]


def test_a_proxy_config_that_selects_by_what_is_different_is_asked_for_each() -> None:
    resource = {
        "metadata": {"name": "first", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"apps.kubernetes.io/pod-index": "0"}}, "concurrency": 7},
    }
    plain = an_injector(SIDECAR.replace("image: proxyv2", "image: 'v{{ .ProxyConfig.Concurrency }}'"))
    injector = plain.with_cluster(nodes={}, namespaces={}, proxy_configs=[resource])
    for each in "120":
        assert ask(injector, of_stateful_set(each)) == ask(alone(injector), of_stateful_set(each))


def test_a_pod_that_names_its_templates_has_no_blanks_in_labels() -> None:
    config = {"policy": "enabled", "templates": {"sidecar": SIDECAR, "other": "{{ .ObjectMeta.Labels }}"}}
    injector = with_known_workloads(Injector.load(json.dumps(config), release="1.31"))
    for each in "1203":
        pod = of_stateful_set(each)
        pod["metadata"]["annotations"] = {"inject.istio.io/templates": "sidecar"} if each < "3" else {}
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector)[0] == 0
    assert injector.snapshot.unread.labels == LABELS


def test_pods_of_two_workloads_stay_two() -> None:
    injector = an_injector(SIDECAR)
    other = of_stateful_set("0")
    other["metadata"]["ownerReferences"][0]["name"] = "cache"
    for pod in (of_stateful_set("1"), other):
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector)[0] == 0


@pytest.mark.parametrize(
    ("made_by", "asked"),
    [
        (of_stateful_set, {"labels": '{"apps.kubernetes.io/pod-index": "0"}'}),
        (of_stateful_set, {"hostname": "db-0"}),
        (of_stateful_set, {"claims": '{"data": "data-db-0"}'}),
        (of_daemon_set, {"node": "node-0"}),
        (of_replica_set, {"app-image": "shop/web:0"}),
        (of_daemon_set, {"labels": '{"pod-template-generation": "0"}'}),
    ],
)
def test_an_overlay_that_writes_what_one_of_them_has_already_is_merged_into_each(
    made_by: Any, asked: dict[str, str]
) -> None:
    """Into the first it changes nothing."""
    injector = an_injector(SIDECAR)
    for each in "0012":
        pod = made_by(each)
        pod["metadata"]["annotations"] = asked
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector)[0] == 0


def test_a_patch_that_holds_an_image_or_an_overlay_that_speaks_of_its_container_is_for_one_pod() -> None:
    pod = of_replica_set("1")
    likeness = likeness_of(pod, ("web", "apps/v1", "Deployment"), ALL_READ)
    assert likeness is not None
    assert is_common(pod, [{"spec": {"containers": [{"name": "other"}]}}], b"[]", likeness)
    assert not is_common(pod, [{"spec": {"containers": [{"name": "app"}]}}], b"[]", likeness)
    assert not is_common(pod, [{"spec": {"initContainers": [None, {"name": "app"}]}}], b"[]", likeness)
    assert not is_common(pod, [{}], b'[{"value":[{"image":"shop/web:1"}]}]', likeness)
    assert not is_common(pod, [{}], rb'[{"value":"{\"image\":\"shop/web:1\"}"}]', likeness)
    assert is_common(pod, [{}], b'[{"value":"shop/web:1"}]', likeness)


def test_an_image_that_is_called_as_its_workload_is_a_replica_s_all_the_same() -> None:
    injector = an_injector(SIDECAR)
    for each in "120":
        pod = of_daemon_set(each)
        pod["spec"]["containers"][0]["image"] = "agent"
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (2, 1)


def test_an_overlay_that_writes_it_in_another_case_is_merged_into_each() -> None:
    injector = an_injector(SIDECAR.replace("spec:", "spec:\n  Hostname: db-0"))
    for each in "0012":
        assert ask(injector, of_stateful_set(each)) == ask(alone(injector), of_stateful_set(each))
    assert counts(injector)[0] == 0


@pytest.mark.parametrize(
    "image",
    ["", "auto", "x" * (LONGEST + 1), "proxyv2:mine"],
)
def test_an_owner_s_istio_proxy_keeps_its_image(image: str) -> None:
    """Its image is what comes out, where it is not empty or ``auto``."""
    injector = an_injector(SIDECAR)
    for each in ("", "", image, image, "again"):
        pod = of_replica_set("1")
        pod["spec"]["containers"].append(a_container("istio-proxy", image=each))
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == ((2, 3) if image else (3, 2))


def test_what_no_controller_writes_is_no_blank() -> None:
    labels = {"job-name": "x" * LONGEST, "controller-uid": "x" * (LONGEST + 1), "app": "web"}
    assert blanked(labels, LABELS) == labels | {"job-name": ANY}
    assert blanked({"job-name": None, "controller-uid": ""}, LABELS) == {
        "job-name": None,
        "controller-uid": "",
    }
    fields = affinity_to("a")["nodeAffinity"][REQUIRED]["nodeSelectorTerms"][0]["matchFields"]
    fields[0]["values"].append("b")
    spec = {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchFields": fields}, None]}}}}
    assert without_own(spec) == spec


@pytest.mark.parametrize(
    ("template", "labels", "annotations"),
    [
        ("plain", LABELS, ANNOTATIONS),
        ("{{ index .ObjectMeta.Labels `app` }}", LABELS, ANNOTATIONS),
        ('{{ index .ObjectMeta.Labels "job-name" | quote }}', LABELS - {"job-name"}, ANNOTATIONS),
        ("{{ isset $.ObjectMeta.Labels `job-name` }}", LABELS - {"job-name"}, ANNOTATIONS),
        ("{{ $x := .ObjectMeta.Labels }}", set(), ANNOTATIONS),
        ("{{ .Values.Labels }}", set(), ANNOTATIONS),
        ("{{ /* Labels and Annotations */ }}", set(), set()),
        ("{{ annotation .ObjectMeta $name `` }}", LABELS, set()),
        ("matchLabels: {} # .InfrastructureLabels annotations", LABELS, ANNOTATIONS),
        (
            "{{ otelResourceAttributes .MeshConfig .ObjectMeta.Annotations .ObjectMeta.Labels .X .Y }}",
            LABELS,
            ANNOTATIONS,
        ),
    ],
)
def test_what_a_template_may_read_is_told_from_its_text(
    template: str, labels: set[str], annotations: set[str]
) -> None:
    expected = Unread(labels=frozenset(labels), annotations=frozenset(annotations))
    assert unread((template,), frozenset()) == expected


def test_of_several_templates_each_counts() -> None:
    texts = ("{{ index .ObjectMeta.Labels `job-name` }}", "{{ index .ObjectMeta.Labels `controller-uid` }}")
    assert unread(texts, frozenset({"pod-template-hash"})).labels == LABELS - {
        "job-name",
        "controller-uid",
        "pod-template-hash",
    }


VALUES = st.sampled_from(["", "0", "a", "data-0", "\0", "x" * (LONGEST + 1), None])
SOME_LABELS = st.sampled_from([*sorted(LABELS)[:4], "app", "other"])
SOME_VOLUMES = st.sampled_from(["data", "logs", "istio-envoy"])


@st.composite
def hostile_pods(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a pod whose author writes what controllers write, and templates that write it too."""
    pod = draw(st.sampled_from(CONTROLLERS))("1")
    pod["spec"]["containers"][0]["name"] = draw(st.sampled_from(["app", "web", "istio-proxy"]))
    asked: dict[str, Any] = {
        "app-image": draw(st.sampled_from(["", "0", "a"])),
        "labels": json.dumps(draw(st.dictionaries(SOME_LABELS, st.sampled_from(["0", "a"]), max_size=1))),
        "claims": json.dumps(draw(st.dictionaries(SOME_VOLUMES, st.just("data-0"), max_size=1))),
        "hostname": draw(st.sampled_from(["", "a"])),
        "node": draw(st.sampled_from(["", "a"])),
    }
    pod["metadata"]["annotations"] = pod["metadata"].get("annotations", {}) | asked
    names = draw(st.lists(SOME_VOLUMES, max_size=3))
    pod["spec"]["volumes"] = [{"name": name} | a_claim(draw(VALUES)) for name in names]
    return pod


def a_claim(name: str | None) -> dict[str, Any]:
    return {} if name is None else {"persistentVolumeClaim": {"claimName": name}}


@st.composite
def twins(draw: st.DrawFn, pod: dict[str, Any]) -> dict[str, Any]:
    """Draw a pod that differs in what controllers write, and in nothing else."""
    twin = copy.deepcopy(pod)
    metadata, spec = twin["metadata"], twin["spec"]
    for places, names in ((metadata["labels"], LABELS), (metadata["annotations"], ANNOTATIONS)):
        for name in sorted(names & places.keys()):
            places[name] = draw(VALUES)
    metadata["ownerReferences"][0]["uid"] = draw(st.sampled_from(["0", "a"]))
    metadata["generateName"] = draw(st.sampled_from(["", "a", "web-"]))
    for volume in spec["volumes"]:
        if "persistentVolumeClaim" in volume:
            volume["persistentVolumeClaim"]["claimName"] = draw(VALUES)
    spec["hostname"] = draw(VALUES)
    spec["containers"][0]["image"] = draw(VALUES)
    spec["affinity"] = draw(
        st.sampled_from([None, {}, affinity_to("a"), affinity_to("b"), {"nodeAffinity": {REQUIRED: None}}])
    )
    return twin


@pytest.mark.slow
@given(st.data())
def test_nobody_gets_what_was_made_for_another(data: st.DataObject) -> None:
    pod = data.draw(hostile_pods())
    for each in (pod, pod, *[data.draw(twins(pod)) for _ in range(3)]):
        assert HOSTILE.review(a_body(each)) == alone(HOSTILE).review(a_body(each))


HOSTILE = an_injector(SIDECAR)
