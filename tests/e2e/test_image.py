"""The image that scripts/image builds, run from its root file system."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from injector import __version__
from tests.conftest import PATIENCE
from tests.e2e.built_image import USER, WRITTEN_BY_ALL, Image, done

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # three minutes where nobody else works


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
        mounts={"/certs": certs},
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
