"""The fake API server and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from injector.kube.client import KubeClient
from tests.fake_api import FakeApi, connected, fake_api
from tests.figures import figures  # noqa: F401 - a fixture


@pytest_asyncio.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with fake_api() as server:
        yield server


@pytest_asyncio.fixture
async def client(api: FakeApi, tmp_path: Path) -> AsyncIterator[KubeClient]:
    async with connected(api, tmp_path) as kube:
        yield kube
