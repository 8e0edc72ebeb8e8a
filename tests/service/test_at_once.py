"""Reviews that go past the parser: the same answers, and only where nothing can be taken for what it is not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from injector.service import server
from injector.service.connection import EdgeConnection
from injector.service.http import Reply
from injector.service.options import Limits
from tests.conftest import PATIENCE
from tests.service.kit import Client, Running, Start, a_review

HEAD = (
    "POST /inject?timeout=10s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)


def parsed(service: Running) -> int:
    """Return how many requests aiohttp's parser has read."""
    count: int = service.service._edge._server.requests_count
    return count


async def test_the_first_review_of_a_head_is_parsed_and_the_others_are_not(start: Start) -> None:
    service = await start()
    client = await service.connect()
    answers = [await client.request(body=a_review(f"u-{at}", size=50 * at)) for at in range(20)]
    assert [answer.json["response"]["uid"] for answer in answers] == [f"u-{at}" for at in range(20)]
    assert parsed(service) == 1
    other = await service.connect()
    await other.request(body=a_review())
    assert parsed(service) == 1
    assert service.service.metrics.outcomes.total() == 21
    assert service.service._edge.waiting == 0


async def test_the_answers_are_the_same_past_the_parser(start: Start) -> None:
    service = await start()
    client = await service.connect()
    first, second = [await client.request(target="/inject/cluster/c%201", body=a_review()) for _ in "ab"]
    assert parsed(service) == 1
    assert (first.status, first.body) == (second.status, second.body)
    assert first.headers.keys() == second.headers.keys()
    assert second.patched["path"] == "/inject/cluster/c 1"


