"""Real Go beside us: the oracle program, asked in batches."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def ask_go(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Answers of Go's own libraries to a batch of questions; $ORACLE names a binary that is built already."""
    binary = os.environ.get("ORACLE", "")
    if not binary:
        if shutil.which("go") is None:
            pytest.skip("NO GO TOOLCHAIN: comparisons with Go's own text/template are skipped")
        binary = str(tmp_path_factory.mktemp("oracle") / "oracle")
        subprocess.run(["go", "build", "-o", binary, "."], cwd=shared / "oracle", check=True, timeout=600)

    def ask(questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        lines = "\n".join(json.dumps(question) for question in questions)
        done = subprocess.run([binary], input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=120)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return ask
