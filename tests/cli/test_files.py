"""Manifests by position, by -f, and from the web."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
import yaml

from injector.cli.files import SECRET, write_whole
from injector.cli.web import WebError, fetch
from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT, SERVICE


def test_files_need_no_flag_and_keep_the_order_in_which_they_are_given(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(f"kind: {name.upper()}\n")
    result = run("inject", "b.yaml", "a.yaml", "-f", "c.yaml")
    assert [each["kind"] for each in yaml.safe_load_all(result.stdout) if each] == ["C", "B", "A"]


def test_a_dash_is_stdin_without_a_flag_too(run: Run) -> None:
    assert "<stdin>:1: Deployment web: injected" in run("inject", "-", stdin=DEPLOYMENT).stderr


@pytest.mark.parametrize(
    ("umask", "before", "asked", "mode"),
    [
        (0o022, None, None, 0o644),
        (0o077, None, None, 0o600),
        (0o002, None, None, 0o664),
        (0o022, 0o600, None, 0o600),
        (0o077, 0o664, None, 0o664),
        (0o022, None, SECRET, 0o600),
        (0o022, 0o644, SECRET, 0o600),
    ],
)
def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_has_what_the_umask_leaves(
    tmp_path: Path, umask: int, before: int | None, asked: int | None, mode: int
) -> None:
    path = tmp_path / "out.yaml"
    if before is not None:
        path.touch()
        path.chmod(before)
    usual = os.umask(umask)
    try:
        write_whole(path, b"content", mode=asked)
    finally:
        os.umask(usual)
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"content", mode)
    assert [*tmp_path.iterdir()] == [path]


TOO_LONG = "x" * 300


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("inject", TOO_LONG), f"{TOO_LONG}: cannot read it"),
        (("explain", "-f", TOO_LONG), f"{TOO_LONG}: cannot read it"),
        (("explain", "deploy/web", "--kubeconfig", TOO_LONG), f"{TOO_LONG}: cannot read it"),
        (("certs", "--directory", TOO_LONG), f"{TOO_LONG}: cannot look into it"),
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_not_taken_for_the_output(
    run: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (1, f"error: {sentence}: File name too long\n")


def test_a_home_that_cannot_be_looked_at_is_not_taken_for_the_output(run: Run) -> None:
    result = run("explain", "deploy/web", HOME=f"/{TOO_LONG}", KUBECONFIG="")
    said = f"error: cannot use /{TOO_LONG}/.kube/config: File name too long\n"
    assert (result.returncode, result.stderr) == (1, said)


@pytest.mark.parametrize("command", ["inject", "krm"])
def test_input_without_an_end_is_refused(tmp_path: Path, command: str) -> None:
    arguments = ("/dev/zero",) if command == "inject" else ()
    source = "/dev/zero" if command == "inject" else "<stdin>"
    with Path("/dev/zero").open("rb") as endless:
        result = subprocess.run(
            [sys.executable, "-m", "injector", command, *arguments],
            stdin=endless,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    sentence = f"error: {source}: cannot read it: it is larger than 256 MiB\n"
    assert (result.returncode, result.stderr) == (1, sentence)


AS_ANYBODY = [] if os.getuid() else ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""Takes from root what lets it read everything."""


@pytest.mark.skipif(not (os.getuid() or shutil.which("setpriv")), reason="root may read everything")
@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.parametrize("command", ["inject", "lint"])
def test_what_may_not_be_read_is_named_and_not_left_out(tmp_path: Path, command: str, what: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text(DEPLOYMENT)
    path = tmp_path / ("sub" if what == "folder" else "a.yaml")
    given = tmp_path if what == "folder" else path
    path.chmod(0)
    result = subprocess.run(
        [*AS_ANYBODY, sys.executable, "-m", "injector", command, "-R", str(given)],
        capture_output=True,
        text=True,
        check=False,
    )
    path.chmod(0o755)
    assert (result.returncode, result.stderr) == (1, f"error: {path}: cannot read it: Permission denied\n")


# ---- https


ENOUGH = threading.Event()
"""Ends an answer that would go on for ever."""


class Site(BaseHTTPRequestHandler):
    """Pages of a test by their path."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/app.yaml":
            self.answer(200, f"{SERVICE}---\n{DEPLOYMENT}".encode())
        elif path == "/moved":
            self.answer(302, b"", Location="/app.yaml")
        elif path == "/downhill":
            self.answer(302, b"", Location=f"http://localhost:{self.server.server_address[1]}/app.yaml")
        elif path == "/moved-downhill":
            self.answer(302, b"", Location=f"http://localhost?{query}")
        elif path == "/moved-to-login":
            self.answer(302, b"", Location=f"https://me:sec/ret@localhost?{query}")
        elif path == "/latin":
            self.answer(200, b"a: \xff\n")
        elif path == "/short":
            self.answer(200, b"kind: X\n", **{"Content-Length": "100"})
        elif path == "/endless":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"#" * 65536)
        elif path == "/hold-on":
            with contextlib.suppress(OSError):
                while not ENOUGH.is_set():
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            self.answer(404, b"<html>")

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a site on loopback, and the file with the CA that its certificate is under."""
    authority = trustme.CA()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    trusted = tmp_path_factory.mktemp("site") / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://localhost:{server.server_address[1]}", trusted
    server.shutdown()
    thread.join()
    server.server_close()


DIRECT = {"no_proxy": "localhost", "NO_PROXY": "localhost"}


@pytest.mark.parametrize("path", ["app.yaml", "moved"])
def test_a_manifest_comes_from_the_web(run: Run, site: tuple[str, Path], path: str) -> None:
    address, trusted = site
    result = run("inject", "-f", f"{address}/{path}", SSL_CERT_FILE=str(trusted), **DIRECT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(SERVICE)
    assert f"{address}/{path}:8: Deployment web: injected" in result.stderr


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.yaml", "cannot fetch it: the server says 404 Not Found"),
        ("downhill", "cannot fetch it: it leads to http://localhost:"),
        ("latin", "cannot read it: it is not UTF-8 (byte 3 is 0xff)"),
        ("short", "cannot fetch it: it ended 92 bytes too early"),
    ],
)
def test_what_cannot_be_fetched_is_one_sentence(
    run: Run, site: tuple[str, Path], path: str, reason: str
) -> None:
    address, trusted = site
    result = run("inject", f"{address}/{path}", SSL_CERT_FILE=str(trusted), **DIRECT)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"error: {address}/{path}: {reason}")
    assert len(result.stderr.splitlines()) == 1


