"""What the cold starts of test_authority would see where replicas did not agree."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.fake_api import FakeApi, connected, until
from tests.registration.test_authority import Replica, running


@pytest.mark.control
@pytest.mark.about("injector/registration", "injector/kube")
async def test_the_control_that_lets_everybody_create_sees_a_ca_of_each(
    api: FakeApi, tmp_path: Path, figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them find no Secret, and who creates it second is not told that there is one."""
    together, made = asyncio.Barrier(3), set()

    async def create(collection: str, body: dict[str, Any]) -> web.Response:
        await together.wait()
        made.add(body["data"]["ca.crt"])
        return web.json_response(await api.put(collection, body), status=201)

    monkeypatch.setattr(api, "_create", create)
    async with contextlib.AsyncExitStack() as stack:
        replicas = [Replica(await stack.enter_async_context(connected(api, tmp_path))) for _ in range(3)]
        async with running(*replicas):
            # One write for each start is what the cold starts ask for.
            await until(lambda: sum(each.keeper.writes for each in replicas) == 3)
    figures |= {"replicas": 3, "CAs": len(made), "writes": 3}
    assert len(made) == 3
