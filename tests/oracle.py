"""Real Go, asked in batches, and how thoroughly to ask it: $DIFFERENTIAL=full takes minutes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

Ask = Callable[[Sequence[dict[str, Any]]], list[str]]
AskJSON = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]

IS_FULL = os.environ.get("DIFFERENTIAL") == "full"

BATCH = 100
"""Questions an example: a start of the oracle costs as much as many answers."""

KUBERNETES = 34
"""The minor version of Kubernetes whose types the oracle is built with."""

_REPEATS = 2000
"""Go walks maps in random order; with so many tries, a rare order of several faults occurs."""


def thorough(*, full: int, quick: int) -> settings:
    """Return the settings for a differential test of so many batches."""
    return settings(
        max_examples=full if IS_FULL else quick,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not IS_FULL,
        database=None,
    )


def start_oracle(shared: Path, folder: Path) -> Ask:
    """Return the function that asks Go a batch of questions; $ORACLE names a binary that is already built."""
    return _asking(os.environ.get("ORACLE") or _built(shared / "oracle", folder))


def start_own_oracle(folder: Path) -> Ask:
    """Return the function that asks our own Go program, for what the shared one does not support."""
    return _asking(_built(Path(__file__).parent / "oracle_go", folder))


def _built(source: Path, folder: Path) -> str:
    if shutil.which("go") is None:
        pytest.skip("NO GO TOOLCHAIN: comparisons with real Go are skipped")
    binary = str(folder / "oracle")
    subprocess.run(["go", "build", "-o", binary, "."], cwd=source, check=True, timeout=600)
    return binary


def _asking(binary: str) -> Ask:
    def ask(questions: Sequence[dict[str, Any]]) -> list[str]:
        lines = "\n".join(map(json.dumps, questions))
        done = subprocess.run([binary], input=lines.encode(), stdout=subprocess.PIPE, check=True, timeout=600)
        return [line.decode() for line in done.stdout.splitlines()]  # a str would be split at U+2028 too

    return ask


def reading_json(ask: Ask) -> AskJSON:
    """Return the function that asks, and reads the answers."""
    return lambda questions: [json.loads(line) for line in ask(questions)]


def expect_agreement(
    ask: Ask, questions: Sequence[dict[str, Any]], answer: Callable[[dict[str, Any]], Any]
) -> None:
    """Ask both; our answer must be one that Go gives. For a panic of Go, any error of ours is right."""
    for question, line in zip(questions, ask(questions), strict=True):
        ours = answer(question)
        if ours == json.loads(line):
            continue
        lines = set(ask([question] * _REPEATS))
        possible = [json.loads(each) for each in lines]
        panicked = "error" in ours and any("panic" in each for each in possible)
        assert panicked or ours in possible, (question, ours, possible)
