"""What is left out of large libraries, and that everybody else has all of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from injector.kube.lean import Absent, without


@pytest.mark.socket
@pytest.mark.parametrize("module", ["injector.service.server", "injector.kube.client"])
def test_the_systems_authorities_are_not_read_for_clients_that_nobody_makes(module: str) -> None:
    code = (
        f"import os; before = dict(os.environ); import {module}, aiohttp.connector as connector;"
        "contexts = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED;"
        "print([each.cert_store_stats()['x509'] for each in contexts], os.environ == before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[0, 0] True\n"


def test_an_empty_module_has_every_name_and_is_forgotten() -> None:
    with without("nowhere_to_be_found"):
        from nowhere_to_be_found import Thing  # type: ignore[import-not-found]
        from nowhere_to_be_found.inside import Other  # type: ignore[import-not-found]
    assert Thing is Other is Absent
    assert not [name for name in sys.modules if name.startswith("nowhere_to_be_found")]
    with pytest.raises(ModuleNotFoundError):
        import nowhere_to_be_found  # noqa: F401


def test_a_module_that_is_there_already_stays() -> None:
    before = sys.modules["json"]
    with without("json"):
        import json
    assert json is before is sys.modules["json"]
