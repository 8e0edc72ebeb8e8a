"""The life of a self-made CA, on a clock that the test turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from injector.registration import self_signed
from injector.registration.bundle import authorities, join, verifies
from injector.registration.contents import Secret, contents
from injector.registration.issue import IssuedPair, issue_ca, issue_leaf
from injector.registration.self_signed import Policy, Served, View, decide

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LONG_LIVE = timedelta(days=10_000)
POLICY = Policy(names=("injector.mesh.svc",), ca_life=90 * DAY, leaf_life=30 * DAY)


def view(now: datetime, live: bytes = b"", *, age: timedelta = LONG_LIVE, **more) -> View:
    """Return what is known where each CA of the bundle ``live`` has been there for ``age``."""
    return View(now=now, live=dict.fromkeys(authorities(live) if live else (), age), **more)


def step(secret: Secret, policy: Policy, known: View) -> Secret | None:
    return self_signed.step(contents(secret), policy, known)


def trusted(secret: Secret) -> bytes:
    return join(contents(secret).trusted)


def servable(secret: Secret) -> Served | None:
    return self_signed.servable(contents(secret))


def next_look(secret: Secret, *, now: datetime, longest: timedelta) -> timedelta:
    return self_signed.next_look(contents(secret), POLICY, now=now, longest=longest)


def settled(secret: Secret, now: datetime, live: bytes = b"", **more) -> Secret:
    """Take steps until nothing is due."""
    steps = 0
    while (changed := step(secret, POLICY, view(now, live, **more))) is not None:
        secret, steps = changed, steps + 1
        assert steps < 5, "it never settles"
    return secret


def rotated(secret: Secret, now: datetime) -> Secret:
    """Take steps while all that is to be trusted has long been live, until nothing is due."""
    steps = 0
    while (changed := step(secret, POLICY, view(now, trusted(secret)))) is not None:
        secret, steps = changed, steps + 1
        assert steps < 7, "it never settles"
    return secret


def dates(secret: Secret, key: str = "tls.crt") -> tuple[datetime, datetime]:
    certificate = x509.load_pem_x509_certificate(secret[key])
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def valid(secret: Secret, now: datetime) -> bool:
    """Return whether an API server that trusts the bundle accepts the leaf."""
    begin, end = dates(secret)
    cas = [ca.pem for ca in authorities(trusted(secret)) if ca.not_before <= now <= ca.not_after]
    return begin <= now <= end and verifies(b"".join(cas), secret["tls.crt"])


def with_leaf(secret: Secret, pair: IssuedPair) -> Secret:
    return {**secret, "tls.crt": pair.certificate, "tls.key": pair.key}


def leaf_under(secret: Secret, now: datetime, life: timedelta = 30 * DAY, names=POLICY.names) -> IssuedPair:
    ca = IssuedPair(certificate=secret["ca.crt"], key=secret["ca.key"])
    return issue_leaf(ca, names=names, now=now, lifetime=life)


def test_nothing_becomes_a_ca_and_a_leaf_in_one_step() -> None:
    secret = step({}, POLICY, view(START))
    assert secret is not None
    assert sorted(secret) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
    assert verifies(trusted(secret), secret["tls.crt"])
    assert step(secret, POLICY, view(START)) is None


def test_the_leaf_is_issued_anew_at_two_thirds_of_its_life_under_the_same_ca() -> None:
    secret = settled({}, START)
    before, after = START + timedelta(days=19, hours=23), START + timedelta(days=20)
    assert step(secret, POLICY, view(before, trusted(secret))) is None
    renewed = step(secret, POLICY, view(after, trusted(secret)))
    assert renewed is not None
    assert renewed["ca.crt"] == secret["ca.crt"]
    assert renewed["tls.crt"] != secret["tls.crt"]


def test_a_leaf_that_lacks_a_name_is_issued_anew_and_not_in_turn_with_who_lacks_another() -> None:
    secret = settled({}, START)
    other = replace(POLICY, names=("other.mesh.svc",))
    assert step(secret, other, view(START)) is None, (
        "a leaf that is seconds old has just been made by somebody"
    )
    assert step(secret, other, view(START + timedelta(minutes=1))) is not None


def test_a_leaf_that_cannot_be_loaded_is_issued_anew() -> None:
    secret = settled({}, START)
    now = START + timedelta(minutes=2)
    assert settled(secret, now, refused=secret["tls.crt"])["tls.crt"] != secret["tls.crt"]


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
    assert verifies(first.pem, untrusted["tls.crt"]), "however late, it waits until the bundle holds it"
    early = settled(secret, now + POLICY.grace, live=trusted(secret), age=POLICY.grace / 2)
    assert verifies(first.pem, early["tls.crt"]), "API servers need the grace to hear of it"

    now += POLICY.grace
    secret = settled(secret, now, live=trusted(secret))
    assert authorities(secret["ca.crt"])[0] == following
    assert verifies(following.pem, secret["tls.crt"])
    assert first in authorities(trusted(secret)), "another replica may still serve the old leaf"
    assert "ca-next.key" not in secret

    now += POLICY.leaf_life - timedelta(hours=1)
    secret = settled(secret, now, live=trusted(secret))
    assert first in authorities(trusted(secret)), "a replica that hears nothing may serve it until it expires"

    now += timedelta(hours=1)
    secret = settled(secret, now, live=trusted(secret))
    assert authorities(trusted(secret)) == (following,)
    assert "promoted-at" not in secret


def test_a_previous_ca_stays_while_its_successor_has_not_been_live_for_the_grace() -> None:
    secret = rotated(settled({}, START), START + timedelta(days=60))
    late = START + timedelta(days=92)
    young = settled(secret, late, live=trusted(secret), age=POLICY.grace / 2)
    assert "ca-previous.crt" in young
    assert "ca-previous.crt" not in settled(secret, late, live=trusted(secret))


def test_a_ca_about_to_expire_does_not_wait_for_the_bundle() -> None:
    secret = settled({}, START)
    now = START + POLICY.ca_life - timedelta(minutes=2)
    secret = settled(secret, now)
    assert "ca-previous.crt" not in secret, "it waits a grace for somebody to register the next one"
    secret = settled(secret, now + POLICY.grace)
    assert "ca-previous.crt" in secret


@pytest.mark.parametrize("away", [-30 * 365 * DAY, -DAY, 100 * DAY, 30 * 365 * DAY])
def test_a_ca_of_another_time_is_replaced_once_api_servers_know_the_next(away: timedelta) -> None:
    secret = settled({}, START)
    now = START + away
    waiting = settled(secret, now)
    assert waiting["tls.crt"] == secret["tls.crt"], "the next one is not trusted yet"
    early = settled(waiting, now, live=trusted(waiting), age=POLICY.settle / 2)
    assert early["tls.crt"] == secret["tls.crt"], "another API server's clock may be right"
    mended = settled(waiting, now, live=trusted(waiting), age=POLICY.settle)
    assert valid(mended, now)
    assert authorities(secret["ca.crt"])[0] in authorities(trusted(mended))


@pytest.mark.parametrize(
    "issued",
    [
        pytest.param(lambda secret: leaf_under(secret, START + 21 * DAY), id="from the future"),
        pytest.param(lambda secret: leaf_under(secret, START + timedelta(minutes=6)), id="from soon"),
        pytest.param(lambda _: _stranger(START), id="of another CA"),
        pytest.param(lambda secret: _forged(secret, START - DAY, START + DAY), id="from before its CA"),
        pytest.param(lambda secret: _forged(secret, START, START + 91 * DAY), id="outlives its CA"),
        pytest.param(lambda secret: _forged(secret, START - 2 * DAY, START - DAY), id="expired"),
    ],
)
def test_a_leaf_with_wrong_dates_is_issued_anew_under_the_same_ca(
    issued: Callable[[Secret], IssuedPair],
) -> None:
    secret = settled({}, START)
    mended = settled(with_leaf(secret, issued(secret)), START, live=trusted(secret))
    assert mended["ca.crt"] == secret["ca.crt"]
    assert valid(mended, START)
    assert dates(mended)[1] == START + POLICY.leaf_life


def test_lives_that_are_absurd_end_and_those_of_another_policy_do_not() -> None:
    secret = settled({}, START)
    now = START + timedelta(hours=1)
    short = replace(POLICY, ca_life=10 * DAY, leaf_life=3 * DAY)
    assert step(secret, short, view(now)) is None
    shorter = replace(POLICY, ca_life=8 * DAY, leaf_life=2 * DAY)
    changed = step(secret, shorter, view(now))
    assert changed is not None
    assert "ca-next.crt" in changed
    shorter = replace(POLICY, leaf_life=2 * DAY)
    changed = step(secret, shorter, view(now))
    assert changed is not None
    assert dates(changed)[1] == now + 2 * DAY


def test_a_next_ca_of_another_time_is_forgotten() -> None:
    secret = settled({}, START)
    future = issue_ca(name="next", now=START + 900 * DAY, lifetime=DAY)
    spoilt = {**secret, "ca-next.crt": future.certificate, "ca-next.key": future.key}
    assert settled(spoilt, START) == secret


def test_a_lost_moment_of_promotion_is_counted_from_the_ca() -> None:
    secret = dict(rotated(settled({}, START), START + timedelta(days=60)))
    for moment in (b"", b"yesterday", b"2026-03-01T00:00:00", b"\xff"):
        secret["promoted-at"] = moment
        kept = settled(secret, START + timedelta(days=80), live=trusted(secret))
        assert "ca-previous.crt" in kept
        gone = settled(secret, START + timedelta(days=92), live=trusted(secret))
        assert "ca-previous.crt" not in gone


def test_a_ca_that_ends_before_the_next_one_has_settled_is_replaced_at_its_end() -> None:
    secret = settled({}, START)
    end = dates(secret, "ca.crt")[1]
    secret = settled(secret, end - POLICY.settle / 2)
    before = settled(secret, end - timedelta(seconds=1), live=trusted(secret), age=POLICY.settle / 3)
    assert before["ca.crt"] == secret["ca.crt"]
    assert valid(settled(before, end, live=trusted(secret), age=POLICY.settle / 3), end)
    assert settled(before, end) == before, "nobody would trust it yet"


# --- what somebody has edited

DAMAGE = {
    "missing": None,
    "empty": b"",
    "nonsense": b"nonsense",
    "cut short": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    "not text": bytes(range(256)),
    "huge": b"-----BEGIN CERTIFICATE-----\n" + b"A" * 900_000,
}
KEYS = ["ca.crt", "ca.key", "tls.crt", "tls.key", "ca-next.crt", "ca-next.key", "ca-previous.crt"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_secret_becomes_whole_and_never_drops_a_ca_that_can_be_read(
    key: str, value: bytes | None
) -> None:
    secret = dict(rotated(settled({}, START), START + timedelta(days=60)))
    now = START + timedelta(days=61)
    following = issue_ca(name="next", now=now, lifetime=90 * DAY)
    secret |= {"ca-next.crt": following.certificate, "ca-next.key": following.key}
    before = servable(secret)
    assert before is not None
    secret.pop(key)
    if value is not None:
        secret[key] = value
    while (changed := step(secret, POLICY, view(now, trusted(secret)))) is not None:
        if key != "ca.crt":
            assert verifies(trusted(changed), before.certificate)
        secret = changed
    assert valid(secret, now)


def test_a_ca_whose_key_is_gone_is_rotated_with_overlap() -> None:
    secret = dict(settled({}, START))
    del secret["ca.key"]
    waiting = settled(secret, START)
    assert servable(waiting) == replace(servable(secret), ca_bundle=trusted(waiting)), "the leaf serves on"
    early = settled(waiting, START, live=trusted(waiting), age=POLICY.settle / 2)
    assert early == waiting, "API servers accept it, and need a while to hear of the next CA"
    whole = settled(waiting, START, live=trusted(waiting))
    assert valid(whole, START)
    assert verifies(trusted(whole), secret["tls.crt"])


def test_a_ca_with_a_key_that_is_not_ours_to_use_is_replaced() -> None:
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret = {**settled({}, START), "ca.key": key}
    assert valid(rotated(secret, START), START)


def test_a_leaf_in_the_place_of_the_ca_signs_nothing() -> None:
    secret = dict(settled({}, START))
    secret |= {"ca.crt": secret["tls.crt"], "ca.key": secret["tls.key"]}
    whole = rotated(secret, START)
    assert (
        x509.load_pem_x509_certificate(whole["ca.crt"]).subject.rfc4514_string() == "CN=sidecar-injector CA"
    )
    assert valid(whole, START)


def test_a_bundle_does_not_grow_with_what_is_edited_again_and_again() -> None:
    secret = settled({}, START)
    for number in range(20):
        secret = {**secret, "ca.key": b"", "tls.key": b""}
        secret = settled(secret, START + number * timedelta(minutes=1))
    assert len(authorities(trusted(secret))) == 9


def test_a_secret_of_an_older_release_is_read_on() -> None:
    """It kept one previous CA, and the moment of the promotion in the same spelling."""
    ca = issue_ca(name="sidecar-injector CA", now=START, lifetime=90 * DAY)
    leaf = issue_leaf(ca, names=POLICY.names, now=START, lifetime=30 * DAY)
    old = issue_ca(name="sidecar-injector CA", now=START - 60 * DAY, lifetime=90 * DAY)
    secret = {
        "ca.crt": ca.certificate,
        "ca.key": ca.key,
        "tls.crt": leaf.certificate,
        "tls.key": leaf.key,
        "ca-previous.crt": old.certificate,
        "promoted-at": START.isoformat().encode(),
    }
    assert step(secret, POLICY, view(START + DAY, trusted(secret))) is None
    assert authorities(trusted(secret)) == authorities(ca.certificate + old.certificate)


# --- who may write, and when to look again


@pytest.mark.parametrize(
    ("skew", "writes"),
    [
        (timedelta(), True),
        (timedelta(minutes=5), True),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=5, seconds=1), False),
        (timedelta(minutes=-30), False),
        (730 * DAY, False),
    ],
)
def test_a_replica_whose_clock_is_wrong_serves_on_and_does_not_write(skew: timedelta, writes: bool) -> None:
    secret = settled({}, START)
    decision = decide(
        contents(secret), POLICY, view(START + 20 * DAY, skew=skew), longest=timedelta(seconds=10)
    )
    assert (decision.write is not None) == writes
    assert decision.held_back != writes
    assert decision.serve is not None
    assert decision.serve.certificate == secret["tls.crt"]


def test_the_next_look_is_when_something_is_due_and_soon_during_a_rotation() -> None:
    longest = timedelta(days=1000)
    secret = settled({}, START)
    assert next_look(secret, now=START, longest=longest) == timedelta(days=20)
    assert next_look(secret, now=START, longest=timedelta(seconds=60)) == timedelta(seconds=60)
    rotating = settled(secret, START + timedelta(days=60), live=trusted(secret))
    assert next_look(rotating, now=START, longest=longest) == POLICY.settle / 4
    end = dates(rotating)[1]
    assert next_look(rotating, now=end - timedelta(seconds=1), longest=longest) == timedelta(seconds=1)
    assert next_look(rotating, now=end, longest=longest) == POLICY.settle / 4
    assert next_look({}, now=START, longest=longest) == timedelta(seconds=0.2)


def _stranger(now: datetime) -> IssuedPair:
    ca = issue_ca(name="another", now=now, lifetime=90 * DAY)
    return issue_leaf(ca, names=POLICY.names, now=now, lifetime=30 * DAY)


def _forged(secret: Secret, begin: datetime, end: datetime) -> IssuedPair:
    """Issue a leaf as no release of ours does: its dates are not held to those of its CA."""
    key = serialization.load_pem_private_key(secret["ca.key"], password=None)
    ca = x509.load_pem_x509_certificate(secret["ca.crt"])
    template = leaf_under(secret, START)
    leaf = x509.load_pem_x509_certificate(template.certificate)
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(ca.subject)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in leaf.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(key, leaf.signature_hash_algorithm)  # type: ignore[arg-type]
    return IssuedPair(
        certificate=signed.public_bytes(serialization.Encoding.PEM),
        key=template.key,
    )
