"""Large, expensive and late reviews: what is in flight is bounded, and nobody else waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter

import orjson
import pytest

from injector.injection.caches import CACHE_BYTES
from injector.service import beside
from injector.service.memory import in_flight_limit
from injector.service.options import Limits
from tests.service.kit import NAME, Answer, Client, GatedReviewer, Running, Start, a_review, client_context
from tests.service.processes import Launch, watching_memory

LARGE = 400_000

of_others = pytest.mark.parametrize(
    ("peer", "namespace"),
    [
        pytest.param("127.0.0.1", "other", id="of one peer another namespace"),
        pytest.param("127.0.0.2", "many", id="of another peer the same"),
    ],
)
"""Who is not the namespace "many" of the peer 127.0.0.1."""


async def begin(service: Running, gated: GatedReviewer) -> asyncio.Task[object]:
    """Have a large review answered that does not end before the gate is open."""
    task: asyncio.Task[object] = asyncio.create_task(service.post(a_review("first", size=LARGE, slow="x")))
    assert await asyncio.to_thread(gated.entered.wait, 60)
    return task


async def test_a_large_review_under_way_holds_up_nobody(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    first = await begin(service, gated)
    client = await service.connect()
    for number in range(20):
        assert (await client.request(body=a_review(f"u-{number}"))).status == 200
    for page in ("/healthz/live", "/healthz/ready"):
        assert (await service.get(page)).status == 200
    assert not first.done()
    gated.gate.set()
    answer = await first
    assert answer.json["response"]["uid"] == "first"  # type: ignore[attr-defined]
    assert not gated.was_here("first")
    assert gated.was_here("u-19")


async def test_one_that_waits_for_its_turn_is_answered_by_its_deadline(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated)
    first = await begin(service, gated)
    answer = await service.post(a_review(size=LARGE), target="/inject?timeout=1s")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert service.service.metrics.refused["deadline"] == 1
    gated.gate.set()
    await first
    assert (await service.post(a_review("after", size=LARGE))).status == 200
    assert service.service._edge.memory.bodies == 0


async def test_a_review_that_takes_until_its_deadline_is_given_up(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    for size in (LARGE, 0):
        answer = await service.post(a_review(size=size, patient="x"), target="/inject?timeout=200ms")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert service.service.metrics.refused["deadline"] == 2
    assert not service.service.metrics.outcomes


@of_others
async def test_whoever_waits_with_many_lets_others_before_it(
    start: Start, gated: GatedReviewer, peer: str, namespace: str
) -> None:
    service = await start(load=lambda *_: gated)
    first = await begin(service, gated)
    many = [
        asyncio.create_task(service.post(a_review(f"many-{at}", size=LARGE, namespace="many")))
        for at in range(5)
    ]
    edge = service.service._edge
    await service.until(lambda: edge._answering.beside.waiting == 5)
    client = await service.connect(peer=peer)
    other = asyncio.create_task(client.request(body=a_review("other", size=LARGE, namespace=namespace)))
    await service.until(lambda: edge._answering.beside.waiting == 6)
    gated.gate.set()
    await asyncio.gather(first, other, *many)
    order = list(gated.answered)
    before = order[order.index("first") + 1 : order.index("other")]
    assert len(before) <= 1, order


@of_others
async def test_whoever_fills_the_memory_gives_way_to_others(
    start: Start, gated: GatedReviewer, peer: str, namespace: str
) -> None:
    service = await start(load=lambda *_: gated, limits=Limits(in_flight_bytes=8 << 20))
    first = await begin(service, gated)
    edge = service.service._edge
    many: list[asyncio.Task[Answer]] = []
    refused = service.service.metrics.refused

    def the_last_waits_or_is_refused() -> bool:
        return edge._answering.beside.waiting == len(many) or refused["overload"] > 0

    while not refused["overload"]:
        body = a_review(f"many-{len(many)}", size=LARGE, namespace="many")
        many.append(asyncio.create_task(service.post(body)))
        await service.until(the_last_waits_or_is_refused)
    client = await service.connect(peer=peer)
    body = a_review("other", size=LARGE, namespace=namespace)
    other = asyncio.create_task(client.request(body=body))
    await service.until(lambda: refused["overload"] == 2)
    gated.gate.set()
    assert (await other).json["response"]["uid"] == "other"
    statuses = [answer.status for answer in await asyncio.gather(*many)]
    assert statuses == [200] * (len(many) - 2) + [503] * 2
    await first
    await service.until(lambda: edge.memory.bodies == 0)


async def test_bodies_that_come_slowly_give_way_to_others(start: Start) -> None:
    """A stranger announces large bodies and sends a part of each."""
    service = await start(limits=Limits(in_flight_bytes=8 << 20))
    edge, refused = service.service._edge, service.service.metrics.refused
    head = (
        "POST /inject HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 600000\r\n\r\n"
    )
    slow: list[Client] = []

    def the_last_has_room_or_is_refused() -> bool:
        return edge.memory.bodies >= 600_000 * len(slow) or refused["overload"] > 0

    while not refused["overload"]:
        slow.append(await service.connect(peer="127.0.0.2"))
        slow[-1].writer.write(head.encode() + b" " * 200_000)
        await service.until(the_last_has_room_or_is_refused)
    answer = await service.post(a_review("honest", size=2 * LARGE))
    assert answer.json["response"]["uid"] == "honest"
    assert [(await client.answer()).status for client in slow[-2:]] == [503, 503]
    assert 2 <= refused["overload"] < len(slow)


async def test_a_caller_that_is_gone_has_no_turn(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    first = await begin(service, gated)
    client = await service.connect()
    edge = service.service._edge
    gone = asyncio.create_task(client.request(body=a_review("gone", size=LARGE)))
    await service.until(lambda: edge._answering.beside.waiting == 1)
    client.writer.transport.abort()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await gone
    gated.gate.set()
    await first
    await service.until(lambda: not edge.connections and edge.memory.held == 0)
    assert edge.waiting == 0


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one expensive review take its caller from the loop, for as long as a test lasts."""
    monkeypatch.setattr(beside, "FIRST_SECONDS", 600.0)
    monkeypatch.setattr(beside, "SPENT_SECONDS", 0.04)


