"""What `scripts/venv` is asked for before it makes anything."""

from __future__ import annotations

import subprocess

from tests.conftest import PATIENCE, ROOT


def venv(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "venv", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_what_there_is_no_lock_of_is_told() -> None:
    refused = venv("prod")
    sentence = "scripts/venv: there is no prod: give nothing, or dev\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", sentence)


def test_the_help_says_what_may_be_given() -> None:
    assert "`scripts/venv dev` for the tests' tools too" in venv("--help").stdout
