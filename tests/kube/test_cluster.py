"""What the watches tell of a cluster, and when."""

from __future__ import annotations

import asyncio
import contextlib

from injector.kube.client import KubeClient
from injector.kube.cluster import NODES, ClusterState
from tests.fake_api import FakeApi, until


async def test_nodes_are_unknown_until_they_were_listed(api: FakeApi, client: KubeClient) -> None:
    state = ClusterState()
    watch = state.watches(client, failed=lambda _name, _error: None)["nodes"]
    assert state.nodes is None
    task = asyncio.create_task(watch.run())
    try:
        await until(lambda: state.nodes is not None)
        assert state.nodes == {}, "a cluster without nodes is a known one"
        node = {"metadata": {"name": "a"}, "status": {"nodeInfo": {"kubeletVersion": "v1.33.1"}}}
        await api.put(NODES, node)
        await until(lambda: state.nodes == {"a": "v1.33.1"})
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
