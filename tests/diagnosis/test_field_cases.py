"""What users reported, and the warning that would have spared them: Istio's own configuration, their input."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from injector.diagnosis.lint import Given, Report, lint, lint_loaded
from injector.injection.loading import Sources, Surroundings
from injector.kubeyaml import documents
from tests.conformance.cases import load, releases
from tests.conformance.judge import injector_for
from tests.conftest import conformance_folder, shared_folder

CASES: Final = [
    ("15-user-volume-typo", "SI404", "'comfigMap' is dropped: did you mean 'configMap'?", {}),
    ("15-user-volume-typo", "SI404", "'readonly' is dropped: did you mean 'readOnly'?", {}),
    ("17-pod-level-resources", "SI302", "aggregate container requests of 100m", {}),
    ("22-grpc-tls-h2-probe", "SI306", "httpGet.protocol is not known to this release", {}),
    ("22-grpc-tls-h2-probe", "SI306", "grpc.mode is not known to this release", {}),
    (
        "23-proxy-prestop-native",
        "SI302",
        "may not specify more than 1 handler type (exec and httpGet)",
        {"ENABLE_NATIVE_SIDECARS": "true"},
    ),
]
BROKEN: Final = [
    ("        image: {{ .ProxyImagee }}\n", "SI201", 8),
    ("        image: x\n      initContainers: []\n      - name: x\n", "SI204", 0),
    ("        image: x\n          env: []\n", "SI204", 9),
    ('        image: x\n        lifecycle: {preStop: {exec: {command: "[]"}}}\n', "SI205", 9),
]
"""Templates each of which denies every pod: lines from 8 on, and the line that is at fault, 0 for any."""


@pytest.fixture(scope="module")
def shared() -> Path:
    """The folder of reference data."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("no reference data: set SHARED_DIR")
    return folder


def said(folder: Path, name: str, env: dict[str, str]) -> Report:
    """Return what lint says of a case's pod with the configuration of Istio 1.31."""
    istio = folder / "conformance" / "1.31"
    config = (istio / "configs" / "default.yaml").read_text(encoding="utf-8")
    values = (istio / "values" / "default.json").read_text(encoding="utf-8")
    text = (folder / "field-cases" / name / "pod.yaml").read_text(encoding="utf-8")
    given = [
        Given(value=each.value, source="pod.yaml", line=each.line, text=each.text) for each in documents(text)
    ]
    return lint(Sources(config=config, values=values), Surroundings(release="1.31", env=env), given)


@pytest.mark.parametrize(("name", "rule", "words", "env"), CASES)
def test_a_user_who_was_hurt_is_warned(
    shared: Path, name: str, rule: str, words: str, env: dict[str, str]
) -> None:
    found = [each for each in said(shared, name, env).findings if each.rule == rule and words in each.message]
    assert found, name
    assert found[0].place.source == "pod.yaml"
    assert found[0].place.line > 1


@pytest.mark.parametrize(("lines", "rule", "line"), BROKEN)
def test_a_template_that_denies_every_pod_is_an_error_with_its_line(lines: str, rule: str, line: int) -> None:
    head = "policy: enabled\ndefaultTemplates: [sidecar]\ntemplates:\n  sidecar: |\n    spec:\n      containers:\n"
    report = lint(Sources(config=f"{head}      - name: istio-proxy\n{lines}"), Surroundings(release="1.31"))
    assert report.failed
    causes = {each.place.line for each in report.findings if each.rule == rule}
    assert causes
    assert line in causes or not line, [str(each) for each in report.findings]


def test_a_linux_sidecar_in_a_windows_pod_is_refused_by_the_api_server(shared: Path) -> None:
    istio = shared / "conformance" / "1.31"
    config = (istio / "configs" / "default.yaml").read_text(encoding="utf-8")
    values = (istio / "values" / "default.json").read_text(encoding="utf-8")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "iis"},
        "spec": {"os": {"name": "windows"}, "containers": [{"name": "iis", "image": "iis"}]},
    }
    given = [Given(value=pod, source="pod.yaml")]
    report = lint(Sources(config=config, values=values), Surroundings(release="1.31"), given)
    assert any("cannot be set for a windows pod" in each.message for each in report.findings)


NAMES: Final = ("default", "helm-default", "kube-inject-hello.yaml.injected")
"""What the configuration of a release as it is installed is called."""


@pytest.mark.slow
@pytest.mark.parametrize("release", releases(conformance_folder() or Path()))
def test_istios_own_configuration_has_no_error_and_few_warnings(release: str) -> None:
    folder = conformance_folder()
    assert folder is not None
    setups = dict.fromkeys(case.setup for case in load(folder, release))
    setup = next(each for each in setups if each.config in NAMES)
    sources = Sources(config=setup.text("configs", setup.config, ".yaml"))
    report = lint_loaded(injector_for(setup, "scalar"), sources)
    warnings = {each.rule for each in report.findings if each.severity == "warning"}
    assert (report.failed, len(warnings) <= 3) == (False, True), [str(each) for each in report.findings]