@pytest.mark.usefixtures("strict")
async def test_reviews_of_an_expensive_namespace_leave_the_loop(start: Start, gated: GatedReviewer) -> None:
    service = await start(load=lambda *_: gated)
    client = await service.connect()
    for number in range(2):
        body = a_review(f"expensive-{number}", namespace="expensive", expensive="0.05")
        assert (await client.request(body=body)).status == 200
    cheap = [f"cheap-{number}" for number in range(20)]
    for uid in cheap:
        await client.request(body=a_review(uid, namespace="expensive"))
    await client.request(body=a_review("other", namespace="shop"))
    assert gated.was_here("expensive-0")
    for uid in ("expensive-1", *cheap):
        assert not gated.was_here(uid), uid
    assert gated.was_here("other")
    known = service.service._edge._answering._expensive._known
    (expensive,) = known
    known[expensive] = known[expensive]._replace(until=0.0)
    await client.request(body=a_review("later", namespace="expensive"))
    assert gated.was_here("later")


@pytest.mark.usefixtures("strict")
async def test_a_strangers_expensive_reviews_keep_nobody_elses_of_that_namespace_from_the_loop(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated)
    stranger, api_server = await service.connect(peer="127.0.0.2"), await service.connect()
    for number in range(2):
        body = a_review(f"expensive-{number}", namespace="shop", expensive="0.05")
        assert (await stranger.request(body=body)).status == 200
    await api_server.request(body=a_review("cheap", namespace="shop"))
    assert not gated.was_here("expensive-1")
    assert gated.was_here("cheap")


