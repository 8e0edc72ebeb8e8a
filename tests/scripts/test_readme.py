"""Every command of README is run here, as it stands, or by a test that this page names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from injector.templates import built_in
from tests.conftest import PATIENCE, ROOT

README = (ROOT / "README.md").read_text()

ELSEWHERE = {
    "scripts/quickstart": "tests/scripts/test_quickstart.py",
    "scripts/test": ".ci/run",
    "scripts/image": "tests/e2e/test_image.py",
    "pipx install .": "tests/cli/test_install.py",
    "helm template ": "tests/e2e/test_pipelines.py",
    "kustomize build ": "tests/e2e/test_pipelines.py",
    ".venv/bin/python scripts/bench.py --floor": "tests/scripts/test_bench.py",
    "kubectl label ": "tests/e2e/test_cluster.py",
}
"""What takes long or needs more than this machine has, and who runs it."""

KUBECTL = """\
#!/bin/sh
# A cluster with the built-in configuration; the plugin is the real one.
case "$*" in
sidecar-injector*) shift; exec kubectl-sidecar_injector "$@" ;;
*.data.config*) cat config ;;
*.data.values*) cat values ;;
*.data.mesh*) echo 'trustDomain: cluster.local' ;;
"apply -f -") cat ;;
"apply -k "*) cat "$3/kustomization.yaml" ;;
*) echo "kubectl: $* is not known" >&2; exit 1 ;;
esac
"""


def commands() -> list[str]:
    """Return the commands of the indented blocks, continued lines joined."""
    blocks = re.findall(r"(?m)(?:^ {4}.*\n)+", re.sub(r"(?s)```.*?```", "", README))
    text = "".join(blocks).replace("\\\n", "")
    return [re.sub(r"\s{2,}# .*", "", line.strip()) for line in text.splitlines()]


def is_elsewhere(command: str) -> bool:
    return any(command.startswith(start) for start in ELSEWHERE)


def test_commands_are_found() -> None:
    assert len(commands()) > 12
    assert all(any(command.startswith(start) for command in commands()) for start in ELSEWHERE)
    assert all((ROOT / path).exists() for path in ELSEWHERE.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what README's reader has: an app.yaml, a cluster, and the clone."""
    found = tmp_path_factory.mktemp("readme")
    for name in ("k8s", "injector"):
        (found / name).symlink_to(ROOT / name)
    (found / "app.yaml").write_text((ROOT / "k8s" / "samples" / "hello.yaml").read_text())
    (found / "config").write_text(built_in().config)
    (found / "values").write_text(built_in().values)
    (found / "bin").mkdir()
    (found / "bin" / "kubectl").write_text(KUBECTL)
    (found / "bin" / "kubectl").chmod(0o755)
    return found


def test_every_other_command_works_in_the_order_of_the_page(folder: Path) -> None:
    path = f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in (each for each in commands() if not is_elsewhere(each)):
        result = subprocess.run(
            ["bash", "-o", "pipefail", "-ec", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert result.returncode == 0, f"{command}: {result.stderr}"
        if " inject " in command:
            assert "log-shipper" in result.stdout or "istio-proxy" in result.stdout, command


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_a_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()
