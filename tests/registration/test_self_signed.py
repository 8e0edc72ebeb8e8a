"""The life of a self-made CA, on a clock that the test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from injector.registration.bundle import authorities, verifies
from injector.registration.self_signed import Policy, next_look, step, trusted

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(
    names=("injector.mesh.svc",),
    ca_life=timedelta(days=90),
    leaf_life=timedelta(days=30),
    grace=timedelta(minutes=5),
)


def settled(secret, now, live=b""):
    """Take steps until nothing is due."""
    steps = 0
    while (changed := step(secret, POLICY, now=now, live_bundle=live)) is not None:
        secret, steps = changed, steps + 1
        assert steps < 5, "it never settles"
    return secret


def test_nothing_becomes_a_ca_and_a_leaf_in_one_step() -> None:
    secret = step({}, POLICY, now=START, live_bundle=b"")
    assert secret is not None
    assert sorted(secret) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
    assert verifies(trusted(secret), secret["tls.crt"])
    assert step(secret, POLICY, now=START, live_bundle=b"") is None


@pytest.mark.parametrize("key", ["ca.crt", "ca.key", "tls.crt", "tls.key"])
@pytest.mark.parametrize("value", [None, b"", b"nonsense"])
def test_a_damaged_secret_is_made_anew(key: str, value: bytes | None) -> None:
    secret = dict(settled({}, START))
    if value is None:
        del secret[key]
    else:
        secret[key] = value
    fresh = settled(secret, START)
    assert verifies(trusted(fresh), fresh["tls.crt"])


def test_a_key_that_belongs_to_another_certificate_is_not_served() -> None:
    secret = {**settled({}, START), "tls.key": settled({}, START)["tls.key"]}
    assert settled(secret, START)["tls.key"] != secret["tls.key"]


def test_the_leaf_is_issued_anew_at_two_thirds_of_its_life_under_the_same_ca() -> None:
    secret = settled({}, START)
    before, after = START + timedelta(days=19, hours=23), START + timedelta(days=20)
    assert step(secret, POLICY, now=before, live_bundle=trusted(secret)) is None
    renewed = step(secret, POLICY, now=after, live_bundle=trusted(secret))
    assert renewed is not None
    assert renewed["ca.crt"] == secret["ca.crt"]
    assert renewed["tls.crt"] != secret["tls.crt"]


def test_a_leaf_that_lacks_a_name_is_issued_anew() -> None:
    secret = settled({}, START)
    policy = Policy(names=("injector.mesh.svc", "other.mesh.svc"))
    assert step(secret, policy, now=START, live_bundle=b"") is not None


def test_a_ca_is_replaced_with_overlap_and_every_leaf_on_the_way_verifies() -> None:
    secret = settled({}, START)
    first = authorities(secret["ca.crt"])[0]
    now = START + timedelta(days=60)
    secret = settled(secret, now, live=trusted(secret))
    assert "ca-next.crt" in secret, "the next CA is made at two thirds"
    assert authorities(trusted(secret))[0] == first
    following = authorities(secret["ca-next.crt"])[0]
    assert verifies(first.pem, secret["tls.crt"]), "it does not sign before it is trusted"

    untrusted = settled(secret, now + POLICY.grace, live=first.pem)
    assert untrusted["tls.crt"] == secret["tls.crt"], "however late, it waits until the bundle holds it"
    early = settled(secret, now + POLICY.grace / 2, live=trusted(secret))
    assert early["tls.crt"] == secret["tls.crt"], "API servers need the grace to hear of it"

    now += POLICY.grace
    secret = settled(secret, now, live=trusted(secret))
    assert authorities(secret["ca.crt"])[0] == following
    assert verifies(following.pem, secret["tls.crt"])
    assert first in authorities(trusted(secret)), "another replica may still serve the old leaf"
    assert "ca-next.key" not in secret

    now += POLICY.grace
    secret = settled(secret, now, live=trusted(secret))
    assert authorities(trusted(secret)) == (following,)


def test_a_ca_about_to_expire_does_not_wait_for_the_bundle() -> None:
    secret = settled({}, START)
    now = START + POLICY.ca_life - timedelta(minutes=1)
    secret = settled(secret, now)
    assert "ca-previous.crt" in secret


def test_an_expired_ca_is_made_anew_after_a_jump_of_the_clock() -> None:
    secret = settled({}, START)
    jumped = settled(secret, START + timedelta(days=400))
    assert jumped["ca.crt"] != secret["ca.crt"]
    assert "ca-previous.crt" not in jumped


def test_a_clock_that_jumps_back_before_the_ca_makes_one_that_is_valid() -> None:
    secret = settled({}, START)
    assert settled(secret, START - timedelta(days=1))["ca.crt"] != secret["ca.crt"]


def test_a_lost_moment_of_promotion_is_counted_from_the_leaf() -> None:
    secret = dict(settled({}, START))
    secret["ca-previous.crt"] = settled({}, START)["ca.crt"]
    assert step(secret, POLICY, now=START, live_bundle=b"") is None
    assert "ca-previous.crt" not in settled(secret, START + POLICY.grace)


def test_the_next_look_is_when_something_is_due_and_soon_during_a_rotation() -> None:
    longest = timedelta(days=1000)
    secret = settled({}, START)
    assert next_look(secret, POLICY, now=START, longest=longest) == timedelta(days=20)
    assert next_look(secret, POLICY, now=START, longest=timedelta(seconds=60)) == timedelta(seconds=60)
    rotating = settled(secret, START + timedelta(days=60), live=trusted(secret))
    assert next_look(rotating, POLICY, now=START, longest=longest) == POLICY.grace / 4
