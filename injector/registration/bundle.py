"""Sets of CA certificates from and to PEM bundles, and how long each CA has been trusted.

Pure. Durations are seconds of a monotonic clock, which the caller reads: setting the system clock must not
end them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from injector.errors import InjectorError

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class BundleError(InjectorError):
    """A text without valid CA certificates where these are expected."""


@dataclass(frozen=True, slots=True, order=True)
class Authority:
    """One CA certificate; two are equal when their DER is."""

    der: bytes
    subject: str = field(compare=False)
    not_before: datetime = field(compare=False)
    not_after: datetime = field(compare=False)

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Authority:
        """Return the needed parts of a parsed certificate; ValueError when a field of it is malformed."""
        return cls(
            certificate.public_bytes(serialization.Encoding.DER),
            certificate.subject.rfc4514_string(),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )

    @property
    def pem(self) -> bytes:
        """The certificate in PEM, in the form in which bundles are written."""
        return x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)

    def signed(self, certificate: x509.Certificate) -> bool:
        """Return whether this CA issued a certificate."""
        return issued(x509.load_der_x509_certificate(self.der), certificate)


def issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return whether ``certificate`` names ``authority`` as its issuer and has its signature."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """Return the value of the certificate's extension of this kind; None when it has none."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def authorities(bundle: bytes) -> tuple[Authority, ...]:
    """Return the CAs of a PEM bundle, in its order, each once; BundleError if one is unreadable."""
    try:
        found = [Authority.of(each) for each in x509.load_pem_x509_certificates(bundle)]
    except ValueError as error:
        raise BundleError(
            f"the CA bundle holds no certificate, or one that cannot be read: {error}"
        ) from error
    return tuple(dict.fromkeys(found))


def readable(bundle: bytes) -> tuple[Authority, ...]:
    """Return the CAs of a bundle from outside; none if it is invalid, since then it protects nothing."""
    try:
        return authorities(bundle)
    except BundleError:
        return ()


def join(cas: Iterable[Authority]) -> bytes:
    """Return the bundle in PEM."""
    return b"".join(ca.pem for ca in cas)


def verifies(bundle: bytes, leaf: bytes) -> bool:
    """Return whether a client that trusts ``bundle`` accepts ``leaf``: one of its CAs is the leaf's issuer.

    A leaf with intermediates is accepted if a CA of the bundle has signed any certificate of the chain.
    """
    try:
        chain = x509.load_pem_x509_certificates(leaf)
    except ValueError:
        return False
    return any(ca.signed(link) for ca in readable(bundle) for link in chain)


@dataclass(slots=True, kw_only=True)
class TrustedSince:
    """The CAs of the live bundle, and since when each has been in it."""

    _since: dict[Authority, float] = field(default_factory=dict)
    _seen: bytes = b""

    def see(self, bundle: bytes, now: float) -> None:
        """Use a new live bundle; a CA that left it starts anew when it comes back."""
        if bundle == self._seen:
            return
        self._seen = bundle
        self._since = {ca: self._since.get(ca, now) for ca in readable(bundle)}

    def ages(self, now: float) -> dict[Authority, timedelta]:
        """Return how long each CA of the live bundle has been in it."""
        return {ca: timedelta(seconds=now - since) for ca, since in self._since.items()}

    def wait(self, new: bytes, old: bytes, *, settle: float, now: float) -> float | None:
        """Return the seconds until the chain ``new`` may serve in place of ``old`` (both PEM).

        That is ``settle`` seconds after a CA of ``new`` became live; None while none is.
        """
        signers = {ca: since for ca, since in self._since.items() if verifies(ca.pem, new)}
        before = [ca for ca in self._since if verifies(ca.pem, old)]
        if not before or any(ca in signers for ca in before):
            # No client trusts the old one, or each that does trusts the new one as well.
            return 0.0
        return max(0.0, settle - (now - min(signers.values()))) if signers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Former CAs of ours, and when each was replaced: they stay trusted for ``grace`` seconds.

    In that time every replica's leaf has been replaced, and every API server knows the new CA. An expired CA
    stays too: it does no harm for so short a time, and the local clock may be wrong.
    """

    grace: float
    retired: Mapping[Authority, float] = field(default_factory=dict)

    def after(self, *, ours: Sequence[Authority], before: Iterable[Authority], now: float) -> Overlap:
        """Return the overlap for the CAs ``ours``; ``before`` were trusted as ours until now.

        A CA past its grace is remembered while it is still live, or its grace would begin again.
        """
        live = [ca for ca in before if ca not in ours]
        kept = {
            ca: since
            for ca, since in self.retired.items()
            if ca not in ours and (ca in live or now - since < self.grace)
        }
        return Overlap(grace=self.grace, retired={**dict.fromkeys(live, now), **kept})

    def bundle(self, ours: Sequence[Authority], leaf: bytes, now: float) -> bytes:
        """Return our CAs first, then the former ones, newest first.

        One past its grace stays if only it has signed the serving ``leaf``: a file of CAs may change without
        the pair, or the new pair may be refused.
        """
        old = [ca for ca, since in self.retired.items() if now - since < self.grace]
        if len(old) < len(self.retired) and not verifies(join(ours), leaf):
            old += [ca for ca in self.retired if ca not in old and verifies(ca.pem, leaf)]
        return join([*ours, *sorted(old, key=lambda ca: (ca.not_before, ca.der), reverse=True)])

    def next_end(self, now: float) -> float | None:
        """Return the seconds until the first former CA leaves the bundle; None when there is none."""
        left = [self.grace - (now - since) for since in self.retired.values() if now - since < self.grace]
        return min(left, default=None)
