"""The cluster beside the reviews: registration, certificates of our own, watches, Events. One companion.

Knows what to join to what; how each part works is known in ``registration`` and ``kube``. Reviews read the
mappings and never wait; when the API server is away they are as old as metrics say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from injector.json_types import JSONObject
from injector.kube.client import Connection, KubeClient
from injector.kube.cluster import ClusterState, cluster_state
from injector.kube.errors import Conflict, KubeError
from injector.kube.lease import LeaseElector
from injector.registration.authority import SelfSigned, Served
from injector.registration.plan import COLLECTION, WebhookNames
from injector.registration.reconciler import Reconciler, RegistrationStatus, Trust
from injector.registration.self_signed import Policy
from injector.registration.webhook_configuration import (
    CONFIGURATION_MANAGER,
    WebhookSpec,
    webhook_configuration,
)
from injector.service.companions import Surroundings
from injector.service.tls import load_pair

EVENTS_KEPT = 16
"""Events that wait for an API server that is away; older ones have lost their interest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """What this replica is in the cluster, and which of the cluster's work it does.

    ``self_signed`` is the policy of the CA in ``secret``, None where files bring the certificate; ``webhook``
    the configuration to create, None where an installer does. ``config_map`` is the object whose edits are
    loaded, for Events on it; empty where it is not known.
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


@dataclass(slots=True, kw_only=True, eq=False)
class Cluster:
    """A Companion, and what the process asks of the cluster: ``namespaces``, ``nodes``, Events."""

    options: ClusterOptions
    name: str = "cluster"
    namespaces: dict[str, JSONObject] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    _events: asyncio.Queue[JSONObject] = field(default_factory=lambda: asyncio.Queue(EVENTS_KEPT))
    _errors: dict[str, str] = field(default_factory=dict)
    _reconciler: Reconciler | None = None
    _state: ClusterState | None = None
    _served: Served | None = None
    _required: bool = False

    async def run(self, surroundings: Surroundings) -> None:
        """Do the cluster's work until cancelled."""
        if not self._required:
            self._require(surroundings)
            self._required = True
        async with await KubeClient.connect(self.options.connection) as client:
            async with asyncio.TaskGroup() as group:
                for work in self._works(client, surroundings):
                    group.create_task(work)

    def configuration_rejected(self, unit: str, reason: str) -> None:
        """Queue a Warning on the ConfigMap; the newest are kept when nobody takes them."""
        if not self.options.config_map:
            return
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(self._event("ConfigurationRejected", f"{unit}: {reason}"))

    # --- the works

    def _works(self, client: KubeClient, surroundings: Surroundings) -> Iterator[Coroutine[Any, Any, None]]:
        options = self.options
        yield self._post_events(client, surroundings)
        if options.webhook is not None:
            yield self._create_webhook(client, options.webhook, surroundings)
        if options.watch:
            yield self._watch(client, surroundings)
        if options.reconcile:
            yield from self._registration(client, surroundings)
        if options.self_signed is not None:
            yield self._self_signed(client, options.self_signed, surroundings).run()

    def _registration(
        self, client: KubeClient, surroundings: Surroundings
    ) -> Iterator[Coroutine[Any, Any, None]]:
        elector = LeaseElector(
            client=client,
            namespace=self.options.namespace,
            name=self.options.lease,
            identity=self.options.identity,
        )
        reconciler = Reconciler(
            client=client,
            name=self.options.configuration,
            names=self.options.names,
            trust=lambda: self._trust(surroundings),
            leading=lambda: elector.leading,
            changed=self._registered,
        )
        self._reconciler = reconciler

        async def lead() -> None:
            reconciler.wake()
            await asyncio.Event().wait()

        yield reconciler.run()
        yield elector.run(lead)
        yield _on_change(surroundings.ca.updates, reconciler.wake)
        yield _on_change(surroundings.pair.updates, reconciler.wake)

    def _self_signed(self, client: KubeClient, policy: Policy, surroundings: Surroundings) -> SelfSigned:
        def serve(served: Served) -> None:
            self._served = served
            pair = load_pair(
                served.certificate,
                served.key,
                names=policy.names[:1],
                clients=None,
                source=f"Secret {self.options.namespace}/{self.options.secret}",
                now=datetime.now(UTC),
            )
            surroundings.pair.set(pair)
            surroundings.ca.set(served.ca_bundle)

        self._keeper = SelfSigned(
            client=client,
            namespace=self.options.namespace,
            name=self.options.secret,
            policy=policy,
            serve=serve,
            live_bundle=self._live_bundle,
            failed=self._note("secret", surroundings),
        )
        return self._keeper