def test_a_certificate_that_nobody_signed_is_said(run: Run, site: tuple[str, Path]) -> None:
    result = run("inject", f"{site[0]}/app.yaml", **DIRECT)
    assert result.returncode == 1
    assert "cannot fetch it: its certificate is not trusted: " in result.stderr


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://localhost/app.yaml", "only https is read"),
        ("https://localhost:1/app.yaml", "Connection refused"),
        ("https://", "no host given"),
        ("https://localhost:port/", "nonnumeric port"),
        ("https://[a", "Invalid IPv6 URL"),
    ],
)
def test_an_address_that_cannot_be_is_one_sentence(run: Run, address: str, reason: str) -> None:
    result = run("inject", address, **DIRECT)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {address}: cannot fetch it: {reason}")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("before", "behind", "reason"),
    [
        ("me:secret@", "/app.yaml", "cannot fetch it: a login in an address is not sent"),
        ("", "/missing.yaml?token=secret", "cannot fetch it: the server says 404"),
        ("", "/app.yaml?token=secret", "8: Deployment web: injected"),
        ("", "/moved-downhill?token=secret", "cannot fetch it: it leads to http://localhost/?…, which"),
        ("", "/moved-to-login?token=secret", "cannot fetch it: it leads to https://localhost?… with a login"),
    ],
)
def test_no_secret_of_an_address_is_shown(
    run: Run, site: tuple[str, Path], before: str, behind: str, reason: str
) -> None:
    address, trusted = site
    asked = address.replace("https://", f"https://{before}") + behind
    result = run("inject", "-f", asked, SSL_CERT_FILE=str(trusted), **DIRECT)
    path, question, _ = behind.partition("?")
    assert f"{address}{path}{question and '?…'}:" in result.stderr
    assert reason in result.stderr
    assert "secret" not in result.stderr


@pytest.mark.socket
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"longest": 1 << 20, "seconds": 120.0}, "it has more than 1 MiB"),
        ({"longest": 1 << 40, "seconds": 0.2}, "it did not come within 0.2 seconds"),
    ],
)
def test_an_endless_answer_ends(
    site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, limits: dict[str, float], reason: str
) -> None:
    address, trusted = site
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(WebError, match=reason):
        fetch(f"{address}/endless", **limits)  # type: ignore[arg-type]


@pytest.mark.socket
def test_an_answer_that_never_begins_ends_too(
    site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, trusted = site
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("no_proxy", "localhost")
    try:
        with pytest.raises(WebError, match=r"it did not come within 0.2 seconds"):
            fetch(f"{address}/hold-on", seconds=0.2)
    finally:
        ENOUGH.set()


# ---- what a pipeline gives where something before it has failed


@pytest.mark.parametrize(
    "arguments",
    [
        ("inject", ""),
        ("inject", "-f", ""),
        ("inject", "app.yaml", "-o", ""),
        ("inject", "app.yaml", "--values-file", ""),
        ("lint", ""),
        ("explain", "-f", ""),
        ("certs", "--directory", ""),
    ],
)
def test_the_name_of_a_variable_that_is_not_set_is_not_the_folder_where_we_are(
    run: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith(": it is empty, as a variable is that is not set\n")
    assert [each.name for each in tmp_path.iterdir()] == ["app.yaml"]


@pytest.mark.parametrize("option", ["--namespace-file", "--proxy-config-file"])
@pytest.mark.parametrize(
    ("text", "code"), [("", 1), ("---\n# nobody\n", 1), ("apiVersion: v1\nkind: List\nitems: []\n", 0)]
)
def test_a_file_of_the_cluster_without_an_object_is_told_unless_it_says_that_there_is_none(
    run: Run, tmp_path: Path, option: str, text: str, code: int
) -> None:
    (tmp_path / "there.yaml").write_text(text)
    result = run("explain", "-f", "-", option, "there.yaml", stdin=DEPLOYMENT)
    assert result.returncode == code
    assert ("error: there.yaml: there is nothing in it\n" in result.stderr) is bool(code)