@pytest.mark.usefixtures("strict")
async def test_a_tenant_is_the_same_at_each_of_the_trusted_api_servers(
    start: Start, gated: GatedReviewer
) -> None:
    service = await start(load=lambda *_: gated, trusted_peers=("127.0.0.1", "127.0.0.2"))
    one, other = await service.connect(peer="127.0.0.2"), await service.connect()
    assert (await one.request(body=a_review("expensive", namespace="shop", expensive="0.05"))).status == 200
    await other.request(body=a_review("cheap", namespace="shop"))
    await other.request(body=a_review("of another", namespace="bank"))
    stranger = await service.connect(peer="127.0.0.3")
    await stranger.request(body=a_review("of a stranger", namespace="shop"))
    here = [uid for uid in ("expensive", "cheap", "of another", "of a stranger") if gated.was_here(uid)]
    assert here == ["expensive", "of another", "of a stranger"]


async def test_many_strangers_that_fill_the_memory_make_room_for_a_trusted_api_server(
    start: Start, gated: GatedReviewer
) -> None:
    """None of them holds more than the API server would then."""
    service = await start(
        load=lambda *_: gated, limits=Limits(in_flight_bytes=8 << 20), trusted_peers=("127.0.0.1",)
    )
    first = await begin(service, gated)
    edge, refused = service.service._edge, service.service.metrics.refused
    strangers: list[asyncio.Task[Answer]] = []

    def the_last_waits_or_is_refused() -> bool:
        return edge._answering.beside.waiting == len(strangers) or refused["overload"] > 0

    while not refused["overload"]:
        client = await service.connect(peer=f"127.0.0.{2 + len(strangers)}")
        body = a_review(f"stranger-{len(strangers)}", size=LARGE, namespace="shop")
        strangers.append(asyncio.create_task(client.request(body=body)))
        await service.until(the_last_waits_or_is_refused)
    other = asyncio.create_task(service.post(a_review("other", size=LARGE, namespace="shop")))
    await service.until(lambda: refused["overload"] >= 2)
    gated.gate.set()
    assert (await other).json["response"]["uid"] == "other"
    statuses = [answer.status for answer in await asyncio.gather(*strangers)]
    assert statuses == sorted(statuses), "the newest leave"
    await first


async def test_what_is_costly_of_a_small_review_is_not_of_a_large_one(
    start: Start, gated: GatedReviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "FIRST_SECONDS", 600.0)
    monkeypatch.setattr(beside, "SPENT_SECONDS", 0.0)
    monkeypatch.setattr(beside, "BYTE_SECONDS", 1e-6)  # 0.3 s for the large one
    service = await start(load=lambda *_: gated)
    client = await service.connect()
    for namespace, size in (("small", 0), ("large", 300_000)):
        await client.request(
            body=a_review(f"{namespace}-0", namespace=namespace, size=size, expensive="0.005")
        )
        await client.request(body=a_review(f"{namespace}-1", namespace=namespace))
    assert gated.was_here("small-0")
    assert not gated.was_here("small-1")
    assert gated.was_here("large-0")
    assert gated.was_here("large-1")


async def test_large_bodies_past_the_memory_in_flight_are_told_to_come_again(
    start: Start, gated: GatedReviewer
) -> None:
    """Half of ten MiB is for bodies: the others' come to its end, and small reviews go on."""
    service = await start(load=lambda *_: gated, limits=Limits(in_flight_bytes=10 << 20))
    first = await begin(service, gated)
    edge = service.service._edge
    posting = [asyncio.create_task(service.post(a_review(f"{at}", size=1_000_000))) for at in range(12)]
    await service.until(lambda: service.service.metrics.refused["overload"] >= 8)
    assert edge.memory.bodies < 10 << 20
    assert (await service.post(a_review("small"))).status == 200
    gated.gate.set()
    await first
    answers = await asyncio.gather(*posting)
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.headers["Retry-After"] == "1" for answer in answers if answer.status == 503)
    assert edge.memory.bodies == 0


async def test_a_body_with_too_many_values_is_not_parsed(start: Start) -> None:
    service = await start(limits=Limits(json_values=10_000))
    body = a_review(size=LARGE)
    assert (await service.post(body)).status == 200
    answer = await service.post(body.replace(b"xxxx", b"x,x,"))
    assert (answer.status, answer.body) == (413, b"the body has more than 10000 JSON values\n")


