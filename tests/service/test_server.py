"""Calls on a real TLS socket, good and bad."""

from __future__ import annotations

import gzip
import ssl

import pytest

from injector.service.connection import EdgeConnection
from injector.service.options import Limits
from tests.service.kit import Start, a_review, client_context


async def test_a_review_is_answered_with_its_uid_and_its_version(start: Start) -> None:
    service = await start()
    answer = await service.post(a_review("abc"))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["response"]["uid"] == "abc"
    assert answer.json["apiVersion"] == "admission.k8s.io/v1"
    assert answer.patched == {"config": "first", "values": "{}", "path": "/inject"}


async def test_the_path_reaches_the_review_decoded(start: Start) -> None:
    service = await start()
    answer = await service.post(a_review(), target="/inject/cluster/c%201/net/n%2F1?timeout=5s")
    assert answer.patched["path"] == "/inject/cluster/c 1/net/n/1"


async def test_a_path_with_an_empty_element_is_redirected_before_it_reaches_the_injector(
    start: Start,
) -> None:
    service = await start()
    client = await service.connect()
    answer = await client.request(body=a_review(), target="/inject//cluster/c1?timeout=5s")
    assert (answer.status, answer.body) == (307, b"")
    assert answer.headers["Location"] == "/inject/cluster/c1?timeout=5s"
    assert "Content-Type" not in answer.headers
    followed = await client.request(body=a_review(), target=answer.headers["Location"])
    assert followed.patched["path"] == "/inject/cluster/c1"
    assert sum(service.service.metrics.outcomes.values()) == 1


async def test_many_reviews_share_one_connection(start: Start) -> None:
    service = await start()
    client = await service.connect()
    for number in range(50):
        answer = await client.request(body=a_review(f"u-{number}"))
        assert answer.json["response"]["uid"] == f"u-{number}"
        assert "Connection" not in answer.headers
    assert service.service.metrics.connections_total == 1


async def test_reviews_sent_ahead_are_answered_in_order(start: Start) -> None:
    service = await start()
    client = await service.connect()
    for number in range(40):
        body = a_review(f"u-{number}")
        head = f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.writer.write(head.encode() + body)
    answers = [await client.answer() for _ in range(40)]
    assert [answer.json["response"]["uid"] for answer in answers] == [f"u-{number}" for number in range(40)]
    assert service.service._edge.waiting == 0


