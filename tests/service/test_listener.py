"""Addresses taken, refused, and short of descriptors."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from injector.errors import ConfigError
from injector.service import listener as listening
from injector.service.listener import Listener
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import Limits
from injector.service.server import Edge
from tests.conftest import PATIENCE
from tests.fake_api import until


class Echo(asyncio.Protocol):
    """Sends back what comes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    @property
    def connected(self) -> bool:
        return self.transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


@pytest.fixture
def log(tmp_path: Path):
    with (tmp_path / "log").open("wb") as file:
        log = Log(descriptor=file.fileno())
        yield log
        log.close()


def a_listener(log: Log) -> Listener:
    edge = SimpleNamespace(protocol=Echo, limits=Limits(), metrics=Metrics(), connections=())
    return Listener(cast("Edge", edge), context=None, log=log)


async def echoes(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"x")
    async with asyncio.timeout(PATIENCE):
        echoed = await reader.readexactly(1) == b"x"
    writer.close()
    return echoed


@pytest.mark.parametrize("address", ["", "127.0.0.1", "::1"])
async def test_it_listens_where_it_is_told(log: Log, address: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    listener = a_listener(log)
    port = listener.bind(address, 0)
    task = asyncio.create_task(listener.run())
    if address != "::1":
        assert await echoes("127.0.0.1", port)
    if address != "127.0.0.1":
        assert await echoes("::1", port)
    task.cancel()
    await asyncio.wait([task])
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(address or "127.0.0.1", port)


async def test_an_address_that_cannot_be_had_is_one_sentence(log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1 port {port}: another process uses it"
        ):
            a_listener(log).bind("127.0.0.1", port)
    for address, reason in (
        ("192.0.2.1", "Cannot assign requested address"),
        ("a b", "it is not an address of this machine"),
        ("a" * 300, "it is not an address of this machine"),
    ):
        with pytest.raises(ConfigError) as refusal:
            a_listener(log).bind(address, 0)
        assert str(refusal.value) == f"cannot listen on {address} port 0: {reason}"


def test_a_privileged_port_says_what_to_do() -> None:
    error = PermissionError(errno.EACCES, "Permission denied")
    assert "choose one above" in listening._why(error)


async def test_without_descriptors_it_waits_and_goes_on(log: Log, tmp_path: Path) -> None:
    listener = a_listener(log)
    port = listener.bind("127.0.0.1", 0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (tmp_path / "log").open() as told, socket.create_connection(("127.0.0.1", port)) as client:
        client.setblocking(False)
        free = os.dup(client.fileno())
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            task = asyncio.create_task(listener.run())
            await until(lambda: "connections cannot be accepted" in told.read())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        client.send(b"x")
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.get_running_loop().sock_recv(client, 1) == b"x"
    assert await echoes("127.0.0.1", port)
    task.cancel()
    await asyncio.wait([task])
    log.close()
    assert (tmp_path / "log").read_text().count("connections cannot be accepted") == 1


async def test_a_connection_whose_turn_never_came_is_closed(log: Log) -> None:
    listener = a_listener(log)
    port = listener.bind("127.0.0.1", 0)
    task = asyncio.create_task(listener.run())
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        while not listener._opening:
            await asyncio.sleep(0)
        for opening in listener._opening:
            opening.cancel()
        task.cancel()
        await asyncio.wait([task, *listener._opening])
        assert await asyncio.to_thread(client.recv, 1) == b""
    assert not listener._opening


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), "timeout"),
        (ConnectionAbortedError("SSL handshake is taking longer than 5 seconds: aborting"), "timeout"),
        (ConnectionResetError(), "closed"),
    ],
)
def test_handshakes_fail_for_reasons_out_of_a_fixed_set(error: Exception, kind: str) -> None:
    assert listening._kind(error) == kind
