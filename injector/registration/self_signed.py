"""Decide what to do about the Secret of a self-made CA: by its content, the API server's time, and live CAs.

Pure: the caller reads clock and cluster. Keys of the Secret: ``ca.crt`` and ``ca.key`` (the CA in force),
``tls.crt`` and ``tls.key`` (the leaf under it), ``ca-next.crt`` and ``ca-next.key`` (made, trusted, not yet
signing), ``ca-previous.crt`` (CAs that are still trusted and sign no more, newest first) and ``promoted-at``.
One change at a time:

1. neither a CA that can sign nor a leaf that can be served: make both
2. the leaf cannot be served, or is not valid now, or not within its CA's dates: issue it anew
3. the next CA cannot sign or is not valid now: forget it
4. the CA is past two thirds of its life, is not valid now or cannot sign: make the next one; the bundle
   holds both from now on
5. the next one has been live in the bundle for the grace: it signs a new leaf and takes the CA's place.
   An invalid CA is replaced after a short while, since nothing is lost by that. A CA that expires before
   the next one has settled is replaced when it expires
6. nothing that a previous CA signed can be valid any more: forget it
7. the leaf is past two thirds of its life, or lacks a name: issue it anew

So a CA leaves the bundle only after all its leaves have expired, and signs a serving leaf only after API
servers trust it. Certificates from a wrong clock are found by their dates, in 2, 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from injector.registration.bundle import Authority, join
from injector.registration.contents import Contents, Issuer, Leaf, Secret, cas
from injector.registration.issue import CLOCK_SKEW, issue_ca, issue_leaf

YOUNG: Final = timedelta(minutes=1)
"""A leaf younger than this is not issued anew for its names or its age: two replicas with different options,
as in a rolling update, would do so in turn, as fast as they can write."""

ABSURD: Final = 10
"""Times the policy's life: a longer life hardly comes from an earlier setting of ours."""

MOST_PREVIOUS: Final = 8
"""Former CAs that are kept for their leaves. A policy needs two; more come from somebody who edits the Secret
again and again, and caBundle must not grow with that."""

