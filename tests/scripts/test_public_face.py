"""What others build on: hooks, the action, workflows, the support table."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from injector import __version__
from injector.istio.releases import NEWEST_RELEASE, RELEASES
from tests.conftest import PATIENCE, ROOT

PROGRAMS = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / "action.yml"

BROKEN = "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations: {traffic.sidecar.istio.io/includeInboundPorts: many}\nspec: {containers: [{name: a}]}\n"


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def run(command: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return subprocess.run(
        [*shlex.split(command), *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_hooks_run_as_pre_commit_runs_them(tmp_path: Path) -> None:
    hooks = {hook["id"]: hook for hook in loaded(ROOT / ".pre-commit-hooks.yaml")}
    assert all(hook["language"] == "python" for hook in hooks.values())
    assert run(hooks["sidecar-injector-lint"]["entry"], tmp_path).returncode == 0
    entry = hooks["sidecar-injector-inject"]["entry"]
    shutil.copy(ROOT / "k8s" / "samples" / "hello.yaml", tmp_path / "good.yaml")
    (tmp_path / "bad.yaml").write_text(BROKEN)
    good = run(entry, tmp_path, "good.yaml", "good.yaml")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = run(entry, tmp_path, "good.yaml", "bad.yaml")
    assert bad.returncode == 1
    assert "bad.yaml:1: " in bad.stderr


# ---- the action


def steps() -> dict[str, Any]:
    return {step["name"]: step for step in loaded(ACTION)["runs"]["steps"] if "name" in step}


def linted(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the action's own step with inputs, as the runner does."""
    if "sarif" not in run("sidecar-injector lint --help", folder).stdout:
        pytest.skip("NO SARIF: lint does not write it; the action's step is not tried")
    step = steps()["Lint"]
    (folder / "sidecar-injector").mkdir()
    (folder / "sidecar-injector" / "bin").symlink_to(PROGRAMS)
    defaults = {name: each["default"] for name, each in loaded(ACTION)["inputs"].items()}
    environment = {
        name: {**defaults, **inputs}[text[len("${{ inputs.") : -len(" }}")]]
        for name, text in step["env"].items()
    }
    return run("bash -e -o pipefail -c", folder, step["run"], RUNNER_TEMP=str(folder), **environment)


def test_the_action_writes_findings_as_sarif(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("policy: enabled\ntemplates:\n  a: |\n    {{ nope }}\n")
    result = linted(tmp_path, config="config.yaml", release="1.31")
    assert result.returncode == 1
    (found,) = yaml.safe_load((tmp_path / "sidecar-injector.sarif").read_text())["runs"]
    assert "nope" in str(found["results"])


def test_the_action_passes_what_is_right(tmp_path: Path) -> None:
    result = linted(tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "sidecar-injector.sarif").read_text().startswith("{")


def test_the_action_gives_no_input_to_a_shell_as_code() -> None:
    """An expression inside `run` is put into the script before a shell reads it."""
    scripts = [step["run"] for step in loaded(ACTION)["runs"]["steps"] if "run" in step]
    for path in WORKFLOWS:
        jobs = loaded(path)["jobs"].values()
        scripts += [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


# ---- workflows


def shell_parts() -> list[Any]:
    found = [(path.name, path.read_text()) for path in sorted((ROOT / "scripts").iterdir()) if is_shell(path)]
    found.append((".ci/run", (ROOT / ".ci" / "run").read_text()))
    for path in (ACTION, *WORKFLOWS):
        jobs = loaded(path).get("jobs", {"": loaded(path).get("runs", {})}).values()
        runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
        found += [(f"{path.name}:{place}", f"#!/bin/bash\nset -e\n{text}") for place, text in enumerate(runs)]
    return [pytest.param(text, id=name) for name, text in found]


def is_shell(path: Path) -> bool:
    return path.is_file() and path.read_bytes().startswith((b"#!/bin/sh", b"#!/bin/bash"))


@pytest.mark.parametrize("text", shell_parts())
def test_shellcheck_has_nothing_to_say(text: str) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("NO SHELLCHECK: shell scripts are not read by it")
    result = subprocess.run(
        # SC2317 takes functions that are called by their name in a variable for unreachable.
        ["shellcheck", "--exclude=SC2317", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_says_more(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_what_others_have_made_is_used_by_its_commit(path: Path) -> None:
    used = re.findall(r"\buses: (.*)", path.read_text())
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [each for each in used if not pinned.fullmatch(each)] == []


# ---- versions


def test_the_same_pythons_are_named_everywhere() -> None:
    matrix = loaded(ROOT / ".github" / "workflows" / "checks.yml")["jobs"]["test"]["strategy"]["matrix"][
        "python"
    ]
    table = re.search(r"\| Python \| ([^|]*) \|", (ROOT / "SECURITY.md").read_text())
    assert table is not None
    assert table[1].split(", ") == matrix
    package = (ROOT / "setup.cfg").read_text()
    assert f"python_requires = >={matrix[0]}\n" in package
    assert re.findall(r"Python :: (3\.\d+)", package) == matrix


def test_the_support_table_names_the_releases_that_are_known() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    assert f"{RELEASES[0]} to {NEWEST_RELEASE}, and {RELEASES[-1]} as far as it is made" in text


def test_the_post_renderer_has_the_version_of_the_package() -> None:
    assert loaded(ROOT / "k8s" / "helm-post-renderer" / "plugin.yaml")["version"] == __version__
