"""Every command of the pages about a cluster, run in order on a real API server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.e2e.conftest import assets, control_plane_class
from tests.e2e.shell import Shell, steps
from tests.go_programs import program

pytestmark = [
    pytest.mark.e2e,
    # The first of them may have to build Kubernetes and helm, which is no fault of its own.
    pytest.mark.timeout(1800, func_only=True),
]

KINDS = (
    ("cert-manager.io", "v1", "Issuer"),
    ("cert-manager.io", "v1", "Certificate"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    ("monitoring.coreos.com", "v1", "PrometheusRule"),
)
"""What cert-manager and the Prometheus operator would bring."""


def definition(group: str, version: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    name = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": name},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("clone")
    # Namespaces that are deleted have to go: that is a controller's work.
    with control_plane_class()(assets()) as kube:
        shutil.copytree(ROOT / "k8s", folder / "k8s")
        log = folder / "log"
        log.write_text("{}\n")
        helm = f'#!/bin/sh\nexec {program("helm")} "$@"\n'
        found = Shell(kube, folder, log, {"helm": helm, "curl": "#!/bin/sh\nexit 0\n"})
        objects = [definition(*each) for each in KINDS]
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        kube.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects))
        kube.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        yield found


def blocks(page: str, *titles: str) -> Iterator[str]:
    found = steps(ROOT / page)
    for title in titles or found:
        yield from found[title]


def cleared(shell: Shell) -> None:
    """Take away what a page has installed, so that the next begins anew."""
    shell.run("kubectl delete mutatingwebhookconfiguration sidecar-injector --ignore-not-found")
    shell.run("kubectl delete namespace sidecar-injector --ignore-not-found")


@pytest.mark.parametrize("title", ["With kustomize", "With Helm", "Certificates"])
def test_what_the_page_installs_is_there_and_goes(shell: Shell, title: str) -> None:
    for block in blocks("docs/install.md", title):
        shell.run(block)
    cleared(shell)


def test_what_is_looked_at_after_the_installation_can_be_looked_at(shell: Shell) -> None:
    (made, again) = blocks("docs/install.md", "See that it works")
    shell.run(made)
    shell.run(again)


def test_the_readme_of_the_manifests_and_the_page_of_who_operates_them(shell: Shell) -> None:
    for block in (*blocks("k8s/README.md"), *blocks("docs/operate.md")):
        if not block.startswith("in flight ="):  # a formula
            shell.run(block)
    left = shell.run("kubectl get mutatingwebhookconfiguration,clusterrole,clusterrolebinding -o name")
    assert "sidecar-injector" not in left


RUN = {
    "docs/install.md": {"With kustomize", "With Helm", "Certificates", "See that it works"},
    "docs/move-from-istiod.md": {
        "1. Beside istiod",
        "2. Compare",
        "3. One namespace",
        "4. Registered for all",
        "5. A tag or a revision",
        "6. All",
        "A control plane with a revision",
    },
}
"""Sections whose commands a test runs by name, here and in test_takeover.py."""


@pytest.mark.parametrize("page", RUN)
def test_every_section_with_commands_is_run(page: str) -> None:
    assert {title for title, each in steps(ROOT / page).items() if each} == RUN[page]