PROMPT: Final = timedelta(seconds=0.2)
"""The shortest time between two checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The lifetimes of certificates.

    ``names`` are those of the leaf, the Service's first. ``grace`` is how long a new CA is live before it
    signs, ``settle`` how long API servers take to read a new bundle. A replica whose clock is more than
    ``most_skew`` away from the API server's does not write.
    """

    names: tuple[str, ...]
    ca_name: str = "sidecar-injector CA"
    ca_life: timedelta = timedelta(days=365)
    leaf_life: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(seconds=15)
    most_skew: timedelta = CLOCK_SKEW
    """The default is the tolerance of certificates: what a clock with less skew issues is valid at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a replica knows besides the Secret.

    ``now`` is the API server's time, ``skew`` how far the local clock is ahead of it, ``live`` the CAs in the
    API server's configuration and how long they have been there. ``refused`` is a leaf (PEM) that could not
    be loaded.
    """

    now: datetime
    skew: timedelta = timedelta()
    live: Mapping[Authority, timedelta] = field(default_factory=dict)
    refused: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A key pair to serve (PEM) and the CAs to be trusted for it; ``repr`` never shows the key."""

    certificate: bytes
    key: bytes = field(repr=False)
    ca_bundle: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationPlan:
    """What to write, what to serve, and when to check again.

    ``held_back`` means that the local clock is too wrong to write anything.
    """

    write: Secret | None
    serve: Served | None
    held_back: bool
    pause: timedelta


def decide(found: Contents, policy: Policy, view: View, *, longest: timedelta) -> RotationPlan:
    """Return what a replica does about the Secret; ``longest`` limits the time until the next check."""
    held_back = abs(view.skew) > policy.most_skew
    return RotationPlan(
        write=None if held_back else step(found, policy, view),
        serve=servable(found),
        held_back=held_back,
        pause=longest if held_back else next_look(found, policy, now=view.now, longest=longest),
    )


def step(found: Contents, policy: Policy, view: View) -> Secret | None:
    """Return the Secret after the one change that is due, or None when none is."""
    signer = found.ca if found.ca and in_force(found.ca, view.now) else None
    if signer is None and found.leaf is None:
        return _fresh(policy, found, view.now)
    if signer is not None and not _leaf_is_good(found.leaf, signer, view.now):
        return {**found.data, **_issued(signer, policy, view.now)}
    return _rotated(found, signer, policy, view) or _kept_up(found, signer, policy, view)


def servable(found: Contents) -> Served | None:
    """Return the pair in the Secret to serve, None if there is none; its dates are not checked."""
    if found.leaf is None:
        return None
    return Served(certificate=found.data["tls.crt"], key=found.data["tls.key"], ca_bundle=join(found.trusted))


def next_look(found: Contents, policy: Policy, *, now: datetime, longest: timedelta) -> timedelta:
    """Return how long nothing will be due, ``longest`` at most: clocks jump, and suspended timers sleep."""
    if "ca-next.crt" in found.data:
        pause = min(longest, min(policy.grace, policy.settle) / 4)
        if found.leaf and now < found.leaf.not_after:
            pause = min(pause, found.leaf.not_after - now)
        return max(pause, PROMPT)
    if found.ca is None or found.leaf is None:
        return min(longest, PROMPT)
    due = min(_two_thirds(found.ca), _two_thirds(found.leaf))
    return min(longest, max(due - now, PROMPT))


def _rotated(found: Contents, signer: Issuer | None, policy: Policy, view: View) -> Secret | None:
    """Return the Secret after the step of a rotation that is due."""
    following = found.following if found.following and in_force(found.following, view.now) else None
    if following is None and "ca-next.crt" in found.data:
        return _without(found.data, "ca-next.crt", "ca-next.key")
    if following is None and _ca_is_due(signer, policy, view.now):
        made = issue_ca(name=policy.ca_name, now=view.now, lifetime=policy.ca_life)
        return {**found.data, "ca-next.crt": made.certificate, "ca-next.key": made.key}
    if following is not None and _may_be_promoted(following, signer, found.ca, policy, view):
        return _promoted(found.data, following, policy, view.now)
    return None


def _kept_up(found: Contents, signer: Issuer | None, policy: Policy, view: View) -> Secret | None:
    """Return the Secret without CAs that are no longer needed, or with a new leaf where one is due."""
    if signer is None:
        return None
    if (kept := _still_needed(found.data, signer, policy, view)) is not None:
        return kept
    if found.leaf and _leaf_is_due(found.data, found.leaf, policy, view):
        return {**found.data, **_issued(signer, policy, view.now)}
    return None


# --- the dates of a certificate


class Dated(Protocol):
    """A CA or a leaf."""

    @property
    def not_before(self) -> datetime:
        """When it becomes valid."""

    @property
    def not_after(self) -> datetime:
        """When it expires."""


def in_force(certificate: Dated, now: datetime) -> bool:
    """Return whether a client whose clock says ``now`` accepts the certificate (RFC 5280, 4.1.2.5)."""
    return certificate.not_before <= now < certificate.not_after


def _two_thirds(certificate: Dated) -> datetime:
    start = certificate.not_before + CLOCK_SKEW
    return start + (certificate.not_after - start) * 2 / 3


def _is_absurd(certificate: Dated, life: timedelta) -> bool:
    return certificate.not_after - certificate.not_before > life * ABSURD + CLOCK_SKEW


# --- what is due


def _leaf_is_good(leaf: Leaf | None, signer: Issuer, now: datetime) -> bool:
    """Return whether the leaf is valid now and was issued by ``signer`` within its dates."""
    return (
        leaf is not None
        and in_force(leaf, now)
        and leaf.issuer == signer.authority
        and leaf.not_before >= signer.not_before - CLOCK_SKEW
        and leaf.not_after <= signer.not_after
    )


def _leaf_is_due(secret: Secret, leaf: Leaf, policy: Policy, view: View) -> bool:
    if view.now >= _two_thirds(leaf):
        return True
    unfit = (
        secret["tls.crt"] == view.refused
        or not leaf.names.issuperset(policy.names)
        or _is_absurd(leaf, policy.leaf_life)
    )
    return unfit and view.now - (leaf.not_before + CLOCK_SKEW) >= YOUNG


def _ca_is_due(signer: Issuer | None, policy: Policy, now: datetime) -> bool:
    return signer is None or now >= _two_thirds(signer) or _is_absurd(signer, policy.ca_life)


def _may_be_promoted(
    following: Issuer, signer: Issuer | None, ca: Issuer | None, policy: Policy, view: View
) -> bool:
    live = view.live.get(following.authority)
    made = following.not_before + CLOCK_SKEW
    if live is not None and (live >= policy.grace or _ended_soon_after(ca, made, policy, view.now)):
        return True
    if signer is not None and signer.not_after - view.now >= policy.grace:
        return False
    # The CA has expired or soon will: there is no time for the rest of the grace, nor for a configuration
    # that nobody brings into sync.
    return (live is not None and live >= policy.settle) or view.now - made >= policy.grace


def _ended_soon_after(ca: Issuer | None, made: datetime, policy: Policy, now: datetime) -> bool:
    """Return whether the CA has ended, and did so before the next one, ``made`` while it was valid, settled.

    A CA that was not valid when the next one was made may have been judged by a wrong clock.
    """
    return ca is not None and made < ca.not_after <= min(now, made + policy.settle)


def _promoted(secret: Secret, following: Issuer, policy: Policy, now: datetime) -> Secret:
    previous = (*cas(secret, "ca.crt"), *cas(secret, "ca-previous.crt"))
    return {
        "ca.crt": following.pair.certificate,
        "ca.key": following.pair.key,
        "promoted-at": now.isoformat().encode(),
        **_previous(previous),
        **_issued(following, policy, now),
    }


def _still_needed(secret: Secret, signer: Issuer, policy: Policy, view: View) -> Secret | None:
    """Return the Secret without former CAs that can have no valid leaf left; None when all stay."""
    previous = cas(secret, "ca-previous.crt")
    if view.live.get(signer.authority, timedelta()) < policy.grace:
        # Some API servers may not know the successors yet.
        return None
    outlived = view.now - _moment(secret, signer) >= policy.leaf_life
    kept = () if outlived else tuple(ca for ca in previous if view.now < ca.not_after)
    if kept == previous and (kept or "ca-previous.crt" not in secret):
        return None
    rest = _without(secret, "ca-previous.crt", *(() if kept else ("promoted-at",)))
    return {**rest, **_previous(kept)}


def _moment(secret: Secret, signer: Issuer) -> datetime:
    """Return when ``signer`` replaced the CA before it."""
    try:
        moment = datetime.fromisoformat(secret["promoted-at"].decode())
    except (KeyError, ValueError):
        moment = None
    # Somebody has edited the Secret: a CA is promoted soon after it was made.
    return moment if moment and moment.tzinfo else signer.not_before + CLOCK_SKEW


# --- what is made


def _fresh(policy: Policy, found: Contents, now: datetime) -> Secret:
    pair = issue_ca(name=policy.ca_name, now=now, lifetime=policy.ca_life)
    leaf = issue_leaf(pair, names=policy.names, now=now, lifetime=policy.leaf_life)
    # Replicas may serve what the Secret held before it was damaged.
    before = {"promoted-at": now.isoformat().encode(), **_previous(found.trusted)} if found.trusted else {}
    return {
        "ca.crt": pair.certificate,
        "ca.key": pair.key,
        "tls.crt": leaf.certificate,
        "tls.key": leaf.key,
        **before,
    }


def _issued(issuer: Issuer, policy: Policy, now: datetime) -> Secret:
    leaf = issue_leaf(issuer.pair, names=policy.names, now=now, lifetime=policy.leaf_life)
    return {"tls.crt": leaf.certificate, "tls.key": leaf.key}


def _previous(authorities: tuple[Authority, ...]) -> Secret:
    kept = tuple(dict.fromkeys(authorities))[:MOST_PREVIOUS]
    return {"ca-previous.crt": join(kept)} if kept else {}


def _without(secret: Secret, *keys: str) -> Secret:
    return {key: value for key, value in secret.items() if key not in keys}
