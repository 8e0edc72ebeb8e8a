"""Key pairs checked, contexts made, clients told apart."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from injector.errors import ConfigError
from injector.service.beside import API_SERVERS
from injector.service.tls import ClientVerification, KeyPair, load_pair, parse_certificates
from tests.service.kit import NAME, Running, Start, a_pair, a_review, client_context


def load(files: dict[str, bytes], **more: object) -> KeyPair:
    sources = {"source": "tls.crt", "key_source": "tls.key"}
    return load_pair(files["tls.crt"], files["tls.key"], **sources, **more)  # type: ignore[arg-type]


def test_a_key_that_cannot_be_read_is_a_fault_of_the_key_file(ca: trustme.CA) -> None:
    files = a_pair(ca)
    key = serialization.load_pem_private_key(files["tls.key"], password=None)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    encrypted = key.private_bytes(serialization.Encoding.PEM, form, encryption)
    der = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
    faults = {
        encrypted: "tls.key: the private key is encrypted; write it without a passphrase: openssl pkey",
        der: "tls.key: the private key is not PEM, or it is cut short",
        b"\n": "tls.key: the private key is empty",
    }
    for content, sentence in faults.items():
        with pytest.raises(ConfigError) as refusal:
            load({**files, "tls.key": content})
        assert str(refusal.value) == sentence


@pytest.mark.parametrize("rsa", [False, True])
def test_a_good_pair_says_what_it_is(ca: trustme.CA, rsa: bool) -> None:
    pair = load(a_pair(ca, rsa=rsa), names=(NAME,))
    assert pair.names == (NAME, "localhost")
    assert pair.not_after > datetime.now(UTC) + timedelta(days=300)
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize("name", ["*.istio-system.svc", NAME.upper()])
def test_names_match_as_the_api_server_matches_them(ca: trustme.CA, name: str) -> None:
    assert load(a_pair(ca, name), names=(NAME,)).names


@pytest.mark.parametrize("name", ["*.svc", "other.istio-system.svc", "istio-system.svc"])
def test_other_names_do_not(ca: trustme.CA, name: str) -> None:
    with pytest.raises(ConfigError, match=f"and the API server will ask for {NAME}"):
        load(a_pair(ca, name), names=(NAME,))


def test_an_intermediate_must_have_issued_the_leaf(ca: trustme.CA) -> None:
    intermediate = ca.create_child_ca()
    good = a_pair(intermediate)
    assert load(good)
    stranger = trustme.CA().cert_pem.bytes()
    leaf = good["tls.crt"].split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    with pytest.raises(ConfigError, match=r"certificate 2 of the chain did not issue certificate 1"):
        load({**good, "tls.crt": leaf + stranger})


def test_a_client_certificate_does_not_serve(ca: trustme.CA) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = {
        "tls.crt": certificate.public_bytes(serialization.Encoding.PEM),
        "tls.key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    with pytest.raises(ConfigError, match="extended key usage does not allow a server"):
        load(files)


def test_an_encrypted_or_foreign_key_is_named(ca: trustme.CA) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = ed25519.Ed25519PrivateKey.generate()
    foreign = key.private_bytes(*pem, serialization.NoEncryption())
    locked = key.private_bytes(*pem, serialization.BestAvailableEncryption(b"secret"))
    for content, words in ((foreign, "neither EC nor RSA"), (locked, "is encrypted")):
        with pytest.raises(ConfigError, match=words):
            load({**a_pair(ca), "tls.key": content})


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"])
def test_a_ca_file_must_hold_a_certificate(pem: bytes) -> None:
    with pytest.raises(ConfigError, match=r"ca\.crt: the certificate is"):
        parse_certificates(pem, source="ca.crt")


COMMENTS = ["# Zürich CA\n".encode(), "# Zürich CA\n".encode("latin-1"), b"\xef\xbb\xbf"]


@pytest.mark.parametrize("comment", COMMENTS, ids=["UTF-8", "Latin-1", "byte order mark"])
def test_comments_in_pem_may_be_of_any_letters(ca: trustme.CA, comment: bytes) -> None:
    two = comment + ca.cert_pem.bytes() + comment + trustme.CA().cert_pem.bytes()
    clients = ClientVerification.of(two, (), source="clients.crt")
    pair = load({name: comment + content for name, content in a_pair(ca).items()}, clients=clients)
    assert len(pair.context.get_ca_certs()) == 2


def test_a_client_ca_that_openssl_does_not_take_is_named(ca: trustme.CA) -> None:
    der = ssl.PEM_cert_to_DER_cert(ca.cert_pem.bytes().decode())
    broken = ssl.DER_cert_to_PEM_cert(der.replace(b"trustme", b"\xff" * 7)).encode()
    with pytest.raises(ConfigError, match=r"clients\.crt: OpenSSL does not take it"):
        ClientVerification.of(broken, (), source="clients.crt")


def test_a_verification_admits_names_of_subject_and_of_san() -> None:
    verification = ClientVerification(ca_der=b"", names=frozenset({"apiserver"}))
    assert verification.admits({"subject": ((("commonName", "apiserver"),),)})
    assert verification.admits({"subjectAltName": (("DNS", "apiserver"),)})
    assert not verification.admits({"subject": ((("commonName", "somebody"),),)})
    assert not verification.admits({})
    assert not verification.admits(None)
    assert ClientVerification(ca_der=b"").admits({"subject": ((("commonName", "anybody"),),)})


async def refused(service: Running, context: ssl.SSLContext) -> bool:
    """Return whether the service ends the connection instead of answering."""
    try:
        client = await service.connect(context=context)
        await client.request(body=a_review())
    except (ssl.SSLError, ConnectionError, EOFError):
        return True
    return False


async def test_without_a_client_certificate_there_is_no_handshake(
    start: Start, ca: trustme.CA, tmp_path: Path
) -> None:
    clients = trustme.CA()
    file = tmp_path / "clients.crt"
    file.write_bytes(clients.cert_pem.bytes())
    service = await start(client_ca=file, client_names=("apiserver",))
    metrics = service.service.metrics

    assert await refused(service, client_context(ca))
    stranger = client_context(ca)
    trustme.CA().issue_cert("apiserver").configure_cert(stranger)
    assert await refused(service, stranger)
    await service.until(lambda: metrics.handshakes_failed["certificate"] == 2)
    assert not service.service._edge.connections
    assert metrics.refused["forbidden"] == 0
    assert (await service.get("/healthz/ready")).status == 200

    for name, status in (("apiserver", 200), ("somebody", 403)):
        context = client_context(ca)
        clients.issue_cert(common_name=name).configure_cert(context)
        client = await service.connect(context=context)
        assert (await client.request(body=a_review())).status == status
        assert (await client.request("GET", "/healthz")).status == 200
        parties = {connection.party for connection in service.service._edge.connections}
        assert parties == ({API_SERVERS} if status == 200 else {API_SERVERS, "127.0.0.1"})
    assert metrics.refused["forbidden"] == 1


async def test_a_new_client_ca_counts_from_the_next_handshake(
    start: Start, ca: trustme.CA, tmp_path: Path
) -> None:
    old, new = trustme.CA(), trustme.CA()
    file = tmp_path / "clients.crt"
    file.write_bytes("# Zürich CA\n".encode() + old.cert_pem.bytes())
    service = await start(client_ca=file)
    context = client_context(ca)
    new.issue_cert("apiserver").configure_cert(context)
    assert await refused(service, context)
    before = service.service.mounted.pair.value
    file.write_bytes(new.cert_pem.bytes())
    await service.until(lambda: service.service.mounted.pair.value is not before)
    assert not await refused(service, context)
