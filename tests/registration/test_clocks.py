"""Any schedule of wrong and mended clocks, crashes and cut connections: no served leaf loses its CA.

A small world around what decides in the product: what one replica does about the Secret (`self_signed.decide`),
which pair it serves (`handover.wait`), and what the leader keeps in caBundle (`bundle.Overlap`). Time leaps
while nothing happens. API servers hear of a bundle up to twelve seconds late, less than the product's settle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from injector.registration.bundle import Overlap, TrustedSince, authorities, readable, verifies
from injector.registration.contents import Contents, contents
from injector.registration.self_signed import Policy, Served, View, decide, in_force, step
from injector.service.handover import SETTLE_SECONDS, wait

pytestmark = pytest.mark.about("injector/registration")

START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(names=("injector.mesh.svc",))
LONGEST = timedelta(seconds=10)
LATE = 12.0
"""Seconds after which every API server has heard of a bundle: below `SETTLE_SECONDS`."""

DAY = 86_400.0
MINUTE = 60.0
YEAR = 365 * DAY


@dataclass(frozen=True)
class Chain:
    """A pair as the handover sees it."""

    chain_pem: bytes
    not_before: datetime
    not_after: datetime


@lru_cache(maxsize=4096)
def chain(pem: bytes) -> Chain:
    (leaf,) = authorities(pem)
    return Chain(pem, leaf.not_before, leaf.not_after)


@lru_cache(maxsize=4096)
def signers(bundle: bytes, leaf: bytes) -> tuple[Chain, ...]:
    """Return the CAs of a bundle that signed the leaf."""
    return tuple(
        Chain(ca.pem, ca.not_before, ca.not_after) for ca in readable(bundle) if verifies(ca.pem, leaf)
    )


@dataclass
class Replica:
    """One replica: its clock, its way to the API server, and what it knows."""

    error: float = 0.0
    up: bool = True
    cut: bool = False
    serving: Chain | None = None
    ready: bool = False
    ca: bytes = b""
    live: bytes = b""
    offered: Chain | None = None
    ahead: float = 0.0
    looked: tuple[object, ...] = ()
    look_at: float = 0.0
    reached_since: float = 0.0
    secret_live: TrustedSince = field(default_factory=TrustedSince)
    pair_live: TrustedSince = field(default_factory=TrustedSince)
    overlap: Overlap = field(default_factory=lambda: Overlap(grace=POLICY.grace.total_seconds()))
    before: tuple = ()

    @property
    def reaches(self) -> bool:
        return self.up and not self.cut

    def offer(self, served: Served | None) -> None:
        if served is not None:
            self.ca = served.ca_bundle
            self.offered = chain(served.certificate)


@dataclass
class World:
    """The API server, three replicas and the true time in seconds."""

    time: float = 0.0
    ahead: float = 0.0
    secret: dict[str, bytes] = field(default_factory=dict)
    found: Contents | None = None
    version: int = 0
    bundles: list[tuple[float, bytes]] = field(default_factory=lambda: [(float("-inf"), b"")])
    refusing: bool = False
    replicas: list[Replica] = field(default_factory=lambda: [Replica() for _ in range(3)])
    able_since: float | None = None
    able_at: float = 0.0
    believing: bool = False
    """Whether replicas go by their own clocks, as a control."""
    forgetting: bool = False
    """Whether a CA leaves the Secret as soon as another signs, as a control."""
    checks: tuple[Callable[[World], None], ...] = ()

    @property
    def live(self) -> bytes:
        return self.bundles[-1][1]

    def now(self, ahead: float | None = None) -> datetime:
        """Return the API server's time, or what a replica that was told ``ahead`` takes for it."""
        return START + timedelta(seconds=self.time + (self.ahead if ahead is None else ahead))

    def views(self) -> Iterator[bytes]:
        """Yield the bundles that some API server may go by now."""
        for (since, bundle), (until, _) in zip(
            self.bundles, [*self.bundles[1:], (float("inf"), b"")], strict=True
        ):
            if until > self.time - LATE and since <= self.time:
                yield bundle

    def able(self) -> bool:
        """Return whether some replica can renew what is due."""
        return not self.refusing and any(
            replica.reaches and abs(replica.error - self.ahead) <= POLICY.most_skew.total_seconds()
            for replica in self.replicas
        )

    def run(self, seconds: float, *, longest: float = 3 * DAY) -> None:
        """Let time pass: in small steps after every change, in ever larger ones while nothing happens."""
        end, pause = self.time + seconds, 1.0
        while self.time < end:
            before = self.state()
            self.turn()
            self.look_over()
            pause = 1.0 if self.state() != before else min(pause * 3, longest)
            self.time = min(end, self.time + pause)
        self.turn()
        self.look_over()

    def look_over(self) -> None:
        for check in self.checks:
            check(self)

    def state(self) -> tuple[object, ...]:
        return (self.version, self.live, *(replica.serving for replica in self.replicas))

    def turn(self) -> None:
        """Let every replica do what it does at this moment."""
        if not self.able():
            self.able_since = None
        elif self.able_since is None:
            self.able_since = self.time
        elif self.time - self.able_since >= MINUTE:
            self.able_at = self.time
        writes = [write for replica in self.replicas if (write := self.look(replica)) is not None]
        if writes and not self.refusing:
            # Who writes second meets a Conflict.
            self.found = None
            self.secret, self.version = dict(writes[0]), self.version + 1
            if self.forgetting:
                self.secret.pop("ca-previous.crt", None)
        for replica in self.replicas:
            self.hand_over(replica)
        leader = next((replica for replica in self.replicas if replica.reaches), None)
        if leader is not None:
            self.register(leader)

    def look(self, replica: Replica) -> Mapping[str, bytes] | None:
        if not replica.reaches:
            return None
        replica.ahead, replica.live = self.ahead, self.live
        seen = (self.version, self.live)
        if seen == replica.looked and self.time < replica.look_at:
            return None
        replica.secret_live.see(replica.live, self.time)
        skew = replica.error - self.ahead
        view = View(
            now=self.now(replica.error if self.believing else None),
            skew=timedelta(seconds=0 if self.believing else skew),
            live=replica.secret_live.ages(self.time),
        )
        self.found = self.found or contents(self.secret)
        decision = decide(self.found, POLICY, view, longest=LONGEST)
        replica.offer(decision.serve)
        replica.looked = seen
        refused = decision.write is not None and self.refusing
        replica.look_at = self.time + (4.0 if refused else decision.pause.total_seconds())
        return decision.write

    def hand_over(self, replica: Replica) -> None:
        if not replica.up:
            return
        replica.pair_live.see(replica.live, self.time)
        offered, serving = replica.offered, replica.serving
        if offered is not None and offered != serving:
            at = {"now": self.now(replica.ahead), "monotonic": self.time}
            if wait(offered, serving, replica.pair_live, settle=SETTLE_SECONDS, **at) == 0:
                replica.serving = offered
        if replica.serving is not None:
            replica.ready = replica.ready or verifies_quickly(replica.live, replica.serving.chain_pem)

    def register(self, leader: Replica) -> None:
        if not leader.ca:
            return
        ours = authorities(leader.ca)
        before = (*leader.before, *readable(self.live))
        leader.overlap = leader.overlap.after(ours=ours, before=before, now=self.time)
        leader.before = ours
        bundle = leader.overlap.bundle(ours, leader.serving.chain_pem if leader.serving else b"", self.time)
        if bundle != self.live and not self.refusing:
            self.bundles.append((self.time, bundle))

    def accepts(self, leaf: Chain) -> bool:
        """Return whether every API server that may be called now verifies the leaf, dates and all."""
        now = self.now()
        return in_force(leaf, now) and all(
            any(in_force(ca, now) for ca in signers(bundle, leaf.chain_pem)) for bundle in self.views()
        )

    def wrong(self) -> list[str]:
        """Return what is not as it should be once everything is right again."""
        leaf = chain(self.secret["tls.crt"])
        faults = []
        if any(replica.serving != leaf for replica in self.replicas):
            faults.append("a replica serves another leaf than the Secret's")
        if not self.accepts(leaf):
            faults.append("an API server does not accept the leaf")
        if (
            step(contents(self.secret), POLICY, View(now=self.now())) is not None
            and "ca-next.crt" not in self.secret
        ):
            faults.append("a change is due that nobody makes")
        return faults


