"""`lint` as a user runs it: its outputs, its exit codes, whole ConfigMaps; and `serve` beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.cli.conftest import Run
from tests.conftest import PATIENCE
from tests.diagnosis.test_lint_agrees_with_serve import CORPUS, Broken

CONFIG = """\
policy: enabled
templates:
  sidecar: |
    spec:
      containers:
      - name: istio-proxy
        image: {{ .Values.image }}
        volumMounts: []
        resources: {requests: {cpu: 10m}}
"""
FILES = ("--injectConfigFile", "c.yaml", "--valuesFile", "v.yaml", "--release", "1.31")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A configuration with one warning, on line 8, and its values."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "v.yaml").write_text("image: x\n")
    return tmp_path


@pytest.mark.usefixtures("files")
def test_a_warning_fails_only_a_strict_run(run: Run) -> None:
    lax, strict = run("lint", *FILES), run("lint", *FILES, "--strict")
    assert (lax.returncode, strict.returncode) == (0, 1), lax.stderr
    assert "c.yaml:8: templates.sidecar: warning SI203: " in lax.stdout
    assert "did you mean 'volumeMounts'?" in lax.stdout
    assert "ok: behaves as Istio 1.31" in lax.stdout


@pytest.mark.usefixtures("files")
def test_json_is_a_list_of_findings(run: Run) -> None:
    (found,) = [
        each for each in json.loads(run("lint", *FILES, "-o", "json").stdout) if each["rule"] == "SI203"
    ]
    assert (found["file"], found["line"], found["severity"]) == ("c.yaml", 8, "warning")


@pytest.mark.usefixtures("files")
def test_sarif_names_rule_level_file_and_line(run: Run) -> None:
    (log,) = json.loads(run("lint", *FILES, "-o", "sarif").stdout)["runs"]
    (found,) = [each for each in log["results"] if each["ruleId"] == "SI203"]
    physical = found["locations"][0]["physicalLocation"]
    assert (found["level"], physical["artifactLocation"]["uri"], physical["region"]["startLine"]) == (
        "warning",
        "c.yaml",
        8,
    )
    assert "SI203" in {rule["id"] for rule in log["tool"]["driver"]["rules"]}


def test_sarif_names_files_by_uris_whatever_they_are_called(run: Run, tmp_path: Path) -> None:
    (tmp_path / "no utf-8 \udcff.yaml").write_text("kind: 5\n")
    (log,) = json.loads(run("lint", ".", "-o", "sarif").stdout)["runs"]
    places = [result["locations"][0]["physicalLocation"] for result in log["results"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {
        "no%20utf-8%20%FF.yaml",
        "built-in%20config",
    }


@pytest.mark.usefixtures("files")
def test_a_github_workflow_gets_its_commands(run: Run) -> None:
    lines = run("lint", *FILES, "-o", "github").stdout.splitlines()
    assert "::warning file=c.yaml,line=8,title=SI203::spec.containers[0] has no field" in "\n".join(lines)


def config_map(**keys: str) -> str:
    """Return a ConfigMap with keys, each a block; the first begins on line 6."""
    blocks = (
        f"  {key}: |\n" + "".join(f"    {line}\n" for line in text.splitlines()) for key, text in keys.items()
    )
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: injector}}\ndata:\n{''.join(blocks)}"


def test_a_whole_config_map_is_taken_with_the_lines_of_its_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(config_map(config=CONFIG, values="image: x\n"))
    (tmp_path / "mesh.yaml").write_text(config_map(mesh="accessLogFile: /dev/stdout\nnoSuchField: 1\n"))
    result = run(
        "lint", "--injectConfigFile", "map.yaml", "--meshConfigFile", "mesh.yaml", "--release", "1.31"
    )
    assert result.returncode == 0, result.stdout
    assert "map.yaml:13: templates.sidecar: warning SI203" in result.stdout
    assert "mesh.yaml:7: warning SI104: noSuchField" in result.stdout


@pytest.mark.timeout(60)
def test_serve_takes_whole_config_maps_as_lint_does_at_start_and_later(run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "map.yaml"
    whole.write_text(config_map(config=CONFIG, values="image: x\n"))
    (tmp_path / "mesh.yaml").write_text(config_map(mesh="noSuchField: 1\n"))
    assert run("certs").returncode == 0
    flags = ("--inject-config-file", "map.yaml", "--mesh-config-file", "mesh.yaml", "--release", "1.31")
    arguments = (*TO_SERVE, *flags, "--log-format", "text")
    with subprocess.Popen(
        [sys.executable, "-m", "injector", *arguments], cwd=tmp_path, stderr=subprocess.PIPE, env=OUTSIDE
    ) as popen:
        assert popen.stderr is not None
        try:
            said = until(popen.stderr, b"serving")
            assert b"noSuchField" in said, "the mesh is not that of the ConfigMap"
            whole.write_text(config_map(config=CONFIG, values="image: other\n"))
            until(popen.stderr, b"configuration loaded")
            whole.write_text(config_map(values="image: other\n"))
            until(popen.stderr, b"map.yaml: the ConfigMap has no key 'config': it has values")
        finally:
            popen.kill()


def until(lines: IO[bytes], words: bytes) -> bytes:
    """Return what is said up to the line with these words."""
    said = b""
    for line in lines:
        said += line
        if words in line:
            return said
    raise AssertionError(said.decode())


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("flag", ["--inject-config-file", "--values-file", "--mesh-config-file"])
def test_a_file_that_serve_finds_too_large_is_too_large_for_lint(run: Run, tmp_path: Path, flag: str) -> None:
    (tmp_path / "large.yaml").write_text("#" * ((4 << 20) + 1))
    result = run("lint", *FILES, flag, "large.yaml")
    assert (result.returncode, result.stderr) == (
        1,
        "error: large.yaml: cannot read it: it is larger than 4 MiB\n",
    )


@pytest.mark.parametrize("text", ["", "null", "''", "' '"])
def test_a_template_without_a_text_is_found(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(f"policy: enabled\ntemplates:\n  sidecar: {text}\n")
    (tmp_path / "v.yaml").write_text("{}")
    words = "templates.sidecar is empty: its pods get the marks of injection and nothing else"
    assert f"c.yaml:3: warning SI104: {words}\n" in run("lint", *FILES).stdout
    assert f"warning: {words}\n" in run("inject", *FILES, "-", stdin="kind: Pod\n").stderr


def test_a_config_map_without_the_key_is_said_in_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(config_map(config=CONFIG))
    result = run("lint", "--meshConfigFile", "map.yaml")
    assert (result.returncode, result.stderr) == (
        1,
        "error: map.yaml: the ConfigMap has no key 'mesh': it has config\n",
    )


@pytest.mark.parametrize(
    ("flag", "key"),
    [("--inject-config-file", "config"), ("--values-file", "values"), ("--mesh-config-file", "mesh")],
)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("apiVersion: apps/v1\nkind: Deployment\n", "2: this is a Deployment"),
        ('{"apiVersion": "v1", "kind": "List", "items": []}', "1: this is a List"),
        ('"apiVersion": v1\n"kind": Secret\n', "2: this is a Secret"),
    ],
    ids=["a workload", "a List in JSON", "a Secret with quotes"],
)
def test_an_object_of_another_kind_is_no_part_of_a_configuration(
    run: Run, tmp_path: Path, flag: str, key: str, text: str, said: str
) -> None:
    """A Deployment was taken for values, none of which anything reads."""
    (tmp_path / "other.yaml").write_text(text)
    result = run("lint", flag, "other.yaml")
    remedy = f"give a file with the text of {key!r}, or the ConfigMap that has it"
    assert (result.returncode, result.stderr) == (1, f"error: other.yaml:{said}: {remedy}\n")


@pytest.mark.parametrize(
    "text", ["  kind: ConfigMap\n  data:\n    values: '5'\n", "{kind: ConfigMap, data: {values: '5'}}\n"]
)
def test_a_config_map_is_known_however_it_is_written(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    assert (
        "map.yaml: error SI001: must be a mapping, not a number"
        in run("lint", "--values-file", "map.yaml").stdout
    )


def test_values_may_have_a_kind_of_their_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("kind: Canary\nglobal: {hub: here}\n")
    assert run("lint", "--values-file", "values.yaml").returncode == 0


@pytest.mark.parametrize("value", ["5", "{trustDomain: x}", "null", ""])
def test_a_key_of_a_config_map_that_is_no_text_is_said_with_its_line(
    run: Run, tmp_path: Path, value: str
) -> None:
    (tmp_path / "map.yaml").write_text(f"kind: ConfigMap\napiVersion: v1\ndata:\n  mesh: {value}\n")
    result = run("lint", "--meshConfigFile", "map.yaml")
    reason = "what the ConfigMap has under 'mesh' is no text: write | behind its name, and the text below"
    assert (result.returncode, result.stderr) == (1, f"error: map.yaml:4: {reason}\n")


@pytest.mark.parametrize("file", ["c.yaml", "v.yaml", "m.yaml"])
def test_a_second_document_of_the_configuration_is_refused_by_lint_and_serve(
    run: Run, files: Path, file: str
) -> None:
    (files / "m.yaml").write_text("accessLogFile: /dev/stdout\n")
    text = (files / file).read_text()
    (files / file).write_text(f"{text}---\n# a comment is fine\nmore: 1\n")
    line = text.count("\n") + 3
    assert run("certs").returncode == 0
    result = run("lint", *FILES, "--mesh-config-file", "m.yaml")
    assert (result.returncode, f"{file}:{line}: error SI001: " in result.stdout) == (1, True)
    assert refused(run).startswith(f"error: {file}:{line}: the document ends above")


def refused(run: Run) -> str:
    """Return what `serve` says of the configuration that it does not start with."""
    result = run(*TO_SERVE, *FILES, "--mesh-config-file", "m.yaml")
    assert result.returncode == 1
    return result.stderr.splitlines()[-1]


@pytest.mark.usefixtures("files")
def test_a_pod_that_would_be_denied_fails_the_run(run: Run) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n"
        "  annotations: {traffic.sidecar.istio.io/includeInboundPorts: many}\n"
        "spec: {containers: [{name: a, image: a}]}\n"
    )
    result = run("lint", *FILES, "-f", "-", stdin=pod)
    assert result.returncode == 1
    assert "<stdin>:1: error SI003: Pod web is denied: " in result.stdout


@pytest.mark.usefixtures("files")
def test_documents_that_cannot_be_read_are_told_of_all_files_at_once(run: Run, files: Path) -> None:
    (files / "a.yaml").write_text("a: [1\n---\nkind: Pod\nb: {c\n")
    (files / "b.yaml").write_text("---\n'\n")
    result = run("lint", *FILES, "-f", "a.yaml", "-f", "b.yaml")
    told = [line.partition(" error SI005: ")[0] for line in result.stdout.splitlines() if "SI005" in line]
    assert (result.returncode, told) == (1, ["a.yaml:2:", "a.yaml:5:", "b.yaml:3:"])


@pytest.mark.usefixtures("files")
def test_manifests_are_taken_by_position(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1\n")
    result = run("lint", *FILES, "a.yaml")
    assert (result.returncode, "a.yaml:2: error SI005: " in result.stdout) == (1, True)


@pytest.mark.usefixtures("files")
def test_empty_input_is_said(run: Run) -> None:
    result = run("lint", *FILES, "-f", "-", stdin="")
    assert (result.returncode, result.stderr) == (
        1,
        "error: <stdin> is empty: there is no manifest to read\n",
    )


def test_the_help_names_the_exit_codes(run: Run) -> None:
    assert "Exit codes:" in run("lint", "--help").stdout


TO_SERVE = (
    *("serve", "--address", "127.0.0.1", "--port", "0"),
    *("--monitoringAddress", "127.0.0.1", "--monitoringPort", "0"),
    *("--tlsCertFile", "certs/tls.crt", "--tlsKeyFile", "certs/tls.key"),
)
OUTSIDE = {name: value for name, value in os.environ.items() if name != "KUBERNETES_SERVICE_HOST"}
"""The environment of a process that is in no cluster."""


def starts(folder: Path, broken: Broken) -> bool:
    """Return whether a process of `serve` starts with a configuration."""
    files = ("--injectConfig", "c.yaml", "--injectValues", "v.yaml", "--meshConfig", "m.yaml")
    arguments = (*TO_SERVE, "--release", broken.release, *files)
    with subprocess.Popen(
        [sys.executable, "-m", "injector", *arguments], cwd=folder, stderr=subprocess.PIPE, env=OUTSIDE
    ) as popen:
        assert popen.stderr is not None
        try:
            for line in popen.stderr:
                if b'"serving"' in line:
                    popen.send_signal(signal.SIGINT)
                    return True
            return popen.wait(timeout=PATIENCE) == 0
        finally:
            popen.kill()


@pytest.mark.parametrize("broken", CORPUS[::15], ids=lambda broken: broken.name)
def test_a_process_of_lint_passes_exactly_what_a_process_of_serve_starts_with(
    run: Run, tmp_path: Path, broken: Broken
) -> None:
    for name, text in (("c.yaml", broken.config), ("v.yaml", broken.values), ("m.yaml", broken.mesh)):
        (tmp_path / name).write_text(text)
    assert run("certs").returncode == 0
    files = ("--injectConfigFile", "c.yaml", "--valuesFile", "v.yaml", "--meshConfigFile", "m.yaml")
    result = run("lint", *files, "--release", broken.release)
    assert result.returncode in (0, 1), result.stderr
    assert (result.returncode == 0) == starts(tmp_path, broken), result.stdout
