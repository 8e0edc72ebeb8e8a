"""Replicas of a workload get one patch, and nobody gets another's."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.budget import ReviewLimits
from injector.injection.replicas import LARGEST_BODY, CommonAnswer, ReplicaCache
from injector.memo import Memo
from tests.injection.replicas import (
    OWNER,
    SIDECAR,
    a_body,
    a_replica,
    alone,
    an_injector,
    ask,
    counts,
    with_new_workloads,
)
from tests.injection.steps.builders import a_container


def test_the_second_replica_gets_the_patch_of_the_first_and_its_own_uid() -> None:
    injector = an_injector()
    first = ask(injector, a_replica("abc12"))
    second = ask(injector, a_replica("xyz34"), uid="3")
    assert second == first | {"uid": "3"}
    assert second == ask(alone(injector), a_replica("xyz34"), uid="3")
    assert counts(injector) == (1, 1)


def test_of_a_workload_s_first_pod_nothing_is_kept_and_its_third_gets_the_patch_of_the_second() -> None:
    injector = with_new_workloads(an_injector())
    first = ask(injector, a_replica("abc12"))
    assert (counts(injector), len(injector.snapshot.replicas.answers)) == ((0, 0), 0)
    assert ask(injector, a_replica("def56")) == ask(injector, a_replica("xyz34")) == first
    assert counts(injector) == (1, 1)


def test_a_workload_is_known_by_namespace_name_and_kind_whatever_its_pods_are_like() -> None:
    injector = with_new_workloads(an_injector())
    ask(injector, a_replica("abc12"))
    ask(injector, a_replica("abc12"), namespace="bank")
    other = a_replica("abc12")
    other["metadata"]["ownerReferences"] = [OWNER | {"kind": "StatefulSet"}]
    ask(injector, other)
    assert counts(injector) == (0, 0)
    for letters in ("def56", "xyz34"):
        ask(injector, a_replica(letters, note="another template"))
    assert counts(injector) == (1, 1)


def test_a_workload_is_known_when_the_cluster_has_changed() -> None:
    injector = with_new_workloads(an_injector())
    ask(injector, a_replica("abc12"))
    changed = injector.with_cluster(nodes={}, namespaces={})
    for letters in ("def56", "xyz34"):
        ask(changed, a_replica(letters))
    assert counts(changed) == (1, 1)


def test_the_log_says_of_a_replica_what_it_says_of_the_first() -> None:
    injector = an_injector()
    first, second = (injector.answer(a_body(a_replica(each))) for each in ("abc12", "xyz34"))
    assert (second.outcome, second.reason, second.message) == (first.outcome, first.reason, first.message)
    assert (second.namespace, second.name, second.uid) == (first.namespace, first.name, first.uid)
    assert counts(injector) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: pod["metadata"].update(labels={"app": "other"}),
        lambda pod: pod["spec"]["containers"][0]["ports"][0].update(containerPort=81),
        lambda pod: pod["spec"]["volumes"].append({"name": "more"}),
        lambda pod: pod["spec"].update(nodeName="n"),
        lambda pod: pod["spec"]["containers"][0]["volumeMounts"][0].update(name="data"),
        lambda pod: pod["metadata"].update(ownerReferences=[OWNER | {"name": "db-5d4f"}]),
        lambda pod: pod.update(unknown=1),
    ],
)
def test_whatever_else_differs_makes_another_pod(change: Any) -> None:
    injector = an_injector()
    ask(injector, a_replica("abc12"))
    other = a_replica("xyz34")
    change(other)
    assert ask(injector, other) == ask(alone(injector), other)
    assert counts(injector) == (0, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 7),
        ("generateName", ["web-"]),
        ("ownerReferences", [OWNER | {"uid": 1}]),
        ("ownerReferences", {"kind": "ReplicaSet"}),
        ("managedFields", 5),
        ("managedFields", [{"time": "yesterday"}]),
    ],
)
def test_what_a_likeness_leaves_out_is_read_of_each(field: str, value: Any) -> None:
    injector = an_injector()
    ask(injector, a_replica("aaaaa"))
    odd = a_replica("bbbbb")
    odd["metadata"][field] = value
    assert not json.loads(injector.review(a_body(odd)))["response"]["allowed"]
    assert injector.review(a_body(odd)) == alone(an_injector()).review(a_body(odd))


@pytest.mark.parametrize("change", [{"metadata": 5}, {"spec": []}, {"spec": {"volumes": {"name": "x"}}}])
def test_what_is_no_pod_has_no_likeness(change: dict[str, Any]) -> None:
    injector = an_injector()
    answer = json.loads(injector.review(a_body(a_replica("aaaaa") | change)))["response"]
    assert "cannot unmarshal" in answer["status"]["message"]
    assert not injector.snapshot.replicas.answers


def test_pods_of_another_number_of_owners_may_be_at_another_limit() -> None:
    owners = [OWNER | {"controller": False, "uid": str(number)} for number in range(20)]
    many = a_replica("bbbbb")
    many["metadata"]["ownerReferences"] += owners
    injector = an_injector(limits=ReviewLimits(entries=20))
    ask(injector, a_replica("aaaaa"))
    assert injector.answer(a_body(many)).reason == "limit"


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, None), ("", None)])
def test_values_that_python_takes_for_equal_are_told_apart(one: Any, other: Any) -> None:
    injector = an_injector()
    for value in (one, other):
        ask(injector, a_replica("abc12", note=value))
    assert counts(injector) == (0, 2)


def test_path_and_namespace_belong_to_what_decides() -> None:
    injector = an_injector()
    ask(injector, a_replica("abc12"))
    ask(injector, a_replica("abc12"), namespace="bank")
    injector.review(a_body(a_replica("abc12")), "/inject/cluster/other")
    assert counts(injector) == (0, 3)


@pytest.mark.parametrize(
    "look",
    [
        "{{ .ObjectMeta.Name }}",
        "{{ len .Spec.Volumes }}",
        "{{ (index .Spec.Volumes 0).Name | len }}",
        "{{ range .Spec.Containers }}{{ range .VolumeMounts }}{{ .MountPath | len }}{{ end }}{{ end }}",
        "{{ toJson .Spec | len }}",
        "{{ toJson .ObjectMeta | len }}",
        '{{ printf "%v" .ObjectMeta | len }}',
        '{{ printf "%+v" (index .Spec.Containers 0).VolumeMounts | len }}',
        '{{ if eq .ObjectMeta.Name "web-5d4f-xyz34" }}1{{ else }}2{{ end }}',
        "{{ with .Spec }}{{ with index .Containers 0 }}{{ toYaml . | len }}{{ end }}{{ end }}",
        "{{ $all := . }}{{ toJson $all.Spec.Containers | len }}",
        "{{ $x := dict }}{{ $_ := set $x `pod` (deepCopy .ObjectMeta) }}{{ $x.pod.Name }}",
        "{{ (first .Spec.Containers).VolumeMounts | len }}",
        '{{ define "look" }}{{ .Name }}{{ end }}{{ template "look" .ObjectMeta }}',
    ],
)
def test_a_template_that_looks_at_what_tells_them_apart_is_asked_for_each(look: str) -> None:
    template = SIDECAR.replace("owner:", "look: '{}', owner:".format(look.replace("'", "''")))
    injector = an_injector(template)
    for letters in ("abc12", "abc12", "xyz34"):
        assert ask(injector, a_replica(letters)) == ask(alone(injector), a_replica(letters))
    assert not len(injector.snapshot.replicas.answers)
    assert counts(injector) == (0, 3)


def test_a_pod_that_is_its_own_workload_is_asked_for_itself() -> None:
    injector = an_injector(SIDECAR.replace(".DeploymentMeta.Name", 'hasSuffix "34" .DeploymentMeta.Name'))
    for letters in ("abc12", "abc12", "xyz34"):
        pod = a_replica(letters)
        pod["metadata"]["ownerReferences"][0] = OWNER | {"name": ""}
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 3)


def test_a_container_that_is_called_like_the_volume_is_another_in_each() -> None:
    injector = an_injector(
        SIDECAR.replace(".DeploymentMeta.Name", 'hasSuffix "34" (index .Spec.Containers 0).Name')
    )
    for letters in ("abc12", "abc12", "xyz34"):
        pod = a_replica(letters)
        pod["spec"]["containers"][0]["name"] = f"kube-api-access-{letters}"
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 3)


def test_a_proxy_of_the_owner_that_mounts_the_token_is_written_down_for_each() -> None:
    """With its mounts, in an annotation."""
    injector = an_injector()
    for letters in ("abc12", "abc12", "xyz34"):
        mount = {"name": f"kube-api-access-{letters}", "mountPath": "/token"}
        proxy = a_container("istio-proxy", image="auto", volumeMounts=[mount])
        pod = a_replica(letters, a_container(ports=[{"containerPort": 80}]), proxy)
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 3)


def test_a_pod_that_nothing_owns_or_made_is_asked_for_itself() -> None:
    injector = an_injector()
    for letters in ("abc12", "abc12", "xyz34"):
        orphan = a_replica(letters)
        del orphan["metadata"]["ownerReferences"]
        assert ask(injector, orphan) == ask(alone(injector), orphan)
        single = a_replica(letters)
        del single["metadata"]["generateName"]
        assert ask(injector, single) == ask(alone(injector), single)
    assert counts(injector)[0] == 0


@pytest.mark.parametrize("letters", ["abc12", "xyz34"])
def test_a_volume_of_the_template_may_become_that_of_a_replica(letters: str) -> None:
    """By an annotation, whose author knows nothing of the letters that a later replica gets."""
    injector = an_injector()
    annotations = {"volumes": '{"kube-api-access-xyz34": 1}'}
    ask(injector, a_replica("abc12", annotations=annotations))
    pod = a_replica(letters, annotations=annotations)
    assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 2)


def test_a_volume_that_the_template_takes_away_may_be_that_of_a_replica() -> None:
    away = 'volumes:\n  - {name: {{ annotation .ObjectMeta "away" "" | quote }}, $patch: delete}'
    injector = an_injector(SIDECAR.replace("volumes:", away))
    for letters in ("abc12", "abc12", "xyz34"):
        pod = a_replica(letters, annotations={"away": "kube-api-access-xyz34"})
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 3)


def test_a_pod_whose_name_is_in_the_patch_is_asked_for_itself() -> None:
    injector = an_injector(SIDECAR.replace("proxyv2", "{{ index .ObjectMeta.Annotations `image` }}"))
    for letters in ("abc12", "abc12", "xyz34"):
        pod = a_replica(letters, annotations={"image": "web-5d4f-abc12"})
        assert ask(injector, pod) == ask(alone(injector), pod)
    assert counts(injector) == (0, 3)


def test_on_openshift_the_namespace_is_looked_at_each_time() -> None:
    namespaces = {"shop": {"metadata": {"annotations": {"openshift.io/sa.scc.uid-range": "1000/10"}}}}
    template = SIDECAR.replace("image: proxyv2", "image: proxyv2-{{ .ProxyUID }}")
    injector = an_injector(template, env={"PLATFORM": "openshift"}, namespaces=namespaces)
    before = ask(injector, a_replica("abc12"))
    namespaces["shop"]["metadata"]["annotations"]["openshift.io/sa.scc.uid-range"] = "2000/10"
    assert ask(injector, a_replica("abc12")) != before
    assert counts(injector) == (0, 0)


def test_nodes_that_change_make_other_pods() -> None:
    nodes = {"n": "v1.33.0"}
    template = SIDECAR.replace("proxyv2", "proxyv2-{{ .NativeSidecars }}")
    injector = an_injector(template, nodes=nodes)
    before = ask(injector, a_replica("abc12"))
    nodes["old"] = "v1.30.0"
    assert ask(injector, a_replica("abc12")) != before
    assert ask(injector, a_replica("abc12")) == ask(alone(injector), a_replica("abc12"))


def test_another_cluster_state_starts_anew() -> None:
    injector = an_injector()
    ask(injector, a_replica("abc12"))
    changed = injector.with_cluster(nodes={}, namespaces={})
    ask(changed, a_replica("abc12"))
    assert counts(changed) == (0, 1)


def test_a_review_of_any_size_is_answered_and_a_large_one_not_kept() -> None:
    injector = an_injector()
    for letters in ("abc12", "abc12", "xyz34"):
        ask(injector, a_replica(letters, note="x" * LARGEST_BODY))
    assert counts(injector) == (0, 0)


def test_what_was_asked_for_lately_outlives_what_was_not() -> None:
    cache = ReplicaCache(Memo(1 << 20, 256))
    answer = CommonAnswer(b"", "", "")
    keys = [("", "", False, str(number).encode()) for number in range(1000)]
    for key in keys:
        cache.get(keys[0])
        cache.keep(key, answer)
    assert len(cache.answers) == 256
    assert cache.get(keys[0]) is cache.get(keys[-1]) is answer
    assert cache.get(keys[1]) is None


VOLUMES = st.sampled_from(
    ["kube-api-access-aaaaa", "kube-api-access-bbbbb", "kube-api-access-", "data", "istio-envoy", "\0"]
)
NAMES = st.sampled_from(["", "web-a", "web-b", 'we"b', "kube-api-access-aaaaa"])
PLACES = st.sampled_from(["/a", "/b"])


@st.composite
def hostile_pods(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a pod of few names, so that they stand where nobody would put them."""

    def mounts() -> list[dict[str, Any]]:
        return [{"name": draw(VOLUMES), "mountPath": draw(PLACES)} for _ in range(draw(st.integers(0, 2)))]

    container = a_container(draw(VOLUMES), ports=[{"containerPort": 80}], volumeMounts=mounts())
    extra = a_container("istio-proxy", image="auto", volumeMounts=mounts())
    containers = [container, extra][: draw(st.integers(1, 2))]
    annotations = {
        "volumes": json.dumps(draw(st.dictionaries(VOLUMES, st.just(1), max_size=2))),
        "mounts": json.dumps(draw(st.dictionaries(PLACES, VOLUMES, max_size=2))),
    }
    pod = a_replica("aaaaa", *containers, annotations=annotations)
    pod["metadata"]["name"] = draw(NAMES)
    pod["spec"]["volumes"] = [{"name": draw(VOLUMES)} for _ in range(draw(st.integers(0, 3)))]
    return pod


def renamed(pod: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a pod that differs as replicas do, and in as many places as the letters stand."""
    text = json.dumps(pod).replace("kube-api-access-aaaaa", json.dumps(name)[1:-1])
    other: dict[str, Any] = json.loads(text)
    return other


@pytest.mark.slow
@given(hostile_pods(), NAMES, VOLUMES)
def test_nobody_gets_what_was_made_for_another(pod: dict[str, Any], name: str, volume: str) -> None:
    injector = HOSTILE
    others = [copy.deepcopy(pod), renamed(pod, volume), renamed(pod, "kube-api-access-ccccc")]
    for other in others:
        other["metadata"]["name"] = name
    for each in (pod, pod, *others):
        assert injector.review(a_body(each)) == alone(injector).review(a_body(each))


HOSTILE = an_injector()
