"""The image's steps, taken from the Dockerfile itself and run in a clean folder: tests/e2e builds the image."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PREFIX = "/opt/sidecar-injector"


def instructions(stage: int) -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text()
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^#.*\n", "", text))
    stages = re.split(r"(?m)^FROM .*\n", joined)[1:]
    return [
        (line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in stages[stage].splitlines() if line.strip()
    ]


@pytest.mark.timeout(1800)  # it installs from the network and compiles: half a minute where nobody else works
def test_the_build_stage_makes_a_program_that_runs_from_a_read_only_folder(tmp_path: Path) -> None:
    build, prefix = tmp_path / "build", tmp_path / "opt"
    build.mkdir()
    for verb, rest in instructions(0):
        if verb == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(ROOT / source, build / target)
        if verb == "RUN":
            # The image's python is the one that runs this test.
            command = (
                re.sub(r"--mount=\S+ +", "", rest)
                .replace(PREFIX, str(prefix))
                .replace("python -m venv", f"{sys.executable} -m venv")
            )
            result = subprocess.run(
                ["sh", "-ec", command],
                cwd=build,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
            )
            assert result.returncode == 0, result.stderr[-2000:]
    program = prefix / "bin" / "sidecar-injector"
    modules = next((prefix / "lib").glob("python*/site-packages/injector"))
    assert list(modules.rglob("__pycache__/*.pyc")), "bytecode is compiled"
    assert (modules / "templates" / "istio" / "config.yaml").exists(), "package data is there"
    assert not list((prefix / "bin").glob("pip*")), "nothing that installs is left"
    subprocess.run(["chmod", "-R", "a-w", str(prefix)], check=True)
    try:
        manifest = (ROOT / "k8s" / "samples" / "hello.yaml").read_bytes()
        result = subprocess.run(
            [str(program), "inject", "-q", "-f", "-"],
            input=manifest,
            capture_output=True,
            cwd="/",
            check=False,
        )
        assert result.returncode == 0, result.stderr.decode()
        assert b"istio-proxy" in result.stdout
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(prefix)], check=True)


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target / source.name if target.is_dir() else target)


def test_the_image_runs_as_nobody_by_number_and_starts_the_webhook() -> None:
    final = dict(instructions(1))
    assert final["USER"] == "65532:65532"
    assert final["ENTRYPOINT"] == '["sidecar-injector"]'
    assert final["CMD"].startswith('["serve"')


def test_nothing_but_what_is_copied_reaches_the_builder() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for verb, rest in instructions(0)
        if verb == "COPY"
        for source in (word for word in rest.split()[:-1])
    }
    assert {source.removeprefix("./") for source in copied} == allowed
