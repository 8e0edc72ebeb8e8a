"""Issue certificates in PEM, a CA and its leaf, for given names and a given time."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the past a certificate's validity begins, for peers whose clock is behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedPair:
    """A certificate and its key, both PEM; ``repr`` never shows the key."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        """Return a description without secrets."""
        return f"{type(self).__name__}(certificate={len(self.certificate)} bytes, key=…)"


def issue_ca(*, name: str, now: datetime, lifetime: timedelta) -> IssuedPair:
    """Return a self-signed ECDSA P-256 CA that may sign leaves but no further CAs."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = (
        _builder(
            subject=subject,
            issuer=subject,
            key=key,
            not_before=now - CLOCK_SKEW,
            not_after=now + lifetime,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return _pair(builder.sign(key, hashes.SHA256()), key)


def issue_leaf(ca: IssuedPair, *, names: Sequence[str], now: datetime, lifetime: timedelta) -> IssuedPair:
    """Return a server certificate for ``names`` (DNS names or IP addresses) signed by ``ca``.

    It is valid only within the dates of its CA: outside them an API server would refuse it anyway.
    """
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    issuer_key = serialization.load_pem_private_key(ca.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        msg = "the CA key is not an elliptic curve key; issue the CA anew"
        raise TypeError(msg)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(names[0])
    builder = (
        _builder(
            subject=subject,
            issuer=issuer.subject,
            key=key,
            not_before=max(now - CLOCK_SKEW, issuer.not_valid_before_utc),
            not_after=min(now + lifetime, issuer.not_valid_after_utc),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """Return the DNS names by which the API server and clients in the cluster call a Service."""
    base = f"{service}.{namespace}"
    return (f"{base}.svc", base, f"{base}.svc.cluster.local")


def _named(name: str) -> x509.Name:
    """Return a subject: a common name may have 64 characters; only alternative names are verified."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> IssuedPair:
    return IssuedPair(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
