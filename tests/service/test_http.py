"""Request targets and durations."""

from __future__ import annotations

import pytest

from injector.service.http import Reply, head, seconds, target


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
    assert target(raw)[::2] == (path, timeout)


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
