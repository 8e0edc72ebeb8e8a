"""What kubectl prints as warnings, of pods and of workloads."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from injector.diagnosis.advice import (
    LONGEST,
    LONGEST_READ,
    MOST,
    MOST_READ,
    advise,
    advise_pod,
    answer_advice,
    lines,
)
from injector.diagnosis.gates import PodSurroundings
from injector.diagnosis.items import Item
from injector.diagnosis.registration import Ours
from injector.errors import BadReview
from injector.injection.injector import Injector
from injector.istio.releases import behaviour_of
from injector.registration.webhook_configuration import WebhookSpec, webhook_configuration
from injector.templates import built_in

INJECT = "sidecar.istio.io/inject"
TEMPLATE = built_in()
INJECTOR = Injector.load(TEMPLATE.config, TEMPLATE.values)
SPEC = WebhookSpec(configuration="c", webhook="sidecar-injector.istio.io", service="s", namespace="mesh")
GETS = "pods will get istio-proxy (revision default)"
LABEL = "namespace shop has no label istio-injection, namespaceSelector wants istio-injection=enabled"
UNLABELLED = (
    f"pods will NOT be injected: {LABEL}; kubectl label namespace shop --overwrite istio-injection=enabled"
)


def around(**labels: str) -> PodSurroundings:
    """Return a cluster with our registration, and the namespace shop with these labels."""
    namespace = {"metadata": {"name": "shop", "labels": labels}}
    return PodSurroundings(
        snapshot=INJECTOR.snapshot,
        registration=[Item(value=webhook_configuration(SPEC), source="MutatingWebhookConfiguration")],
        namespaces={"shop": Item(value=namespace, source="Namespace shop")},
        ours=Ours(name=SPEC.webhook),
    )


ENABLED = around(**{"istio-injection": "enabled"})


def deployment(
    *, own: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, **pod: Any
) -> dict[str, Any]:
    """Return a Deployment; ``own`` is metadata of its own, ``pod`` of its template."""
    template = {"metadata": pod, "spec": {"containers": [{"name": "app", "image": "app:1"}], **(spec or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", **(own or {})},
        "spec": {"template": template},
    }


def request(workload: Any, **more: Any) -> dict[str, Any]:
    return {"uid": "u", "namespace": "shop", "operation": "CREATE", "object": workload, **more}


def test_the_pods_of_a_labelled_namespace_get_their_sidecar() -> None:
    assert advise(request(deployment()), ENABLED) == (GETS,)


def test_a_workload_without_an_api_version_is_told_by_its_kind() -> None:
    workload = deployment()
    del workload["apiVersion"]
    assert advise(request(workload), ENABLED) == (GETS,)


def test_a_namespace_without_the_label_is_named_with_what_to_do() -> None:
    assert advise(request(deployment()), around()) == (UNLABELLED,)


def test_a_pod_that_would_be_denied_is_told_of_before_there_is_one() -> None:
    annotations = {"sidecar.istio.io/proxyCPU": "1O0m"}
    (line,) = advise(request(deployment(annotations=annotations)), ENABLED)
    assert line.startswith(
        "pods will be DENIED: invalid value '1O0m' for annotation 'sidecar.istio.io/proxyCPU': quantities must"
    )


def test_a_misspelt_name_is_told_of_with_what_was_meant() -> None:
    told = "no release reads sidecar.istio.io/proxyCPUs: did you mean sidecar.istio.io/proxyCPU?"
    annotations = {"sidecar.istio.io/proxyCPUs": "1"}
    (first, second) = advise(request(deployment(annotations=annotations)), ENABLED)
    assert first == GETS
    assert second.startswith(told)
    assert advise_pod(pod(annotations=annotations), behaviour_of("1.31")) == (second,)


def test_a_pod_that_opts_out_is_told_of() -> None:
    (line,) = advise(request(deployment(labels={INJECT: "false"})), ENABLED)
    assert line.startswith(f"pods will NOT be injected: the pod has {INJECT}=false, objectSelector wants")
    (line,) = advise(request(deployment(annotations={INJECT: "false"})), ENABLED)
    assert line.startswith(f"pods will NOT be injected: annotation {INJECT} is 'false'; change")


@pytest.mark.parametrize("kind", ["label", "annotation"])
def test_a_switch_on_the_workload_itself_belongs_on_the_pods(kind: str) -> None:
    misplaced = deployment(own={f"{kind}s": {INJECT: "true"}})
    told = f"{INJECT} is read on pods, and stands on the Deployment itself; move it to spec.template.metadata.{kind}s"
    assert advise(request(misplaced), ENABLED) == (GETS, told)
    both = deployment(own={f"{kind}s": {INJECT: "true"}}, **{f"{kind}s": {INJECT: "true"}})
    assert advise(request(both), ENABLED) == (GETS,)


WRITE = 'write `"true"` or `"false"`'


def test_a_misspelt_switch_is_told_of() -> None:
    told = f"{INJECT}: 'flase' is neither true nor false, and is ignored; {WRITE}"
    assert advise(request(deployment(labels={INJECT: "flase"})), ENABLED) == (GETS, told)


CONTAINERS = {"containers": [{"name": "app", "image": "app:1"}]}
JOB = {"template": {"spec": {**CONTAINERS, "restartPolicy": "Never"}}}


@pytest.mark.parametrize(
    ("api_version", "kind", "spec"),
    [
        ("apps/v1", "StatefulSet", {"template": {"spec": CONTAINERS}}),
        ("apps/v1", "DaemonSet", {"template": {"spec": CONTAINERS}}),
        ("apps/v1", "ReplicaSet", {"template": {"spec": CONTAINERS}}),
        ("v1", "ReplicationController", {"template": {"spec": CONTAINERS}}),
        ("batch/v1", "Job", JOB),
        ("batch/v1", "CronJob", {"schedule": "* * * * *", "jobTemplate": {"spec": JOB}}),
    ],
)
def test_every_kind_that_makes_pods_is_advised_on(api_version: str, kind: str, spec: Any) -> None:
    workload = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
    assert advise(request(workload), ENABLED) == (GETS,)
    assert advise(request(workload), around()) == (UNLABELLED,)


def test_a_pod_of_nobody_hears_only_what_it_cannot_show() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": CONTAINERS}
    assert advise(request(pod), ENABLED) == ()
    assert advise(request(pod), around()) == (UNLABELLED.replace("pods", "the pod"),)
    injected, _ = INJECTOR.inject_pod(pod, "shop")
    assert advise(request(injected), around()) == ()


def test_what_a_controller_made_is_not_told_again() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "controller": True}
    owned = deployment(own={"ownerReferences": [owner]})
    assert advise(request(owned), around()) == ()


def test_an_update_is_told_of_where_it_changes_what_pods_are_made_of() -> None:
    before = deployment()
    scaled = {**before, "spec": {**before["spec"], "replicas": 3}}
    assert advise(request(scaled, operation="UPDATE", oldObject=before), around()) == ()
    noted = deployment(own={"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}})
    assert advise(request(noted, operation="UPDATE", oldObject=before), around()) == ()
    changed = deployment(labels={"app": "web"})
    assert advise(request(changed, operation="UPDATE", oldObject=before), around()) == (UNLABELLED,)
    relabelled = deployment(own={"labels": {INJECT: "true"}})
    assert len(advise(request(relabelled, operation="UPDATE", oldObject=before), around())) == 2


def test_dry_runs_of_people_are_answered_and_those_of_controllers_not() -> None:
    def dry(user: str) -> tuple[str, ...]:
        return advise(request(deployment(), dryRun=True, userInfo={"username": user}), around())

    assert dry("jane") == (UNLABELLED,)
    assert dry("system:serviceaccount:argocd:argocd-application-controller") == ()


def test_what_is_not_known_is_not_said() -> None:
    assert advise(request(deployment()), PodSurroundings(snapshot=INJECTOR.snapshot)) == ()
    unknown = PodSurroundings(
        snapshot=INJECTOR.snapshot, registration=ENABLED.registration, ours=ENABLED.ours
    )
    assert advise(request(deployment()), unknown) == ()


@pytest.mark.parametrize(
    "thing",
    [
        None,
        [],
        {"apiVersion": "v1", "kind": "Service", "metadata": {}},
        {"apiVersion": "example.com/v1", "kind": "Deployment"},
    ],
)
def test_what_makes_no_pods_is_passed_over(thing: Any) -> None:
    assert advise(request(thing), ENABLED) == ()


@pytest.mark.parametrize("spec", [None, [], {"template": 3}, {"template": {"spec": {"containers": "none"}}}])
def test_a_workload_that_no_api_server_would_take_is_allowed_here(spec: Any) -> None:
    broken = deployment() | {"spec": spec}
    body = orjson.dumps({"apiVersion": "admission.k8s.io/v1", "request": request(broken)})
    assert orjson.loads(answer_advice(body, ENABLED))["response"]["allowed"] is True


def test_the_answer_allows_and_echoes_uid_and_version() -> None:
    body = orjson.dumps({"apiVersion": "admission.k8s.io/v1", "request": request(deployment())})
    head = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
    response = {"uid": "u", "allowed": True}
    told = {**head, "response": {**response, "warnings": [GETS]}}
    assert orjson.loads(answer_advice(body, ENABLED)) == told
    assert orjson.loads(answer_advice(body, ENABLED, warns=False)) == {**head, "response": response}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"apiVersion": "v1", "request": {}}'])
def test_a_body_that_is_no_review_is_refused(body: bytes) -> None:
    with pytest.raises(BadReview, match="not an AdmissionReview"):
        answer_advice(body, ENABLED)


def test_lines_are_few_short_single_and_printable() -> None:
    assert lines(["a\n\tb\x1b[0m", "a b [0m", "c"]) == ("a b [0m", "c")
    assert lines(map(str, range(10))) == tuple(map(str, range(MOST)))
    assert lines(["x" * 1000]) == ("x" * (LONGEST - 1) + "…",)


# ---- pods


def pod(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": CONTAINERS}


def test_nothing_is_said_of_a_pod_that_is_right() -> None:
    newest = behaviour_of("1.31")
    assert advise_pod(pod(), newest) == ()
    assert advise_pod(pod(labels={"app": "web", INJECT: "true"}, annotations=None), newest) == ()


@pytest.mark.parametrize(
    ("release", "word", "told"),
    [
        ("1.31", "flase", "'flase' is neither true nor false, and is ignored"),
        ("1.31", "yes", "'yes' is neither true nor false, and is ignored"),
        ("1.9", "flase", "'flase' counts as false"),
        ("1.9", "Yes", ""),
    ],
)
def test_a_switch_is_judged_by_the_words_of_its_release(release: str, word: str, told: str) -> None:
    expected = (f"{INJECT}: {told}; {WRITE}",) if told else ()
    assert advise_pod(pod(annotations={INJECT: word}), behaviour_of(release)) == expected


def test_a_pod_that_misspells_a_thousand_names_costs_no_more_than_a_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def count(value: Any, **_: object) -> list[Any]:
        asked.append(sum(len(each) for each in value["metadata"].values()))
        return []

    monkeypatch.setattr("injector.diagnosis.advice.advise_metadata", count)
    many = {f"sidecar.istio.io/many{number}": "x" for number in range(1000)}
    assert advise_pod(pod(annotations=many), behaviour_of("1.31")) == ()
    long = {"sidecar.istio.io/userVolume": "x" * (LONGEST_READ + 1)}
    assert advise_pod(pod(annotations=long), behaviour_of("1.31")) == ()
    advise(request(deployment(own={"annotations": many}, annotations=many)), ENABLED)
    assert asked == [MOST_READ, MOST_READ]