async def test_a_body_that_no_memory_is_enough_for_is_not_asked_for_again(start: Start) -> None:
    service = await start(limits=Limits(in_flight_bytes=8 << 20))
    body = a_review(size=LARGE).replace(b"xxxx", b"x,x,")
    answer = await service.post(body)
    assert answer.status == 413
    assert answer.body.startswith(b"parsing the body takes ")
    assert service.service._edge.memory.bodies == 0


async def test_the_old_object_of_a_large_update_does_not_reach_the_review(
    start: Start, gated: GatedReviewer
) -> None:
    review = orjson.loads(a_review("update"))
    pod = review["request"]["object"]
    review["request"]["oldObject"] = {**pod, "spec": {"padding": "x" * LARGE}}
    service = await start(load=lambda *_: gated)
    assert (await service.post(orjson.dumps(review))).json["response"]["uid"] == "update"
    assert gated.answered["update"][1] < 1000


async def refused_in_the_middle(service: Running) -> Client:
    client = await service.connect()
    client.writer.write(
        b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2000000\r\n\r\n" + b"x" * 1_000_000
    )
    assert (await client.answer()).status == 503
    client.writer.write(b"x" * 1_000_000)
    return client


async def test_the_rest_of_a_refused_body_is_not_taken_for_a_request(start: Start) -> None:
    service = await start(limits=Limits(in_flight_bytes=1 << 20, head_seconds=1))
    client = await refused_in_the_middle(service)
    assert service.service._edge.waiting == 0
    assert (await client.request(body=a_review("next"))).json["response"]["uid"] == "next"
    await asyncio.sleep(0)
    assert service.service._edge.waiting == 0


async def test_what_is_in_flight_is_shown(start: Start) -> None:
    service = await start(limits=Limits(in_flight_bytes=64 << 20))
    await service.connect()
    text = (await service.get("/metrics")).body.decode()
    assert "sidecar_injector_in_flight_limit_bytes 6.7108864e+07" in text
    for name in ("in_flight_bytes", "body_buffered_bytes", "log_pending_bytes"):
        assert f"\nsidecar_injector_{name} " in text
    assert any(line.get("in_flight_mib") == 64 for line in service.lines())


def a_large_update(megabytes: float) -> bytes:
    """Return an update of a pod with so many environment variables that old and new are this large."""
    review = orjson.loads(a_review("update"))
    pod = review["request"]["object"]
    count = int(megabytes * (1 << 20) / 2 / 50)
    pod["spec"]["containers"][0]["env"] = [
        {"name": f"NAME_{at:06d}", "value": f"value-{at:012d}"} for at in range(count)
    ]
    review["request"]["oldObject"] = pod
    return orjson.dumps(review)


async def test_thirty_large_updates_at_once_fit_in_the_memory_of_the_manifest(launch: Launch) -> None:
    """What fits is answered, the rest is told to come again, and a small review beside them is answered.

    All come from API servers, whose connections had a review answered before: a stranger's may be cut off.
    """
    manifest = 256 << 20
    limit = in_flight_limit(manifest, 70 << 20, CACHE_BYTES)
    # The last is how long the rest of a body is read that was refused, so that its sender sees the answer.
    waits = ("handshake_seconds", "head_seconds", "body_seconds", "review_seconds", "shutdown_seconds")
    patient = dict.fromkeys(waits, 100)
    process = await asyncio.to_thread(launch, real=True, limits={"in_flight_bytes": limit, **patient})
    body = a_large_update(6.6)
    context = client_context(process.ca)

    async def an_api_server() -> Client:
        address = ("127.0.0.1", process.ports[0])
        streams = await asyncio.open_connection(*address, ssl=context, server_hostname=NAME, limit=1 << 24)
        client = Client(*streams)
        assert await post(client, a_review("small")) == 200
        return client

    async def post(client: Client, body: bytes) -> int:
        return (await client.request(target="/inject", body=body)).status

    clients = [await an_api_server() for _ in range(30)]
    with watching_memory(process.popen.pid) as looks:
        posting = [asyncio.create_task(post(client, body)) for client in clients]
        await (await an_api_server()).close()
        statuses = Counter(await asyncio.gather(*posting))
    assert set(statuses) == {200, 503}, statuses
    for client in clients:
        await client.close()
    assert max(looks) < 0.8 * manifest
