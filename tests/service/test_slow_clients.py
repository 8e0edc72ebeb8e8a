"""Clients that are slow on purpose: each is ended in time, and none is felt by the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import replace

import orjson
import pytest

from injector.service.options import Limits
from tests.conftest import PATIENCE
from tests.service.kit import NAME, Running, Start, a_review, client_context

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
    await service.until(lambda: (edge.waiting, edge.memory.bodies) == (0, 0))
    assert not [line for line in service.lines() if line["level"] == "error"]


def deaf(service: Running, body: bytes) -> ssl.SSLSocket:
    """Post a review and do not read its answer; the kernel of such a client takes a few kilobytes."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(30)
    plain.connect(("127.0.0.1", service.port))
    secured = client_context(service.ca).wrap_socket(plain, server_hostname=NAME)
    with contextlib.suppress(OSError):  # it may be refused before it has sent all
        secured.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return secured


@pytest.mark.parametrize("size", [100_000, 1_200_000, 5_000_000])
async def test_an_answer_that_is_not_read_ends_its_connection(start: Start, size: int) -> None:
    """The fake repeats the uid: the answer is a tenth of a megabyte, what was seen to stay, and the most."""
    service = await start(limits=Limits(write_seconds=0.3))
    client = await asyncio.to_thread(deaf, service, a_review("u" * size))
    edge = service.service._edge
    await service.until(lambda: service.service.metrics.connections_evicted["answer"] == 1)
    await service.until(lambda: edge.memory.held == 0)
    assert not edge.connections
    client.close()


async def test_answers_that_are_not_read_count_and_leave_room_for_callers(start: Start) -> None:
    """Eight megabytes are full after a few answers; they are so no more soon, and small reviews are answered."""
    service = await start(limits=Limits(in_flight_bytes=8 << 20, write_seconds=60))
    caller = await service.connect()
    await caller.request(body=a_review())
    clients = [await asyncio.to_thread(deaf, service, a_review("u" * 300_000)) for _ in range(40)]
    edge = service.service._edge
    # Nobody asks for room meanwhile.
    await service.until(lambda: edge.memory.used <= 6 << 20)
    assert service.service.metrics.connections_evicted["answer"] > 0
    for number in range(20):
        assert (await caller.request(body=a_review(f"u-{number}"))).status == 200
    for client in clients:
        client.close()


@pytest.mark.parametrize("size", [300_000, 3_000_000])
async def test_an_answer_comes_whole_to_a_client_that_reads_slowly(start: Start, size: int) -> None:
    service = await start()
    client = await asyncio.to_thread(deaf, service, a_review("u" * size))

    def read() -> bytes:
        got = b""
        while b"\r\n\r\n" not in got:
            got += client.recv(1000)
        top, _, body = got.partition(b"\r\n\r\n")
        length = int(top.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        pieces, left = [body], length - len(body)
        while left:
            pieces.append(client.recv(16_384))
            left -= len(pieces[-1])
        return b"".join(pieces)

    answer = await asyncio.to_thread(read)
    assert orjson.loads(answer)["response"]["uid"] == "u" * size
    client.close()
    edge = service.service._edge
    await service.until(lambda: edge.memory.held == 0)
    assert not service.service.metrics.connections_evicted


async def test_answers_to_requests_sent_ahead_do_not_mix(start: Start) -> None:
    """The answers are large enough to be written in pieces, and the client sends the next before it reads."""
    service = await start()
    client = await service.connect()
    uids = [letter * 280_000 for letter in "abcdef"]
    bodies = [a_review(uid) for uid in uids]
    client.writer.writelines(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies)
    for uid in uids:
        assert (await client.answer()).json["response"]["uid"] == uid


async def test_an_idle_connection_that_was_used_is_kept(start: Start) -> None:
    service = await start(limits=replace(SHORT, handshake_seconds=PATIENCE))
    client = await service.connect()
    await client.request(body=a_review())
    stranger = await service.connect(peer="127.0.0.2")
    assert await stranger.closed()
    assert (await client.request(body=a_review("again"))).json["response"]["uid"] == "again"


async def test_a_spare_connection_of_a_caller_is_kept_and_a_strangers_is_not(start: Start) -> None:
    service = await start(limits=replace(SHORT, handshake_seconds=PATIENCE))
    client = await service.connect()
    await client.request(body=a_review())
    spare = await service.connect()
    stranger = await service.connect(peer="127.0.0.2")
    assert await stranger.closed(), "it came last, and is late first of the two that say nothing"
    assert service.service.metrics.connections_evicted["silent"] == 1
    assert (await spare.request(body=a_review("first"))).json["response"]["uid"] == "first"


async def test_the_memory_for_bodies_is_shared_and_bounded(start: Start) -> None:
    service = await start(limits=Limits(in_flight_bytes=1 << 20))
    client = await service.connect()
    client.writer.write(HEAD + b"Content-Length: 5000000\r\n\r\n" + b"x" * 3_000_000)
    answer = await client.answer()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    await client.close()
    await service.until(lambda: service.service._edge.memory.bodies == 0)


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
