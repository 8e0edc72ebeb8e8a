"""certs, probe and lint as a user runs them."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509

from injector.registration.bundle import verifies
from injector.templates import built_in
from tests.cli.conftest import Run

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: web}]}
"""


def test_certs_makes_a_ca_a_leaf_and_a_key_that_only_its_owner_reads(run: Run, tmp_path: Path) -> None:
    result = run("certs", "--namespace", "mesh", "--dns-name", "injector.test")
    assert result.returncode == 0, result.stderr
    folder = tmp_path / "certs"
    assert stat.S_IMODE((folder / "tls.key").stat().st_mode) == 0o600
    leaf = (folder / "tls.crt").read_bytes()
    assert verifies((folder / "ca.crt").read_bytes(), leaf)
    names = (
        x509.load_pem_x509_certificate(leaf)
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value.get_values_for_type(x509.DNSName)
    )
    assert {"sidecar-injector.mesh.svc", "localhost", "injector.test"} <= set(names)
    assert not (folder / "ca.key").exists()


def test_certs_for_a_service_with_a_long_name(run: Run) -> None:
    result = run("certs", "--service-name", "a" * 63, "--dns-name", "*.Example.com", "--dns-name", "::1")
    assert (result.returncode, result.stderr.count("\n")) == (0, 2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--dns-name", "bücher.example"), "'--dns-name': 'bücher.example' is neither a DNS name nor an IP"),
        (("--dns-name", "a\udcff"), "'--dns-name': 'a\\udcff' is neither a DNS name nor an IP"),
        (("--dns-name", ""), "'--dns-name': '' is neither a DNS name nor an IP"),
        (("--dns-name", "bad name"), "'--dns-name': 'bad name' is neither a DNS name nor an IP"),
        (("--dns-name", f"{'a' * 60}." * 5 + "b"), "is neither a DNS name nor an IP"),
        (("-n", ""), "'-n' / '--namespace': '' is not a name: 1 to 63 of"),
        (("--service-name", "a.b"), "'--service-name': 'a.b' is not a name: 1 to 63 of"),
        (("--service-name", "a" * 64), "is not a name: 1 to 63 of"),
    ],
)
def test_a_name_that_no_certificate_can_have_is_a_usage_error(
    run: Run, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    result = run("certs", *flags)
    assert result.returncode == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_certs_that_are_there_are_replaced_only_when_asked(run: Run, tmp_path: Path) -> None:
    run("certs")
    before = (tmp_path / "certs" / "tls.crt").read_bytes()
    refused = run("certs")
    assert refused.returncode == 1
    assert "certs/ca.crt is there already; --force" in refused.stderr
    assert (tmp_path / "certs" / "tls.crt").read_bytes() == before
    assert run("certs", "--force").returncode == 0
    assert (tmp_path / "certs" / "tls.crt").read_bytes() != before


def test_certs_in_a_place_that_cannot_be_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("certs", "--directory", "file/certs")
    assert result.returncode == 1
    assert "file/certs: cannot make the folder" in result.stderr


@pytest.mark.parametrize("interval", ["0", "0s"])
def test_probe_of_no_time_at_all_is_a_usage_error(run: Run, tmp_path: Path, interval: str) -> None:
    (tmp_path / "health").write_text("ok")
    result = run("probe", "--health-check-file", "health", "--health-check-interval", interval)
    assert result.returncode == 2
    assert f"'{interval}' is not a positive duration; write 300ms, 4s, 1m30s" in result.stderr


def test_probe_is_content_with_a_fresh_file_only(run: Run, tmp_path: Path) -> None:
    health = tmp_path / "health"
    arguments = ("probe", "--probe-path", "health", "--interval", "4s")
    assert run(*arguments).returncode == 1
    health.write_text("ok")
    assert run(*arguments).stdout == "OK\n"
    old = time.time() - 60
    os.utime(health, (old, old))
    result = run(*arguments)
    assert result.returncode == 1
    assert "old" in result.stderr


@pytest.mark.parametrize("interval", ["4", "4x", "", "s"])
def test_a_duration_is_go_s(run: Run, interval: str) -> None:
    result = run("probe", "--probe-path", "x", "--interval", interval)
    assert result.returncode == 2
    assert "is not a duration" in result.stderr


def test_lint_says_what_the_configuration_is(run: Run) -> None:
    result = run("lint")
    assert result.returncode == 0, result.stderr
    assert "ok: behaves as Istio 1.31" in result.stdout
    assert "templates: sidecar" in result.stdout


def test_lint_names_file_line_and_reason(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("policy: enabled\ntemplates:\n  sidecar: |\n    a: {{ .X\n")
    result = run("lint", "--injectConfigFile", "c.yaml")
    assert result.returncode == 1
    assert result.stdout.startswith("c.yaml:5: templates.sidecar: error SI001: template: inject:2: ")


def test_lint_shows_the_code_of_a_template(run: Run) -> None:
    shown = run("lint", "--show-code", "sidecar")
    assert shown.returncode == 0
    compile(shown.stdout, "shown", "exec")
    missing = run("lint", "--show-code", "nope")
    assert missing.returncode == 2
    assert "there is no template 'nope'; there are sidecar" in missing.stderr


TAGGED = ("--injectConfigFile", "c.yaml", "--valuesFile", "v.yaml")


@pytest.mark.parametrize("command", ["lint", "inject", "explain"])
def test_the_release_that_is_told_from_the_tag_is_said_and_the_option_wins(
    run: Run, tmp_path: Path, command: str
) -> None:
    (tmp_path / "c.yaml").write_text("policy: enabled\ntemplates:\n  sidecar: 'spec: {}'\n")
    (tmp_path / "v.yaml").write_text("global: {tag: 1.29.1-distroless}\n")
    files = () if command == "lint" else ("-f", "-")
    told = run(command, *files, *TAGGED, stdin=POD)
    sentence = "release 1.29, told from values.global.tag 1.29.1-distroless; --release wins\n"
    assert (told.returncode, told.stderr.startswith(sentence)) == (0, True), told.stderr
    asked = run(command, *files, *TAGGED, "--release", "1.28", stdin=POD)
    assert (asked.returncode, "told from" in asked.stderr) == (0, False), asked.stderr


def test_lint_says_when_nothing_tells_the_release(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("policy: enabled\ntemplates:\n  sidecar: 'spec: {}'\n")
    (tmp_path / "v.yaml").write_text("global: {tag: latest}\n")
    told = run("lint", *TAGGED)
    sentence = "release 1.31, the newest that reads `templates`: values.global.tag latest tells none"
    assert told.stderr == f"{sentence}; --release wins\n"
    assert "behaves as Istio 1.31" in told.stdout


def test_the_built_in_configuration_is_of_the_newest_release_whatever_the_tag(
    run: Run, tmp_path: Path
) -> None:
    values = re.sub(r"(?m)^( *tag:).*", r"\1 1.20.1", built_in().values)
    (tmp_path / "v.yaml").write_text(values)
    result = run("lint", "--valuesFile", "v.yaml")
    assert (result.returncode, result.stderr) == (0, "")
    assert "behaves as Istio 1.31" in result.stdout
