"""What of kubernetes-asyncio is imported, and what is not; and that logins do without the rest."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from injector.kube.client import Connection, KubeClient
from injector.kube.cluster import NODES
from injector.kube.lean import Absent, without
from tests.fake_api import FakeApi, kubeconfig


def printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.socket
def test_the_client_needs_none_of_the_models() -> None:
    code = (
        "import sys, injector.kube.client; print(sum('kubernetes_asyncio' in name for name in sys.modules))"
    )
    assert int(printed(code)) < 30


@pytest.mark.socket
def test_the_client_needs_nothing_of_urllib3_and_dateutil() -> None:
    code = "import sys, injector.kube.client; print({'urllib3', 'dateutil'} & sys.modules.keys())"
    assert printed(code).strip() == "set()"


@pytest.mark.parametrize(
    ("user", "header"),
    [
        pytest.param({"token": "of-a-user"}, "Bearer of-a-user", id="a token"),
        pytest.param(
            {"username": "anne", "password": "hers"},
            f"Basic {base64.b64encode(b'anne:hers').decode()}",
            id="a password",
        ),
    ],
)
async def test_each_way_to_log_in_does_without_what_is_not_imported(
    api: FakeApi, tmp_path: Path, user: dict[str, str], header: str
) -> None:
    path = kubeconfig(api, tmp_path, **user)
    async with await KubeClient.connect(Connection(kubeconfig=str(path))) as client:
        await client.get(NODES)
    assert api.authorization == header


@pytest.mark.socket
def test_what_was_left_out_can_be_had_afterwards() -> None:
    code = "import injector.kube.client, kubernetes_asyncio.watch as w; print(w.Watch.stream.__name__)"
    assert printed(code).strip() == "stream"


@pytest.mark.socket
@pytest.mark.parametrize("module", ["injector.service.server", "injector.kube.client"])
def test_the_systems_authorities_are_not_read_for_clients_that_nobody_makes(module: str) -> None:
    code = (
        f"import os; before = dict(os.environ); import {module}, aiohttp.connector as connector;"
        "contexts = connector._SSL_CONTEXT_VERIFIED, connector._SSL_CONTEXT_UNVERIFIED;"
        "print([each.cert_store_stats()['x509'] for each in contexts], os.environ == before)"
    )
    assert printed(code).strip() == "[0, 0] True"


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
