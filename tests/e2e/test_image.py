"""The image, built by scripts/image from the real Dockerfile, and run from its root file system.

No registry is asked: the base is made of Debian's packages, with the Python that the Dockerfile asks for.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from injector import __version__
from tests.conftest import PATIENCE, ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # three minutes where nobody else works

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

    def command(self, *arguments: str, volume: str = "") -> list[str]:
        volumes = ["--volume", volume] if volume else []
        return [self.buildah, "run", "--isolation", "chroot", *volumes, self.container, "--", *arguments]

    def run(self, *arguments: str) -> str:
        return done(*self.command(*arguments), **self.environment)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    tool("buildah")
    tool("mmdebstrap")
    found = Image(tmp_path_factory.mktemp("image"))
    yield found
    found.ask("rm", "--all")


def test_it_says_how_large_it_is_and_what_to_do_next(image: Image) -> None:
    assert re.search(r"\nsidecar-injector:test has \d+ MB\. Now bring it to the cluster", image.said)
    for step in (
        "buildah push ",
        "kind load image-archive",
        "kubectl kustomize k8s/overlays/self-signed",
        "set image",
    ):
        assert step in image.said
    assert "localhost/base may change; pin it with --base localhost/base@sha256:…" in image.said


def test_its_labels_say_what_it_is(image: Image) -> None:
    config = json.loads(image.ask("inspect", "--type", "image", "localhost/sidecar-injector:test"))["OCIv1"][
        "config"
    ]
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert labels["version"] == __version__
    assert labels["base.name"] == "localhost/base"
    assert labels["licenses"] == "Apache-2.0"
    assert re.match(r"\d{4}-\d\d-\d\dT", labels["created"])
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["sidecar-injector"]


def test_the_programs_in_it_run(image: Image) -> None:
    assert image.run("sidecar-injector", "--version") == f"sidecar-injector, version {__version__}\n"
    assert "ok: behaves as Istio" in image.run("sidecar-injector", "lint")
    who = "import os; print(os.getuid(), os.getgid())"
    assert image.run("python3", "-c", who) == f"{USER} {USER}\n"


def test_nothing_in_it_installs(image: Image) -> None:
    names = [path.name for path in image.root.rglob("*") if not path.is_symlink()]
    assert [name for name in names if name in {"pip", "pip3", "ensurepip"} or name.startswith("pip-")] == []


def test_its_user_can_write_to_no_file_of_it(image: Image) -> None:
    writable = []
    for path in image.root.rglob("*"):
        status = path.lstat()
        kept = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
        if not kept or str(path.relative_to(image.root)) in WRITTEN_BY_ALL:
            continue
        owned = status.st_uid == USER and status.st_mode & stat.S_IWUSR
        grouped = status.st_gid == USER and status.st_mode & stat.S_IWGRP
        if owned or grouped or status.st_mode & stat.S_IWOTH:
            writable.append(str(path))
    assert writable == []


def test_the_builders_own_configuration_is_not_in_it(image: Image) -> None:
    assert not (image.root / "etc" / "pip.conf").exists()
    history = json.loads(image.ask("inspect", "--type", "image", "localhost/sidecar-injector:test"))
    assert "index-url" not in json.dumps(history)


def test_the_webhook_in_it_answers_a_review(image: Image, tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    done(sys.executable, "-m", "injector", "certs", "--directory", certs)
    for path in (tmp_path, certs, certs / "tls.key"):
        os.chown(path, USER, USER)
    tmp_path.chmod(0o755)
    command = image.command(
        *("sidecar-injector", "serve", "--address", "127.0.0.1", "--port", "0"),
        *("--monitoring-address", "127.0.0.1", "--monitoring-port", "0"),
        *("--tls-cert-file", "/certs/tls.crt", "--tls-key-file", "/certs/tls.key"),
        volume=f"{certs}:/certs:ro",
    )
    environment = {k: v for k, v in os.environ.items() if k != "KUBERNETES_SERVICE_HOST"}
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**environment, **image.environment}
    )
    try:
        assert process.stderr is not None
        port = next(json.loads(line)["port"] for line in process.stderr if '"message":"serving"' in line)
        answer = post(port, certs / "ca.crt")
    finally:
        process.terminate()
        process.stderr.close()  # type: ignore[union-attr]
        process.wait(PATIENCE)
    assert answer["response"]["allowed"] is True
    patch = json.loads(base64.b64decode(answer["response"]["patch"]))
    assert any("istio-proxy" in json.dumps(operation) for operation in patch)


def post(port: int, trusted: Path) -> dict:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "web"}]},
    }
    request = {
        "uid": "u",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": pod,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    context = ssl.create_default_context(cafile=trusted)
    client = http.client.HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)
    client.request("POST", "/inject", json.dumps(review), {"Content-Type": "application/json"})
    found: dict = json.loads(client.getresponse().read())
    client.close()
    return found
