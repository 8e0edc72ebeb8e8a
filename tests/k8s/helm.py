"""Run helm, and render the chart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.conftest import ROOT
from tests.go_programs import program

CHART: Final = ROOT / "k8s" / "chart"
KUBERNETES: Final = "1.34.0"
"""The Kubernetes version to render for by default: helm built by `go install` believes to be old."""


def helm(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm and return how it went."""
    return subprocess.run(
        [program("helm", build=False), *arguments],
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
