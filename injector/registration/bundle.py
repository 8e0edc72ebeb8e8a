"""CA certificates in PEM to sets of them and back. Pure: knows no file, no clock, no cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from injector.errors import InjectorError

PEM_END = b"-----END CERTIFICATE-----"


class BundleError(InjectorError):
    """Text that should hold CA certificates and does not."""


@dataclass(frozen=True, slots=True, order=True)
class Authority:
    """One CA certificate; two are the same when their DER is."""

    der: bytes
    subject: str = field(compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM, in the one spelling in which bundles are written."""
        return x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)

    def signed(self, leaf: bytes) -> bool:
        """Tell whether the first certificate of ``leaf`` (PEM) was issued by this CA."""
        try:
            certificate = x509.load_pem_x509_certificate(leaf)
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(self.der))
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def authorities(bundle: bytes) -> tuple[Authority, ...]:
    """Return the CAs of a PEM bundle, in its order, each once; BundleError when one cannot be read."""
    found: dict[bytes, Authority] = {}
    for number, block in enumerate(bundle.split(PEM_END)[:-1], start=1):
        try:
            certificate = x509.load_pem_x509_certificate(block + PEM_END)
        except ValueError as error:
            raise BundleError(f"certificate {number} of the CA bundle cannot be read: {error}") from error
        der = certificate.public_bytes(serialization.Encoding.DER)
        found[der] = Authority(
            der,
            certificate.subject.rfc4514_string(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    if not found:
        raise BundleError("the CA bundle holds no certificate")
    return tuple(found.values())


def readable(bundle: bytes) -> tuple[Authority, ...]:
    """Return the CAs of somebody else's bundle; none when it cannot be read, for then it protects nobody."""
    try:
        return authorities(bundle)
    except BundleError:
        return ()


def join(cas: Iterable[Authority]) -> bytes:
    """Return the bundle in PEM."""
    return b"".join(ca.pem for ca in cas)


def verifies(bundle: bytes, leaf: bytes) -> bool:
    """Tell whether a client that trusts ``bundle`` accepts ``leaf``: some CA of it is the leaf's issuer.

    A leaf whose chain carries intermediates is accepted through whichever certificate of the chain a CA of
    the bundle has signed.
    """
    chain = [block + PEM_END for block in leaf.split(PEM_END)[:-1]]
    return any(ca.signed(link) for ca in readable(bundle) for link in chain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """CAs that were ours before, and when each stopped being it: they stay in the bundle for ``grace``.

    In that time every replica's leaf has been replaced, and every API server has heard of the new CA.
    """

    grace: timedelta
    retired: Mapping[Authority, datetime] = field(default_factory=dict)

    def after(self, *, ours: Sequence[Authority], before: Iterable[Authority], now: datetime) -> Overlap:
        """Return the overlap once ``ours`` are the CAs, ``before`` having been trusted as ours until now.

        A CA that ran through its grace is remembered while it is still live, or it would begin again.
        """
        live = [ca for ca in before if ca not in ours]
        kept = {
            ca: since
            for ca, since in self.retired.items()
            if ca not in ours and (ca in live or now - since < self.grace)
        }
        return Overlap(grace=self.grace, retired={**dict.fromkeys(live, now), **kept})

    def bundle(self, ours: Sequence[Authority], now: datetime) -> bytes:
        """Return ours first, then the retired, newest first; expired ones are left out, ours never."""
        old = [ca for ca, since in self.retired.items() if ca.not_after > now and now - since < self.grace]
        return join([*ours, *sorted(old, key=lambda ca: (ca.not_before, ca.der), reverse=True)])

    def next_end(self, now: datetime) -> timedelta | None:
        """Return the time until the first retired CA leaves the bundle; None when there is none in it."""
        left = [self.grace - (now - since) for since in self.retired.values() if now - since < self.grace]
        return min(left, default=None)
