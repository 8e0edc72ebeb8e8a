"""version, and the same command as a plugin of kubectl."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from injector import __version__
from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT

PROGRAMS = Path(sys.executable).parent


def test_version_is_for_people(run: Run) -> None:
    assert run("version").stdout == (
        f"sidecar-injector {__version__}\nreleases of Istio: 1.0 to 1.32; 1.31 when none is told\n"
    )


def test_version_is_for_scripts(run: Run) -> None:
    assert json.loads(run("version", "-o", "json").stdout) == {
        "version": __version__,
        "releases": {"oldest": "1.0", "newest": "1.32", "default": "1.31"},
        "python": platform.python_version(),
        "platform": f"linux/{platform.machine()}",
    }


def kubectl(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["kubectl", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
    )


@pytest.mark.socket
def test_kubectl_finds_us_as_its_plugin() -> None:
    listed = kubectl("plugin", "list")
    assert str(PROGRAMS / "kubectl-sidecar_injector") in listed.stdout
    assert kubectl("sidecar-injector", "version").stdout.startswith(f"sidecar-injector {__version__}\n")
    injected = kubectl("sidecar-injector", "inject", "-", stdin=DEPLOYMENT)
    assert (injected.returncode, "istio-proxy" in injected.stdout) == (0, True), injected.stderr
    usage = kubectl("sidecar-injector", "inject", "--help").stdout
    assert usage.startswith("Usage: kubectl sidecar-injector inject ")
