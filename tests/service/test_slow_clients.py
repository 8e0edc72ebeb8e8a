"""Clients that are slow on purpose: each is ended in time, and none is felt by the others."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from injector.service.options import Limits
from tests.conftest import PATIENCE
from tests.service.kit import Running, Start, a_review, client_context

SHORT = Limits(handshake_seconds=0.5, head_seconds=0.5, body_seconds=0.5, write_seconds=0.5)
HEAD = b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def silent(service: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a TCP connection that never begins TLS."""
    return await asyncio.open_connection("127.0.0.1", service.port)


async def test_a_connection_that_never_begins_tls_is_ended(start: Start) -> None:
    service = await start(limits=SHORT)
    reader, writer = await silent(service)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
    await service.until(lambda: service.service.metrics.handshakes_failed.total() == 1)


async def test_a_silent_tls_connection_is_ended(start: Start) -> None:
    service = await start(limits=SHORT)
    client = await service.connect()
    assert await client.closed()
    assert service.service.metrics.connections_evicted["silent"] == 1


async def test_a_dripping_head_is_ended(start: Start) -> None:
    service = await start(limits=SHORT)
    client = await service.connect()

    async def drip() -> None:
        while not client.writer.is_closing():
            client.writer.write(b"X")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    client.writer.write(HEAD + b"X-Drip: ")
    assert await client.closed()
    dripping.cancel()
    assert service.service.metrics.connections_evicted["head"] == 1
    await service.until(lambda: service.service._edge.waiting == 0)


async def test_a_stalled_body_is_answered_and_ended(start: Start) -> None:
    service = await start(limits=SHORT)
    client = await service.connect()
    client.writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
    answer = await client.answer()
    assert (answer.status, answer.headers["Connection"]) == (408, "close")
    assert await client.closed()
    assert service.service.metrics.refused["body_timeout"] == 1


async def test_the_deadline_of_the_caller_cuts_a_body_short(start: Start) -> None:
    service = await start(limits=Limits(body_seconds=10 * PATIENCE))
    client = await service.connect()
    head = HEAD.replace(b"/inject", b"/inject?timeout=1s")
    client.writer.write(head + b"Content-Length: 1000\r\n\r\n{")
    assert (await client.answer()).status == 408


async def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(start: Start) -> None:
    service = await start()
    for _ in range(5):
        client = await service.connect()
        client.writer.write(HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 5000)
        await client.writer.drain()
        client.writer.transport.abort()
    edge = service.service._edge
    await service.until(lambda: not edge.connections)
    await service.until(lambda: (edge.waiting, edge.buffered) == (0, 0))
    assert not [line for line in service.lines() if line["level"] == "error"]


async def test_an_idle_connection_that_was_used_is_kept(start: Start) -> None:
    service = await start(limits=replace(SHORT, handshake_seconds=PATIENCE))
    client = await service.connect()
    await client.request(body=a_review())
    silent = await service.connect()
    assert await silent.closed()
    assert (await client.request(body=a_review("again"))).json["response"]["uid"] == "again"


async def test_the_memory_for_bodies_is_shared_and_bounded(start: Start) -> None:
    service = await start(limits=Limits(buffered_bytes=1 << 20))
    client = await service.connect()
    client.writer.write(HEAD + b"Content-Length: 5000000\r\n\r\n" + b"x" * 3_000_000)
    answer = await client.answer()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    await client.close()
    await service.until(lambda: service.service._edge.buffered == 0)


async def test_handshakes_make_room_for_newer_ones_and_used_connections_do_not(start: Start) -> None:
    service = await start(limits=Limits(connections=4))
    kept = [await service.connect() for _ in range(2)]
    for client in kept:
        await client.request(body=a_review())
    quiet = [await silent(service) for _ in range(10)]
    await service.until(lambda: service.service.metrics.connections_evicted["handshake"] >= 8)
    assert (await service.post(a_review("new"))).json["response"]["uid"] == "new"
    for client in kept:
        assert (await client.request(body=a_review("old"))).json["response"]["uid"] == "old"
    for _, writer in quiet:
        writer.close()


async def test_a_full_house_refuses_the_newest(start: Start) -> None:
    service = await start(limits=Limits(connections=2))
    kept = [await service.connect() for _ in range(2)]
    for client in kept:
        await client.request(body=a_review())
    reader, writer = await silent(service)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()
    assert service.service.metrics.connections_refused == 1


async def test_a_hundred_slow_clients_of_each_kind_do_not_hold_up_the_others(start: Start) -> None:
    service = await start(limits=Limits(handshake_seconds=5, head_seconds=5, body_seconds=5))
    context = client_context(service.ca)
    slow = [await silent(service) for _ in range(100)]
    for _ in range(30):
        client = await service.connect(context=context)
        client.writer.write(HEAD + b"X-Drip: ")
        stalled = await service.connect(context=context)
        stalled.writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
    honest = await service.connect(context=context)
    for number in range(300):
        assert (await honest.request(body=a_review(f"u-{number}"))).status == 200
    await service.until(lambda: len(service.service._edge.connections) == 1)
    for _, writer in slow:
        writer.close()
