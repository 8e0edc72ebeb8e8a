"""A new configuration, tried out before it serves."""

from __future__ import annotations

import pytest

from injector.errors import ConfigError
from injector.service.trial import REMEMBERED, LastPods, Seen, try_out
from tests.service.kit import FakeReviewer, a_review


def test_a_configuration_that_denies_every_sample_does_not_start() -> None:
    with pytest.raises(ConfigError, match="the sample pod with one container is denied: denied as asked"):
        try_out(FakeReviewer("denies"), None)


def test_a_pod_that_is_injected_today_must_be_injected_tomorrow() -> None:
    class Picky(FakeReviewer):
        def answer(self, body: bytes, path: str, late: object = None):  # type: ignore[no-untyped-def]
            return FakeReviewer("denies" if b"padding" in body else "x").answer(body, path)

    seen = Seen(a_review(size=5), "/inject")
    with pytest.raises(ConfigError, match="a pod seen lately is denied"):
        try_out(Picky("new"), FakeReviewer("old"), [seen])
    try_out(Picky("new"), Picky("old"), [seen])
    try_out(Picky("new"), FakeReviewer("old"), [])


def test_few_pods_are_remembered_and_large_ones_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("injector.service.trial.time.monotonic", lambda: clock[0])
    last = LastPods()
    for number in range(100):
        last.see(b"%d" % number, "/inject")
        last.see(b"at once", "/inject")
        clock[0] += 2
    last.see(b"x" * 100_000, "/inject")
    assert len(last.reviews()) == REMEMBERED
    assert last.reviews()[-1] == Seen(b"99", "/inject")
