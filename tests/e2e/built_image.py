"""The image, built by scripts/image from the real Dockerfile, and a container of it to run things in.

No registry is asked: the base is made of Debian's packages, with the Python that the Dockerfile asks for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT

SUITES = {"3.11": "bookworm", "3.13": "trixie"}
"""The release of Debian that has a Python."""

USER = 65532

WRITTEN_BY_ALL = {"tmp", "var/tmp", "run/lock"}
"""Folders that anybody may write to on every Linux; the root is mounted read-only, and /tmp is a volume."""


def tool(name: str) -> str:
    if os.getuid() != 0:
        pytest.skip("NO IMAGE: it is built in a chroot, which takes root; the Dockerfile is not built")
    found = shutil.which(name)
    if found is None:
        pytest.skip(
            f"NO IMAGE: {name} is missing (apt-get install buildah mmdebstrap); the Dockerfile is not built"
        )
    return found


def done(*command: str | Path, **environment: str) -> str:
    result = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, f"{command[0]}: {result.stdout[-2000:]}{result.stderr[-2000:]}"
    return result.stdout


def debian_mirror() -> str:
    """Return where this machine has its own Debian from."""
    asked = ("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian", "Created-By: Packages")
    found = [uri for uri in done(*asked).split() if "security" not in uri]
    return found[0] if found else "http://deb.debian.org/debian"


def make_base(folder: Path, suite: str) -> Path:
    """Make a root file system with Python, from this machine's mirror with its apt settings."""
    settings = folder / "apt.conf"
    dumped = done("apt-config", "dump").splitlines()
    settings.write_text(
        "\n".join(line for line in dumped if re.match("Acquire::(Check|https?|Retries)", line))
    )
    root = folder / "base.tar"
    packages = "python3,python3-venv,python-is-python3,ca-certificates"
    done(
        *(tool("mmdebstrap"), "--variant=minbase", f"--include={packages}", f"--aptopt={settings}"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"),
        *(suite, root, debian_mirror()),
    )
    return root


class Image:
    """The built image in a store of its own, and a container of it to run things in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.buildah = tool("buildah")
        storage = folder / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
        )
        self.environment = {"CONTAINERS_STORAGE_CONF": str(storage), "BUILDAH_ISOLATION": "chroot"}
        version = re.search(r"(?m)^ARG PYTHON=python:(\d+\.\d+)", (ROOT / "Dockerfile").read_text())
        assert version is not None
        base = self.ask("from", "scratch")
        self.ask("add", "--quiet", base, str(make_base(folder, SUITES[version[1]])), "/")
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.ask("config", "--env", f"PATH={path}", base)
        self.ask("commit", "--quiet", "--rm", base, "localhost/base")
        self.said = self.build()
        self.container = self.ask("from", "localhost/sidecar-injector:test")
        self.root = Path(self.ask("mount", self.container))

    def ask(self, *arguments: str) -> str:
        return done(self.buildah, *arguments, **self.environment).strip()

    def build(self) -> str:
        arguments = ("--builder", "buildah", "--base", "localhost/base", "--tag", "sidecar-injector:test")
        result = subprocess.run(
            [ROOT / "scripts" / "image", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.environment},
            cwd="/",
        )
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        return result.stderr

    def command(
        self,
        *arguments: str,
        mounts: Mapping[str, Path] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return what runs a program in the container; ``mounts`` are folders of ours by their path there."""
        options = [f"--volume={ours}:{path}:ro" for path, ours in (mounts or {}).items()]
        options += [f"--env={name}={value}" for name, value in (variables or {}).items()]
        return [self.buildah, "run", "--isolation", "chroot", *options, self.container, "--", *arguments]

    def run(self, *arguments: str) -> str:
        return done(*self.command(*arguments), **self.environment)
