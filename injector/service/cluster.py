"""One companion for all work with the cluster: registration, own certificates, watches, Events.

It joins the parts of ``registration`` and ``kube``; each may fail by itself while the others go on. Reviews
read what the watches have stored and never wait; while the API server is away, that is as old as the metrics
say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Final

from injector.errors import InjectorError
from injector.json_types import JSONObject
from injector.kube.client import Connection, KubeClient
from injector.kube.clock import ServerClock
from injector.kube.cluster import READ, ClusterState
from injector.kube.errors import KubeError, Unconfigured, Unreachable
from injector.kube.lease import LeaseElector, LeaseTiming
from injector.kube.reflector import Reflector, Timing, ignore
from injector.registration.authority import SelfSigned
from injector.registration.plan import COLLECTION, VALIDATING, VALIDATING_KIND, WebhookNames
from injector.registration.reconciler import GRACE, Reconciler, RegistrationStatus, Trust
from injector.registration.self_signed import Policy, Served
from injector.registration.webhook_configuration import (
    CONFIGURATION_MANAGER,
    WebhookSpec,
    webhook_configuration,
)
from injector.service.companions import COMPANION_SECONDS, CompanionSurroundings, Parts
from injector.service.events import Events
from injector.service.generation import Registration
from injector.service.handover import SETTLE_SECONDS, Handover
from injector.service.tls import load_pair

ADVICE: Final = "advice.sidecar-injector.istio.io"
"""The name of the entry in the ValidatingWebhookConfiguration that calls /advise."""

FIRST_LISTS_SECONDS: Final = 5.0
"""How long a replica waits for the first list of each watch before it is ready. An API server lists thousands
of nodes in two seconds; one that does not answer must not keep reviews from being answered."""

CREATION_SECONDS: Final = 30.0
"""Seconds between two tries to create the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """This replica's place in the cluster, and which of the cluster's work it does.

    ``self_signed`` is the policy of the CA in ``secret``, None where files contain the certificate;
    ``webhook`` is the configuration to create, None where an installer does. ``config_map`` is the object
    whose edits are loaded, for Events about it; empty where unknown. ``advice`` is the
    ValidatingWebhookConfiguration that calls /advise, empty where there is none; ``reconcile`` keeps it too.
    ``grace`` is how long a former CA stays trusted, ``settle`` how many seconds a new CA must have been
    trusted before a certificate that it signed serves.
    """

    connection: Connection
    namespace: str
    identity: str
    configuration: str
    names: WebhookNames
    reconcile: bool = True
    watch: bool = True
    self_signed: Policy | None = None
    secret: str = ""
    webhook: WebhookSpec | None = None
    config_map: str = ""
    advice: str = ""
    grace: timedelta = GRACE
    settle: float = SETTLE_SECONDS
    clock: ServerClock = field(default_factory=ServerClock)


Work = tuple[str, Callable[[], Coroutine[Any, Any, None]]]
"""One task of the companion: its name, shown to people, and what starts it, again after a crash."""


