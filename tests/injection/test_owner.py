from __future__ import annotations

from typing import Any

import pytest

from injector.errors import BadReview
from injector.injection.owner import find_workload
from injector.istio.releases import behaviour_of
from tests.injection.builders import a_pod


def owned(
    kind: str, name: str, *, release: str = "1.31", labels: Any = None, **owner: Any
) -> tuple[str, str, str]:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name, "controller": True} | owner
    pod = a_pod(generateName="x-", ownerReferences=[reference], labels=labels or {})
    found = find_workload(pod, "shop", behaviour_of(release))
    return found.metadata["name"], found.api_version, found.kind


def test_a_pod_that_nothing_owns_is_its_own_workload() -> None:
    found = find_workload(a_pod(), "shop", behaviour_of("1.31"))
    assert (found.metadata["name"], found.metadata["namespace"], found.kind) == ("web", "shop", "Pod")


def test_owners_do_not_count_without_a_generated_name() -> None:
    pod = a_pod(ownerReferences=[{"kind": "StatefulSet", "name": "db", "controller": True}])
    assert find_workload(pod, "shop", behaviour_of("1.31")).kind == "Pod"


def test_owners_do_not_count_before_1_3() -> None:
    assert owned("StatefulSet", "db", release="1.2") == ("web", "v1", "Pod")


def test_a_controller_is_the_workload() -> None:
    assert owned("StatefulSet", "db") == ("db", "apps/v1", "StatefulSet")


def test_an_owner_that_does_not_control_is_passed_over() -> None:
    assert owned("StatefulSet", "db", controller=False) == ("web", "v1", "Pod")


def test_an_owner_without_controller_crashes_istio_1_3_to_1_7_only() -> None:
    with pytest.raises(BadReview, match="without `controller`"):
        owned("StatefulSet", "db", release="1.4", controller=None)
    assert owned("StatefulSet", "db", release="1.8", controller=None) == ("web", "v1", "Pod")


def test_a_replica_set_of_a_deployment_is_the_deployment() -> None:
    labels = {"pod-template-hash": "6d5f"}
    assert owned("ReplicaSet", "web-6d5f", labels=labels) == ("web", "apps/v1", "Deployment")


def test_a_replica_set_of_nothing_was_a_deployment_up_to_1_7() -> None:
    assert owned("ReplicaSet", "web", release="1.7")[2] == "Deployment"
    assert owned("ReplicaSet", "web", release="1.8")[2] == "ReplicaSet"


def test_a_replica_set_of_a_rollout_is_the_rollout() -> None:
    labels = {"rollouts-pod-template-hash": "6d5f"}
    assert owned("ReplicaSet", "web-6d5f", labels=labels) == ("web", "v1alpha1", "Rollout")
    assert owned("ReplicaSet", "web-6d5f", labels=labels, release="1.21")[2] == "ReplicaSet"


def test_a_replication_controller_of_openshift_is_its_deployment_config() -> None:
    labels = {"deploymentconfig": "shop"}
    assert owned("ReplicationController", "shop-1", labels=labels)[::2] == ("shop", "DeploymentConfig")
    assert owned("ReplicationController", "shop-1") == ("shop-1", "apps/v1", "ReplicationController")
    assert owned("ReplicationController", "shop-1", labels=labels, release="1.11")[0] == "shop-1"


def test_the_deployment_config_that_was_found_has_not_the_label_that_told_it() -> None:
    reference = {"kind": "ReplicationController", "name": "shop-1", "controller": True}
    labels = {"deploymentconfig": "shop", "app": "shop"}
    pod = a_pod(generateName="x-", ownerReferences=[reference], labels=labels)
    assert find_workload(pod, "shop", behaviour_of("1.12")).metadata["labels"] == {"app": "shop"}
    assert find_workload(pod, "shop", behaviour_of("1.11")).metadata["labels"] == labels


@pytest.mark.parametrize(
    ("release", "name", "expected"),
    [
        ("1.5", "nightly-1594742400", ("nightly-1594742400", "batch/v1", "Job")),
        ("1.6", "nightly-1594742400", ("nightly", "batch/v1beta1", "CronJob")),
        ("1.6", "nightly-27890000", ("nightly-27890000", "batch/v1", "Job")),
        ("1.9", "nightly-27890000", ("nightly-27890000", "batch/v1", "Job")),
        ("1.10", "nightly-27890000", ("nightly", "batch/v1beta1", "CronJob")),
        ("1.21", "nightly-27890000", ("nightly", "batch/v1beta1", "CronJob")),
        ("1.22", "nightly-27890000", ("nightly", "batch/v1", "CronJob")),
        ("1.31", "nightly-1", ("nightly-1", "batch/v1", "Job")),
    ],
)
def test_a_job_with_a_time_in_its_name_is_a_cron_jobs(
    release: str, name: str, expected: tuple[str, ...]
) -> None:
    assert owned("Job", name, release=release, apiVersion="batch/v1") == expected


def test_the_workload_has_no_owners_itself_from_1_11() -> None:
    pod = a_pod(ownerReferences=[], managedFields=[])
    assert "ownerReferences" not in find_workload(pod, "shop", behaviour_of("1.11")).metadata
    assert "ownerReferences" in find_workload(pod, "shop", behaviour_of("1.10")).metadata


def test_an_owner_that_is_null_is_one_without_a_controller() -> None:
    pod = {"metadata": {"name": "web", "generateName": "web-", "ownerReferences": [None]}}
    assert find_workload(pod, "shop", behaviour_of("1.31")).kind == "Pod"
    with pytest.raises(BadReview, match="an owner without `controller` crashes this Istio"):
        find_workload(pod, "shop", behaviour_of("1.5"))
