"""How soon something is written again."""

from __future__ import annotations

from injector.kube.waiting import TokenBucket


def test_a_bucket_gives_its_capacity_and_then_one_a_period() -> None:
    bucket = TokenBucket(capacity=5, period=60)
    taken, now = 0, 0.0
    while now <= 600:
        if not bucket.wait(now):
            taken += 1
        now += 1
    assert taken == 15


def test_a_bucket_says_how_long_to_wait() -> None:
    bucket = TokenBucket(capacity=1, period=60)
    assert bucket.wait(0) == 0
    assert bucket.wait(30) == 30
    assert bucket.wait(60) == 0