@lru_cache(maxsize=4096)
def verifies_quickly(bundle: bytes, leaf: bytes) -> bool:
    return verifies(bundle, leaf)


# --- what happens


@dataclass(frozen=True)
class Clock:
    replica: int
    error: float

    def happen(self, world: World) -> None:
        world.replicas[self.replica].error = self.error


@dataclass(frozen=True)
class ServersClock:
    error: float

    def happen(self, world: World) -> None:
        world.ahead = self.error


@dataclass(frozen=True)
class Crash:
    replica: int

    def happen(self, world: World) -> None:
        world.replicas[self.replica] = Replica(error=world.replicas[self.replica].error, up=False)


@dataclass(frozen=True)
class Begin:
    replica: int

    def happen(self, world: World) -> None:
        if not world.replicas[self.replica].up:
            world.replicas[self.replica].up = True


@dataclass(frozen=True)
class Cut:
    replica: int
    cut: bool

    def happen(self, world: World) -> None:
        world.replicas[self.replica].cut = self.cut
        world.replicas[self.replica].reached_since = world.time


@dataclass(frozen=True)
class Refuse:
    refusing: bool

    def happen(self, world: World) -> None:
        world.refusing = self.refusing


@dataclass(frozen=True)
class Wait:
    seconds: float

    def happen(self, world: World) -> None:
        world.run(self.seconds)


