"""Load a checked key pair and its SSL context from PEM texts.

A pair is checked in full before it serves, and gets a fresh context. Loading into a serving context would
keep an old EC certificate beside a new RSA one, and break the context when the pair does not fit.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from injector.errors import ConfigError
from injector.registration.bundle import extension, issued


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A certificate chain and its key that fit; only ``context`` holds the key itself."""

    context: ssl.SSLContext
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    chain_pem: bytes
    clients: ClientVerification | None = None

    def fault(self, now: datetime) -> str | None:
        """Return why a client whose clock says ``now`` refuses the certificate; None when it is valid."""
        if now > self.not_after:
            return f"the certificate expired at {self.not_after.isoformat()}"
        if now < self.not_before:
            return f"the certificate is not valid before {self.not_before.isoformat()}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientVerification:
    """Which clients may post reviews: those with a certificate of a CA in ``ca_der`` and one of ``names``.

    ``ca_der`` is DER, all CAs in a row: PEM may contain comments, which `ssl` accepts only in ASCII.
    """

    ca_der: bytes
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, ca_pem: bytes, names: Iterable[str], *, source: str = "") -> ClientVerification:
        """Make it from PEM text and names; ConfigError when a certificate does not parse."""
        certificates = parse_certificates(ca_pem, source=source)
        ca_der = b"".join(each.public_bytes(Encoding.DER) for each in certificates)
        try:
            _bare_context().load_verify_locations(cadata=ca_der)
        except ssl.SSLError as error:
            raise ConfigError(f"OpenSSL does not take it: {error.reason or error}", file=source) from error
        return cls(ca_der=ca_der, names=frozenset(names))

    def admits(self, certificate: dict[str, Any] | None) -> bool:
        """Return whether the peer's certificate, as `ssl.SSLSocket.getpeercert` returns it, is accepted."""
        if not certificate:
            return False
        return not self.names or not self.names.isdisjoint(_names_of_peer(certificate))


def load_pair(
    chain_pem: bytes,
    key_pem: bytes,
    *,
    names: Iterable[str] = (),
    clients: ClientVerification | None = None,
    now: datetime | None = None,
    source: str = "",
    key_source: str = "",
) -> KeyPair:
    """Check a pair in full and return it; ConfigError says what is wrong with which file.

    It must parse, the key must fit, each certificate of the chain must have issued the one before it, ``now``
    (where given) must be within the pair's dates, and the leaf must have one of ``names`` (if there are any)
    as a DNS name.
    """
    chain = parse_certificates(chain_pem, source=source)
    leaf = chain[0]
    key = _parse_key(key_pem, key_source or source)
    if key.public_key() != leaf.public_key():
        raise ConfigError("the private key does not belong to the certificate", file=source)
    _check_chain(chain, source)
    found = _check_use(leaf, tuple(names), source)
    pair = KeyPair(
        context=_context(chain_pem, key_pem, clients, source),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        names=found,
        chain_pem=chain_pem,
        clients=clients,
    )
    if now is not None and (fault := pair.fault(now)) is not None:
        raise ConfigError(fault, file=source)
    return pair


def outer_context(current: Callable[[], KeyPair], *, ask_clients: bool = False) -> ssl.SSLContext:
    """Return the context to listen with: each handshake replaces it by the context of the ``current`` pair.

    The outer context decides whether clients must have a certificate, the inner one which CA must have signed
    it. A client without one costs a handshake and no connection.
    """

    def swap(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = current().context

    context = _bare_context()
    if ask_clients:
        context.verify_mode = ssl.CERT_REQUIRED
    # Called for every ClientHello, also without a server name (a probe by IP address).
    context.sni_callback = swap
    return context


def parse_certificates(pem: bytes, *, source: str = "") -> list[x509.Certificate]:
    """Return the certificates of PEM text; ConfigError when it has none, or one that does not parse."""
    if not pem.strip():
        raise ConfigError("the certificate is empty", file=source)
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError("the certificate is not PEM, or it is cut short", file=source) from error


def _parse_key(pem: bytes, source: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if not pem.strip():
        raise ConfigError("the private key is empty", file=source)
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:  # it is encrypted with a password
        reason = "the private key is encrypted; write it without a passphrase: openssl pkey"
        raise ConfigError(reason, file=source) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError("the private key is not PEM, or it is cut short", file=source) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConfigError("the private key is neither EC nor RSA", file=source)
    return key


def _check_chain(chain: list[x509.Certificate], source: str) -> None:
    for place, (below, above) in enumerate(pairwise(chain), 1):
        if not issued(above, below) and above != below:
            raise ConfigError(
                f"certificate {place + 1} of the chain did not issue certificate {place}", file=source
            )


def _check_use(leaf: x509.Certificate, wanted: tuple[str, ...], source: str) -> tuple[str, ...]:
    names = extension(leaf, x509.SubjectAlternativeName)
    found = tuple(names.get_values_for_type(x509.DNSName)) if names is not None else ()
    if wanted and not any(_covers(name, want) for name in found for want in wanted):
        raise ConfigError(
            f"the certificate is for {', '.join(found) or 'no DNS name'}, and the API server will ask for "
            f"{' or '.join(wanted)}",
            file=source,
        )
    usage = extension(leaf, x509.ExtendedKeyUsage)
    if usage is not None and not {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    } & {*usage}:
        raise ConfigError("the certificate's extended key usage does not allow a server", file=source)
    return found


def _covers(pattern: str, name: str) -> bool:
    """Match as in RFC 6125: a star stands for one whole label, the leftmost."""
    pattern, name = pattern.lower(), name.lower()
    if pattern.startswith("*."):
        _, _, rest = name.partition(".")
        return rest == pattern[2:]
    return pattern == name


def _bare_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # API servers never resume sessions: tickets would only cost work and memory
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _context(
    chain_pem: bytes, key_pem: bytes, clients: ClientVerification | None, source: str
) -> ssl.SSLContext:
    context = _bare_context()
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients.ca_der)
    try:
        with _readable_path(key_pem.rstrip() + b"\n" + chain_pem) as path:
            context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise ConfigError(f"OpenSSL does not take the pair: {error.reason or error}", file=source) from error
    return context


@contextmanager
def _readable_path(content: bytes) -> Iterator[str]:
    """Give content a path for as long as `ssl`, which reads only files, needs one.

    The file is in memory where the system supports that (no key reaches a disk, and a read-only root file
    system is fine), else one that no other user may open.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("key-pair", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield path
    finally:
        if not path.startswith("/proc/"):
            Path(path).unlink()


def _names_of_peer(certificate: dict[str, Any]) -> set[str]:
    names = {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    for group in certificate.get("subject", ()):
        names.update(value for kind, value in group if kind == "commonName")
    return names
