"""What lint says that an API server refuses, a real one refuses, at the same field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from injector.diagnosis.accepts import accepted
from tests.diagnosis.test_accepts import CASES, GOOD, changed, value_of
from tests.e2e.conftest import assets, control_plane_class

pytestmark = [
    pytest.mark.e2e,
]


@pytest.fixture(scope="module")
def kube() -> Iterator[Any]:
    """An API server that needs no service account of a pod."""
    flags = ["--disable-admission-plugins=ServiceAccount"]
    with control_plane_class()(assets(), apiserver=flags, controllers=False) as kube:
        yield kube


def refusal(kube: Any, pod: Any) -> str:
    """Return why the API server would refuse a pod, "" where it would not."""
    result = kube.kubectl(
        "create", "--dry-run=server", "--validate=false", "-f", "-", input=json.dumps(pod), check=False
    )
    return "" if result.returncode == 0 else str(result.stderr)


def test_it_takes_the_good_pod(kube: Any) -> None:
    assert refusal(kube, GOOD) == ""


@pytest.mark.parametrize(("path", "value", "place", "words"), CASES)
def test_it_refuses_what_lint_says_that_it_refuses(
    kube: Any, path: str, value: Any, place: str, words: str
) -> None:
    pod = changed(GOOD, path, value_of(value))
    said = refusal(kube, pod)
    assert said, f"taken, in spite of {words!r} at {place}"
    assert place.partition("[")[0].split(".")[-1] in said
    assert accepted(pod)