REPLICAS = st.integers(0, 2)
ERRORS = st.sampled_from(
    [0.0, -MINUTE, 6 * MINUTE, -30 * MINUTE, 21 * DAY, -21 * DAY, 2 * YEAR, -2 * YEAR, 10 * YEAR, -10 * YEAR]
) | st.floats(-10 * YEAR, 10 * YEAR)
WAITS = st.sampled_from([1.0, 20.0, 2 * MINUTE, 10 * MINUTE, DAY, 9 * DAY, 21 * DAY, 100 * DAY, 250 * DAY])
EVENTS = st.one_of(
    st.builds(Wait, WAITS),
    st.builds(Clock, REPLICAS, ERRORS),
    st.builds(Crash, REPLICAS),
    st.builds(Begin, REPLICAS),
    st.builds(Cut, REPLICAS, st.booleans()),
    st.builds(Refuse, st.booleans()),
)


def settled_world(**controls: bool) -> World:
    world = World(**controls)
    world.run(2 * MINUTE)
    assert not world.wrong()
    return world


def no_leaf_lost_its_ca(world: World) -> None:
    """A leaf that has not expired is accepted by every API server, however late it hears of a bundle."""
    for number, replica in enumerate(world.replicas):
        leaf = replica.serving
        if replica.up and replica.ready and leaf is not None and in_force(leaf, world.now()):
            assert world.accepts(leaf), f"replica {number} serves a leaf without its CA"


def somebody_renews(world: World) -> None:
    """While one replica can write for a minute now and then, who reaches the API server has a valid leaf.

    A leaf lives for ten days after it is due; a replica takes it over within a minute.
    """
    if world.time - world.able_at < 9 * DAY:
        for replica in world.replicas:
            if replica.reaches and replica.serving and world.time - replica.reached_since > MINUTE:
                assert in_force(replica.serving, world.now())


def mended(world: World) -> None:
    """Put everything right, and see that all is right a minute later."""
    world.ahead, world.refusing = 0.0, False
    for number, replica in enumerate(world.replicas):
        replica.error = 0.0
        Cut(number, cut=False).happen(world)
        Begin(number).happen(world)
    world.run(60.0, longest=1.0)
    assert not world.wrong()
    assert in_force(chain(authorities(world.secret["ca.crt"])[0].pem), world.now())
    assert len({replica.serving for replica in world.replicas}) == 1


