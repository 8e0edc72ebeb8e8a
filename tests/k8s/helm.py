"""Where helm is: named by HELM, on PATH, or built before from the Go module proxy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.conftest import ROOT

CHART: Final = ROOT / "k8s" / "chart"
SOURCE: Final = "helm.sh/helm/v3/cmd/helm@v3.19.0"
KUBERNETES: Final = "1.34.0"
"""The version that is rendered for where a test does not say: helm built by `go install` takes itself for old."""

BUILD_SECONDS = 1800


def built() -> Path:
    """Return where helm is when the end-to-end suite has built it."""
    return (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        / "sidecar-injector"
        / "helm"
        / "helm"
    )


def helm_program(*, build: bool = False) -> str:
    """Return helm; skip loudly where it is not there and, with ``build``, cannot be built."""
    found = os.environ.get("HELM") or shutil.which("helm") or (str(built()) if built().exists() else "")
    if found:
        return found
    if not build or shutil.which("go") is None:
        pytest.skip(
            "NO HELM: set HELM, or let scripts/test --e2e build it (needs Go); the chart is not checked"
        )
    print("tests/e2e: building helm; the first time takes minutes", file=sys.__stderr__, flush=True)
    built().parent.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["nice", "go", "install", SOURCE],
        env={**os.environ, "GOBIN": str(built().parent), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if result.returncode:
        pytest.skip(f"NO HELM: it could not be built: {result.stderr.strip()[-300:]}")
    return str(built())


def helm(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm and return how it went."""
    return subprocess.run(
        [helm_program(), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def template(
    values: dict[str, Any], folder: Path, *, namespace: str = "sidecar-injector", version: str = KUBERNETES
) -> list[dict[str, Any]]:
    """Return the objects that the chart makes of ``values``."""
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    result = helm(
        *("template", "sidecar-injector", str(CHART), "--namespace", namespace, "--values", str(path)),
        *("--kube-version", version),
    )
    assert result.returncode == 0, result.stderr
    return [each for each in yaml.safe_load_all(result.stdout) if each]
