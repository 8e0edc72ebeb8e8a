"""The cluster beside the reviews: registration, certificates of our own, watches, Events. One companion.

Here its works are joined; each is in ``registration`` or ``kube``, and fails for itself: the others go on.
Reviews read what the watches keep and never wait; while the API server is away it is as old as metrics say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from injector.errors import InjectorError
from injector.json_types import JSONObject
from injector.kube.client import Connection, KubeClient
from injector.kube.clock import ServerClock
from injector.kube.cluster import ClusterState
from injector.kube.errors import KubeError
from injector.kube.lease import LeaseElector, LeaseTiming
from injector.kube.reflector import Reflector, Timing
from injector.registration.authority import SelfSigned
from injector.registration.plan import COLLECTION, VALIDATING, VALIDATING_KIND, WebhookNames
from injector.registration.reconciler import GRACE, Reconciler, RegistrationStatus, Trust
from injector.registration.self_signed import Policy, Served
from injector.registration.webhook_configuration import (
    CONFIGURATION_MANAGER,
    WebhookSpec,
    webhook_configuration,
)
from injector.service.companions import COMPANION_SECONDS, Companion, CompanionSurroundings
from injector.service.events import warning
from injector.service.first_lists import WATCHED, FirstLists
from injector.service.generation import Registration
from injector.service.handover import SETTLE_SECONDS, Handover
from injector.service.reload import Live
from injector.service.tls import load_pair

ADVICE: Final = "advice.sidecar-injector.istio.io"
"""What the entry of the ValidatingWebhookConfiguration is called that asks /advise."""

EVENTS_KEPT: Final = 16
"""Events that wait for an API server that is away; older ones have lost their interest."""

RETRY_SECONDS: Final = 30.0
"""Between two tries of what is done once: creating the configuration, posting an Event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What this replica is in the cluster, and which of the cluster's work it does.

    ``self_signed`` is the policy of the CA in ``secret``, None where files bring the certificate; ``webhook``
    the configuration to create, None where an installer does. ``config_map`` is the object whose edits are
    loaded, for Events on it; empty where it is not known. ``advice`` is the ValidatingWebhookConfiguration
    that asks /advise, empty where there is none: it is kept by ``reconcile`` too. ``grace`` is how long a CA
    that is no longer ours stays trusted, ``settle`` the seconds for which a new one must have been before
    what it signed serves.
    """

    connection: Connection
    namespace: str
    identity: str
    configuration: str
    names: WebhookNames
    reconcile: bool = True
    watch: bool = True
    self_signed: Policy | None = None
    secret: str = "sidecar-injector-certs"  # noqa: S105 - a name
    lease: str = "sidecar-injector"
    webhook: WebhookSpec | None = None
    config_map: str = ""
    advice: str = ""
    grace: timedelta = GRACE
    settle: float = SETTLE_SECONDS
    clock: ServerClock = field(default_factory=ServerClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One of the cluster's works: ``begin`` is called anew after a crash, ``name`` is shown to people."""

    name: str
    begin: Callable[[], Coroutine[Any, Any, None]]


