"""The reviews of a whole cluster: shares, replicas, and what each kind's controller writes."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from injector.injection.injector import Injector
from tests.conftest import ROOT

sys.path.append(str(ROOT / "scripts"))

import bench
from benchlib import clustermix, configurations
from benchlib.load import Load


def requests_of(mix: str, count: int, *, start: int = 0) -> list[dict[str, Any]]:
    bodies = clustermix.ClusterMix(clustermix.owners_of(mix)).bodies(start)
    return [json.loads(body)["request"] for _, body in islice(bodies, count)]


def pods_of(mix: str, count: int, *, start: int = 0) -> list[dict[str, Any]]:
    return [request["object"] for request in requests_of(mix, count, start=start)]


def owner_of(pod: dict[str, Any]) -> str:
    owners = pod["metadata"].get("ownerReferences")
    return owners[0]["kind"] if owners else "none"


def test_the_shares_are_of_pods_and_the_same_in_every_hundred() -> None:
    wanted = {"ReplicaSet": 60, "Job": 20, "DaemonSet": 10, "StatefulSet": 6, "none": 4}
    pods = pods_of(clustermix.DEFAULT, 300)
    for begin in (0, 100, 200):
        assert Counter(map(owner_of, pods[begin : begin + 100])) == wanted


def test_each_workload_gets_its_replicas_and_no_more() -> None:
    pods = pods_of("replicaset=1:2/5", 2_000)
    replicas = Counter(pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods)
    assert Counter(replicas.values()).keys() >= {2, 5}
    assert max(replicas.values()) == 5
    assert len({pod["metadata"]["name"] for pod in pods}) == 2_000


def test_replicas_differ_in_their_names_alone_and_rollouts_in_image_and_hash() -> None:
    pods = pods_of("replicaset=1:2", 400)
    first, *rest = pods
    owner = first["metadata"]["ownerReferences"][0]
    (replica,) = [pod for pod in rest if pod["metadata"]["ownerReferences"][0] == owner]
    assert replica["metadata"]["labels"] == first["metadata"]["labels"]
    assert replica["spec"]["containers"][0]["image"] == first["spec"]["containers"][0]["image"]
    app = first["metadata"]["labels"]["app"]
    again = [pod for pod in rest if pod["metadata"]["labels"]["app"] == app and pod is not replica]
    assert again
    assert all(
        pod["spec"]["containers"][0]["image"] != first["spec"]["containers"][0]["image"] for pod in again
    )


def test_another_start_begins_with_rollouts_that_were_not_there() -> None:
    def owners(start: int) -> set[str]:
        pods = pods_of("replicaset=1:3,job=1:1", 500, start=start)
        return {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods}

    assert owners(1 << 20).isdisjoint(owners(2 << 20))


def test_each_pod_of_a_daemon_set_names_its_node() -> None:
    pods = pods_of("daemonset=1:50", 50 * clustermix.AT_ONCE)
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    fields = [
        pod["spec"]["affinity"]["nodeAffinity"][required]["nodeSelectorTerms"][0]["matchFields"]
        for pod in pods
    ]
    assert {(field["key"], field["operator"]) for (field,) in fields} == {("metadata.name", "In")}
    assert len({field["values"][0] for (field,) in fields}) == 50
    assert "pod-template-hash" not in pods[0]["metadata"]["labels"]


def test_a_pod_of_a_stateful_set_is_named_and_labelled_by_its_index() -> None:
    for pod in pods_of("statefulset=1:3", 60):
        metadata = pod["metadata"]
        name, _, index = metadata["name"].rpartition("-")
        assert metadata["generateName"] == f"{name}-"
        assert metadata["ownerReferences"][0]["name"] == name
        assert metadata["labels"]["statefulset.kubernetes.io/pod-name"] == metadata["name"]
        assert metadata["labels"]["apps.kubernetes.io/pod-index"] == index


def test_a_pod_of_a_job_is_labelled_with_its_job() -> None:
    for request in requests_of("job=1:1/3", 60):
        metadata = request["object"]["metadata"]
        owner = metadata["ownerReferences"][0]
        assert request["userInfo"]["username"].endswith(":job-controller")
        labels = metadata["labels"]
        assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == owner["name"]
        assert labels["batch.kubernetes.io/controller-uid"] == owner["uid"]
        assert metadata["name"].startswith(f"{owner['name']}-")


def test_a_bare_pod_has_neither_owner_nor_generated_name() -> None:
    for pod in pods_of("pod=1:1", 10):
        assert pod["metadata"].keys() == {"creationTimestamp", "labels", "annotations", "name"}


def test_every_pod_of_the_usual_mix_is_injected_and_some_are_replicas() -> None:
    injector: Injector = configurations.named("built-in").load()
    bodies = clustermix.ClusterMix(clustermix.owners_of(clustermix.DEFAULT)).bodies()
    assert {injector.answer(body).outcome for _, body in islice(bodies, 1_000)} == {"injected"}
    replicas = injector.snapshot.replicas
    assert 0.6 < replicas.hits / 1_000 < 0.95


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("deployment=1:1", "'deployment=1:1' is not KIND=SHARE:REPLICAS[/REPLICAS…]"),
        ("job=1", "'job=1' is not KIND=SHARE:REPLICAS[/REPLICAS…]"),
        ("job=1:0", "'job=1:0' is not KIND=SHARE:REPLICAS[/REPLICAS…]"),
        ("job=0:1", "the shares of a mix must not all be zero"),
    ],
)
def test_what_is_no_mix_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="^" + fault.replace("[", r"\[").replace("]", r"\]")):
        clustermix.owners_of(text)


def test_the_client_sends_the_mix_that_it_is_told() -> None:
    load = Load(
        host="", port=0, ca="", server_name="", case=clustermix.NAME, reviews=None, seconds=1, mix="pod=1:1"
    )
    _, body = next(load.reviews_to_send().bodies())
    assert owner_of(json.loads(body)["request"]["object"]) == "none"


def test_the_mix_is_measured_beside_the_best_and_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", "--cluster-mix"])
    given = bench.arguments()
    assert given.cluster_mix == clustermix.DEFAULT
    assert bench.cases_of(given) == ["mixed", "cluster-mix", "mixed-unseen"]
    monkeypatch.setattr(sys, "argv", ["bench.py", "--cases", "small", "--cluster-mix", "job=1:1"])
    assert bench.cases_of(bench.arguments()) == ["small", "cluster-mix"]


def test_the_headline_is_the_mix_with_the_best_and_the_worst() -> None:
    def case(ratio: float) -> dict[str, Any]:
        return {"ratio": ratio, "cpu_us": 100.0}

    cases = {"mixed": case(1.5), "cluster-mix": case(4.25), "mixed-unseen": case(10)}
    assert bench.headline(cases) == (
        "what a cluster sends: 4.2 floors (mixed 1.5 floors, cluster-mix 4.2 floors, mixed-unseen 10.0 floors)"
    )
