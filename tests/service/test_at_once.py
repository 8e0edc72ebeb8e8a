"""Reviews that go past the parser: the same answers, and only where nothing can be taken for what it is not."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from injector.service import server
from injector.service.options import Limits
from tests.service.kit import Running, Start, a_review

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