class Cluster:
    """A Companion, and what the process asks of the cluster: ``namespaces``, ``nodes``, Events."""

    name = "cluster"

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._state = ClusterState()
        self._status = RegistrationStatus()
        self._served: Served | None = None
        self._registrations: dict[str, JSONObject] = {}
        self._watches: Mapping[str, Reflector] = {}
        self._errors: dict[str, str] = {}
        self._events: deque[JSONObject] = deque(maxlen=EVENTS_KEPT)
        self._news = asyncio.Event()
        self._wake_keeper: Callable[[], None] = _nothing
        self._shown = False
        self._clock = options.clock
        self._timing = Timing(monotonic=options.clock.monotonic)
        self._first_lists = FirstLists(options.clock.monotonic)
        self._handover = Handover(
            live=lambda: self._status.live,
            settle=options.settle,
            now=self.now,
            monotonic=options.clock.monotonic,
        )

    @property
    def companions(self) -> tuple[Companion, ...]:
        """Itself, and what holds new pairs back until the registration that it keeps trusts them."""
        return (self, self._handover) if self.holds_pair else (self,)

    @property
    def holds_pair(self) -> bool:
        """Whether the CA of new pairs is brought to API servers from here, so that a pair waits for that."""
        return self._options.reconcile

    @property
    def namespaces(self) -> Mapping[str, JSONObject]:
        """Namespaces by name, as the watch knows them."""
        return self._state.namespaces

    @property
    def nodes(self) -> Mapping[str, str] | None:
        """Kubelet versions by node name, as the watch knows them; None before it knows any state."""
        return self._state.nodes

    @property
    def proxy_configs(self) -> Mapping[str, JSONObject]:
        """ProxyConfig resources by ``namespace/name``, as the watch knows them."""
        return self._state.proxy_configs

    @property
    def registration(self) -> Registration | None:
        """Our registration, as the watch of whoever keeps it knows it; None before, and where nobody does."""
        found = self._registrations.get(self._options.configuration)
        return Registration(self._options.names.name, found) if found else None

    def now(self) -> datetime:
        """Return the API server's time, the local one before it has answered."""
        return self._clock.now()

    def configuration_rejected(self, unit: str, reason: str) -> None:
        """Queue a Warning on the ConfigMap."""
        self._tell("ConfigurationRejected", f"{unit}: {reason}")

    def configuration_warning(self, reason: str, sentence: str) -> None:
        """Queue a Warning on the ConfigMap, whose new content serves."""
        self._tell(reason, sentence)

    def _tell(self, reason: str, message: str) -> None:
        if self._options.config_map:
            self._warn("ConfigMap", self._options.config_map, reason, message)

    async def run(self, surroundings: CompanionSurroundings) -> None:
        """Do the cluster's work until cancelled."""
        if not self._shown:
            self._show(surroundings)
            self._shown = True
        client = await KubeClient.connect(self._options.connection, self._clock)
        async with client, asyncio.TaskGroup() as group:
            for work in self._works(client, surroundings):
                group.create_task(self._kept_running(work, surroundings))

    async def _kept_running(self, work: Work, surroundings: CompanionSurroundings) -> None:
        """Run one work until it ends by itself; after a crash it is started again, and the others go on."""
        while True:
            try:
                await work.begin()
            except Exception as error:  # noqa: BLE001 - the outermost frame of a task of its own
                surroundings.log.crash(
                    "a work of the cluster crashed and is started again", error, work=work.name
                )
                self._errors[work.name] = f"crashed ({type(error).__name__}) and is started again"
            else:
                return
            await asyncio.sleep(COMPANION_SECONDS)
            self._errors[work.name] = ""

    # --- the works

    def _works(self, client: KubeClient, surroundings: CompanionSurroundings) -> Iterator[Work]:
        options = self._options
        if options.config_map or options.self_signed is not None:
            yield Work(name="events", begin=partial(self._post_events, client))
        if options.webhook is not None:
            create = partial(self._create_webhook, client, options.webhook, surroundings)
            yield Work(name="webhook", begin=create)
        if options.watch:
            heard = self._first_lists.heard(self._failed(surroundings))
            self._watches = self._state.watches(client, failed=heard, timing=self._timing)
            yield from (Work(name=name, begin=watch.run) for name, watch in self._watches.items())
            yield Work(name="first lists", begin=partial(self._first_lists.known, surroundings))
        if options.reconcile:
            yield from self._registration(client, surroundings)
        if options.self_signed is not None:
            keeper = self._keeper(client, options.self_signed, surroundings)
            self._wake_keeper = keeper.wake
            yield Work(name="certificates", begin=keeper.run)

    def _registration(self, client: KubeClient, surroundings: CompanionSurroundings) -> Iterator[Work]:
        options, worker = self._options, surroundings.options.worker
        elector = LeaseElector(
            client=client,
            namespace=options.namespace,
            name=options.lease,
            # Workers of one replica must not take each other's lease.
            identity=f"{options.identity}-{worker}" if worker else options.identity,
            timing=LeaseTiming(monotonic=self._clock.monotonic),
        )
        common: dict[str, Any] = {
            "client": client,
            "trust": lambda: self._trust(surroundings),
            "leading": lambda: elector.leading,
            "grace": options.grace,
            "timing": self._timing,
            "monotonic": self._clock.monotonic,
        }
        reconcilers = {
            "registration": Reconciler(
                name=options.configuration,
                names=options.names,
                changed=self._registered,
                store=self._registrations,
                **common,
            )
        }
        if options.advice:
            reconcilers["advice"] = Reconciler(
                name=options.advice,
                names=WebhookNames(name=ADVICE),
                kind=VALIDATING_KIND,
                collection=VALIDATING,
                changed=self._advice_registered,
                **common,
            )

        def wake() -> None:
            for reconciler in reconcilers.values():
                reconciler.wake()

        async def lead() -> None:
            wake()
            await asyncio.Event().wait()

        async def follow(live: Live[Any]) -> None:
            await _after_each(live.updates(), wake)

        for name, reconciler in reconcilers.items():
            yield Work(name=name, begin=reconciler.run)
        yield Work(name="lease", begin=partial(elector.run, lead))
        yield Work(name="new CA", begin=partial(follow, surroundings.ca))
        yield Work(name="new certificate", begin=partial(follow, surroundings.pair))

    def _keeper(self, client: KubeClient, policy: Policy, surroundings: CompanionSurroundings) -> SelfSigned:
        options = self._options

        def serve(served: Served) -> None:
            # Whoever looks at one sees the other of the same moment: nothing awaits in between. The CAs come
            # first: they are brought to API servers also while the pair cannot be loaded. Its dates are not
            # asked for, since it serves where there is none better.
            self._served = served
            surroundings.ca.set(served.ca_bundle)
            surroundings.offered.set(load_pair(served.certificate, served.key, source=self._secret))

        return SelfSigned(
            client=client,
            namespace=options.namespace,
            name=options.secret,
            policy=policy,
            serve=serve,
            live_bundle=self._live_bundle,
            failed=self._failed(surroundings),
            held_back=partial(self._held_back, surroundings),
            timing=self._timing,
        )

    async def _create_webhook(
        self, client: KubeClient, spec: WebhookSpec, surroundings: CompanionSurroundings
    ) -> None:
        body = webhook_configuration(spec)
        failed = self._failed(surroundings)
        while True:
            try:
                path = f"{COLLECTION}/{spec.configuration}"
                await client.apply(path, body, manager=CONFIGURATION_MANAGER)
            except KubeError as error:
                failed("webhook", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                failed("webhook", None)
                return

    async def _post_events(self, client: KubeClient) -> None:
        path = f"/api/v1/namespaces/{self._options.namespace}/events"
        while True:
            await self._news.wait()
            self._news.clear()
            while self._events:
                try:
                    await client.create(path, self._events[0])
                except KubeError:
                    # The log and the metric have said it already; an Event is for whoever looks later.
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    self._events.popleft()

    # --- what the works ask each other

    def _trust(self, surroundings: CompanionSurroundings) -> Trust | None:
        pair, bundle = surroundings.pair.value, surroundings.ca.value
        return Trust(ca_bundle=bundle, leaf=pair.chain_pem) if pair and bundle else None

    def _live_bundle(self) -> bytes:
        """Return what API servers trust: what is registered, or what we say where nobody registers us."""
        if self._options.reconcile:
            return self._status.live
        return self._served.ca_bundle if self._served else b""

    def _registered(self, status: RegistrationStatus) -> None:
        moved = status.live != self._status.live
        self._status = status
        if moved:
            self._wake_keeper()
            self._handover.wake()

    def _advice_registered(self, status: RegistrationStatus) -> None:
        self._errors["advice"] = status.last_error

    def _failed(self, surroundings: CompanionSurroundings) -> Callable[[str, InjectorError | None], None]:
        def failed(name: str, error: InjectorError | None) -> None:
            text = "" if error is None else str(error)
            if text and text != self._errors.get(name):
                refused = isinstance(error, KubeError)
                what = (
                    "the API server does not let us" if refused else "what the cluster holds cannot be used"
                )
                surroundings.log.warning(what, work=name, reason=text)
            self._errors[name] = text

        return failed

    def _held_back(self, surroundings: CompanionSurroundings, skew: timedelta) -> None:
        """Say that the clock here is too wrong to write the Secret; with no skew, that it is right again."""
        if not skew:
            surroundings.log.info("the clock agrees with the API server's again", secret=self._secret)
            return
        surroundings.log.warning(
            "the clock is too wrong to renew certificates",
            secret=self._secret,
            seconds_ahead=round(skew.total_seconds()),
        )
        message = f"replica {self._options.identity}: {self._skew_sentence(skew)}"
        self._warn("Secret", self._options.secret, "ClockSkew", message)

    def _skew_sentence(self, skew: timedelta) -> str:
        seconds = round(skew.total_seconds())
        side = "ahead of" if seconds > 0 else "behind"
        return (
            f"the clock here is {abs(seconds)} s {side} the API server's: {self._secret} is left to other "
            "replicas until the node's clock is set right"
        )

    def _clock_remarks(self) -> dict[str, str]:
        policy, skew = self._options.self_signed, self._clock.skew()
        wrong = policy is not None and abs(skew) > policy.most_skew
        return {"clock": self._skew_sentence(skew)} if wrong else {}

    @property
    def _secret(self) -> str:
        return f"Secret {self._options.namespace}/{self._options.secret}"

    def _warn(self, kind: str, name: str, reason: str, message: str) -> None:
        """Queue a Warning on an object of our namespace."""
        about = {"apiVersion": "v1", "kind": kind, "namespace": self._options.namespace, "name": name}
        host = self._options.identity
        self._events.append(warning(about, reason, message, host=host, now=self._clock.now()))
        self._news.set()

    # --- what people see

    def _show(self, surroundings: CompanionSurroundings) -> None:
        metrics, readiness = surroundings.metrics, surroundings.readiness
        metrics.gauges["clock_skew_seconds"] = (
            "By how many seconds the clock here is ahead of the API server's; behind it is negative.",
            lambda: self._clock.skew().total_seconds(),
        )
        readiness.remark(self._clock_remarks)
        if self._options.reconcile:
            readiness.require("registration", self._unregistered)
            metrics.gauges.update(
                ca_bundle_in_sync=(
                    "1 while every entry of ours at the API server has the caBundle it should have.",
                    lambda: float(self._status.in_sync),
                ),
                ca_bundle_fighting=(
                    "1 while somebody else keeps overwriting caBundle.",
                    lambda: float(self._status.fighting),
                ),
            )
            metrics.counters.update(
                ca_bundle_writes=("Times caBundle was written.", lambda: float(self._status.writes)),
                ca_bundle_failures=(
                    "Failed tries to read or write the registration.",
                    lambda: float(self._status.failures),
                ),
            )
        if self._options.watch:
            self._first_lists.begin(readiness)
            for name in WATCHED:
                metrics.gauges[f"{name}_staleness_seconds"] = (
                    f"Seconds since the API server last said anything about {name}.",
                    partial(self._staleness, name),
                )
        readiness.remark(lambda: {name: text for name, text in self._errors.items() if text})

    def _unregistered(self) -> str | None:
        status = self._status
        if status.verified:
            return None
        name = self._options.configuration
        if status.last_error:
            return status.last_error
        if status.missing:
            return f"MutatingWebhookConfiguration {name} has no entry {self._options.names.name}"
        return f"caBundle of MutatingWebhookConfiguration {name} does not verify the certificate served here"

    def _staleness(self, name: str) -> float:
        watch = self._watches.get(name)
        return watch.staleness() if watch else float("inf")


async def _after_each(updates: AsyncIterator[object], act: Callable[[], None]) -> None:
    async with aclosing(updates) as values:  # type: ignore[type-var]
        async for _ in values:
            act()


def _nothing() -> None:
    """Wake nobody."""
