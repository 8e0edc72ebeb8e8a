"""A house full of strangers: whoever has a review is let in, whatever the others hold."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from injector.service import connections
from injector.service.options import Limits
from tests.service.kit import Client, Running, Start, a_review, client_context

pytestmark = pytest.mark.about("injector/service")

ANOTHER = "127.0.0.2"


async def strangers(service: Running, count: int) -> list[Client]:
    """Open connections that ask for a page once, as many at a time as handshakes are quick."""
    context = client_context(service.ca)

    async def one() -> Client:
        client = await service.connect(context=context)
        assert (await client.request("GET", "/healthz")).status == 200
        return client

    opened: list[Client] = []
    while len(opened) < count:
        opened += await asyncio.gather(*(one() for _ in range(min(20, count - len(opened)))))
    return opened


async def callers(service: Running, count: int) -> list[float]:
    """Have new callers come together; return what each has waited for its answer."""
    context = client_context(service.ca)

    async def one(number: int) -> float:
        begin = time.monotonic()
        client = await service.connect(context=context)
        answer = await client.request(body=a_review(f"u-{number}"))
        assert answer.json["response"]["uid"] == f"u-{number}"
        return time.monotonic() - begin

    return await asyncio.gather(*(one(number) for number in range(count)))


@pytest.mark.parametrize(
    ("cap", "count", "honest"),
    [(64, 63, 20), pytest.param(1024, 1000, 49, marks=[pytest.mark.soak, pytest.mark.timeout(600)])],
)
async def test_strangers_that_hold_all_connections_keep_no_caller_out(
    start: Start, figures: dict[str, Any], cap: int, count: int, honest: int
) -> None:
    """A full house of idle strangers, each of which asked for a page; they come back when they are closed."""
    service = await start(limits=Limits(connections=cap))
    held = await strangers(service, count)
    waited = await callers(service, honest)
    figures |= {
        "strangers": count,
        "callers": honest,
        "served": len(waited),
        "slowest after s": max(waited),
        "strangers closed": service.service.metrics.connections_evicted["room"],
    }
    assert service.service.metrics.connections_refused == 0
    assert len(service.service._edge.connections) <= cap
    assert len(held) == count
    assert cap == 64 or max(waited) < 1  # a timed claim, of the long form alone


async def test_those_that_were_served_stay_while_strangers_go(start: Start) -> None:
    service = await start(limits=Limits(connections=8))
    kept = [await service.connect() for _ in range(4)]
    for client in kept:
        await client.request(body=a_review())
    await strangers(service, 4)
    await callers(service, 4)
    for client in kept:
        assert (await client.request(body=a_review("still"))).json["response"]["uid"] == "still"
    assert service.service.metrics.connections_evicted["room"] >= 4


async def a_house_full_of(service: Running, peer: str, count: int) -> list[Client]:
    """Open connections of a peer, each of which had a review answered."""
    clients = [await service.connect(peer=peer) for _ in range(count)]
    for client in clients:
        assert (await client.request(body=a_review())).status == 200
    return clients


async def test_a_peer_that_has_all_connections_makes_room_for_another(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "SETTLED_SECONDS", 0.0)
    service = await start(limits=Limits(connections=8))
    await a_house_full_of(service, ANOTHER, 8)
    assert (await service.post(a_review("new"))).json["response"]["uid"] == "new"
    assert service.service.metrics.connections_evicted["room"] >= 1


async def test_a_trusted_peer_makes_no_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SETTLED_SECONDS", 0.0)
    service = await start(limits=Limits(connections=8), trusted_peers=("127.0.0.2/32", "::1"))
    kept = await a_house_full_of(service, ANOTHER, 8)
    with pytest.raises(ConnectionError):
        await service.connect()
    for client in kept:
        assert (await client.request(body=a_review("still"))).json["response"]["uid"] == "still"
    assert service.service.metrics.connections_refused == 1
