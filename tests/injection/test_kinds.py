from __future__ import annotations

import pytest

from injector.injection.kinds import is_list, place_of, put_at, schema_of
from injector.json_types import at


@pytest.mark.parametrize(
    ("version", "kind", "spec"),
    [
        ("v1", "Pod", "spec"),
        ("apps/v1", "Deployment", "spec.template.spec"),
        ("batch/v1", "CronJob", "spec.jobTemplate.spec.template.spec"),
        ("batch/v2alpha1", "CronJob", "spec.jobTemplate.spec.template.spec"),
        ("apps.openshift.io/v1", "DeploymentConfig", "spec.template.spec"),
        ("argoproj.io/v1alpha1", "Rollout", "spec.template.spec"),
    ],
)
def test_a_workload_keeps_its_pods_spec_somewhere(version: str, kind: str, spec: str) -> None:
    place = place_of({"apiVersion": version, "kind": kind})
    assert place is not None
    assert ".".join(place.spec) == spec


def test_a_cron_jobs_metadata_is_that_of_its_jobs() -> None:
    place = place_of({"apiVersion": "batch/v1", "kind": "CronJob"})
    assert place is not None
    assert place.metadata == ("spec", "jobTemplate", "metadata")


@pytest.mark.parametrize("version", [None, "", 1, "v1", "apps/v1beta2", "extensions/v1beta1", "foo/v1"])
def test_a_kind_of_kubernetes_is_told_by_its_kind_alone(version: object) -> None:
    document = {"kind": "Deployment"} if version is None else {"apiVersion": version, "kind": "Deployment"}
    place = place_of(document)
    assert place is not None
    assert place.schema == "apps/v1.Deployment"


@pytest.mark.parametrize("version", ["batch.volcano.sh/v1alpha1", "example.com/v1"])
def test_a_kind_of_somebody_elses_group_is_not_kubernetes(version: str) -> None:
    for kind in ("Job", "Deployment", "List"):
        document = {"apiVersion": version, "kind": kind}
        assert place_of(document) is None
        assert not is_list(document)
    place = place_of({"apiVersion": "apps.kruise.io/v1alpha1", "kind": "DaemonSet"})
    assert place is not None
    assert place.schema == ""


@pytest.mark.parametrize(
    ("minor", "deployment", "cron_job"),
    [
        (1, "extensions/v1beta1.Deployment", "batch/v1beta1.CronJob"),
        (10, "apps/v1.Deployment", "batch/v1beta1.CronJob"),
        (11, "apps/v1.Deployment", "batch/v1.CronJob"),
    ],
)
def test_a_release_reads_a_kind_into_one_type(minor: int, deployment: str, cron_job: str) -> None:
    for kind, schema in (("Deployment", deployment), ("CronJob", cron_job)):
        place = place_of({"kind": kind})
        assert place is not None
        assert schema_of(place, minor) == schema


@pytest.mark.parametrize("document", [None, [], {}, {"apiVersion": "v1", "kind": "Service"}, {"kind": None}])
def test_other_documents_have_no_pods(document: object) -> None:
    assert place_of(document) is None


def test_a_path_finds_the_pod_template_of_an_unknown_kind() -> None:
    document = {"kind": "Thing", "spec": {"pods": {"spec": {}}}}
    place = place_of(document, ".spec.pods")
    assert place is not None
    assert (place.spec, place.schema) == (("spec", "pods", "spec"), "")
    assert place_of(document, "spec.none") is None


def test_a_list_is_told_by_its_kind() -> None:
    assert is_list({"apiVersion": "v1", "kind": "List"})
    assert is_list({"kind": "List"})
    assert not is_list({"apiVersion": "v1", "kind": "PodList"})
    assert not is_list([])


def test_a_value_is_put_where_nothing_was_and_the_rest_is_shared() -> None:
    other: dict[str, object] = {}
    document = {"other": other, "a": None}
    changed = put_at(document, ("a", "b"), 1)
    assert changed == {"other": {}, "a": {"b": 1}}
    assert changed["other"] is other
    assert document == {"other": {}, "a": None}
    assert at(changed, "a", "b") == 1
    assert at(changed, "a", "b", "c") is None
