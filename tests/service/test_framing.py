"""Where requests end, and which heads need no parser."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from injector.service.framing import Framing, frame

HEAD = b"POST /inject?timeout=10s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nAccept: */*\r\n\r\n"


def a_request(body: bytes) -> bytes:
    return HEAD % len(body) + body


def test_a_head_is_the_same_for_every_length_of_body() -> None:
    short, long = frame(a_request(b"{}")), frame(a_request(b"x" * 5000))
    assert short is not None
    assert long is not None
    assert short.head == long.head == HEAD[:-4].replace(b"%d", b"")
    assert a_request(b"{}")[short.start : short.end] == b"{}"
    assert long.end == len(a_request(b"x" * 5000))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 2 \r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 0x2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 00000002\r\n\r\nab",
        "POST / HTTP/1.1\r\nContent-Length: ٢\r\n\r\nab".encode(),
        b"POST / HTTP/1.1\r\nX: " + b"x" * 4096 + b"\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert frame(data) is None


@given(st.lists(st.binary(max_size=30), max_size=6), st.data())
def test_a_request_begins_only_where_one_begins(bodies: list[bytes], data: st.DataObject) -> None:
    """However the bytes of ordinary requests are cut, what looks whole is one of them, in its place."""
    requests = [a_request(body) for body in bodies]
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))) | {0, len(stream)})
    begins, at = set(), 0
    for request in requests:
        begins.add(at)
        at += len(request)
    framing = Framing()
    answered = 0
    for start, end in pairwise(cuts):
        whole = framing.feed(stream[start:end])
        if whole is not None:
            assert start in begins
            assert stream[start : start + whole.end] in requests
        while answered < len(requests) and sum(map(len, requests[: answered + 1])) <= end:
            framing.ended()
            answered += 1


def test_after_a_request_with_something_behind_it_nobody_knows_where_the_next_begins() -> None:
    framing = Framing()
    framing.feed(a_request(b"one") + a_request(b"two")[:-1])
    framing.ended()
    assert framing.feed(b"o") is None
    framing.ended()
    assert framing.feed(a_request(b"three")) is None


def test_after_a_request_in_pieces_the_next_is_known_again() -> None:
    framing = Framing()
    request = a_request(b"one")
    framing.feed(request[:-1])
    assert framing.whole is None
    framing.feed(request[-1:])
    assert framing.whole is not None
    framing.ended()
    assert framing.feed(a_request(b"two")) is not None


def test_a_closed_connection_has_no_more_requests() -> None:
    framing = Framing()
    framing.lost()
    assert framing.feed(a_request(b"one")) is None
