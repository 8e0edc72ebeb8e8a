"""Keep all mounted files: checked at start, reloaded afterwards.

There are three units, each reloaded by itself: the key pair, the CA file, and config + values + mesh
together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, TypeVar

from injector.errors import ConfigError
from injector.registration.bundle import BundleError, authorities
from injector.service.companions import Parts
from injector.service.files import FileSet, folders
from injector.service.generation import Generation, Load, Reviewer, texts_of
from injector.service.logs import Log, shorten
from injector.service.metrics import Metrics
from injector.service.options import ServiceOptions
from injector.service.reload import Live, ReloadUnit
from injector.service.tls import ClientVerification, KeyPair, load_pair
from injector.service.trial import LastPods, Loss, Trial, rules_of, try_out
from injector.service.watch import FolderWatch

T = TypeVar("T")

RETRY_SECONDS: Final = 60.0
"""Delay before a refused configuration is tried again, which takes a thread up to seconds."""


class Mounted:
    """The live values of all files, and the task that keeps them up to date."""

    def __init__(
        self, options: ServiceOptions, parts: Parts, *, load: Load, metrics: Metrics, log: Log
    ) -> None:
        self.pair: Live[KeyPair | None] = Live(None)
        self.offered: Live[KeyPair | None] = Live(None) if parts.holds_pair else self.pair
        self.ca: Live[bytes | None] = Live(None)
        self.generation: Live[Generation | None] = Live(None)
        self.last_pods = LastPods()
        self._options = options
        self._parts = parts
        self._load = load
        self._metrics = metrics
        self._log = log
        self._refreshing = asyncio.Lock()
        self._losses = 0
        metrics.counters["reload_losses"] = lambda: float(self._losses)
        metrics.gauges["configuration_injects"] = lambda: float(not self.injection())
        metrics.infos["configuration"] = lambda: {
            "hash": self.generation.value.hash if self.generation.value else ""
        }
        self.units = [*self._key_pair(), *self._ca_file(), self._configuration()]

    def start(self) -> None:
        """Read and check everything; one ConfigError names every fault."""
        faults = []
        for unit in self.units:
            try:
                unit.start()
            except ConfigError as error:
                faults.append(error)
        if self.offered is not self.pair:
            # There is no pair before the first one, so it serves at once; until it is trusted we are not
            # ready.
            self.pair.set(self.offered.value)
        if faults:
            raise faults[0] if len(faults) == 1 else ConfigError("; ".join(map(str, faults)))

    async def watch(self) -> None:
        """Refresh the units whenever one of their folders changed, and periodically; for ever."""
        options = self._options
        watch = FolderWatch(
            folders(path for unit in self.units for path in unit.paths),
            recheck_seconds=options.recheck_seconds,
            complain=self._log.warning,
        )
        self._metrics.gauges["files_watched"] = lambda: float(watch.armed)
        async with aclosing(watch.ticks()) as ticks:
            async for _ in ticks:
                await self.refresh()

    async def refresh(self) -> None:
        """Load what is mounted now.

        A unit whose mount hangs does not delay reading another's. Units from one Secret are replaced within
        one turn of the loop: no reader sees a new CA with an old leaf.
        """
        async with self._refreshing:
            found = await asyncio.gather(*(unit.read() for unit in self.units))
            for unit, files in zip(self.units, found, strict=True):
                await unit.take(files)

    def faults(self) -> dict[str, str]:
        """Return why the last good files serve instead of the mounted ones, by unit."""
        return {unit.name: unit.fault for unit in self.units if unit.fault is not None}

    def injection(self) -> dict[str, str]:
        """Return the message about a serving configuration that injects nothing."""
        generation = self.generation.value
        empty = generation.trial.empty if generation else ""
        return {"injection": empty} if empty else {}

    def _key_pair(self) -> list[ReloadUnit[Any]]:
        options = self._options
        certificate, key = options.tls_certificate, options.tls_key
        if certificate is None or key is None:
            return []

        def make(files: FileSet) -> KeyPair | None:
            clients = None
            if options.client_ca is not None:
                clients = ClientVerification.of(
                    files.contents[options.client_ca], options.client_names, source=str(options.client_ca)
                )
            return load_pair(
                files.contents[certificate],
                files.contents[key],
                names=options.service_names,
                clients=clients,
                source=str(certificate),
                key_source=str(key),
                now=self._parts.now(),
            )

        paths = (certificate, key, options.client_ca)
        return [self._unit("certificate", paths, self.offered, make)]

    def _ca_file(self) -> list[ReloadUnit[Any]]:
        path = self._options.ca_certificate
        if path is None:
            return []

        def make(files: FileSet) -> bytes | None:
            bundle = files.contents[path]
            try:
                authorities(bundle)
            except BundleError as error:
                raise ConfigError(str(error), file=str(path)) from error
            return bundle

        return [self._unit("ca", (path,), self.ca, make)]

    def _configuration(self) -> ReloadUnit[Any]:
        options = self._options

        def make(files: FileSet) -> Generation | None:
            texts, current = texts_of(files, options, self._parts.cluster), self.generation.value
            injecting = current.injecting if current else None
            reviewer = self._load(texts, options)
            trial = self._trial(reviewer, injecting, texts.files[0])
            return Generation(
                number=current.number + 1 if current else 1,
                hash=texts.hash,
                reviewer=reviewer,
                trial=trial,
                injecting=injecting if trial.empty else reviewer,
            )

        paths = (options.inject_config, options.inject_values, options.mesh_config)
        return self._unit(
            "configuration",
            paths,
            self.generation,
            make,
            in_thread=True,
            retry_seconds=RETRY_SECONDS,
            taken=self._report,
        )

    def _trial(self, reviewer: Reviewer, injecting: Reviewer | None, file: str) -> Trial:
        """Try a configuration on pods; ConfigError names the file of its templates, as `lint` does."""
        seen, allow_empty = self.last_pods.reviews(), self._options.allow_empty_injection
        try:
            return try_out(reviewer, injecting, seen, allow_empty=allow_empty)
        except ConfigError as error:
            raise ConfigError(error.reason, file=file, detail=error.detail) from error

    def _report(self, generation: Generation | None) -> None:
        """Report which configuration serves from now on, and what is wrong with it."""
        assert generation is not None  # noqa: S101 - `make` never returns None
        if generation.number > 1:  # at the start the line `serving` names it, after all checks
            self._log.info(
                "configuration loaded", configuration=generation.hash, generation=generation.number
            )
        for sentence in generation.reviewer.warnings():
            self._log.warning("part of the configuration is not used", what=sentence)
        trial = generation.trial
        if trial.empty:
            self._log.warning(
                "the configuration injects nothing", configuration=generation.hash, reason=trial.empty
            )
            self._warn("ConfigurationInjectsNothing", f"configuration {generation.hash}: {trial.empty}")
        self._losses += len(trial.losses)
        for denied in (True, False):
            if losses := [loss for loss in trial.losses if loss.denied is denied]:
                self._report_losses(losses, denied=denied)

    def _report_losses(self, losses: Sequence[Loss], *, denied: bool) -> None:
        reason, what = (
            ("ConfigurationDeniesPods", "denied") if denied else ("ConfigurationSkipsPods", "not injected")
        )
        namespaces = sorted({loss.namespace for loss in losses})
        self._log.warning(
            f"pods like some seen lately are {what} from now on",
            pods=len(losses),
            namespaces=namespaces,
            rules=rules_of(losses),
            detail=shorten(losses[0].message),
        )
        sentence = f"pods like {len(losses)} seen lately are {what} from now on ({rules_of(losses)})"
        self._warn(reason, f"{sentence}, in {', '.join(namespaces)}")

    def _warn(self, reason: str, sentence: str) -> None:
        # All workers have the same files, and the first one reports for all.
        if self._options.worker <= 1:
            self._parts.warn(reason, sentence)

    def _unit(
        self, name: str, paths: Iterable[Path | None], live: Live[T], make: Callable[[FileSet], T], **how: Any
    ) -> ReloadUnit[T]:
        return ReloadUnit(
            name=name,
            paths=tuple(path for path in paths if path is not None),
            make=make,
            live=live,
            metrics=self._metrics,
            log=self._log,
            rejected=lambda unit, reason: self._warn("ConfigurationRejected", f"{unit}: {reason}"),
            **how,
        )
