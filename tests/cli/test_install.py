"""The packages that are published: built, checked, installed where nothing is, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from injector import __version__
from tests.conftest import ROOT

PROGRAMS = Path(sys.executable).parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.socket,
    pytest.mark.timeout(1800),  # they install from the network: a minute where nobody else works
]


def program(name: str) -> str:
    """Return a tool of the development lock."""
    found = shutil.which(name, path=f"{PROGRAMS}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"NO {name.upper()}: run scripts/venv dev; what it installs is not tried")
    return found


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        cwd="/",
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it, of what is committed and what is not yet."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard").stdout.split()
    for name in listed:
        if not name.startswith("tests/") and (ROOT / name).exists():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    run(program("pyproject-build"), "--no-isolation", "--outdir", out, source)
    (sdist,) = out.glob("*.tar.gz")
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The options by which installers find the lock's packages, and no others.

    pip fetches them, as it did for the tests' own environment: it alone is set up to reach an index everywhere.
    """
    folder = tmp_path_factory.mktemp("wheelhouse")
    fetch = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder)
    run(*fetch, "--require-hashes", "--requirement", ROOT / "requirements.txt")
    run(*fetch, f"setuptools=={metadata.version('setuptools')}")
    return "--no-index", "--find-links", str(folder)


def ours() -> set[str]:
    """Return every file of the package that is kept in git."""
    listed = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "injector")
    return {name for name in listed.stdout.split() if (ROOT / name).exists()}


def test_the_wheel_carries_the_package_with_its_data_and_nothing_else(packages: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(packages[1]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        scripts = wheel.read(f"sidecar_injector-{__version__}.dist-info/entry_points.txt").decode()
    assert names == ours()
    assert set(re.findall(r"(?m)^\S+", scripts)) == {
        "[console_scripts]",
        "sidecar-injector",
        "kubectl-sidecar_injector",
        "kubectl_complete-sidecar_injector",
    }


def test_the_sdist_carries_what_the_wheel_is_built_from(packages: tuple[Path, Path]) -> None:
    with tarfile.open(packages[0]) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers()}
    assert ours() | {"pyproject.toml", "setup.cfg", "README.md", "LICENSE"} <= names
    assert [name for name in names if name.startswith(("tests/", "k8s/"))] == []


def test_an_index_would_take_them(packages: tuple[Path, Path]) -> None:
    result = run(program("twine"), "check", "--strict", *packages)
    assert result.stdout.count("PASSED") == 2


def tried(folder: Path) -> None:
    """Run what an installation has put into ``folder``."""
    command = folder / "sidecar-injector"
    assert run(command, "--version").stdout == f"sidecar-injector, version {__version__}\n"
    assert "ok: behaves as Istio" in run(command, "lint").stdout
    injected = run(command, "inject", "-q", ROOT / "k8s" / "samples" / "hello.yaml")
    assert "name: istio-proxy" in injected.stdout
    assert run(folder / "kubectl-sidecar_injector", "version").stdout.startswith("sidecar-injector ")


def test_it_runs_in_an_environment_that_had_nothing(
    packages: tuple[Path, Path], wheelhouse: tuple[str, ...], tmp_path: Path
) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *wheelhouse, packages[1])
    run(python, "-m", "pip", "check")
    tried(python.parent)


def test_pipx_installs_the_folder(
    packages: tuple[Path, Path], wheelhouse: tuple[str, ...], tmp_path: Path
) -> None:
    homes = {"PIPX_HOME": str(tmp_path / "home"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    pip_options = " ".join(("--quiet", *wheelhouse))
    run(
        program("pipx"),
        "install",
        "--python",
        sys.executable,
        "--pip-args",
        pip_options,
        source(packages, tmp_path),
        **homes,
    )
    tried(tmp_path / "bin")


def test_uv_installs_the_folder(
    packages: tuple[Path, Path], wheelhouse: tuple[str, ...], tmp_path: Path
) -> None:
    homes = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    run(
        *(program("uv"), "tool", "install", "--quiet", "--no-config", "--python", sys.executable),
        *(*wheelhouse, source(packages, tmp_path)),
        **homes,
    )
    tried(tmp_path / "bin")


def source(packages: tuple[Path, Path], folder: Path) -> Path:
    """Return the unpacked sdist: what somebody has who did not clone."""
    with tarfile.open(packages[0]) as sdist:
        sdist.extractall(folder / "source", filter="data")
    (found,) = (folder / "source").iterdir()
    return found
