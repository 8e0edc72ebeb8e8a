"""What of kubernetes-asyncio is imported, and what is not; and that logins do without the rest."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from injector.kube.client import Connection, KubeClient
from injector.kube.cluster import NODES
from injector.kube.errors import ApiError
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


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("3", 3),
        ("86400", 60),
        ("9" * 400, 60),
        ("-1", 0),
        ("\u00b2", 0),
        ("Mon, 30 Nov 2026 18:00:00 GMT", 0),
    ],
)
async def test_what_an_answer_asks_to_wait_is_waited_up_to_a_minute(
    api: FakeApi, client: KubeClient, asked: str, waited: float
) -> None:
    api.refuse = lambda _method, _path: web.Response(status=503, headers={"Retry-After": asked})
    with pytest.raises(ApiError) as raised:
        await client.get(NODES)
    assert raised.value.retry_after == waited


@pytest.mark.socket
def test_what_was_left_out_can_be_had_afterwards() -> None:
    code = "import injector.kube.client, kubernetes_asyncio.watch as w; print(w.Watch.stream.__name__)"
    assert printed(code).strip() == "stream"
