"""CA bundles: reading, joining, verifying, and the overlap of old and new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from injector.registration.bundle import BundleError, Overlap, authorities, join, readable, verifies
from injector.registration.issue import issue_ca, issue_leaf, service_names

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ca(name: str = "CA", *, now: datetime = NOW, days: int = 10):
    return issue_ca(name=name, now=now, lifetime=timedelta(days=days))


def authority(pem: bytes):
    return authorities(pem)[0]


def test_a_bundle_is_read_in_order_and_each_certificate_once() -> None:
    one, two = ca("one").certificate, ca("two").certificate
    found = authorities(b"# a comment\n" + one + two + one)
    assert [each.subject for each in found] == ["CN=one", "CN=two"]
    assert authorities(join(found)) == found


def labelled(pem: bytes) -> bytes:
    """Return certificates under the older of the two labels that OpenSSL writes."""
    return pem.replace(b" CERTIFICATE-", b" X509 CERTIFICATE-")


def test_certificates_are_read_under_either_label() -> None:
    root = ca("one")
    leaf = issue_leaf(root, names=["a.b.svc"], now=NOW, lifetime=timedelta(days=1)).certificate
    assert authorities(labelled(root.certificate)) == authorities(root.certificate)
    assert authorities(labelled(root.certificate))[0].pem == root.certificate
    assert verifies(labelled(root.certificate), labelled(leaf))


@pytest.mark.parametrize(
    "text", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_bundle_is_said_in_a_sentence(text: bytes) -> None:
    with pytest.raises(BundleError, match="the CA bundle holds no certificate, or one that cannot be read: "):
        authorities(text)
    assert readable(text) == ()


def test_a_bundle_verifies_a_leaf_when_one_of_its_cas_signed_it() -> None:
    one, two = ca("one"), ca("two")
    leaf = issue_leaf(one, names=["a.b.svc"], now=NOW, lifetime=timedelta(days=1))
    assert verifies(two.certificate + one.certificate, leaf.certificate)
    assert not verifies(two.certificate, leaf.certificate)
    assert not verifies(b"", leaf.certificate)
    assert not verifies(one.certificate, b"")


def test_a_retired_ca_stays_for_the_grace_and_then_goes() -> None:
    old, new = authority(ca("old").certificate), authority(ca("new").certificate)
    overlap = Overlap(grace=300).after(ours=[new], before=[old], now=0)
    assert authorities(overlap.bundle([new], b"", 0)) == (new, old)
    later = 240
    overlap = overlap.after(ours=[new], before=[new, old], now=later)
    assert authorities(overlap.bundle([new], b"", later)) == (new, old), (
        "seeing it again does not begin a new grace"
    )
    assert overlap.next_end(later) == 60
    end = 300
    overlap = overlap.after(ours=[new], before=[new, old], now=end)
    assert authorities(overlap.bundle([new], b"", end)) == (new,)
    assert overlap.next_end(end) is None
    assert not overlap.after(ours=[new], before=[new], now=end).retired


def test_a_retired_ca_stays_while_it_alone_has_signed_what_is_served() -> None:
    pair, new = ca("old"), authority(ca("new").certificate)
    old = authority(pair.certificate)
    leaf = issue_leaf(pair, names=["a.b.svc"], now=NOW, lifetime=timedelta(days=1)).certificate
    overlap = Overlap(grace=300).after(ours=[new], before=[old], now=0)
    overlap = overlap.after(ours=[new], before=[new, old], now=1000)
    assert authorities(overlap.bundle([new], leaf, 1000)) == (new, old)
    assert authorities(overlap.bundle([new, old], leaf, 1000)) == (new, old), "once"
    assert authorities(overlap.bundle([new], b"", 1000)) == (new,)


def test_the_dates_of_a_retired_ca_are_not_looked_at_since_a_clock_may_be_wrong() -> None:
    old = authority(ca("old", now=NOW - timedelta(days=10), days=9).certificate)
    ours = authority(ca("ours", now=NOW + timedelta(days=900)).certificate)
    overlap = Overlap(grace=300).after(ours=[ours], before=[old], now=0)
    assert authorities(overlap.bundle([ours], b"", 0)) == (ours, old)


def test_a_ca_that_comes_back_is_not_retired() -> None:
    one, two = authority(ca("one").certificate), authority(ca("two").certificate)
    overlap = Overlap(grace=300).after(ours=[two], before=[one], now=0)
    overlap = overlap.after(ours=[one], before=[two], now=0)
    assert authorities(overlap.bundle([one], b"", 0)) == (one, two)


def test_a_leaf_never_outlives_its_ca_and_carries_its_names() -> None:
    from cryptography import x509

    root = ca(days=1)
    leaf = issue_leaf(root, names=["a.b.svc", "127.0.0.1"], now=NOW, lifetime=timedelta(days=30))
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert certificate.not_valid_after_utc == NOW + timedelta(days=1)
    assert [str(name.value) for name in names] == ["a.b.svc", "127.0.0.1"]


def test_a_leaf_is_not_valid_before_its_ca() -> None:
    from cryptography import x509

    root = ca(now=NOW + timedelta(minutes=4))
    leaf = issue_leaf(root, names=["a.b.svc"], now=NOW, lifetime=timedelta(days=1))
    begins = [x509.load_pem_x509_certificate(each.certificate).not_valid_before_utc for each in (root, leaf)]
    assert begins == [NOW - timedelta(minutes=1)] * 2


def test_a_pair_never_shows_its_key() -> None:
    pair = ca()
    assert "PRIVATE" not in repr(pair)
    assert b"PRIVATE" in pair.key


def test_a_service_is_called_by_three_names() -> None:
    assert service_names("injector", "mesh") == (
        "injector.mesh.svc",
        "injector.mesh",
        "injector.mesh.svc.cluster.local",
    )


def test_a_foreign_ca_key_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from injector.registration.issue import IssuedPair

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(TypeError, match="not an elliptic curve key"):
        issue_leaf(
            IssuedPair(certificate=ca().certificate, key=key),
            names=["x"],
            now=NOW,
            lifetime=timedelta(days=1),
        )
