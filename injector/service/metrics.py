"""Count events by hand; a collector converts the counts for prometheus-client when a scraper asks.

A review adds to a few integers, two microseconds in all; names and text are made when scraped. No label ever
contains a name, a namespace or an annotation: outcomes and reasons come from fixed sets.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from injector import __version__

SECONDS: Final = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds for `webhook_review_seconds`: a review takes fractions of a millisecond."""

ISTIO_SECONDS: Final = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Istio's bounds for sidecar_injection_time_seconds, kept so that existing dashboards read the same."""

REFUSALS: Final = (
    "bad_request",
    "body_empty",
    "body_too_large",
    "body_timeout",
    "content_encoding",
    "content_type",
    "deadline",
    "forbidden",
    "overload",
    "crash",
)
"""Why a call got no review: all values of the label ``reason`` of `webhook_refused_total`."""

ASKED: Final = {
    "advice": "Workloads about whose pods /advise was asked.",
    "body_buffered_bytes": "Bytes of bodies that come in or wait for their turn, and of their parsed forms.",
    "ca_bundle_failures": "Failed tries to read or write the registration.",
    "ca_bundle_fighting": "1 while somebody else keeps overwriting caBundle.",
    "ca_bundle_in_sync": "1 while our entries have the right caBundle, and it accepts what is served.",
    "ca_bundle_writes": "Times caBundle was written.",
    "certificate_expiry_timestamp_seconds": "Unix time at which the certificate that serves expires.",
    "certificate_waits": "1 while a new certificate does not serve because caBundle does not trust it yet.",
    "clock_skew_seconds": "By how many seconds the clock here is ahead of the API server's; "
    "behind it is negative.",
    "configuration": "The configuration that serves: "
    "the first 12 digits of SHA-256 over config, values and mesh.",
    "configuration_generation": "Number of the configuration that serves, "
    "counted from the start of the process.",
    "configuration_injects": "1 while the configuration that serves injects a sample pod, "
    "0 while it injects none.",
    "connections": "Open connections of the webhook's port.",
    "files_watched": "1 while changes of mounted files are told by events, "
    "0 while they are found by the clock alone.",
    "in_flight_bytes": "Bytes of bodies, their parsed forms, answers not taken, connections and log lines.",
    "in_flight_limit_bytes": "Bytes in flight above which callers are told to come again.",
    "log_lines_dropped": "Log lines lost to a slow reader of stderr.",
    "log_pending_bytes": "Bytes of log lines that stderr has not taken.",
    "loop_lag_seconds": "By how much the event loop was late when last looked at.",
    "namespaces_staleness_seconds": "Seconds since the API server last said anything about namespaces.",
    "nodes_staleness_seconds": "Seconds since the API server last said anything about nodes.",
    "proxyconfigs_staleness_seconds": "Seconds since the API server last said anything about proxyconfigs.",
    "ready": "1 while ready.",
    "reload_losses": "Pods seen lately and injected that a configuration which was taken does not inject.",
    "reviews_waiting": "Reviews whose first byte came and which are not answered.",
    "worker_restarts": "Worker processes that died and were replaced.",
    "workers": "Processes that answer reviews.",
}
"""Values that are not counted here but read when they are shown, where a source is set."""

COUNTS: Final = {
    "replica_hits": "Reviews of a pod whose patch was known from a replica of it.",
    "replica_misses": "Reviews of a pod whose workload had come before, but no replica of it lately.",
    "skeleton_hits": "Renderings whose text was known, so that only the pod's values were filled in.",
    "skeleton_misses": "Renderings whose text had to be parsed as YAML.",
    "skeleton_unsafe": "Renderings with a value of the pod that could have changed the shape of the YAML.",
}
"""Counters of the reviewer, since the serving configuration or a ProxyConfig changed."""

CACHES: Final = ("proxy_configs", "replicas", "skeletons", "texts")
"""The reviewer's caches; it reports ``NAME_cache_bytes``, ``_entries`` and ``_evictions`` for each."""


class Histogram:
    """Counts of values by upper bound; `observe` costs a bisection."""

    __slots__ = ("_counts", "_edges", "_sum")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._edges, value)] += 1
        self._sum += value

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        """Return the histogram as prometheus-client shows it."""
        edges = (*map(repr, self._edges), "+Inf")
        buckets = [*zip(edges, map(float, accumulate(self._counts)), strict=True)]
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._sum)


@dataclass(slots=True, kw_only=True)
class ReloadState:
    """The results of a reload unit: counts, and the time and fault of the last try."""

    succeeded: int = 0
    failed: int = 0
    last_success: float = 0.0
    healthy: bool = True


