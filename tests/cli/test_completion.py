"""Completion as the shells ask for it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections import UserDict
from pathlib import Path
from typing import Any

import pytest

from injector.cli.options import FEATURES
from tests.cli.conftest import Run
from tests.injection.builders import a_pod, a_review, legacy, overlays

ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def shell(name: str, script: str, folder: Path) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"NO {name.upper()}: its completion is not tried")
    result = subprocess.run(
        [name, "-c", script], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.split()


def bash(line: str, folder: Path) -> list[str]:
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    quoted = " ".join(shlex.quote(word) for word in words)
    return shell(
        "bash",
        "source <(sidecar-injector completion bash)\n"
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}\n"
        "compopt() { :; }\n"  # it has a meaning only while a line is being completed
        '_sidecar_injector_completion sidecar-injector\nprintf "%s\\n" "${COMPREPLY[@]}"',
        folder,
    )


@pytest.mark.parametrize(
    ("asked", "environment"),
    [
        ("bash_complete", {}),
        ("bash_complete", {"COMP_WORDS": "sidecar-injector"}),
        ("zsh_complete", {"COMP_WORDS": "sidecar-injector", "COMP_CWORD": "x"}),
        ("nosuch_complete", {"COMP_WORDS": "sidecar-injector", "COMP_CWORD": "1"}),
        ("bash", {}),
    ],
)
def test_who_asks_as_no_shell_does_gets_a_sentence(run: Run, asked: str, environment: dict[str, str]) -> None:
    result = run("inject", **environment, _SIDECAR_INJECTOR_COMPLETE=asked)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        f"error: _SIDECAR_INJECTOR_COMPLETE={asked} is for shells that also set COMP_WORDS and COMP_CWORD: "
        "unset it\n"
    )


@pytest.mark.socket
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sidecar-injector inj", ["inject"]),
        ("sidecar-injector inject --mesh", ["--mesh-config-file"]),
        ("sidecar-injector inject --release 1.3", ["1.3", "1.30", "1.31", "1.32"]),
        ("sidecar-injector inject --untrusted-values ", ["scalar", "text"]),
        ("sidecar-injector inject --review-limit templ", ["templates="]),
        ("sidecar-injector inject --env PLAT", ["PLATFORM="]),
        ("sidecar-injector serve --log-format t", ["text"]),
        ("sidecar-injector completion f", ["fish"]),
        ("sidecar-injector --color a", ["auto", "always"]),
    ],
)
def test_bash_completes_commands_options_and_values(tmp_path: Path, line: str, words: list[str]) -> None:
    assert bash(line, tmp_path) == words


@pytest.mark.socket
@pytest.mark.parametrize("line", ["inject ", "inject -f ", "inject --values-file ", "serve --tls-key-file "])
def test_bash_completes_files_where_files_belong(tmp_path: Path, line: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "injector"],
        env={
            **ENVIRONMENT,
            "_SIDECAR_INJECTOR_COMPLETE": "bash_complete",
            "COMP_WORDS": f"sidecar-injector {line}",
            "COMP_CWORD": str(len(line.split()) + 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout == "file,\n"


def test_fish_completes_a_line(tmp_path: Path) -> None:
    script = "sidecar-injector completion fish | source; complete -C 'sidecar-injector inject --untrusted-values t'"
    assert shell("fish", script, tmp_path) == ["text"]


def test_zsh_reads_the_script_and_asks_us(tmp_path: Path) -> None:
    script = """
        autoload -U compinit; compinit -u -d zcompdump
        eval "$(sidecar-injector completion zsh)"
        print -r -- $_comps[sidecar-injector]
        COMP_WORDS='sidecar-injector inject --release 1.2' COMP_CWORD=3 \\
            _SIDECAR_INJECTOR_COMPLETE=zsh_complete sidecar-injector | grep -c '^plain$'
    """
    assert shell("zsh", script, tmp_path) == ["_sidecar_injector_completion", "11"]


def test_a_shell_that_is_not_known_is_a_wrong_call(run: Run) -> None:
    result = run("completion", "tcsh")
    assert result.returncode == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.socket
@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("inj",), ["inject\tAdd sidecars to the workloads in files.", ":4"]),
        (("inject", "--untrusted-values", "t"), ["text", ":4"]),
        (("inject", "-f", "app"), [":0"]),
    ],
)
def test_kubectl_completes_its_plugin(words: tuple[str, ...], lines: list[str]) -> None:
    """It asks ``kubectl_complete-sidecar_injector``, which is beside the plugin."""
    asked = subprocess.run(
        ["kubectl", "__complete", "sidecar-injector", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.splitlines() == lines


class Asked(UserDict[str, str]):
    """An environment that notes which variables are asked for."""

    def __init__(self) -> None:
        super().__init__({"HOME": "/"})
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Note the name and return its value."""
        self.names.add(name)
        return super().get(name, default)


def test_the_variables_that_are_completed_are_those_that_injection_reads() -> None:
    asked = Asked()
    for injector in (legacy("1.8", env=asked), overlays("1.31", env=asked)):
        injector.review(a_review(a_pod()))
    assert asked.names == {*FEATURES}
