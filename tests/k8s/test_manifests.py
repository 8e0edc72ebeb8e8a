"""The installation: everything builds, keeps to the restricted profile, and alerts fire when they should."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector import __version__
from injector.service.cluster import ADVICE
from injector.templates import built_in
from tests.k8s.selecting import selects

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "k8s"
OVERLAYS = tuple(sorted(each.name for each in (K8S / "overlays").iterdir()))
COMPONENTS = ("advice", "autoscaling", "critical", "monitoring", "network-policy")
ISTIO = ("istio", "istio-revision")
CLUSTER_WIDE = ("ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration")


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


def with_components(folder: Path, base: str, *names: str) -> list[dict[str, Any]]:
    """Return what an overlay of a user's own makes of one of ours and components."""
    shutil.copytree(K8S, folder / "k8s", dirs_exist_ok=True)
    mine = folder / "k8s" / "overlays" / "mine"
    mine.mkdir(exist_ok=True)
    content = {
        "resources": [f"../{base}"],
        "components": [f"../../components/{name}" for name in names],
    }
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return kustomize(mine)


@pytest.mark.parametrize("base", ["self-signed", "istio"])
@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_goes_where_the_deployment_is(name: str, base: str, tmp_path: Path) -> None:
    known = {(each["kind"], each["metadata"]["name"]) for group in overlay(base).values() for each in group}
    found = with_components(tmp_path, base, name)
    namespace = overlay(base)["Deployment"][0]["metadata"]["namespace"]
    added = [each for each in found if (each["kind"], each["metadata"]["name"]) not in known]
    assert added
    for each in added:
        if each["kind"] not in CLUSTER_WIDE:
            assert each["metadata"]["namespace"] == namespace
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "sidecar-injector"


@pytest.mark.parametrize("base", ["self-signed", "istio"])
def test_advice_is_asked_where_the_deployment_is(base: str, tmp_path: Path) -> None:
    namespace = overlay(base)["Deployment"][0]["metadata"]["namespace"]
    found = {
        (each["kind"], each["metadata"]["name"]): each for each in with_components(tmp_path, base, "advice")
    }
    name = "sidecar-injector-advice"
    (entry,) = found["ValidatingWebhookConfiguration", name]["webhooks"]
    assert entry["clientConfig"]["service"]["namespace"] == namespace
    assert found["ClusterRoleBinding", name]["subjects"][0]["namespace"] == namespace
    (container,) = found["Deployment", "sidecar-injector"]["spec"]["template"]["spec"]["containers"]
    assert {"name": "SIDECAR_INJECTOR_SERVE_ADVICE_CONFIG_NAME", "value": name} in container["env"]


