"""Programs written in Go: from a variable, PATH, an earlier build, or a build with the Go module proxy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

SOURCES: Final = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.19.0",
    "helm4": "helm.sh/helm/v4/cmd/helm@v4.3.2",
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7",
}
"""Where each is built from."""

BUILD_SECONDS: Final = 2400
"""For a build without Go's cache, on two cores that the suite keeps busy."""


def program(name: str, *, build: bool = True) -> str:
    """Return a program; skip loudly if it is missing and, with ``build``, cannot be built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sidecar-injector" / name
    built = cache / name.removesuffix("4")
    found = os.environ.get(name.upper()) or shutil.which(name) or (str(built) if built.exists() else "")
    if found:
        return found
    if not build or shutil.which("go") is None:
        pytest.skip(
            f"NO {name.upper()}: set ${name.upper()}, or let scripts/test --e2e build it (needs Go); "
            "what it reads is not tried"
        )
    print(f"tests/e2e: building {name}; the first time takes minutes", file=sys.__stderr__, flush=True)
    cache.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["nice", "go", "install", SOURCES[name]],
        env={**os.environ, "GOBIN": str(cache), "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if result.returncode:
        pytest.skip(f"NO {name.upper()}: it could not be built: {result.stderr.strip()[-300:]}")
    return str(built)
