"""What the cold starts of test_authority would see where replicas did not agree."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fake_api import FakeApi, connected, until
from tests.registration.test_authority import Replica, running


@pytest.mark.control
@pytest.mark.about("injector/registration", "injector/kube")
async def test_the_control_that_lets_everybody_create_sees_several_cas(
    api: FakeApi, tmp_path: Path, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who creates the Secret second is not told so, and serves what it has made."""

    async def create(collection: str, body: dict[str, Any]) -> web.Response:
        return web.json_response(await api.put(collection, body), status=201)

    monkeypatch.setattr(api, "_create", create)
    async with contextlib.AsyncExitStack() as stack:
        replicas = [Replica(await stack.enter_async_context(connected(api, tmp_path))) for _ in range(3)]
        async with running(*replicas):
            await until(lambda: all(each.served for each in replicas))
            cas = {each.served[0].ca_bundle for each in replicas}
    figures |= {"replicas": 3, "CAs": len(cas)}
    assert len(cas) > 1
