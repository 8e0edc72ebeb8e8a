"""Warnings for people: in the reviews of pods, and at /advise."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from injector.registration.webhook_configuration import WebhookSpec, webhook_configuration
from injector.service.companions import Parts
from injector.service.generation import Registration
from injector.service.injecting import load_injector
from tests.diagnosis.test_advice import GETS, INJECT, UNLABELLED, deployment, request
from tests.service.kit import Running, Start, a_review
from tests.service.test_injecting import Cluster

REGISTRATION = Registration(
    "sidecar-injector.istio.io",
    webhook_configuration(
        WebhookSpec(configuration="c", webhook="sidecar-injector.istio.io", service="s", namespace="mesh")
    ),
)


def cluster(**labels: str) -> Cluster:
    namespace = {"metadata": {"name": "shop", "labels": labels}}
    return Cluster(namespaces={"shop": namespace}, registration=REGISTRATION)


async def begin(start: Start, **more: Any) -> Running:
    parts = Parts(cluster=cluster(**{"istio-injection": "enabled"}))
    service: Running = await start(
        **{"load": load_injector, "inject_config": None, "inject_values": None, "parts": parts, **more}
    )
    return service


def review_of(workload: Any) -> bytes:
    return orjson.dumps(
        {
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": request(workload),
        }
    )


async def advice(service: Running, workload: Any) -> Any:
    answer = await service.post(review_of(workload), target="/advise?timeout=30s")
    assert answer.status == 200
    assert answer.json["response"]["allowed"] is True
    return answer.json["response"].get("warnings")


async def test_a_workload_is_allowed_and_told_what_becomes_of_its_pods(start: Start) -> None:
    service = await begin(start)
    assert await advice(service, deployment()) == [GETS]
    text = (await service.get("/metrics")).body.decode()
    assert "sidecar_injector_advice_total 1.0" in text
    assert "sidecar_injection_requests_total 0.0" in text


async def test_the_namespace_is_judged_as_it_is_now(start: Start) -> None:
    seen = cluster()
    service = await begin(start, parts=Parts(cluster=seen))
    assert await advice(service, deployment()) == [UNLABELLED]
    seen.namespaces["shop"]["metadata"]["labels"]["istio-injection"] = "enabled"
    assert await advice(service, deployment()) == [GETS]


async def test_pods_that_an_api_server_would_refuse_are_told_of(start: Start) -> None:
    asked = {"sidecar.istio.io/proxyCPU": "2", "sidecar.istio.io/proxyCPULimit": "1"}
    (said,) = await advice(await begin(start), deployment(annotations=asked))
    assert said.startswith("pods will be DENIED: spec.")
    assert said.endswith(
        'resources.requests: the API server refuses this: Invalid value: "2": must be less than or equal to cpu limit of 1'
    )


async def test_without_a_cluster_only_what_the_workload_itself_says_is_told(start: Start) -> None:
    service = await begin(start, parts=Parts())
    assert await advice(service, deployment()) is None
    misplaced = deployment(own={"labels": {INJECT: "true"}})
    (line,) = await advice(service, misplaced)
    assert INJECT in line


async def test_nothing_is_said_of_a_workload_of_megabytes(start: Start) -> None:
    service = await begin(start)
    workload = deployment()
    workload["metadata"]["annotations"] = {"notes": "x" * (1 << 20)}
    assert await advice(service, workload) is None
    assert "sidecar_injector_advice_total 0.0" in (await service.get("/metrics")).body.decode()


async def test_a_fault_of_ours_says_nothing_and_allows_the_workload(start: Start) -> None:
    service = await start()
    assert await advice(service, deployment(own={"annotations": {"crash": "yes"}})) is None
    await service.until(lambda: any("crashed" in line["message"] for line in service.lines()))
    assert service.service.metrics.refused["crash"] == 1
    assert (await service.post(a_review())).status == 200


@pytest.mark.parametrize("body", [b"{}", b"[1]", b"nonsense"])
async def test_what_is_no_review_is_refused(start: Start, body: bytes) -> None:
    service = await begin(start)
    assert (await service.post(body, target="/advise")).status == 400


async def test_advice_and_reviews_share_a_connection(start: Start) -> None:
    service = await begin(start)
    client = await service.connect()
    for _ in range(3):
        assert "patch" in (await client.request(body=a_review())).json["response"]
        told = await client.request(target="/advise?timeout=30s", body=review_of(deployment()))
        assert told.json["response"]["warnings"] == [GETS]


# ---- the reviews of pods


def a_pod(uid: str, name: str, *, dry_run_of: str = "", **labels: str) -> bytes:
    """Return the review of a replica: all that tells it apart is its uid and its name."""
    review = orjson.loads(a_review(uid))
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app", "uid": "1", "controller": True}
    labels = {"app": "web", **labels}
    review["request"]["object"]["metadata"] |= {"name": name, "labels": labels, "ownerReferences": [owner]}
    if dry_run_of:
        review["request"] |= {"dryRun": True, "userInfo": {"username": dry_run_of}}
    return orjson.dumps(review)


TOLD = "is neither"


async def warnings_of(service: Running, body: bytes) -> list[str]:
    response = (await service.post(body)).json["response"]
    assert response["allowed"] is True
    return list(response.get("warnings", []))


async def test_every_replica_of_a_pod_gets_the_warnings_of_the_first(start: Start) -> None:
    service = await begin(start)
    told = [await warnings_of(service, a_pod(str(n), f"app-{n:05}", **{INJECT: "flase"})) for n in range(5)]
    assert len(told[0]) == 1
    assert TOLD in told[0][0]
    assert told == [told[0]] * 5
    assert service.service._reviewer().counts()["replica_hits"] > 0


async def test_a_skipped_pod_is_told_of_as_well(start: Start) -> None:
    service = await begin(start)
    review = orjson.loads(a_pod("u", "web", **{INJECT: "flase"}))
    review["request"]["object"]["spec"]["hostNetwork"] = True
    assert len(await warnings_of(service, orjson.dumps(review))) == 1


async def test_a_pod_that_is_right_has_no_warnings_key(start: Start) -> None:
    service = await begin(start)
    response = (await service.post(a_pod("u", "web", **{INJECT: "true"}))).json["response"]
    assert sorted(response) == ["allowed", "patch", "patchType", "uid"]


async def test_dry_runs_of_controllers_are_not_warned_and_those_of_people_are(start: Start) -> None:
    service = await begin(start)

    async def dry(user: str) -> int:
        return len(await warnings_of(service, a_pod("u", "web", dry_run_of=user, **{INJECT: "flase"})))

    controller = "system:serviceaccount:argocd:argocd-application-controller"
    assert [await dry(user) for user in (controller, "jane", controller, "jane")] == [0, 1, 0, 1]


async def test_warnings_can_be_turned_off(start: Start) -> None:
    service = await begin(start, warnings=False)
    assert await warnings_of(service, a_pod("u", "web", **{INJECT: "flase"})) == []
    assert await advice(service, deployment()) is None
