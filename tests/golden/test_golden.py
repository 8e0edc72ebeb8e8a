"""Our own templates and pods, through both doors, against files that were looked at.

``istio/NAME.yaml`` and ``log-shipper/NAME.yaml`` are inputs; a first line ``# options: …`` is for the command line.
``NAME.injected.yaml`` is what `inject` prints, ``NAME.pod.yaml`` the pod as the webhook leaves it. After a change
that is meant, write them anew with UPDATE_GOLDENS=1 and read the difference.
"""

from __future__ import annotations

import base64
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from injector import kubeyaml
from injector.cli.configuration import load_injector
from injector.cli.inject import command
from injector.injection.kinds import place_of
from injector.json_types import at
from injector.patch import apply

HERE = Path(__file__).parent
INPUTS = sorted(path for path in HERE.glob("*/*.yaml") if len(path.suffixes) == 1)
UPDATE = os.environ.get("UPDATE_GOLDENS") == "1"


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def options_of(path: Path) -> list[str]:
    first = path.read_text().splitlines()[0]
    given = shlex.split(first.removeprefix("# options:")) if first.startswith("# options:") else []
    return ["--template", path.parent.name, *given]


def expect(golden: Path, text: str) -> None:
    if UPDATE:
        golden.write_text(text)
    assert golden.exists(), f"there is no {golden.name}: UPDATE_GOLDENS=1 writes it"
    assert text == golden.read_text()


@pytest.mark.parametrize("path", INPUTS, ids=name_of)
def test_by_hand_it_is_what_it_was(path: Path) -> None:
    arguments = [sys.executable, "-m", "injector", "inject", "-f", path.name, *options_of(path)]
    result = subprocess.run(arguments, capture_output=True, text=True, cwd=path.parent, check=False)
    assert result.returncode == 0, result.stderr
    expect(path.with_suffix(".injected.yaml"), result.stdout)


@pytest.mark.parametrize("path", INPUTS, ids=name_of)
def test_through_the_webhook_it_is_what_it_was(path: Path) -> None:
    injector = load_injector(command.make_context("inject", ["-f", "-", *options_of(path)]).params)
    pod = pod_of(next(kubeyaml.documents(path.read_text())).value)
    body = orjson.dumps(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {"uid": "1", "namespace": "shop", "object": pod},
        }
    )
    response = orjson.loads(injector.review(body))["response"]
    assert response["allowed"], response["status"]["message"]
    injected = apply(pod, orjson.loads(base64.b64decode(response["patch"])))
    expect(path.with_suffix(".pod.yaml"), kubeyaml.dump(injected))
    again, _ = injector.inject_pod(injected, namespace="shop")
    assert again == injected, "injecting an injected pod changes nothing"


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the pod that the workload's controller would create."""
    place = place_of(workload, "")
    assert place is not None
    metadata = at(workload, *place.metadata) or {}
    if workload["kind"] != "Pod":
        metadata = {**metadata, **owned(workload, metadata)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": at(workload, *place.spec)}


def owned(workload: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    name, kind = workload["metadata"]["name"], workload["kind"]
    labels = metadata.get("labels", {})
    if kind == "Deployment":
        name, kind = f"{name}-5d8c7b9f6c", "ReplicaSet"
        labels = {**labels, "pod-template-hash": "5d8c7b9f6c"}
    owner = {"apiVersion": workload["apiVersion"], "kind": kind, "name": name, "uid": "u", "controller": True}
    return {"generateName": f"{name}-", "labels": labels, "ownerReferences": [owner]}


def test_no_golden_has_lost_its_input() -> None:
    goldens = [path for path in HERE.glob("*/*.yaml") if len(path.suffixes) > 1]
    inputs = {path.with_suffix("") for path in INPUTS}
    assert goldens
    stale = [path.name for path in goldens if path.with_suffix("").with_suffix("") not in inputs]
    assert not stale
