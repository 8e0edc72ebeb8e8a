"""scripts/image with builders that only write down how they are called; tests/e2e builds with a real one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from injector import __version__
from tests.conftest import ROOT

BUILDER = """\
#!/bin/sh
# Says how it was called, and what is in the files that it was given.
echo "$(basename "$0") $*" >>"$CALLS"
for word in "$@"; do
    case "$word" in id=*,src=*) cat "${word#*,src=}" >>"$CALLS.secrets" ;; esac
done
case "$1" in
info) exit "${ENGINE:-0}" ;;
images) echo 120MB ;;
esac
"""

PYTHON = """\
#!/bin/sh
case "$*" in
*"config list") echo ":env:.index-url='https://user:secret@index.example/simple'"; echo "global.cert='$CERTIFICATE'" ;;
esac
"""


class Machine:
    """A PATH on which there is what the script needs, and the builders that are wanted."""

    def __init__(self, folder: Path, *builders: str) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        for name in (
            "sh",
            "sed",
            "git",
            "date",
            "dirname",
            "basename",
            "mktemp",
            "rm",
            "cat",
            "grep",
            "sort",
            "tail",
            "head",
            "cp",
        ):
            (folder / name).symlink_to(str(shutil.which(name)))
        (folder / "ca.pem").write_text("the machine's CA\n")
        for name, text in ((("python3"), PYTHON), *((builder, BUILDER) for builder in builders)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        fixed = {
            "PATH": str(self.folder),
            "CALLS": str(self.calls),
            "CERTIFICATE": str(self.folder / "ca.pem"),
        }
        return subprocess.run(
            ["sh", ROOT / "scripts" / "image", *arguments],
            env={**fixed, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def called(self) -> list[str]:
        """Return the calls, without the names of temporary files."""
        return re.sub(r",src=\S+/", ",src=", self.calls.read_text()).splitlines()


@pytest.mark.parametrize(
    ("builders", "engine", "chosen"),
    [
        (("docker", "podman", "buildah"), "0", "docker"),
        (("docker", "buildah"), "1", "buildah"),
        (("podman", "buildah"), "0", "podman"),
    ],
)
def test_the_first_builder_that_answers_builds(
    tmp_path: Path, builders: tuple[str, ...], engine: str, chosen: str
) -> None:
    machine = Machine(tmp_path, *builders)
    result = machine.run(ENGINE=engine)
    assert result.returncode == 0, result.stderr
    build = next(call for call in machine.called() if " build " in call)
    assert build.startswith(f"{chosen} build --tag sidecar-injector:{__version__} --file Dockerfile ")
    assert f"--build-arg VERSION={__version__} " in build
    assert f"sidecar-injector:{__version__} has 120MB. Now bring it to the cluster" in result.stderr


def test_without_a_builder_it_says_what_to_install(tmp_path: Path) -> None:
    result = Machine(tmp_path, "docker").run(ENGINE="1")
    assert result.returncode == 1
    assert result.stderr == (
        "scripts/image: no builder answers here: install docker, podman or buildah "
        "(Debian: apt-get install buildah)\n"
    )


def test_a_base_by_digest_is_taken_without_a_word(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "podman")
    base = f"python:3.13-slim@sha256:{'0' * 64}"
    assert "may change" not in machine.run("--base", base).stderr
    assert f"--build-arg PYTHON={base} " in machine.called()[-2]
    assert "python:3.13-slim may change; pin it" in machine.run().stderr


def test_the_machines_pip_configuration_is_a_secret_of_the_build(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "buildah")
    result = machine.run()
    assert "secret@" not in result.stderr + machine.calls.read_text(), "it is no argument"
    assert (tmp_path / "calls.secrets").read_text() == (
        "[global]\nindex-url = https://user:secret@index.example/simple\ncert = /run/secrets/ca\nthe machine's CA\n"
    )
    assert "--secret id=pip,src=pip.conf --secret id=ca,src=ca.pem" in machine.called()[1]
    left = re.findall(r"src=(\S+)", machine.calls.read_text())
    assert [path for path in left if Path(path).exists()] == []


@pytest.mark.parametrize(
    ("builder", "calls"),
    [
        ("docker", ["docker buildx build --platform linux/amd64,linux/arm64 --tag r/s:1 --push "]),
        (
            "podman",
            [
                "podman build --platform linux/amd64,linux/arm64 --manifest r/s:1 ",
                "podman manifest push --all r/s:1 docker://r/s:1",
            ],
        ),
    ],
)
def test_several_architectures_are_pushed_as_one(tmp_path: Path, builder: str, calls: list[str]) -> None:
    machine = Machine(tmp_path, builder)
    result = machine.run("--platform", "linux/amd64,linux/arm64", "--tag", "r/s:1", "--push")
    assert result.returncode == 0, result.stderr
    found = [call for call in machine.called() if " build " in call or " push " in call]
    assert all(call.startswith(start) for call, start in zip(found, calls, strict=True)), found


def test_docker_cannot_keep_several_architectures_itself(tmp_path: Path) -> None:
    result = Machine(tmp_path, "docker").run("--platform", "linux/amd64,linux/arm64")
    assert result.returncode == 1
    assert "in a registry only: add --push" in result.stderr


def test_options_for_the_builder_go_behind_two_dashes(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "buildah")
    machine.run("--", "--isolation", "chroot")
    assert " --isolation chroot ." in machine.calls.read_text()
    refused = machine.run("--isolation", "chroot")
    assert (refused.returncode, "there is no option --isolation" in refused.stderr) == (1, True)


def test_its_help_is_the_head_of_the_file() -> None:
    result = subprocess.run(
        ["sh", ROOT / "scripts" / "image", "--help"],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.startswith("Build the image with docker, podman or buildah")
    assert "options behind -- go to the builder" in result.stdout