def test_nobody_but_the_autoscaler_sets_the_number_of_replicas() -> None:
    kinds = overlay("production")
    assert "HorizontalPodAutoscaler" in kinds
    assert "replicas" not in kinds["Deployment"][0]["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_says_whose_it_is(name: str) -> None:
    for group in overlay(name).values():
        for each in group:
            assert {
                f"app.kubernetes.io/{part}"
                for part in ("name", "instance", "component", "part-of", "version")
            } <= set(each["metadata"]["labels"]), (each["kind"], each["metadata"]["name"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_version_is_that_of_the_image(name: str) -> None:
    (deployment,) = overlay(name)["Deployment"]
    assert deployment["metadata"]["labels"]["app.kubernetes.io/version"] == __version__
    assert pod_spec(name)["containers"][0]["image"] == f"sidecar-injector:{__version__}"


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_drain_is_never_blocked(name: str) -> None:
    (budget,) = overlay(name)["PodDisruptionBudget"]
    assert budget["spec"]["maxUnavailable"] >= 1
    assert "minAvailable" not in budget["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_cluster_refuses_the_pods_for_their_priority(name: str) -> None:
    assert "priorityClassName" not in pod_spec(name)


def test_an_older_api_server_is_sent_nothing_that_it_does_not_know() -> None:
    kinds = overlay("older-kubernetes")
    assert all("matchConditions" not in each for each in kinds["MutatingWebhookConfiguration"][0]["webhooks"])
    assert "unhealthyPodEvictionPolicy" not in kinds["PodDisruptionBudget"][0]["spec"]


def test_no_patch_counts_the_places_of_a_list() -> None:
    for path in K8S.rglob("kustomization.yaml"):
        assert "path: /" not in path.read_text(), f"{path} patches by JSON pointer"


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
    for entry in kinds["MutatingWebhookConfiguration"][0]["webhooks"]:
        assert entry["clientConfig"]["service"]["namespace"] == namespace
    for binding in (*kinds["ClusterRoleBinding"], *kinds["RoleBinding"]):
        assert [subject["namespace"] for subject in binding["subjects"]] == [namespace]


@pytest.mark.parametrize("name", OVERLAYS)
def test_our_own_pods_start_while_the_webhook_is_down(name: str) -> None:
    kinds = overlay(name)
    labels = kinds["Deployment"][0]["spec"]["template"]["metadata"]["labels"]
    namespace = {"kubernetes.io/metadata.name": kinds["Service"][0]["metadata"]["namespace"]}
    for injected in ({"istio-injection": "enabled"}, {"istio.io/rev": "default"}, {}):
        for entry in kinds["MutatingWebhookConfiguration"][0]["webhooks"]:
            assert not selects(entry, {**namespace, **injected}, labels)


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_variable_names_an_option_and_its_value_is_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from injector.cli.options import PREFIX, variable_of
    from injector.cli.serve import command

    (container,) = pod_spec(name)["containers"]
    assert container["args"] == ["serve"]
    named = [each for each in container["env"] if each["name"].startswith(PREFIX)]
    for each in named:
        monkeypatch.setenv(each["name"], each.get("value", "mesh"))
    context = command.make_context("serve", [])
    known = {variable_of(option) for option in command.params}
    assert {each["name"] for each in named} <= known
    assert context.params["webhook_config_name"] in {
        each["metadata"]["name"] for each in overlay(name)["MutatingWebhookConfiguration"]
    }
    assert context.params["self_signed"] is (name != "cert-manager")
    mounts = tuple(each["mountPath"] for each in container["volumeMounts"])
    for option in ("inject_config_file", "values_file", "mesh_config_file"):
        assert str(context.params[option]).startswith(mounts)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_entries_are_those_that_the_injector_keeps(name: str) -> None:
    from injector.registration.plan import WebhookNames

    (container,) = pod_spec(name)["containers"]
    names = {each["name"]: each.get("value", "") for each in container["env"]}
    mine = WebhookNames(name=names["SIDECAR_INJECTOR_SERVE_WEBHOOK_NAME"])
    assert all(
        mine.matches(each["name"]) for each in overlay(name)["MutatingWebhookConfiguration"][0]["webhooks"]
    )


def leases(objects: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """Return the Leases that the objects let be held, and those that the Deployments of them take."""
    from injector.registration.plan import WebhookNames

    rules = [rule for each in objects if each["kind"] == "Role" for rule in each["rules"]]
    let = {name for rule in rules if "leases" in rule["resources"] for name in rule.get("resourceNames", ())}
    taken = set()
    for each in objects:
        if each["kind"] == "Deployment":
            (container,) = each["spec"]["template"]["spec"]["containers"]
            env = {one["name"]: one.get("value", "") for one in container["env"]}
            mine = WebhookNames(name=env["SIDECAR_INJECTOR_SERVE_WEBHOOK_NAME"])
            taken.add(mine.lease(env["SIDECAR_INJECTOR_SERVE_WEBHOOK_CONFIG_NAME"]))
    return let, taken


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_lease_that_is_taken_may_be_taken(name: str) -> None:
    let, taken = leases([each for group in overlay(name).values() for each in group])
    assert let == taken


def test_the_created_configuration_is_the_one_of_the_manifests() -> None:
    from injector.registration.webhook_configuration import WebhookSpec, webhook_configuration

    (mine,) = webhook_configuration(
        WebhookSpec(
            configuration="sidecar-injector",
            webhook="sidecar-injector.istio.io",
            service="sidecar-injector",
            namespace="sidecar-injector",
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


def test_every_alert_links_to_a_section_that_is_there() -> None:
    rules = yaml.safe_load((K8S / "components" / "monitoring" / "rules.yaml").read_text())
    page = (ROOT / "docs" / "operate.md").read_text()
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            assert f"\n### {rule['alert']}\n" in page
            assert rule["annotations"]["runbook_url"] == f"docs/operate.md#{rule['alert'].lower()}"
    sections = re.findall(r"^### (\w+)$", page, re.MULTILINE)
    assert sections == [rule["alert"] for group in rules["spec"]["groups"] for rule in group["rules"]]


def test_what_is_asked_for_in_alerts_and_dashboard_is_there() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "dashboard.py"), "--check"], check=True)
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    rules = yaml.safe_load((K8S / "components" / "monitoring" / "rules.yaml").read_text())
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            asked = set(re.findall(r"sidecar_inject\w+", rule["expr"]))
            assert asked
            assert asked <= known