REFUSED = {
    "no body": (400, "no body found\n", b"", {}),
    "no body of the wrong type": (400, "no body found\n", b"", {"Content-Type": "text/plain"}),
    "a media type with a parameter": (
        415,
        "invalid Content-Type, want `application/json`\n",
        a_review(),
        {"Content-Type": "application/json; charset=utf-8"},
    ),
    "a media type in capitals": (
        415,
        "invalid Content-Type, want `application/json`\n",
        a_review(),
        {"Content-Type": "APPLICATION/JSON"},
    ),
    "no media type": (
        415,
        "invalid Content-Type, want `application/json`\n",
        a_review(),
        {"Content-Type": "-"},
    ),
    "a gzip body": (
        415,
        "send the body without Content-Encoding\n",
        gzip.compress(a_review()),
        {"Content-Encoding": "gzip"},
    ),
    "not JSON": (400, "not an AdmissionReview\n", b"{", {}),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
async def test_a_wrong_call_is_refused_in_one_sentence(start: Start, case: str) -> None:
    status, text, body, headers = REFUSED[case]
    service = await start()
    answer = await service.post(body, headers=headers)
    assert (answer.status, answer.body.decode()) == (status, text)
    assert sum(service.service.metrics.refused.values()) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_body_is_reviewed_whatever_the_method_as_istio_does(start: Start, method: str) -> None:
    service = await start()
    answer = await service.post(a_review("m"), method=method)
    assert answer.json["response"]["uid"] == "m"


async def test_a_get_without_a_body_is_told_to_post(start: Start) -> None:
    service = await start()
    answer = await service.post(b"", method="GET")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_head_gets_the_headers_alone(start: Start) -> None:
    service = await start()
    client = await service.connect()
    answer = await client.request("HEAD", "/healthz", headers={"Content-Length": "-"})
    assert (answer.status, answer.body) == (200, b"")
    assert (await client.request(body=a_review("after"))).json["response"]["uid"] == "after"


async def test_an_unknown_path_is_not_found(start: Start) -> None:
    service = await start()
    for target in ("/", "/injection", "/inject2/x", "/metrics"):
        answer = await service.post(a_review(), target=target)
        assert answer.status == 404, target


async def test_the_https_port_tells_its_health(start: Start) -> None:
    service = await start()
    for target in ("/healthz", "/healthz/live", "/healthz/ready", "/ready", "/version"):
        assert (await service.post(b"", method="GET", target=target)).status == 200, target
    refused = await service.post(b"x", method="POST", target="/ready")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD")


async def test_a_body_over_the_cap_is_refused_before_it_is_read(start: Start) -> None:
    service = await start()
    client = await service.connect()
    answer = await client.request(body=b"", headers={"Content-Length": str((8 << 20) + 1)})
    assert (answer.status, answer.headers["Connection"]) == (413, "close")


async def test_a_chunked_body_over_the_cap_is_refused_while_it_is_read(start: Start) -> None:
    service = await start(limits=Limits(body_bytes=1 << 20))
    client = await service.connect()
    client.writer.write(
        b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(20):
        client.writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert (await client.answer()).status == 413
    assert service.service._edge.memory.bodies == 0


async def test_a_review_of_three_mebibytes_is_answered_as_a_small_one_is(start: Start) -> None:
    service = await start()
    answer = await service.post(a_review("big", size=3 << 20))
    assert answer.json["response"]["uid"] == "big"
    crash = await service.post(a_review("bad", size=3 << 20, crash="x"))
    assert (crash.status, crash.json["response"]["uid"]) == (500, "bad")
    assert (await service.post(b"x" * (3 << 20))).status == 400


async def test_a_chunked_review_is_answered(start: Start) -> None:
    service = await start()
    client = await service.connect()
    body = a_review("chunks")
    client.writer.write(
        b"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for at in range(0, len(body), 100):
        piece = body[at : at + 100]
        client.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await client.writer.drain()
    client.writer.write(b"0\r\n\r\n")
    assert (await client.answer()).json["response"]["uid"] == "chunks"


async def test_a_client_that_asks_before_it_sends_is_told_to_go_on(start: Start) -> None:
    service = await start()
    client = await service.connect()
    body = a_review("asked", size=100_000)
    head = f"POST /inject HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    client.writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert await client.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.writer.write(body)
    assert (await client.answer()).json["response"]["uid"] == "asked"


async def test_a_crash_is_answered_with_the_uid_and_logged_once_without_its_text(start: Start) -> None:
    service = await start()
    for number in range(3):
        answer = await service.post(a_review(f"c-{number}", crash="secret-in-a-pod"))
        assert answer.status == 500
        assert answer.json["response"]["uid"] == f"c-{number}"
        assert answer.json["response"]["allowed"] is False
    assert (await service.post(a_review("after"))).status == 200
    await service.until(lambda: any("uid" in line for line in service.lines()))
    crashes = [line for line in service.lines() if "crashed" in line["message"]]
    assert len(crashes) == 1
    assert crashes[0]["trace"][0] == "RuntimeError"
    assert "secret-in-a-pod" not in service.log.read_text()
    assert service.service.metrics.refused["crash"] == 3


async def test_what_is_not_http_is_refused_and_the_service_goes_on(start: Start) -> None:
    service = await start()
    for noise in (
        b"\x16\x03\x01\x02\x00\r\n\r\n",
        b"POST /inject HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\n:\r\n\r\n",
    ):
        client = await service.connect()
        client.writer.write(noise)
        assert (await client.answer()).status == 400
        assert await client.closed()
    assert (await service.post(a_review())).status == 200
    assert service.service._edge.waiting == 0
    assert not [line for line in service.lines() if line["level"] == "error"]


async def test_a_head_too_long_is_refused(start: Start) -> None:
    service = await start()
    client = await service.connect()
    client.writer.write(b"POST /inject HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n")
    assert (await client.answer()).status == 400


async def test_a_deadline_that_has_passed_computes_nothing(start: Start) -> None:
    service = await start()
    answer = await service.post(a_review(), target="/inject?timeout=0s")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert service.service.metrics.refused["deadline"] == 1
    assert not service.service.metrics.outcomes


async def test_too_many_reviews_at_once_are_told_to_come_again(start: Start) -> None:
    service = await start(limits=Limits(waiting=0))
    answer = await service.post(a_review())
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "Connection" not in answer.headers


async def test_limits_are_on_the_live_connection(start: Start) -> None:
    service = await start()
    await service.connect()
    await service.until(lambda: bool(service.service._edge.connections))
    (connection,) = service.service._edge.connections
    assert isinstance(connection, EdgeConnection)
    assert connection.keepalive_timeout >= 120
    assert connection.access_log is None
    assert (connection.max_line_size, connection.max_field_size, connection.max_headers) == (8190, 8190, 128)
    assert connection._parser is not None
    assert service.service._reviews._edge.limits.handshake_seconds <= 10


async def test_tls_is_new_enough_without_tickets_and_speaks_http_1_only(start: Start) -> None:
    service = await start()
    context = client_context(service.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = await service.connect(context=context)
    connection = client.writer.get_extra_info("ssl_object")
    assert connection.selected_alpn_protocol() == "http/1.1"
    assert connection.version() == "TLSv1.3"
    await client.request(body=a_review())
    assert connection.session is None or not connection.session.has_ticket

    old = client_context(service.ca)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await service.connect(context=old)


async def test_a_probe_by_address_is_served_without_a_server_name(start: Start) -> None:
    service = await start()
    context = client_context(service.ca)
    context.check_hostname = False
    client = await service.connect(context=context, name="")
    assert (await client.request("GET", "/healthz")).status == 200


@pytest.mark.parametrize("uid", ["", "né", "u" * 300])
async def test_every_uid_comes_back_as_it_was(start: Start, uid: str) -> None:
    service = await start()
    assert (await service.post(a_review(uid))).json["response"]["uid"] == uid