class Cluster:
    """The companion, and what the process reads of the cluster: ``namespaces``, ``nodes``, Events."""

    name = "cluster"
    _surroundings: CompanionSurroundings

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._state = ClusterState()
        self.namespaces = self._state.namespaces
        self.proxy_configs = self._state.proxy_configs
        self._status = RegistrationStatus()
        self._registrations: dict[str, JSONObject] = {}
        self._watches: Mapping[str, Reflector] = {}
        self._errors: dict[str, str] = {}
        self._wake_keeper: Callable[[], None] = ignore
        self._clock = options.clock
        self._events = Events(options.namespace, options.identity, options.clock.now)
        self._timing = Timing(monotonic=options.clock.monotonic)
        self._ready_without_lists = 0.0
        self._handover = Handover(
            live=lambda: self._status.live,
            settle=options.settle,
            now=options.clock.now,
            monotonic=options.clock.monotonic,
        )

    def parts(self) -> Parts:
        """Return what is added to the service: this companion, and the one that holds new pairs back.

        A pair is held back where this process also brings the new CA to API servers.
        """
        return Parts(
            companions=(self, self._handover) if self._options.reconcile else (self,),
            cluster=self,
            warn=self.warn,
            brings_pair=self._options.self_signed is not None,
            holds_pair=self._options.reconcile,
            now=self._clock.now,
        )

    @property
    def nodes(self) -> Mapping[str, str] | None:
        """Return the kubelet versions by node name, as the watch has them; None before its first state."""
        return self._state.nodes

    @property
    def registration(self) -> Registration | None:
        """Return our registration as its keeper's watch has it; None before that, and if nothing keeps it."""
        found = self._registrations.get(self._options.configuration)
        return Registration(self._options.names.name, found) if found else None

    def warn(self, reason: str, sentence: str) -> None:
        """Queue a Warning on the ConfigMap."""
        if self._options.config_map:
            self._events.warn("ConfigMap", self._options.config_map, reason, sentence)

    async def run(self, surroundings: CompanionSurroundings) -> None:
        """Do the cluster's work until cancelled."""
        self._surroundings = surroundings
        if "clock_skew_seconds" not in surroundings.metrics.gauges:
            self._show(surroundings)
        async with await self._connected() as client, asyncio.TaskGroup() as group:
            for name, begin in self._works(client):
                group.create_task(self._kept_running(name, begin))

    async def _connected(self) -> KubeClient:
        """Return a client; while no API server is known, log why and retry."""
        while True:
            try:
                client = await KubeClient.connect(self._options.connection, self._clock)
            except Unconfigured as error:
                self._failed("connection", error)
            else:
                self._failed("connection", None)
                return client
            await asyncio.sleep(COMPANION_SECONDS)

    async def _kept_running(self, name: str, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one task until it ends by itself; after a crash it is started again, while the others go on."""
        log = self._surroundings.log
        while True:
            try:
                await begin()
            except Exception as error:  # noqa: BLE001 - the outermost frame of a task of its own
                log.crash("a work of the cluster crashed and is started again", error, work=name)
                self._errors[name] = f"crashed ({type(error).__name__}) and is started again"
            else:
                return
            await asyncio.sleep(COMPANION_SECONDS)
            self._errors[name] = ""

    # --- the works

    def _works(self, client: KubeClient) -> Iterator[Work]:
        options = self._options
        if options.config_map or options.self_signed is not None:
            yield "events", partial(self._events.post, client)
        if options.webhook is not None:
            yield "webhook", partial(self._create_webhook, client, options.webhook)
        if options.watch:
            self._watches = self._state.watches(client, failed=self._failed, timing=self._timing)
            yield from ((name, watch.run) for name, watch in self._watches.items())
            yield "first lists", self._wait_for_lists
        if options.reconcile:
            yield from self._registration(client)
        if options.self_signed is not None:
            keeper = SelfSigned(
                client=client,
                namespace=options.namespace,
                name=options.secret,
                policy=options.self_signed,
                serve=self._serve,
                live_bundle=self._live_bundle,
                failed=self._failed,
                held_back=self._held_back,
                timing=self._timing,
            )
            self._wake_keeper = keeper.wake
            yield "certificates", keeper.run

    def _registration(self, client: KubeClient) -> Iterator[Work]:
        options, surroundings = self._options, self._surroundings
        worker = surroundings.options.worker
        elector = LeaseElector(
            client=client,
            namespace=options.namespace,
            name=options.names.lease(options.configuration),
            # Workers of one replica must not take each other's lease.
            identity=f"{options.identity}-{worker}" if worker else options.identity,
            failed=partial(self._failed, "lease"),
            timing=LeaseTiming(monotonic=self._clock.monotonic),
        )
        common: dict[str, Any] = {
            "client": client,
            "trust": self._trust,
            "leading": lambda: elector.leading,
            "grace": options.grace,
            "timing": self._timing,
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
                changed=lambda status: self._errors.update(advice=status.last_error),
                **common,
            )

        def wake() -> None:
            for reconciler in reconcilers.values():
                reconciler.wake()

        async def lead() -> None:
            wake()
            await asyncio.Event().wait()

        for name, reconciler in reconcilers.items():
            yield name, reconciler.run
        yield "lease", partial(elector.run, lead)
        yield "new CA", partial(surroundings.ca.follow, wake)
        yield "new certificate", partial(surroundings.pair.follow, wake)

    async def _wait_for_lists(self) -> None:
        """Let reviews know the first lists before the replica is ready; log if not all have come."""
        try:
            async with asyncio.timeout(FIRST_LISTS_SECONDS):
                await self._state.listed.wait()
        except TimeoutError:
            missing = ", ".join(sorted(self._state.unlisted))
            said = "reviews are answered before the cluster was listed"
            self._surroundings.log.warning(said, missing=missing)
        if generation := self._surroundings.generation.value:
            generation.reviewer.refresh()
        self._ready_without_lists = 0.0

    async def _create_webhook(self, client: KubeClient, spec: WebhookSpec) -> None:
        path, body = f"{COLLECTION}/{spec.configuration}", webhook_configuration(spec)
        while True:
            try:
                await client.apply(path, body, manager=CONFIGURATION_MANAGER)
            except KubeError as error:
                self._failed("webhook", error)
                await asyncio.sleep(CREATION_SECONDS)
            else:
                self._failed("webhook", None)
                return

    # --- what the works ask each other

    def _trust(self) -> Trust | None:
        pair, bundle = self._surroundings.pair.value, self._surroundings.ca.value
        return Trust(ca_bundle=bundle, leaf=pair.chain_pem) if pair and bundle else None

    def _serve(self, served: Served) -> None:
        # Set together, without an await between them, so that a reader sees both of the same moment. The CAs
        # come first: they are brought to API servers even while the pair cannot be loaded. The pair's dates
        # are not checked, since it serves where there is no better one.
        self._surroundings.ca.set(served.ca_bundle)
        pair = load_pair(served.certificate, served.key, source=self._secret)
        self._surroundings.offered.set(pair)

    def _live_bundle(self) -> bytes:
        """Return what API servers trust: the registered bundle, or our own where no registration is kept."""
        if self._options.reconcile:
            return self._status.live
        return self._surroundings.ca.value or b""

    def _registered(self, status: RegistrationStatus) -> None:
        moved = status.live != self._status.live
        self._status = status
        if moved:
            self._wake_keeper()
            self._handover.wake()

    def _failed(self, name: str, error: InjectorError | None) -> None:
        text = "" if error is None else str(error)
        if text and text != self._errors.get(name):
            self._surroundings.log.warning(_what_failed(error), work=name, reason=text)
        self._errors[name] = text

    def _held_back(self, skew: timedelta) -> None:
        """Report that the local clock is too wrong to write the Secret; without skew: right again."""
        log = self._surroundings.log
        if not skew:
            log.info("the clock agrees with the API server's again", secret=self._secret)
            return
        log.warning(
            "the clock is too wrong to renew certificates",
            secret=self._secret,
            seconds_ahead=round(skew.total_seconds()),
        )
        message = f"replica {self._options.identity}: {self._skew_sentence(skew)}"
        self._events.warn("Secret", self._options.secret, "ClockSkew", message)

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

    # --- what people see

    def _show(self, surroundings: CompanionSurroundings) -> None:
        metrics, readiness = surroundings.metrics, surroundings.readiness
        metrics.gauges["clock_skew_seconds"] = lambda: self._clock.skew().total_seconds()
        readiness.remark(self._clock_remarks)
        if self._options.reconcile:
            readiness.require("registration", self._unregistered)
            metrics.gauges |= {
                "ca_bundle_in_sync": lambda: float(self._status.in_sync),
                "ca_bundle_fighting": lambda: float(self._status.fighting),
            }
            metrics.counters |= {
                "ca_bundle_writes": lambda: float(self._status.writes),
                "ca_bundle_failures": lambda: float(self._status.failures),
            }
        if self._options.watch:
            self._ready_without_lists = self._clock.monotonic() + FIRST_LISTS_SECONDS
            readiness.require("cluster", self._unlisted)
            for name in READ:
                metrics.gauges[f"{name}_staleness_seconds"] = partial(self._staleness, name)
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

    def _unlisted(self) -> str | None:
        """Return why the replica is not ready: the first pods would get another injection than later ones."""
        if self._clock.monotonic() >= self._ready_without_lists:
            return None
        return f"the API server has not listed {', '.join(sorted(self._state.unlisted)) or 'all'} yet"

    def _staleness(self, name: str) -> float:
        watch = self._watches.get(name)
        return watch.staleness() if watch else float("inf")


def _what_failed(error: InjectorError | None) -> str:
    if isinstance(error, Unconfigured):
        return "no API server is known"
    if isinstance(error, Unreachable):
        return "the API server does not answer"
    refused = isinstance(error, KubeError)
    return "the API server does not let us" if refused else "what the cluster holds cannot be used"
