"""inject --keep-layout: the user's file stays the user's, what is injected is added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run
from tests.cli.manifests import DEPLOYMENT, SERVICE

CONFIG = """\
policy: enabled
templates:
  sidecar: |
    metadata:
      annotations: {injected: "yes"}
    spec:
      containers:
      - name: istio-proxy
        image: proxy:1
      volumes:
      - name: istio-envoy
        emptyDir: {}
"""

FILE = """\
# the shop's front
kind: Deployment        # before the version, on purpose
apiVersion: apps/v1

metadata: {name: "web"}
spec:
  # one is enough
  replicas: 1
  template:
    metadata:
      annotations:
        # asked for by the auditors
        audit: 'on'
    spec:
      terminationGracePeriodSeconds: 5   # short
      containers:
      # the front itself
      - image: "web:1"
        name: web
        ports: [ {containerPort: 80} ]   # plain
"""

STATUS = (
    '        sidecar.istio.io/status: \'{"initContainers":null,"containers":["istio-proxy"],'
    '"volumes":["istio-envoy"],"imagePullSecrets":null,"revision":"default"}\'\n'
)
METRICS = (
    "        prometheus.io/path: /stats/prometheus\n"
    '        prometheus.io/port: "15020"\n'
    '        prometheus.io/scrape: "true"\n'
)
ANNOTATIONS = '        injected: "yes"\n' + METRICS + STATUS
SPEC = """\
      - image: proxy:1
        name: istio-proxy
        resources: {}
      volumes:
      - emptyDir: {}
        name: istio-envoy
"""
INJECTED = FILE.replace("        audit: 'on'\n", "        audit: 'on'\n" + ANNOTATIONS) + SPEC


@pytest.fixture
def keep(run: Run, tmp_path: Path) -> Any:
    (tmp_path / "config.yaml").write_text(CONFIG)

    def keep(*arguments: str, **files: str) -> str:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_bytes(text.encode())
        names = [part for name in files for part in ("-f", f"{name}.yaml")]
        command = ("inject", "--keep-layout", "--release", "1.31", "--injectConfigFile", "config.yaml")
        result = run(*command, *names, *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return keep


def pods(text: str) -> list[list[str]]:
    found = []
    for document in yaml.safe_load_all(text):
        for each in document.get("items", [document]):
            template = each.get("spec", {}).get("template", each)
            found.append([c["name"] for c in template.get("spec", {}).get("containers", [])])
    return found


def test_comments_quotes_order_and_blank_lines_stay(keep: Any) -> None:
    assert keep(app=FILE) == INJECTED


def test_what_go_would_print_of_the_users_own_is_not_added(keep: Any) -> None:
    text = keep(app=FILE)
    for word in ("creationTimestamp", "strategy", "status:"):
        assert word not in text.replace("sidecar.istio.io/status:", "")
    assert text.count("resources: {}") == 1


def test_documents_keep_their_separators_and_those_without_pods_every_byte(keep: Any) -> None:
    text = f"---\n{SERVICE}--- # the front\n{FILE}---\n# nothing here\n---\n{SERVICE}"
    assert keep(app=text) == f"---\n{SERVICE}--- # the front\n{INJECTED}---\n# nothing here\n---\n{SERVICE}"


def test_a_document_that_is_skipped_is_not_touched(keep: Any) -> None:
    text = FILE.replace(
        "    spec:\n      termination", "    spec:\n      hostNetwork: true\n      termination"
    )
    assert keep(app=text) == text


def test_files_follow_each_other_with_a_separator(keep: Any) -> None:
    assert keep(a=FILE.removesuffix("\n"), b=SERVICE) == f"{INJECTED}---\n{SERVICE}"


def test_a_list_keeps_its_items_where_they_are(keep: Any) -> None:
    text = (
        "apiVersion: v1\nkind: List\nitems:\n# one\n"
        "- apiVersion: v1\n  kind: Service   # none of ours\n  metadata: {name: s}\n"
        "- kind: Pod   # ours\n  apiVersion: v1\n  metadata:\n    name: p\n"
        "  spec:\n    containers:\n    - {name: p, image: p}   # flow\n"
        "- kind: Pod\n  apiVersion: v1\n  metadata: {name: q}\n  spec: {hostNetwork: true}   # skipped\n"
    )
    result = keep(app=text)
    assert pods(result) == [[], ["p", "istio-proxy"], []]
    missing = [line for line in text.splitlines() if line not in result.splitlines()]
    assert missing == []
    kept = [line for line in result.splitlines() if line in text.splitlines()]
    assert kept == text.splitlines()


def test_windows_line_ends_stay(keep: Any, tmp_path: Path) -> None:
    keep("-o", "out.yaml", app=FILE.replace("\n", "\r\n"))
    assert (tmp_path / "out.yaml").read_bytes() == INJECTED.replace("\n", "\r\n").encode()


def test_injecting_what_was_injected_changes_nothing(keep: Any) -> None:
    assert keep(app=INJECTED) == INJECTED


@pytest.mark.parametrize(
    ("release", "config"),
    [
        (
            "1.4",
            "policy: enabled\ntemplate: |\n  containers:\n  - {name: istio-proxy, env: [{name: A, value: 1}]}\n",
        ),
        ("1.24", CONFIG),
    ],
)
def test_the_result_means_what_the_usual_output_means(
    run: Run, tmp_path: Path, release: str, config: str
) -> None:
    (tmp_path / "app.yaml").write_text(DEPLOYMENT)
    (tmp_path / "config.yaml").write_text(config)
    found = []
    for layout in ((), ("--keep-layout",)):
        files = ("--injectConfigFile", "config.yaml", "-f", "app.yaml")
        result = run("inject", "--release", release, *layout, *files)
        assert result.returncode == 0, result.stderr
        found.append(next(yaml.safe_load_all(result.stdout)))
    usual, kept = found
    zero: dict[str, Any] = {"creationTimestamp": None, "resources": {}, "status": {}, "strategy": {}}
    assert without(usual, zero) == without(kept, zero)


def without(value: Any, zero: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {
            key: without(item, zero) for key, item in value.items() if key not in zero or item != zero[key]
        }
    return [without(item, zero) for item in value] if isinstance(value, list) else value


def test_json_has_no_layout_to_keep(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(FILE)
    result = run("inject", "--keep-layout", "-o", "json", "-f", "app.yaml")
    assert result.returncode == 2
    assert "--keep-layout keeps that of YAML" in result.stderr
