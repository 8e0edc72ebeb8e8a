"""Istio's own patches applied by us, our own for the same pods, and its refusals of pods that do not decode."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from injector.errors import TypedError
from injector.patch import POD, apply, diff, normalise
from injector.patch.apply import equal
from injector.patch.json_patch import same

RELEASES = ["1.12", "1.18", "1.22", "1.26", "1.31"]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open() as lines:
            yield from map(json.loads, lines)


def pods(folder: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield each pod as sent, as Istio patched it, and the patch where it was kept."""
    for case in rows(folder / "cases.jsonl"):
        for view in case.get("webhook") or []:
            if view.get("patched"):
                yield view["review"]["request"]["object"], view["patched"], view["response"].get("patch")
    for case in rows(folder / "generated.jsonl"):
        if case.get("patched") and isinstance(case.get("review"), dict):
            yield case["review"]["request"]["object"], case["patched"], None


@pytest.mark.parametrize("release", RELEASES)
def test_patches_lead_to_the_pod_that_istio_made(shared: Path, release: str) -> None:
    count = 0
    for sent, patched, patch in pods(shared / "conformance" / release):
        assert same(apply(sent, diff(sent, patched)), patched)
        if patch is not None:
            assert equal(apply(sent, patch), patched)
            count += 1
    assert count > 50


@pytest.mark.parametrize("release", RELEASES)
def test_no_operation_writes_an_element_again_that_stays(shared: Path, release: str) -> None:
    for sent, patched, _ in pods(shared / "conformance" / release):
        kept = [
            json.dumps(container)
            for field in ("containers", "initContainers")
            for container in sent.get("spec", {}).get(field) or []
            if container in (patched["spec"].get(field) or [])
        ]
        written = [json.dumps(operation.get("value")) for operation in diff(sent, patched)]
        assert not [container for container in kept if container in written]


@pytest.mark.parametrize("release", RELEASES)
def test_a_pod_that_does_not_decode_is_refused_in_istio_s_words(shared: Path, release: str) -> None:
    for case in rows(shared / "conformance" / release / "generated.jsonl"):
        body = case["response"].get("body")
        status = body.get("response", {}).get("status", {}) if isinstance(body, dict) else {}
        message = status.get("message", "")
        if (
            message.startswith(("json: cannot unmarshal", "quantities must", "parsing time"))
            and "review" in case
        ):
            with pytest.raises(TypedError) as caught:
                normalise(case["review"]["request"]["object"], POD)
            assert str(caught.value) == message
