"""Request targets and durations."""

from __future__ import annotations

import pytest

from injector.service.http import Reply, head, redirect, seconds, target


@pytest.mark.parametrize(
    ("raw", "path", "timeout"),
    [
        ("/inject?timeout=10s", "/inject", 10.0),
        ("/inject", "/inject", None),
        ("/inject/cluster/a%20b?x=1&timeout=1s", "/inject/cluster/a b", 1.0),
        ("/inject/%2F", "/inject//", None),
        ("https://service.svc:443/inject?timeout=2s", "/inject", 2.0),
        ("/inject?timeout=", "/inject", None),
        ("/inject?timeout=soon", "/inject", None),
    ],
)
def test_a_target_is_a_path_and_the_callers_patience(raw: str, path: str, timeout: float | None) -> None:
    found = target(raw)
    assert (found.path, found.timeout, found.location) == (path, timeout, "")


@pytest.mark.parametrize(
    ("raw", "location"),
    [
        ("/inject//cluster/c1", "/inject/cluster/c1"),
        ("/inject/../inject", "/inject"),
        ("/inject/./x", "/inject/x"),
        ("//inject", "/inject"),
        ("/inject/cluster//net/n1?timeout=10s", "/inject/cluster/net/n1?timeout=10s"),
        ("/inject/a%2Fb//c", "/inject/a%252Fb/c"),
        ("/inject/é//b", "/inject/%25C3%25A9/b"),
        ("/x//y", "/x/y"),
        ("/..", "/"),
        ("/inject/.", "/inject"),
        ("/inject/..", "/"),
        ("/inject//", "/inject/"),
        ("/inject//?", "/inject/"),
        ("/inject/a%20b//c", "/inject/a%2520b/c"),
        ("http://h//inject//x", "/inject/x"),
        ('/inject/"<>//c', "/inject/%2522%253C%253E/c"),
        ("/inject/a;b//c:d@e", "/inject/a;b/c:d@e"),
        *(
            (raw, "")
            for raw in ("/inject/", "/", "/inject/a%2F%2Fb/c", "/inject/%2e%2e/b", "/inject/a?b=//c", "*")
        ),
    ],
)
def test_a_path_that_is_not_clean_is_redirected_as_go_does(raw: str, location: str) -> None:
    # The answers of net/http's ServeMux of Go 1.26 with the patterns /inject and /inject/.
    assert target(raw).location == location


def test_only_a_get_is_redirected_with_a_body() -> None:
    reply = redirect("/inject?a='&b=1", "GET")
    assert reply.body == b'<a href="/inject?a=&#39;&amp;b=1">Temporary Redirect</a>.\n\n'
    lines = head(reply, keep=True).split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 307 Temporary Redirect"
    assert {b"Content-Type: text/html; charset=utf-8", b"Location: /inject?a='&b=1"} < {*lines}
    posted = head(redirect("/inject", "POST"), keep=True).split(b"\r\n")
    assert [line.partition(b":")[0] for line in posted if line] == [
        b"HTTP/1.1 307 Temporary Redirect",
        b"Date",
        b"Location",
        b"Content-Length",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("10s", 10), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("7us", 7e-6), ("0s", 0)]
    + [(text, None) for text in ("10", "s", "-1s", "٣s", "10ss", "")],
)
def test_durations_are_those_of_go(text: str, value: float | None) -> None:
    assert seconds(text) == (pytest.approx(value) if value is not None else None)


def test_a_head_says_close_only_where_the_connection_ends() -> None:
    reply = Reply(200, b"{}", "application/json")
    assert b"Connection" not in head(reply, keep=True)
    assert b"Connection: close\r\n" in head(reply, keep=False)
    assert b"X-Content-Type-Options: nosniff" in head(Reply(404, b""), keep=True)
