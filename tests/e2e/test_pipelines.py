"""The real kustomize and helm, with the injector where their users put it; and workflows as actionlint reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.go_programs import program

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(5400)]

SAMPLE = ROOT / "k8s" / "samples" / "hello.yaml"
POST_RENDERER = ROOT / "k8s" / "helm-post-renderer"


def rendered(folder: Path, *command: str, **environment: str) -> list[dict[str, Any]]:
    """Run a program with the injector on PATH; return the objects that it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return [each for each in yaml.safe_load_all(result.stdout) if each]


def assert_injected(objects: list[dict[str, Any]], revision: str) -> None:
    found = {each["kind"]: each for each in objects}
    assert set(found) == {"Service", "Deployment"}
    template = found["Deployment"]["spec"]["template"]
    assert [each["name"] for each in template["spec"]["containers"]] == ["hello", "istio-proxy"]
    assert template["metadata"]["annotations"]["istio.io/rev"] == revision


def test_kustomize_calls_us_as_a_transformer(tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path / "app.yaml")
    (tmp_path / "kustomization.yaml").write_text("resources: [app.yaml]\ntransformers: [sidecars.yaml]\n")
    function = {
        "apiVersion": "sidecar-injector/v1",
        "kind": "Sidecars",
        "metadata": {
            "name": "sidecars",
            "annotations": {
                "config.kubernetes.io/function": "exec: {path: sidecar-injector, args: [krm]}\n",
            },
        },
        "spec": {"revision": "canary"},
    }
    (tmp_path / "sidecars.yaml").write_text(yaml.safe_dump(function))
    command = (program("kustomize"), "build", "--enable-alpha-plugins", "--enable-exec", ".")
    assert_injected(rendered(tmp_path, *command), "canary")
    function["spec"] = {"release": "2.0"}
    (tmp_path / "sidecars.yaml").write_text(yaml.safe_dump(function))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    refused = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "'2.0' is not a release from 1.0 to 1.32" in refused.stderr


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    (tmp_path / "chart" / "templates").mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: hello\nversion: 0.1.0\n")
    shutil.copy(SAMPLE, tmp_path / "chart" / "templates" / "hello.yaml")
    return tmp_path


def test_helm_3_calls_us_as_a_post_renderer(chart: Path) -> None:
    arguments = [f"--post-renderer-args={each}" for each in ("inject", "-", "--revision=canary")]
    command = (program("helm"), "template", "web", "chart", "--post-renderer", "sidecar-injector")
    assert_injected(rendered(chart, *command, *arguments), "canary")


def test_helm_4_calls_us_as_a_plugin(chart: Path) -> None:
    helm = program("helm4")
    home = {"HELM_DATA_HOME": str(chart / "data"), "HELM_CACHE_HOME": str(chart / "cache")}
    subprocess.run([helm, "plugin", "install", POST_RENDERER], check=True, env={**os.environ, **home})
    command = (helm, "template", "web", "chart", "--post-renderer", "sidecar-injector")
    assert_injected(rendered(chart, *command, "--post-renderer-args=--revision=canary", **home), "canary")


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.name
)
def test_actionlint_has_nothing_to_say_about_a_workflow(path: Path) -> None:
    result = subprocess.run([program("actionlint"), path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
