"""Commands as a user runs them: a process, its streams and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import PATIENCE

Result = subprocess.CompletedProcess[str]
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``sidecar-injector`` in an empty folder."""

    def run(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "injector", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, **environment},
            timeout=PATIENCE,
            check=False,
        )

    return run
