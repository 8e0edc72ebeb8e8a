"""Options in, everything that is mounted out: checked at start, live afterwards.

Three units, each with a life of its own: the key pair, the CA file, and config + values + mesh together.
Knows what each is made of, and nothing of who uses it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from injector.errors import ConfigError
from injector.service.companions import Events
from injector.service.files import FileSet, folders
from injector.service.generation import ClusterState, Generation, Load, next_generation, texts_of
from injector.service.live import Live
from injector.service.logs import Log
from injector.service.metrics import Metrics
from injector.service.options import ServiceOptions
from injector.service.reload import ReloadUnit, Reports
from injector.service.tls import ClientVerification, KeyPair, load_pair, parse_ca
from injector.service.trial import LastPods
from injector.service.watch import FolderWatch


class Mounted:
    """The live values of all files, and the task that keeps them so."""

    def __init__(
        self,
        options: ServiceOptions,
        *,
        load: Load,
        cluster: ClusterState | None,
        events: Events | None,
        metrics: Metrics,
        log: Log,
        holds_pair: bool = False,
    ) -> None:
        self.pair: Live[KeyPair | None] = Live(None)
        self.offered: Live[KeyPair | None] = Live(None) if holds_pair else self.pair
        self.ca: Live[bytes | None] = Live(None)
        self.generation: Live[Generation | None] = Live(None)
        self.last_pods = LastPods()
        self._options = options
        self._load = load
        self._cluster = cluster
        self._metrics = metrics
        self._log = log
        self._refreshing = asyncio.Lock()
        rejected = events.configuration_rejected if events else _nobody
        self._reports = Reports(metrics=metrics, log=log, rejected=rejected)
        self.units = [*self._key_pair(), *self._ca_file(), self._configuration()]

    def start(self) -> None:
        """Read and check everything; every fault is told in one ConfigError."""
        faults = []
        for unit in self.units:
            try:
                unit.start()
            except ConfigError as error:
                faults.append(error)
        if self.offered is not self.pair:
            # The first one has no other to wait behind; until it is trusted the replica is not ready.
            self.pair.set(self.offered.value)
        if faults:
            raise faults[0] if len(faults) == 1 else ConfigError("; ".join(map(str, faults)))

    async def watch(self) -> None:
        """Refresh the units whenever a folder of theirs changed, and by the clock; for ever."""
        options = self._options
        watch = FolderWatch(
            folders(path for unit in self.units for path in unit.paths),
            recheck_seconds=options.recheck_seconds,
            complain=self._log.warning,
            force_polling=options.force_polling,
        )
        self._metrics.gauges["files_watched"] = (
            "1 while changes of mounted files are told by events, 0 while they are found by the clock alone.",
            lambda: float(watch.armed),
        )
        async with aclosing(watch.ticks()) as ticks:
            async for _ in ticks:
                await self.refresh()

    async def refresh(self) -> None:
        """Read everything that is mounted again, now."""
        async with self._refreshing:
            for unit in self.units:
                await unit.refresh()

    def faults(self) -> dict[str, str]:
        """Return why the last good files serve instead of the mounted ones, by unit."""
        return {unit.name: unit.fault for unit in self.units if unit.fault is not None}

    def _key_pair(self) -> list[ReloadUnit[Any]]:
        options = self._options
        certificate, key = options.tls_certificate, options.tls_key
        if certificate is None or key is None:
            return []

        def make(files: FileSet) -> KeyPair | None:
            clients = None
            if options.client_ca is not None:
                clients = client_verification(files.contents[options.client_ca], options)
            return load_pair(
                files.contents[certificate],
                files.contents[key],
                names=options.service_names,
                clients=clients,
                source=str(certificate),
                now=datetime.now(UTC),
            )

        paths = (certificate, key, options.client_ca)
        return [self._unit("certificate", paths, self.offered, make, retry_rejected=True)]

    def _ca_file(self) -> list[ReloadUnit[Any]]:
        path = self._options.ca_certificate
        if path is None:
            return []

        def make(files: FileSet) -> bytes | None:
            parse_ca(files.contents[path], source=str(path))
            return files.contents[path]

        return [self._unit("ca", (path,), self.ca, make)]

    def _configuration(self) -> ReloadUnit[Any]:
        options = self._options

        def make(files: FileSet) -> Generation | None:
            generation = next_generation(
                texts_of(files, options, self._cluster),
                files,
                options,
                load=self._load,
                current=self.generation.value,
                seen=self.last_pods.reviews,
            )
            for sentence in generation.reviewer.warnings():
                self._reports.log.warning("part of the configuration is not used", what=sentence)
            return generation

        paths = (options.inject_config, options.inject_values, options.mesh_config)
        return self._unit("configuration", paths, self.generation, make, in_thread=True)

    def _unit(
        self, name: str, paths: Any, live: Live[Any], make: Any, *, in_thread: bool = False, **more: bool
    ) -> ReloadUnit[Any]:
        return ReloadUnit(
            name,
            paths,
            live=live,
            make=make,
            reports=self._reports,
            in_thread=in_thread,
            **more,
        )


def client_verification(ca_pem: bytes, options: ServiceOptions) -> ClientVerification:
    """Return who may post reviews, from the client CA's PEM; ConfigError when it is none."""
    parse_ca(ca_pem, source=str(options.client_ca))
    return ClientVerification(ca_pem=ca_pem.decode(), names=frozenset(options.client_names))


def _nobody(_unit: str, _reason: str) -> None:
    """Tell no one."""