async def test_heads_that_never_come_again_do_not_pile_up(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KNOWN_HEADS", 4)
    service = await start()
    client = await service.connect()
    for number in range(12):
        await client.request(body=a_review(), headers={"X-Number": str(number)})
    assert parsed(service) == 12
    assert len(service.service._edge._heads) == 4


NOT_PLAIN: dict[str, Mapping[str, str]] = {
    "an end of the connection": {"Connection": "close"},
    "a wish to be asked first": {"Expect": "100-continue"},
    "another protocol": {"Connection": "upgrade", "Upgrade": "websocket"},
    "another media type": {"Content-Type": "text/plain"},
    "an encoding": {"Content-Encoding": "gzip"},
}


@pytest.mark.parametrize("case", NOT_PLAIN, ids=str)
async def test_a_head_that_asks_for_more_is_parsed_each_time(start: Start, case: str) -> None:
    service = await start()
    for number in range(1, 4):
        client = await service.connect()
        await client.request(body=a_review(), headers=NOT_PLAIN[case])
        assert parsed(service) == number


async def test_a_review_that_cannot_wait_is_parsed_each_time(start: Start) -> None:
    service = await start()
    client = await service.connect()
    for number in range(1, 4):
        await client.request(target="/inject?timeout=500ms", body=a_review())
        assert parsed(service) == number


async def test_a_review_in_pieces_is_parsed_and_the_next_is_not(start: Start) -> None:
    service = await start()
    client = await service.connect()
    await client.request(body=a_review())
    body = a_review("in pieces", size=300_000)
    client.writer.write(HEAD.format(len(body)).encode() + body[:100])
    await service.until(lambda: service.service._edge.waiting == 1)
    client.writer.write(body[100:])
    assert (await client.answer()).json["response"]["uid"] == "in pieces"
    assert parsed(service) == 2
    await client.request(body=a_review())
    assert parsed(service) == 2


async def a_known_head(service: Running, connections: int) -> tuple[list[Client], list[EdgeConnection]]:
    """Return clients, each with its connection here, after the first has had a review answered."""
    edge = service.service._edge
    clients: list[Client] = []
    found: list[EdgeConnection] = []
    for _ in range(connections):
        clients.append(await service.connect())
        await service.until(lambda: len(edge.connections) == len(clients))
        found += set(edge.connections).difference(found)
    clients[0].writer.write(a_request(a_review()))
    await clients[0].answer()
    return clients, found


def a_request(body: bytes) -> bytes:
    return HEAD.format(len(body)).encode() + body


async def test_reviews_that_come_in_one_turn_are_all_answered_before_any_is_sent(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    clients, connections = await a_known_head(service, 5)
    done: list[str] = []
    send = EdgeConnection.send
    monkeypatch.setattr(EdgeConnection, "send", lambda *args: done.append("sent") or send(*args))
    reviewer = service.service._reviewer()
    answer = reviewer.answer
    monkeypatch.setattr(reviewer, "answer", lambda *args: done.append("answered") or answer(*args))
    for number, connection in enumerate(connections):
        connection.data_received(a_request(a_review(f"u-{number}")))
    assert service.service._edge.waiting == 5
    answers = [await client.answer() for client in clients]
    assert [answer.json["response"]["uid"] for answer in answers] == [f"u-{number}" for number in range(5)]
    assert done == ["answered"] * 5 + ["sent"] * 5
    assert parsed(service) == 1
    assert service.service._edge.waiting == 0


@pytest.mark.parametrize(("limit", "value"), [("TOGETHER_BYTES", 1), ("TOGETHER_SECONDS", 0.0)])
async def test_large_answers_and_those_after_long_reviews_are_sent_before_the_next_review(
    start: Start, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    monkeypatch.setattr(server, limit, value)
    service = await start()
    clients, connections = await a_known_head(service, 3)
    left: list[int] = []
    taken, send = service.service._edge._taken, EdgeConnection.send
    monkeypatch.setattr(EdgeConnection, "send", lambda *args: left.append(len(taken)) or send(*args))
    for number, connection in enumerate(connections):
        connection.data_received(a_request(a_review(f"u-{number}")))
    for client in clients:
        assert (await client.answer()).status == 200
    assert left == [2, 1, 0]


async def test_what_comes_behind_a_request_in_the_same_turn_is_parsed_with_it(start: Start) -> None:
    service = await start()
    (client,), (connection,) = await a_known_head(service, 1)
    connection.data_received(a_request(a_review("first")))
    connection.data_received(a_request(a_review("second"))[:50])
    connection.data_received(a_request(a_review("second"))[50:])
    answers = [await client.answer() for _ in range(2)]
    assert [answer.json["response"]["uid"] for answer in answers] == ["first", "second"]
    assert parsed(service) == 3
    assert service.service.metrics.outcomes.total() == 3


async def test_a_request_that_waits_for_its_turn_is_not_taken_for_an_unfinished_one(start: Start) -> None:
    service = await start(limits=Limits(head_seconds=0.5))
    (client,), (connection,) = await a_known_head(service, 1)
    connection.data_received(a_request(a_review("waits")))
    connection.arrived -= 60
    assert not connection.unfinished
    await service.service._edge.connections.evict_slow()
    assert (await client.answer()).json["response"]["uid"] == "waits"


async def test_a_connection_that_is_gone_before_the_turn_is_over_is_forgotten(start: Start) -> None:
    service = await start()
    _, (connection,) = await a_known_head(service, 1)
    connection.data_received(a_request(a_review()))
    connection.connection_lost(None)
    await service.until(lambda: not service.service._edge._taken)
    assert service.service._edge.waiting == 0
    assert service.service.metrics.outcomes.total() == 1


async def test_a_fault_of_ours_ends_one_connection_and_not_those_after_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start()
    clients, connections = await a_known_head(service, 3)
    answering = service.service._answering
    answer_now = answering.answer_now

    def fails_once(peer: str, body: bytes, path: str) -> Reply:
        if b"u-1" in body:
            raise RuntimeError("a fault behind every net")
        return answer_now(peer, body, path)

    monkeypatch.setattr(answering, "answer_now", fails_once)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for number, connection in enumerate(connections):
        connection.data_received(a_request(a_review(f"u-{number}")))
    for number in (0, 2):
        assert (await clients[number].answer()).json["response"]["uid"] == f"u-{number}"
    assert await clients[1].closed()


async def test_what_has_come_when_the_service_ends_is_answered_first(start: Start) -> None:
    service = await start()
    (client,), (connection,) = await a_known_head(service, 1)
    connection.data_received(a_request(a_review("the last")))
    await service.service._edge.shutdown(PATIENCE)
    assert (await client.answer()).json["response"]["uid"] == "the last"


async def test_no_more_are_taken_in_one_turn_than_may_wait(start: Start) -> None:
    service = await start(limits=Limits(waiting=2))
    clients, connections = await a_known_head(service, 4)
    for number, connection in enumerate(connections):
        connection.data_received(a_request(a_review(f"u-{number}")))
    answers = [await client.answer() for client in clients]
    assert [answer.status for answer in answers] == [200] * 4
    assert parsed(service) == 3


async def test_half_a_request_behind_another_is_not_taken_for_one(start: Start) -> None:
    """The second request's body holds a third one, which nobody has made."""
    service = await start()
    client = await service.connect()
    await client.request(body=a_review("first"))
    inner = a_review("smuggled")
    body = HEAD.format(len(inner)).encode() + inner
    second = a_review("second")
    client.writer.write(HEAD.format(len(second)).encode() + second + HEAD.format(len(body)).encode())
    assert (await client.answer()).json["response"]["uid"] == "second"
    client.writer.write(body)
    answer = await client.answer()
    assert (answer.status, answer.body) == (400, b"not an AdmissionReview\n")
    assert service.service.metrics.outcomes.total() == 2


async def test_a_review_that_is_refused_or_crashes_keeps_the_connection(start: Start) -> None:
    service = await start()
    client = await service.connect()
    await client.request(body=a_review())
    answer = await client.request(body=b"{")
    assert (answer.status, answer.body) == (400, b"not an AdmissionReview\n")
    assert (await client.request(body=a_review())).status == 200
    assert parsed(service) == 1
    assert service.service.metrics.refused["bad_request"] == 1


async def test_a_body_above_the_limit_is_refused_also_under_a_known_head(start: Start) -> None:
    service = await start(limits=Limits(body_bytes=2000))
    client = await service.connect()
    assert (await client.request(body=a_review())).status == 200
    assert (await client.request(body=a_review(size=3000))).status == 413


async def test_a_service_that_leaves_says_so_also_under_a_known_head(start: Start) -> None:
    service = await start()
    client = await service.connect()
    await client.request(body=a_review())
    service.service._edge.draining = True
    answer = await client.request(body=a_review())
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert await client.closed()


async def test_an_idle_connection_is_closed_after_its_time_and_not_before(start: Start) -> None:
    service = await start(limits=Limits(keepalive_seconds=60))
    client = await service.connect()
    for _ in range(2):
        await client.request(body=a_review())
    edge = service.service._edge
    (connection,) = edge.connections
    await edge.connections.evict_slow()
    assert connection.connected
    connection.rested -= 61
    await edge.connections.evict_slow()
    assert await client.closed()
    assert not service.service.metrics.connections_evicted


async def test_a_client_that_does_not_take_its_answers_is_cut_off(start: Start) -> None:
    service = await start(limits=Limits(write_seconds=0.2))
    client = await service.connect()
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    metrics = service.service.metrics
    body = a_review("u" * 100_000)  # the answer repeats it
    while not metrics.connections_evicted["answer"]:
        before = metrics.outcomes.total()
        client.writer.write(HEAD.format(len(body)).encode() + body)
        await service.until(
            lambda: metrics.outcomes.total() > before or metrics.connections_evicted["answer"] > 0  # noqa: B023
        )
    await service.until(lambda: not service.service._edge.connections)
