"""The tour of a fresh clone: its scenes, that it ends, and that every command it prints works as it stands."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT

sys.path.append(str(ROOT / "scripts"))

import quickstart


def tour(folder: Path, *arguments: str) -> str:
    """Run the tour and return what it printed; it goes through the shell that a user's hands go through."""
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / "quickstart.py", "--directory", folder, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        timeout=PATIENCE,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def commands(said: str) -> list[str]:
    """Return the commands that are printed at the end, one line each."""
    lines = said.partition("== Go on with\n")[2].replace("\\\n", "").splitlines()
    return [
        re.sub(r"\s+# .*|\s+", lambda found: " " if "#" not in found[0] else "", line).strip()
        for line in lines
    ]


def shell(*lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-ec", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=PATIENCE,
    )


def test_the_scenes_are_shown_and_nothing_is_left_running(tmp_path: Path) -> None:
    said = tour(tmp_path / "tour")
    for line in (
        "+1 init container, +1 container, +9 volumes, probes rewritten (all of it: --diff)",
        "containers here: hello, istio-proxy; the annotation stays one string",
        "of the joined text (--untrusted-values=text): miner, hello, istio-proxy",
        'function "qoute" not defined',
        "meanwhile: +1 init container, +1 container, +9 volumes, probes rewritten, by the template before it",
    ):
        assert line in said
    process = int(re.search(r"process (\d+)", said)[1])  # type: ignore[index]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert len(said.splitlines()) < 45, "the result is on one screen"
    path, _, curl, *rest = commands(said)
    assert "https://localhost:8443/inject" in curl
    for line in rest[:-1]:
        done = shell(path, line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    assert rest[-1] == "scripts/image"


def test_the_difference_is_shown_when_asked_for_and_the_webhook_is_kept(tmp_path: Path) -> None:
    said = tour(tmp_path / "tour", "--diff", "--keep")
    process = int(re.search(r"kill -INT (\d+)", said)[1])  # type: ignore[index]
    try:
        assert "\n+    name: istio-proxy" in said
        curl = next(line for line in commands(said) if line.startswith("curl "))
        if shutil.which("curl") is None:
            pytest.skip("NO CURL: the command to paste is not tried")
        answer = shell(curl)
        assert answer.returncode == 0, answer.stderr
        assert '"allowed":true' in answer.stdout
    finally:
        os.kill(process, signal.SIGINT)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"spec": {"containers": [{"name": "a"}]}}, "nothing added"),
        ({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}, "+1 container"),
        (
            {
                "spec": {
                    "containers": [{"name": "a", "livenessProbe": {}}],
                    "volumes": [{"name": "v"}, {"name": "w"}],
                }
            },
            "+2 volumes, probes rewritten",
        ),
    ],
)
def test_a_summary_counts_what_was_added(after: dict, words: str) -> None:
    assert quickstart.summary({"spec": {"containers": [{"name": "a"}]}}, after) == words


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("mine", "holds something else: name a folder that is empty or not there yet"),
        ("file", "cannot be used: File exists"),
        ("file/tour", "cannot be used: Not a directory"),
    ],
)
def test_a_folder_that_is_not_the_tours_own_is_left_alone(tmp_path: Path, folder: str, sentence: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("policy: disabled\n")
    with pytest.raises(SystemExit) as stopped:
        quickstart.Webhook(tmp_path / folder)
    assert stopped.value.code == f"{tmp_path / folder} {sentence}"
    assert (tmp_path / "mine" / "config.yaml").read_text() == "policy: disabled\n"
