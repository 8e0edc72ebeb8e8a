"""The installation: everything builds, keeps to the restricted profile, and alerts fire when they should."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector.service.cluster import ADVICE
from injector.templates import built_in

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "k8s"
OVERLAYS = ("self-signed", "cert-manager", "istio", "dev")
COMPONENTS = ("advice", "autoscaling", "monitoring", "network-policy")


def kustomize(folder: Path) -> list[dict[str, Any]]:
    result = subprocess.run(
        ["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return [each for each in yaml.safe_load_all(result.stdout) if each]


@cache
def overlay(name: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in kustomize(K8S / "overlays" / name):
        found.setdefault(each["kind"], []).append(each)
    return found


def pod_spec(name: str) -> dict[str, Any]:
    return overlay(name)["Deployment"][0]["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_all_that_an_installation_needs(name: str) -> None:
    kinds = overlay(name)
    for kind in (
        "ServiceAccount",
        "ClusterRole",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "MutatingWebhookConfiguration",
    ):
        assert kind in kinds


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_can_be_added(name: str, tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    mine = tmp_path / "k8s" / "overlays" / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(
        f"resources: [../self-signed]\ncomponents: [../../components/{name}]\n"
    )
    assert len(kustomize(mine)) > len([each for group in overlay("self-signed").values() for each in group])


def test_advice_denies_nothing_waits_for_nothing_and_is_asked_about_every_kind_that_makes_pods() -> None:
    (configuration,) = yaml.safe_load_all((K8S / "components" / "advice" / "webhook.yaml").read_text())
    (entry,) = configuration["webhooks"]
    assert entry["name"] == ADVICE
    assert entry["clientConfig"]["service"]["path"] == "/advise"
    assert (entry["failurePolicy"], entry["timeoutSeconds"], entry["sideEffects"]) == ("Ignore", 1, "None")
    assert "caBundle" not in entry["clientConfig"]
    resources = {each for rule in entry["rules"] for each in rule["resources"]}
    assert resources == {
        *("deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs", "pods"),
    }
    base = next(iter(yaml.safe_load_all((K8S / "base" / "webhook.yaml").read_text())))
    system = base["webhooks"][0]["namespaceSelector"]["matchExpressions"][1]
    assert entry["namespaceSelector"]["matchExpressions"] == [system]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_manifest_has_a_ca_bundle(name: str) -> None:
    (configuration,) = overlay(name)["MutatingWebhookConfiguration"]
    assert all("caBundle" not in each["clientConfig"] for each in configuration["webhooks"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pod_keeps_to_the_restricted_profile(name: str) -> None:
    spec = pod_spec(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert not any("hostPath" in volume for volume in spec["volumes"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pod_has_time_to_drain(name: str) -> None:
    from injector.service.options import Drain

    drain = Drain()
    assert pod_spec(name)["terminationGracePeriodSeconds"] >= drain.maximum + drain.in_flight + 15


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_webhook_and_the_roles_belong_to_the_namespace_of_the_service(name: str) -> None:
    kinds = overlay(name)
    namespace = kinds["Service"][0]["metadata"]["namespace"]
    entry = kinds["MutatingWebhookConfiguration"][0]["webhooks"][0]
    assert entry["clientConfig"]["service"]["namespace"] == namespace
    away = entry["namespaceSelector"]["matchExpressions"][1]["values"]
    assert namespace in away, "our own pods must start while the webhook is down"
    for binding in (*kinds["ClusterRoleBinding"], *kinds["RoleBinding"]):
        assert [subject["namespace"] for subject in binding["subjects"]] == [namespace]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_command_line_is_one_that_serve_understands(name: str) -> None:
    from injector.cli.serve import command

    (container,) = pod_spec(name)["containers"]
    verb, *arguments = container["args"]
    assert verb == "serve"
    context = command.make_context("serve", list(arguments))
    assert context.params["webhook_config_name"] in {
        each["metadata"]["name"] for each in overlay(name)["MutatingWebhookConfiguration"]
    }


def test_the_created_configuration_is_the_one_of_the_manifests() -> None:
    from injector.registration.webhook_configuration import WebhookSpec, webhook_configuration

    (mine,) = webhook_configuration(
        WebhookSpec(
            configuration="sidecar-injector",
            webhook="sidecar-injector.istio.io",
            service="sidecar-injector",
            namespace="sidecar-injector",
            timeout_seconds=5,
        )
    )["webhooks"]
    (theirs,) = overlay("self-signed")["MutatingWebhookConfiguration"][0]["webhooks"]
    assert mine == theirs


def test_the_config_map_holds_the_built_in_template() -> None:
    (config_map,) = overlay("self-signed")["ConfigMap"]
    assert config_map["data"]["config"] == built_in().config
    assert config_map["data"]["values"] == built_in().values


def promtool(*arguments: str, cwd: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip(
            "PROMTOOL MISSING: install Debian's package prometheus; alert rules and metrics are not checked"
        )
    result = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_alerts_fire_when_they_should_and_not_else(tmp_path: Path) -> None:
    rules = yaml.safe_load((K8S / "components" / "monitoring" / "rules.yaml").read_text())
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": rules["spec"]["groups"]}))
    test = yaml.safe_load((Path(__file__).parent / "rules-test.yaml").read_text())
    alerts = {rule["alert"]: rule for group in rules["spec"]["groups"] for rule in group["rules"]}
    for case in test["tests"]:
        for expected in case["alert_rule_test"]:
            # promtool compares annotations too; they are texts, of which the rule is the only source.
            for alert in expected["exp_alerts"]:
                annotations = alerts[expected["alertname"]]["annotations"]
                unit = alert["exp_labels"].get("unit", "")
                alert["exp_annotations"] = {
                    key: text.replace("{{ $labels.unit }}", unit) for key, text in annotations.items()
                }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    promtool("test", "rules", "test.yaml", cwd=tmp_path)


def test_every_alert_is_tested() -> None:
    rules = yaml.safe_load((K8S / "components" / "monitoring" / "rules.yaml").read_text())
    test = yaml.safe_load((Path(__file__).parent / "rules-test.yaml").read_text())
    alerts = {rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]}
    tested = {
        expected["alertname"]
        for case in test["tests"]
        for expected in case["alert_rule_test"]
        if expected["exp_alerts"]
    }
    assert tested == alerts
