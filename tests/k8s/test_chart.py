"""The Helm chart: the same objects as the overlays, values that cannot be misspelled, and texts that keep up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector import __version__
from tests.conftest import ROOT
from tests.k8s.helm import CHART, KUBERNETES, helm, template
from tests.k8s.istio_entries import NAMESPACES, PODS, istio_entries
from tests.k8s.selecting import selects
from tests.k8s.test_manifests import K8S, kustomize, leases, with_components

ISTIO = {
    "istio": {"enabled": True},
    "config": {"existing": "istio-sidecar-injector", "existingMesh": "istio"},
}
ALL = {"istio": {"enabled": True, "default": True}, "config": ISTIO["config"]}

PAIRS: list[Any] = [
    pytest.param("self-signed", (), {}, {}, id="self-signed"),
    pytest.param(
        "production",
        (),
        {each: {"enabled": True} for each in ("autoscaling", "monitoring", "networkPolicy")},
        {},
        id="production",
    ),
    pytest.param("cert-manager", (), {"certificates": {"mode": "certManager"}}, {}, id="cert-manager"),
    pytest.param("istio-revision", (), ISTIO, {"namespace": "istio-system"}, id="istio-revision"),
    pytest.param("istio", (), ALL, {"namespace": "istio-system"}, id="istio"),
    pytest.param(
        "istio",
        ("istio-namespaces-by-default",),
        {**ALL, "istio": {**ALL["istio"], "enableNamespacesByDefault": True}},
        {"namespace": "istio-system"},
        id="istio, namespaces by default",
    ),
    pytest.param("older-kubernetes", (), {}, {"version": "1.27.0"}, id="older-kubernetes"),
    pytest.param(
        "dev",
        (),
        {"replicas": 1, "webhook": {"failurePolicy": "Ignore", "namespaceLabel": "sidecar-injector-dev"}},
        {},
        id="dev",
    ),
    pytest.param("self-signed", ("critical",), {"critical": True}, {}, id="critical"),
]


def normal(objects: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """Return objects by kind and name, without what only one of both tools has and in one order."""
    found = {}
    for each in objects:
        if each["kind"] == "Namespace":
            continue  # --create-namespace makes it
        each["metadata"]["labels"].pop("app.kubernetes.io/managed-by", None)
        if each["kind"] == "Deployment":
            pod = each["spec"]["template"]
            pod["metadata"]["labels"].pop("app.kubernetes.io/managed-by", None)
            (container,) = pod["spec"]["containers"]
            for holder, key, name in (
                (container, "env", "name"),
                (container, "volumeMounts", "mountPath"),
                (pod["spec"], "volumes", "name"),
            ):
                holder[key] = sorted(holder[key], key=lambda item: item[name])
        if each["kind"] == "MutatingWebhookConfiguration":
            each["webhooks"].sort(key=lambda item: item["name"])
        found[each["kind"], each["metadata"]["name"]] = each
    return found


@pytest.mark.parametrize(("overlay", "components", "values", "more"), PAIRS)
def test_the_chart_makes_the_objects_of_the_overlay(
    overlay: str, components: tuple[str, ...], values: dict[str, Any], more: dict[str, str], tmp_path: Path
) -> None:
    mine = template(values, tmp_path, **more)
    theirs = (
        with_components(tmp_path, overlay, *components)
        if components
        else kustomize(K8S / "overlays" / overlay)
    )
    assert normal(mine) == normal(theirs)


MATRIX: list[dict[str, Any]] = [
    {},
    {"image": {"digest": "sha256:00", "pullPolicy": "Always"}, "imagePullSecrets": [{"name": "registry"}]},
    {"certificates": {"mode": "existingSecret", "secret": "mine"}},
    {"certificates": {"mode": "certManager", "issuer": {"name": "corporate", "kind": "ClusterIssuer"}}},
    {"config": {"config": "policy: disabled\n", "values": "{}", "mesh": "trustDomain: x\n"}},
    {"config": {"existing": "istio-sidecar-injector"}},
    {"istio": {"enabled": True, "revisions": ["canary", "stable"]}, "revision": "canary"},
    {"options": {"LOG_LEVEL": "warning", "LOG_REVIEWS": False, "IN_FLIGHT_MEMORY": 100000000}},
    {"webhook": {"failurePolicy": "Ignore", "timeoutSeconds": 10, "matchConditions": False}},
    {"networkPolicy": {"enabled": True, "apiServers": [{"ipBlock": {"cidr": "10.0.0.0/28"}}]}},
    {"priorityClassName": "mine", "nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}]},
    {"affinity": {"nodeAffinity": {}}, "podAnnotations": {"a": "b"}, "resources": {"limits": {"cpu": 1}}},
    {"monitoring": {"enabled": True, "runbooks": "https://docs.example.com/operate"}},
]


@pytest.mark.parametrize("values", MATRIX, ids=str)
def test_what_the_chart_makes_is_what_serve_takes(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from injector.cli.options import PREFIX, variable_of
    from injector.cli.serve import command

    objects = template(values, tmp_path)
    (deployment,) = [each for each in objects if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    for each in container["env"]:
        if each["name"].startswith(PREFIX):
            monkeypatch.setenv(each["name"], each.get("value", "mesh"))
    context = command.make_context("serve", [])
    known = {variable_of(option) for option in command.params}
    assert {each["name"] for each in container["env"]} - {"POD_NAME"} <= known
    volumes = {each["name"] for each in spec["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == volumes
    mounts = tuple(each["mountPath"] for each in container["volumeMounts"])
    for option in ("inject_config_file", "values_file", "tls_cert_file", "tls_key_file", "ca_cert_file"):
        path = context.params[option]
        assert path is None or str(path).startswith(mounts)


@pytest.mark.parametrize("values", [{}, ALL], ids=["plain", "istio"])
def test_the_lease_that_a_release_takes_may_be_taken(values: dict[str, Any], tmp_path: Path) -> None:
    let, taken = leases(template(values, tmp_path))
    assert let == taken


def one(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def test_texts_given_inline_are_the_config_map(tmp_path: Path) -> None:
    found = one(template({"config": {"config": "policy: disabled\n"}}, tmp_path), "ConfigMap")["data"]
    assert found["config"] == "policy: disabled\n"
    assert found["values"] == (CHART / "files" / "values").read_text()


def test_options_reach_the_environment_as_they_were_written(tmp_path: Path) -> None:
    options = {"LOG_LEVEL": "warning", "LOG_REVIEWS": False, "IN_FLIGHT_MEMORY": 100000000}
    spec = one(template({"options": options}, tmp_path), "Deployment")["spec"]["template"]["spec"]
    found = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert found["SIDECAR_INJECTOR_SERVE_LOG_LEVEL"] == "warning"
    assert found["SIDECAR_INJECTOR_SERVE_LOG_REVIEWS"] == "false"
    assert found["SIDECAR_INJECTOR_SERVE_IN_FLIGHT_MEMORY"] == "100000000"


def test_alerts_link_to_where_the_runbooks_are(tmp_path: Path) -> None:
    values = {"monitoring": {"enabled": True, "runbooks": "https://docs.example.com/operate"}}
    rules = one(template(values, tmp_path), "PrometheusRule")["spec"]["groups"][0]["rules"]
    assert {rule["annotations"]["runbook_url"].partition("#")[0] for rule in rules} == {
        "https://docs.example.com/operate"
    }


def test_revisions_and_tags_select_what_istiod_selects_for_them(tmp_path: Path) -> None:
    values = {"istio": {"enabled": True, "revisions": ["stable", "unknown"], "default": True}}
    mine = one(template(values, tmp_path), "MutatingWebhookConfiguration")["webhooks"]
    theirs = [each for name in ("default", "stable", "unknown") for each in istio_entries(name)]
    for namespace in NAMESPACES:
        for pod in PODS:
            asked = [each["name"] for each in mine if selects(each, namespace, pod)]
            assert len(asked) <= 1
            assert bool(asked) is any(selects(each, namespace, pod) for each in theirs)


def test_two_releases_share_no_object_and_no_pod(tmp_path: Path) -> None:
    def release(name: str) -> list[dict[str, Any]]:
        result = helm("template", name, str(CHART), "--namespace", "mesh", "--kube-version", KUBERNETES)
        return [each for each in yaml.safe_load_all(result.stdout) if each]

    blue, green = release("blue"), release("green")
    names = [{(each["kind"], each["metadata"]["name"]) for each in objects} for objects in (blue, green)]
    assert not names[0] & names[1]
    selectors = [one(objects, "Deployment")["spec"]["selector"]["matchLabels"] for objects in (blue, green)]
    assert selectors[0] != selectors[1]


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 3},
        {"webhook": {"failurePolicy": "Sometimes"}},
        {"certificates": {"mode": "self-signed"}},
        {"istio": {"revisions": []}},
        {"autoscaling": {"enabled": "yes"}},
        {"webhook": {"timeoutSeconds": 31}},
    ],
    ids=str,
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    result = helm("template", "x", str(CHART), "--values", str(path), "--kube-version", KUBERNETES)
    assert result.returncode == 1
    assert "values don't meet the specifications of the schema" in result.stderr


def test_helm_finds_no_fault_in_the_chart() -> None:
    result = helm("lint", "--strict", str(CHART), "--kube-version", KUBERNETES)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_packaged_chart_makes_the_same(tmp_path: Path) -> None:
    assert helm("package", str(CHART), "--destination", str(tmp_path)).returncode == 0
    package = tmp_path / f"sidecar-injector-{__version__}.tgz"
    packed, folder = (
        helm("template", "x", str(each), "--kube-version", KUBERNETES).stdout for each in (package, CHART)
    )
    assert packed == folder != ""


def test_schema_readme_and_copies_are_what_the_script_writes() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "chart.py"), "--check"], check=True)


def test_the_charts_version_is_ours() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
