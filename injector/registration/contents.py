"""The usable contents of the Secret of a self-made CA, whoever wrote it: also an older release or a person.

Pure. Nothing raises: a part that is unreadable, does not fit or is far too large counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from injector.registration.bundle import Authority, extension, readable
from injector.registration.issue import IssuedPair

Secret = Mapping[str, bytes]
"""The decoded ``data`` of the Secret."""

LONGEST_BUNDLE: Final = 65_536
"""Bytes of certificates that are read: ours are 700 bytes each, and all reading happens on the event loop."""

LONGEST_KEY: Final = 4096
"""Bytes of a key that are read: ours have 250, RSA of 4,096 bits has 3,300, and larger ones take seconds."""

CERTIFICATES: Final = ("ca.crt", "ca-next.crt", "ca-previous.crt")
"""Keys of the Secret whose certificates are trusted, in the order of the bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """A CA together with its signing key."""

    authority: Authority
    pair: IssuedPair

    @property
    def not_before(self) -> datetime:
        """When the CA becomes valid."""
        return self.authority.not_before

    @property
    def not_after(self) -> datetime:
        """When it expires."""
        return self.authority.not_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A certificate that can be served: its key fits, and ``issuer`` is one of the Secret's CAs."""

    not_before: datetime
    not_after: datetime
    names: frozenset[str]
    issuer: Authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """``ca`` and ``following`` if they can sign, ``leaf`` if it can be served, and all CAs.

    ``data`` is the Secret's data, unchanged.
    """

    data: Secret
    ca: Issuer | None
    following: Issuer | None
    leaf: Leaf | None
    trusted: tuple[Authority, ...]


def contents(secret: Secret) -> Contents:
    """Return the usable contents of ``secret``."""
    trusted = tuple(dict.fromkeys(ca for key in CERTIFICATES for ca in cas(secret, key)))
    return Contents(
        data=secret,
        ca=_issuer(secret, "ca"),
        following=_issuer(secret, "ca-next"),
        leaf=_leaf(secret, trusted),
        trusted=trusted,
    )


def cas(secret: Secret, key: str) -> tuple[Authority, ...]:
    """Return the certificates at ``key``; none when one of them is invalid."""
    text = secret.get(key, b"")
    return readable(text) if len(text) <= LONGEST_BUNDLE else ()


def _issuer(secret: Secret, name: str) -> Issuer | None:
    certificate, key = _certificate(secret.get(f"{name}.crt", b"")), _key(secret.get(f"{name}.key", b""))
    if certificate is None or not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    try:
        # Go's client requires that a CA says that it is one (RFC 5280, 4.2.1.9).
        constraints = extension(certificate, x509.BasicConstraints)
        if constraints is None or not constraints.ca or key.public_key() != certificate.public_key():
            return None
        authority = Authority.of(certificate)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return Issuer(
        authority=authority,
        pair=IssuedPair(certificate=secret[f"{name}.crt"], key=secret[f"{name}.key"]),
    )


def _leaf(secret: Secret, trusted: tuple[Authority, ...]) -> Leaf | None:
    certificate, key = _certificate(secret.get("tls.crt", b"")), _key(secret.get("tls.key", b""))
    if certificate is None or key is None:
        return None
    try:
        issuer = next((ca for ca in trusted if ca.signed(certificate)), None)
        if issuer is None or key.public_key() != certificate.public_key():
            return None
        names = extension(certificate, x509.SubjectAlternativeName)
        return Leaf(
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            names=frozenset(str(name.value) for name in names or ()),
            issuer=issuer,
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _certificate(pem: bytes) -> x509.Certificate | None:
    """Return the one certificate of ``pem``."""
    if len(pem) > LONGEST_BUNDLE:
        return None
    try:
        (certificate,) = x509.load_pem_x509_certificates(pem)
    except ValueError:
        return None
    return certificate


def _key(pem: bytes) -> PrivateKeyTypes | None:
    if len(pem) > LONGEST_KEY:
        return None
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