def checked(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


SCHEDULES = st.lists(EVENTS, max_size=25)
SERVERS_SCHEDULES = st.lists(EVENTS | st.builds(ServersClock, ERRORS), max_size=25)


@pytest.mark.slow
@checked(100)
@given(SCHEDULES)
@example([Clock(0, -30 * MINUTE), Wait(10 * MINUTE), Clock(0, 0.0), Wait(10 * MINUTE)])
@example([Clock(each, 21 * DAY) for each in range(3)] + [Wait(100 * DAY)])
@example([Clock(0, 2 * YEAR), Clock(1, -2 * YEAR), Wait(250 * DAY), Clock(0, 0.0), Wait(10 * MINUTE)])
@example([Wait(250 * DAY), Cut(2, cut=True), Wait(20 * DAY), Wait(9 * DAY)])
@example([Wait(9 * DAY), Refuse(refusing=True), Wait(21 * DAY), Refuse(refusing=False), Wait(1.0)])
def test_no_schedule_of_clocks_takes_a_ca_from_a_served_leaf(events: list) -> None:
    live_through(events)


@pytest.mark.slow
@checked(60)
@given(SERVERS_SCHEDULES)
@example([ServersClock(2 * YEAR), *(Clock(each, 2 * YEAR) for each in range(3)), Wait(DAY)])
@example([ServersClock(-YEAR), *(Clock(each, -YEAR) for each in range(3)), Wait(DAY)])
@example([ServersClock(21 * DAY), *(Clock(each, 21 * DAY) for each in range(3)), Wait(DAY)])
def test_after_a_wrong_clock_of_the_api_server_all_is_right_in_a_minute(events: list) -> None:
    """What it accepts meanwhile is for its own clock to say; nothing crashes, and it ends with the error."""
    live_through(events, checks=())


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_thousands_of_schedules_of_clocks_take_no_ca_from_a_served_leaf(figures: dict[str, Any]) -> None:
    """New schedules in each run; every second kind has an API server whose own clock is wrong."""
    lived = Counter[str]()

    def live(kind: str, strategy: st.SearchStrategy[list], **more: Any) -> None:
        def run(events: list) -> None:
            live_through(events, **more)
            lived[kind] += 1

        settings(checked(3000), derandomize=False)(given(strategy)(run))()

    live("schedules", SCHEDULES)
    live("of the API server's clock too", SERVERS_SCHEDULES, checks=())
    figures |= {**lived, "replicas": 3, "clocks, most years": 10, "served leaves without their CA": 0}


def live_through(events: list, *, checks: tuple = (no_leaf_lost_its_ca, somebody_renews)) -> None:
    world = settled_world()
    world.checks = checks
    for event in events:
        event.happen(world)
    mended(world)


def writes_while_one_clock_is_two_years_ahead(*, believing: bool) -> int:
    world = settled_world(believing=believing)
    before = world.version
    Clock(0, 2 * YEAR).happen(world)
    world.run(30.0)
    return world.version - before


def test_replicas_of_different_clocks_do_not_write_in_turn() -> None:
    assert writes_while_one_clock_is_two_years_ahead(believing=False) == 0


@pytest.mark.control
def test_the_control_whose_replicas_believe_their_own_clocks_writes_in_turn() -> None:
    assert writes_while_one_clock_is_two_years_ahead(believing=True) > 5


@pytest.mark.control
def test_the_control_that_forgets_a_ca_at_once_takes_it_from_a_served_leaf() -> None:
    world = settled_world(forgetting=True)
    world.checks = (no_leaf_lost_its_ca,)
    world.run(242 * DAY)
    Cut(2, cut=True).happen(world)
    with pytest.raises(AssertionError, match="replica 2 serves a leaf without its CA"):
        world.run(5 * DAY, longest=10 * MINUTE)
