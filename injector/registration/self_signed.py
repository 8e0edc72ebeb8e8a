"""The Secret of a self-made CA as it is, and the time, to the Secret as it should be.

Pure: knows no cluster and no clock. Keys of the Secret: ``ca.crt`` and ``ca.key`` (the CA in force),
``tls.crt`` and ``tls.key`` (the leaf under it), ``ca-next.crt`` and ``ca-next.key`` (made, trusted, not yet
signing), ``ca-previous.crt`` (still trusted, signs no more) and ``promoted-at``. One change at a time:

1. no CA, or one that cannot be used: make CA and leaf
2. the CA is past two thirds of its life: make the next one; the bundle holds both from now on
3. the next one has been live in the bundle for the grace: it signs a new leaf and takes the CA's place
4. the previous one has been trusted for the grace after that: forget it
5. the leaf is past two thirds of its life, or lacks a name: issue it anew
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from injector.registration.bundle import BundleError, authorities, join, readable
from injector.registration.issue import CLOCK_SKEW, IssuedPair, issue_ca, issue_leaf

Secret = Mapping[str, bytes]
"""The decoded ``data`` of the Secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long things live. ``names`` are those of the leaf, the Service's first."""

    names: tuple[str, ...]
    ca_name: str = "sidecar-injector CA"
    ca_life: timedelta = timedelta(days=365)
    leaf_life: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(minutes=5)


def step(secret: Secret, policy: Policy, *, now: datetime, live_bundle: bytes) -> Secret | None:
    """Return the Secret after the one change that is due, or None when none is.

    ``live_bundle`` is what the API server's configuration holds: a CA may sign only after it is trusted.
    """
    if not _usable(secret, now):
        return _fresh(policy, now)
    if (promoted := _promoted(secret, policy, now=now, live_bundle=live_bundle)) is not None:
        return promoted
    if "ca-next.crt" not in secret and _two_thirds_over(secret["ca.crt"], now):
        following = issue_ca(name=policy.ca_name, now=now, lifetime=policy.ca_life)
        return {**secret, "ca-next.crt": following.certificate, "ca-next.key": following.key}
    if "ca-previous.crt" in secret and now - _moment(secret) >= policy.grace:
        return {key: value for key, value in secret.items() if key not in ("ca-previous.crt", "promoted-at")}
    if _leaf_is_due(secret, policy, now):
        return {**secret, **_leaf(_pair(secret, "ca"), policy, now)}
    return None


def trusted(secret: Secret) -> bytes:
    """Return the bundle that clients must trust: the CA in force, then the next and the previous one."""
    keys = ("ca.crt", "ca-next.crt", "ca-previous.crt")
    return join(dict.fromkeys(ca for key in keys if key in secret for ca in authorities(secret[key])))


def next_look(secret: Secret, policy: Policy, *, now: datetime, longest: timedelta) -> timedelta:
    """Return how long nothing will be due, ``longest`` at most: clocks jump, and suspended timers sleep."""
    if "ca-next.crt" in secret or "ca-previous.crt" in secret:
        return min(longest, max(policy.grace / 4, timedelta(seconds=0.2)))
    due = min(_two_thirds(secret["ca.crt"]), _two_thirds(secret["tls.crt"]))
    return min(longest, max(due - now, timedelta(seconds=0.2)))


def _fresh(policy: Policy, now: datetime) -> Secret:
    authority = issue_ca(name=policy.ca_name, now=now, lifetime=policy.ca_life)
    return {"ca.crt": authority.certificate, "ca.key": authority.key, **_leaf(authority, policy, now)}


def _promoted(secret: Secret, policy: Policy, *, now: datetime, live_bundle: bytes) -> Secret | None:
    if "ca-next.crt" not in secret:
        return None
    following = authorities(secret["ca-next.crt"])[0]
    made = following.not_before + CLOCK_SKEW
    # A CA about to expire cannot wait for a configuration that nobody brings into sync.
    expiring = _certificate(secret["ca.crt"]).not_valid_after_utc - now < policy.grace
    if not expiring and (now - made < policy.grace or following not in readable(live_bundle)):
        return None
    authority = _pair(secret, "ca-next")
    return {
        "ca.crt": authority.certificate,
        "ca.key": authority.key,
        "ca-previous.crt": secret["ca.crt"],
        "promoted-at": now.isoformat().encode(),
        **_leaf(authority, policy, now),
    }


def _usable(secret: Secret, now: datetime) -> bool:
    """Tell whether CA and leaf are there, readable, belong together and are in force."""
    try:
        authority = authorities(secret["ca.crt"])[0]
        for name in ("ca", "tls"):
            key = serialization.load_pem_private_key(secret[f"{name}.key"], password=None)
            if key.public_key() != _certificate(secret[f"{name}.crt"]).public_key():
                return False
        if "ca-next.crt" in secret:
            authorities(secret["ca-next.crt"])
            serialization.load_pem_private_key(secret["ca-next.key"], password=None)
    except (KeyError, ValueError, TypeError, BundleError):
        return False
    in_force = authority.not_before <= now < authority.not_after
    return in_force and authority.signed(secret["tls.crt"])


def _leaf(authority: IssuedPair, policy: Policy, now: datetime) -> Secret:
    leaf = issue_leaf(authority, names=policy.names, now=now, lifetime=policy.leaf_life)
    return {"tls.crt": leaf.certificate, "tls.key": leaf.key}


def _leaf_is_due(secret: Secret, policy: Policy, now: datetime) -> bool:
    return _two_thirds_over(secret["tls.crt"], now) or not set(policy.names) <= set(_names(secret["tls.crt"]))


def _names(pem: bytes) -> Sequence[str]:
    extension = _certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in extension.value]


def _two_thirds(pem: bytes) -> datetime:
    certificate = _certificate(pem)
    start = certificate.not_valid_before_utc + CLOCK_SKEW
    return start + (certificate.not_valid_after_utc - start) * 2 / 3


def _two_thirds_over(pem: bytes, now: datetime) -> bool:
    return now >= _two_thirds(pem)


def _moment(secret: Secret) -> datetime:
    try:
        return datetime.fromisoformat(secret["promoted-at"].decode())
    except (KeyError, ValueError):
        # Somebody has edited the Secret: count the grace from the leaf that the promotion issued.
        return _certificate(secret["tls.crt"]).not_valid_before_utc + CLOCK_SKEW


def _certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def _pair(secret: Secret, name: str) -> IssuedPair:
    return IssuedPair(certificate=secret[f"{name}.crt"], key=secret[f"{name}.key"])
