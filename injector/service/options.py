"""The options of `serve` as one frozen value, checked as a whole."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

from injector.budget import DEFAULT_LIMITS, ReviewLimits
from injector.errors import ConfigError
from injector.injection.caches import CACHE_BYTES, SMALLEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on what one client may cost the others, in seconds, bytes and counts.

    ``body_bytes`` holds the largest legal review: an old and a new object of 3 MiB each (what the API server
    accepts in a write) and the rest. The keep-alive must outlast the API server's pool, which drops an idle
    connection after 90 s and does not repeat a POST that was sent while we closed. A body that stalls is
    answered after ``body_seconds``, and its connection ends up to ``shutdown_seconds`` later: ten seconds in
    all. ``in_flight_bytes`` is for everything that came in and has not gone out; None derives it from the
    container's memory limit (see `memory`). ``json_values`` bounds the time for which parsing one body blocks
    everything else: a million take 70 ms, and the largest pod that an API server accepts has 700,000.
    """

    body_bytes: int = 8 << 20
    json_values: int = 1_000_000
    in_flight_bytes: int | None = None
    connections: int = 1024
    waiting: int = 768
    handshake_seconds: float = 5.0
    head_seconds: float = 5.0
    body_seconds: float = 7.0
    write_seconds: float = 5.0
    review_seconds: float = 30.0
    keepalive_seconds: float = 180.0
    shutdown_seconds: float = 2.0
    backlog: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """The times of a shutdown, in seconds.

    ``minimum`` covers the time until every API server and kube-proxy knows that the endpoint is gone. Then
    the service waits for ``quiet`` seconds without a review, ``maximum`` at most, and gives reviews in flight
    ``in_flight`` seconds.
    """

    minimum: float = 10.0
    quiet: float = 3.0
    maximum: float = 60.0
    in_flight: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """All options of the process.

    Files that are None are not used: without ``inject_config`` the built-in template serves, without
    ``tls_certificate`` a companion has to bring the key pair. ``service_names`` are DNS names; the
    certificate must have one of them, since the API server asks for ``<service>.<namespace>.svc``; empty: not
    checked. ``client_names`` are the subject or DNS names that a client certificate may have; empty with a
    ``client_ca``: any that the CA signed. ``trusted_peers`` are networks (``10.0.0.0/24``) whose connections
    are never closed to make room for others'. ``cache_bytes`` is for all caches of a configuration.
    ``allow_empty_injection``: accept a change after which nothing is injected. ``warnings``: answers say what
    in a pod or a workload has no effect. ``workers`` is the number of processes that answer; ``worker`` is
    which of them this one is, counted from 1, and 0 where it is the only one.
    """

    inject_config: Path | None = None
    inject_values: Path | None = None
    mesh_config: Path | None = None
    release: str | None = None
    revision: str = "default"
    environment: Mapping[str, str] = field(default_factory=dict)
    untrusted_values: Literal["scalar", "text"] = "scalar"
    review_limits: ReviewLimits = DEFAULT_LIMITS
    cache_bytes: int = CACHE_BYTES
    allow_empty_injection: bool = False

    tls_certificate: Path | None = None
    tls_key: Path | None = None
    ca_certificate: Path | None = None
    service_names: tuple[str, ...] = ()
    client_ca: Path | None = None
    client_names: tuple[str, ...] = ()
    trusted_peers: tuple[str, ...] = ()

    address: str = ""
    port: int = 443
    monitoring_address: str = ""
    monitoring_port: int = 15014
    limits: Limits = field(default_factory=Limits)
    drain: Drain = field(default_factory=Drain)

    health_check_file: Path | None = None
    health_check_interval: float = 0.0
    recheck_seconds: float = 10.0

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_reviews: bool = True
    warnings: bool = True
    uvloop: bool = True
    workers: int = 1
    worker: int = 0

    def check(self) -> None:
        """Raise one ConfigError with every fault of the options."""
        faults = [*self._faults()]
        if faults:
            raise ConfigError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        yield from self._address_faults()
        if (self.tls_certificate is None) != (self.tls_key is None):
            yield "the certificate file and the key file must be given together"
        if self.cache_bytes < SMALLEST:
            yield f"the caches' memory must be at least {SMALLEST} bytes"
        if (self.health_check_file is None) != (self.health_check_interval <= 0):
            yield "the health check needs both its file and its interval"
        if self.client_names and self.client_ca is None:
            yield "client names are checked only together with a client CA"
        if self.client_ca is not None and self.tls_certificate is None:
            # The CA goes into the same TLS context as the pair, and a companion makes the pair without it:
            # every handshake would fail.
            yield "a client CA needs a certificate from files (--tls-cert-file), not --self-signed"
        if self.workers < 1:
            yield "there must be at least one worker"
        if self.workers > 1 and sys.platform != "linux":
            yield "more than one worker needs Linux, whose kernel spreads connections between them"
        if self.recheck_seconds <= 0:
            yield "the time between two looks at the files must be more than 0 seconds"
        for group in (self.limits, self.drain):
            yield from (
                f"{item.name} must not be negative"
                for item in fields(group)
                if (getattr(group, item.name) or 0) < 0
            )

    def _address_faults(self) -> Iterator[str]:
        for name, port in (("port", self.port), ("monitoring port", self.monitoring_port)):
            if not 0 <= port <= 65535:
                yield f"{name} {port} is not between 0 and 65535"
        if self.port and self.port == self.monitoring_port and self.address == self.monitoring_address:
            yield f"the webhook and the monitoring port are both {self.port}"
        for peer in self.trusted_peers:
            try:
                ip_network(peer, strict=False)
            except ValueError:
                yield f"trusted peer {peer!r} is not an IP address or a network like 10.0.0.0/24"
