"""The cluster beside the reviews: registration, certificates of our own, watches, Events. One companion.

Knows what to join to what; how each part works is known in ``registration`` and ``kube``. Reviews read what
the watches keep and never wait; when the API server is away it is as old as the metrics say.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from injector.json_types import JSONObject
from injector.kube.client import Connection, KubeClient
from injector.kube.cluster import ClusterState
from injector.kube.errors import KubeError
from injector.kube.lease import LeaseElector
from injector.kube.reflector import Reflector
from injector.registration.authority import SelfSigned, Served
from injector.registration.plan import COLLECTION, WebhookNames
from injector.registration.reconciler import GRACE, Reconciler, RegistrationStatus, Trust
from injector.registration.self_signed import Policy
from injector.registration.webhook_configuration import (
    CONFIGURATION_MANAGER,
    WebhookSpec,
    webhook_configuration,
)
from injector.service.companions import Companion, Surroundings
from injector.service.handover import SETTLE_SECONDS, Handover
from injector.service.tls import load_pair

EVENTS_KEPT: Final = 16
"""Events that wait for an API server that is away; older ones have lost their interest."""

RETRY_SECONDS: Final = 30.0
"""Between two tries of what is done once: creating the configuration, posting an Event."""

EVENT_CHARACTERS: Final = 1000
"""The API server takes 1,024 in an Event's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What this replica is in the cluster, and which of the cluster's work it does.

    ``self_signed`` is the policy of the CA in ``secret``, None where files bring the certificate; ``webhook``
    the configuration to create, None where an installer does. ``config_map`` is the object whose edits are
    loaded, for Events on it; empty where it is not known. ``grace`` is how long a CA that is no longer ours
    stays trusted, ``settle`` the seconds for which a new one must have been before what it signed serves.
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
    grace: timedelta = GRACE
    settle: float = SETTLE_SECONDS


class Cluster:
    """A Companion, and what the process asks of the cluster: ``namespaces``, ``nodes``, Events."""

    name = "cluster"

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        self._state = ClusterState()
        self._status = RegistrationStatus()
        self._served: Served | None = None
        self._watches: Mapping[str, Reflector] = {}
        self._errors: dict[str, str] = {}
        self._events: deque[JSONObject] = deque(maxlen=EVENTS_KEPT)
        self._news = asyncio.Event()
        self._wake_keeper: Callable[[], None] = _nothing
        self._shown = False
        self._handover = Handover(live=lambda: self._status.live, settle=options.settle)

    @property
    def companions(self) -> tuple[Companion, ...]:
        """Itself, and what holds new pairs back until the registration that it keeps trusts them."""
        return (self, self._handover) if self.holds_pair else (self,)

    @property
    def holds_pair(self) -> bool:
        """Whether pairs come from files, and their CA is brought to API servers from here."""
        return self._options.reconcile and self._options.self_signed is None

    @property
    def namespaces(self) -> Mapping[str, JSONObject]:
        """Namespaces by name, as the watch knows them."""
        return self._state.namespaces

    @property
    def nodes(self) -> Mapping[str, str]:
        """Kubelet versions by node name, as the watch knows them."""
        return self._state.nodes

    @property
    def proxy_configs(self) -> Mapping[str, JSONObject]:
        """ProxyConfig resources by ``namespace/name``, as the watch knows them."""
        return self._state.proxy_configs

    def configuration_rejected(self, unit: str, reason: str) -> None:
        """Queue a Warning on the ConfigMap."""
        self._tell("ConfigurationRejected", f"{unit}: {reason}")

    def configuration_warning(self, unit: str, sentence: str) -> None:
        """Queue a Warning on the ConfigMap, whose new content serves."""
        self._tell("ConfigurationDeniesPods", f"{unit}: {sentence}")

    def _tell(self, reason: str, message: str) -> None:
        if self._options.config_map:
            self._events.append(self._event(reason, message))
            self._news.set()

    async def run(self, surroundings: Surroundings) -> None:
        """Do the cluster's work until cancelled."""
        if not self._shown:
            self._show(surroundings)
            self._shown = True
        async with await KubeClient.connect(self._options.connection) as client, asyncio.TaskGroup() as group:
            for work in self._works(client, surroundings):
                group.create_task(work)

    # --- the works

    def _works(self, client: KubeClient, surroundings: Surroundings) -> Iterator[Coroutine[Any, Any, None]]:
        options = self._options
        if options.config_map:
            yield self._post_events(client)
        if options.webhook is not None:
            yield self._create_webhook(client, options.webhook, surroundings)
        if options.watch:
            self._watches = self._state.watches(client, failed=self._failed(surroundings))
            for watch in self._watches.values():
                yield watch.run()
        if options.reconcile:
            yield from self._registration(client, surroundings)
        if options.self_signed is not None:
            keeper = self._keeper(client, options.self_signed, surroundings)
            self._wake_keeper = keeper.wake
            yield keeper.run()

    def _registration(
        self, client: KubeClient, surroundings: Surroundings
    ) -> Iterator[Coroutine[Any, Any, None]]:
        options = self._options
        elector = LeaseElector(
            client=client, namespace=options.namespace, name=options.lease, identity=options.identity
        )
        reconciler = Reconciler(
            client=client,
            name=options.configuration,
            names=options.names,
            trust=lambda: self._trust(surroundings),
            leading=lambda: elector.leading,
            changed=self._registered,
            grace=options.grace,
        )

        async def lead() -> None:
            reconciler.wake()
            await asyncio.Event().wait()

        yield reconciler.run()
        yield elector.run(lead)
        yield _after_each(surroundings.ca.updates(), reconciler.wake)
        yield _after_each(surroundings.pair.updates(), reconciler.wake)

    def _keeper(self, client: KubeClient, policy: Policy, surroundings: Surroundings) -> SelfSigned:
        options = self._options

        def serve(served: Served) -> None:
            # Whoever looks at one sees the other of the same moment: nothing awaits in between.
            self._served = served
            surroundings.ca.set(served.ca_bundle)
            surroundings.pair.set(
                load_pair(
                    served.certificate,
                    served.key,
                    source=f"Secret {options.namespace}/{options.secret}",
                    now=datetime.now(UTC),
                )
            )

        failed = self._failed(surroundings)
        return SelfSigned(
            client=client,
            namespace=options.namespace,
            name=options.secret,
            policy=policy,
            serve=serve,
            live_bundle=self._live_bundle,
            failed=lambda error: failed("secret", error),
        )

    async def _create_webhook(
        self, client: KubeClient, spec: WebhookSpec, surroundings: Surroundings
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

    def _trust(self, surroundings: Surroundings) -> Trust | None:
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

    def _failed(self, surroundings: Surroundings) -> Callable[[str, KubeError | None], None]:
        def failed(name: str, error: KubeError | None) -> None:
            text = "" if error is None else str(error)
            if text and text != self._errors.get(name):
                surroundings.log.warning("the API server does not let us", work=name, reason=text)
            self._errors[name] = text

        return failed

    def _event(self, reason: str, message: str) -> JSONObject:
        options = self._options
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "namespace": options.namespace,
            "name": options.config_map,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{options.config_map}.", "namespace": options.namespace},
            "involvedObject": about,
            "type": "Warning",
            "reason": reason,
            "message": message[:EVENT_CHARACTERS],
            "source": {"component": "sidecar-injector", "host": options.identity},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }

    # --- what people see

    def _show(self, surroundings: Surroundings) -> None:
        metrics, readiness = surroundings.metrics, surroundings.readiness
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
            for name in ("namespaces", "nodes", "proxyconfigs"):
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