@dataclass(slots=True, eq=False)
class Metrics(Collector):
    """Everything that is counted; reviews write the fields, `text` reads them.

    ``outcomes`` counts answered reviews by (outcome, reason), ``refused`` calls that got no review by a
    reason of `REFUSALS`. ``gauges``, ``counters`` and ``infos`` are read on each scrape: a name of `ASKED` →
    function; an info's function returns its labels.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REFUSALS, 0)))
    review_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    istio_seconds: Histogram = field(default_factory=lambda: Histogram(ISTIO_SECONDS))
    handshakes_failed: Counter[str] = field(default_factory=Counter)
    connections_total: int = 0
    connections_refused: int = 0
    connections_evicted: Counter[str] = field(default_factory=Counter)
    reloads: dict[str, ReloadState] = field(default_factory=dict)
    gauges: dict[str, Callable[[], float]] = field(default_factory=dict)
    counters: dict[str, Callable[[], float]] = field(default_factory=dict)
    infos: dict[str, Callable[[], dict[str, str]]] = field(default_factory=dict)
    counts: Callable[[], Mapping[str, int]] = dict
    """The reviewer's counters: name without prefix → count."""

    started: float = field(default_factory=time.time)

    def reviewed(self, outcome: str, reason: str, seconds: float) -> None:
        """Count one answered review."""
        self.outcomes[outcome, reason] += 1
        self.review_seconds.observe(seconds)
        self.istio_seconds.observe(seconds)

    def reload(self, unit: str) -> ReloadState:
        """Return the state of a reload unit; the first call makes it."""
        return self.reloads.setdefault(unit, ReloadState())

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics where ``accept`` asks for it, else text."""
        return exposition(self._registry(), accept)

    def families(self) -> Iterable[Metric]:
        """Return all metrics as prometheus-client has them."""
        return self._registry().collect()

    def _registry(self) -> CollectorRegistry:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        return registry

    def collect(self) -> Iterator[Metric]:
        """Yield what is counted and read here, as prometheus-client shows it."""
        yield from self._istio()
        yield from self._reviews()
        yield from self._connections()
        yield from self._reloads()
        for name, read in self.gauges.items():
            yield GaugeMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=read())
        for name, read in self.counters.items():
            yield CounterMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=read())
        for name, labels in self.infos.items():
            yield InfoMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=labels())
        counts = self.counts()
        for name, text in COUNTS.items():
            yield CounterMetricFamily(f"sidecar_injector_{name}", text, value=counts.get(name, 0))
        yield from self._caches(counts)
        yield InfoMetricFamily(
            "sidecar_injector_build",
            "Version of the injector and of Python.",
            value={"version": __version__, "python": platform.python_version()},
        )
        yield GaugeMetricFamily(
            "sidecar_injector_start_time_seconds",
            "Unix time at which the process started.",
            value=self.started,
        )

    def _istio(self) -> Iterator[Metric]:
        """Yield Istio's metric names, with the meanings that their help texts have in Istio."""
        by_outcome: Counter[str] = Counter()
        for (outcome, _), count in self.outcomes.items():
            by_outcome[outcome] += count
        refused = self.refused.total()
        for name, text, value in (
            ("requests", "Total number of sidecar injection requests.", by_outcome.total() + refused),
            ("success", "Total number of successful sidecar injection requests.", by_outcome["injected"]),
            ("failure", "Total number of failed sidecar injection requests.", by_outcome["denied"] + refused),
            ("skip", "Total number of skipped sidecar injection requests.", by_outcome["skipped"]),
        ):
            yield CounterMetricFamily(f"sidecar_injection_{name}", text, value=value)
        yield self.istio_seconds.family(
            "sidecar_injection_time_seconds", "Total time taken for injection in seconds."
        )

    def _reviews(self) -> Iterator[Metric]:
        text = "Reviews answered, by outcome and reason."
        outcomes = sorted(self.outcomes.items())
        yield _labelled(CounterMetricFamily, "reviews", text, ("outcome", "reason"), outcomes)
        yield _by_reason("webhook_refused", "Calls that got no review, by reason.", self.refused)
        yield self.review_seconds.family(
            "sidecar_injector_webhook_review_seconds", "Time from a whole body to its answer."
        )

    def _connections(self) -> Iterator[Metric]:
        for name, text, value in (
            ("opened", "Connections accepted.", self.connections_total),
            ("refused", "Connections refused because the cap was reached.", self.connections_refused),
        ):
            yield CounterMetricFamily(f"sidecar_injector_connections_{name}", text, value=value)
        text = "Connections closed: slow ones, and some for others."
        yield _by_reason("connections_evicted", text, self.connections_evicted)
        yield _by_reason(
            "handshakes_failed", "TLS handshakes that failed, by reason.", self.handshakes_failed
        )

    def _reloads(self) -> Iterator[Metric]:
        units = sorted(self.reloads.items())
        results = [
            sample
            for unit, state in units
            for sample in (((unit, "success"), state.succeeded), ((unit, "failure"), state.failed))
        ]
        text = "Changes of mounted files, by unit and result."
        yield _labelled(CounterMetricFamily, "reloads", text, ("unit", "result"), results)
        text = "1 when what is mounted now is what serves, 0 when the last good one serves instead."
        healthy = (((unit,), float(state.healthy)) for unit, state in units)
        yield _labelled(GaugeMetricFamily, "reload_healthy", text, ("unit",), healthy)
        text = "Unix time at which the unit was last loaded."
        last = (((unit,), state.last_success) for unit, state in units)
        yield _labelled(GaugeMetricFamily, "reload_last_success_time_seconds", text, ("unit",), last)

    def _caches(self, counts: Mapping[str, int]) -> Iterator[Metric]:
        """Yield how much of its memory limit each cache takes."""
        for kind, what, text in (
            (GaugeMetricFamily, "bytes", "Bytes that a cache keeps."),
            (GaugeMetricFamily, "entries", "Entries of a cache."),
            (CounterMetricFamily, "evictions", "Entries dropped to make room for others."),
        ):
            samples = (((cache,), counts.get(f"{cache}_cache_{what}", 0)) for cache in CACHES)
            yield _labelled(kind, f"cache_{what}", text, ("cache",), samples)


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return a registry's metrics and their content type: OpenMetrics where asked for, else text."""
    if "application/openmetrics-text" in accept:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_LATEST


def _labelled(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    text: str,
    labels: tuple[str, ...],
    samples: Iterable[tuple[Iterable[str], float]],
) -> Metric:
    """Return the family ``name`` with one sample for each combination of labels."""
    family = kind(f"sidecar_injector_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric([*values], value)
    return family


def _by_reason(name: str, text: str, counts: Counter[str]) -> Metric:
    samples = (((reason,), count) for reason, count in sorted(counts.items()))
    return _labelled(CounterMetricFamily, name, text, ("reason",), samples)
