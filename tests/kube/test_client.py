"""What of kubernetes-asyncio is imported, and what is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from injector.kube.client import without


def printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.socket
def test_the_client_needs_none_of_the_models() -> None:
    code = (
        "import sys, injector.kube.client; print(sum('kubernetes_asyncio' in name for name in sys.modules))"
    )
    assert int(printed(code)) < 30


@pytest.mark.socket
def test_what_was_left_out_can_be_had_afterwards() -> None:
    code = "import injector.kube.client, kubernetes_asyncio.watch as w; print(w.Watch.stream.__name__)"
    assert printed(code).strip() == "stream"


def test_an_empty_module_has_every_name_and_is_forgotten() -> None:
    with without("nowhere_to_be_found"):
        from nowhere_to_be_found import Thing  # type: ignore[import-not-found]
    assert Thing.__name__ == "Thing"
    assert "nowhere_to_be_found" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        import nowhere_to_be_found  # noqa: F401


def test_a_module_that_is_there_already_stays() -> None:
    before = sys.modules["json"]
    with without("json"):
        import json
    assert json is before is sys.modules["json"]
