"""What happened, counted by hand; a collector shows it to prometheus-client when it is asked. Knows no pods.

A review adds to a few integers, two microseconds in all; names and text are the scraper's expense. No label
ever holds a name, a namespace or an annotation: outcomes and reasons come from fixed sets.
"""

from __future__ import annotations

import platform
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
"""Upper edges for `webhook_review_seconds`: a review takes fractions of a millisecond."""

ISTIO_SECONDS: Final = (0.1, 1.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Istio's edges for sidecar_injection_time_seconds, kept so that existing dashboards read the same."""

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
"""Why a call got no review: every value of the label ``reason`` of `webhook_refused_total`."""

ASKED: Final = {
    "advice": "Workloads about whose pods /advise was asked.",
    "body_buffered_bytes": "Bytes of bodies that come in or wait for their turn, and of their parsed forms.",
    "ca_bundle_failures": "Failed tries to read or write the registration.",
    "ca_bundle_fighting": "1 while somebody else keeps overwriting caBundle.",
    "ca_bundle_in_sync": "1 while every entry of ours at the API server has the caBundle it should have.",
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
"""What is not counted here but asked for when it is shown, where there is somebody to ask."""

COUNTS: Final = {
    "replica_hits": "Reviews of a pod whose patch was known from a replica of it.",
    "replica_misses": "Reviews of a pod that may have replicas, none of which had come lately.",
    "skeleton_hits": "Renderings whose text was known, so that only the pod's values were filled in.",
    "skeleton_misses": "Renderings whose text had to be parsed as YAML.",
    "skeleton_unsafe": "Renderings with a value of the pod that could have changed the shape of the YAML.",
}
"""What the answering side counts, since the configuration that serves or a ProxyConfig changed."""

CACHES: Final = ("proxy_configs", "replicas", "skeletons", "texts")
"""The answering side's caches; it counts ``NAME_cache_bytes``, ``_entries`` and ``_evictions`` of each."""


class Histogram:
    """Counts of values by upper edge; `observe` costs a bisection."""

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
        total = 0
        buckets: list[tuple[str, float]] = []
        for edge, count in zip((*self._edges, float("inf")), self._counts, strict=True):
            total += count
            buckets.append((_edge(edge), float(total)))
        return HistogramMetricFamily(name, text, buckets=buckets, sum_value=self._sum)


@dataclass(slots=True, kw_only=True)
class ReloadState:
    """What became of one reload unit: counts, and the time and fault of the last try."""

    succeeded: int = 0
    failed: int = 0
    last_success: float = 0.0
    healthy: bool = True


@dataclass(slots=True)
class Metrics:
    """Everything that is counted; reviews write the fields, `text` reads them.

    ``outcomes`` counts (outcome, reason) pairs of answered reviews, ``refused`` calls that got no review by
    one of `REFUSALS`. ``gauges``, ``counters`` and ``infos`` are read when asked: a name of `ASKED` →
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
    """Counters of whoever answers reviews: name without prefix → how often."""

    started: float = field(default_factory=time.time)

    def reviewed(self, outcome: str, reason: str, seconds: float) -> None:
        """Count one answered review."""
        self.outcomes[outcome, reason] += 1
        self.review_seconds.observe(seconds)
        self.istio_seconds.observe(seconds)

    def reload(self, unit: str) -> ReloadState:
        """Return the state of a reload unit, made at the first ask."""
        return self.reloads.setdefault(unit, ReloadState())

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics and their content type: OpenMetrics where ``accept`` asks for it, else text."""
        return exposition(self._registry(), accept)

    def families(self) -> Iterable[Metric]:
        """Return all metrics as prometheus-client has them."""
        return self._registry().collect()

    def _registry(self) -> CollectorRegistry:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(self))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        return registry


def exposition(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return what a registry collects and its content type: OpenMetrics where asked for, else text."""
    if "application/openmetrics-text" in accept:
        body: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return body, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Families(Collector):
    """Shows a `Metrics` to prometheus-client."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._istio()
        yield from self._reviews()
        yield from self._connections()
        yield from self._reloads()
        metrics = self._metrics
        for name, read in metrics.gauges.items():
            yield GaugeMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=read())
        for name, read in metrics.counters.items():
            yield CounterMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=read())
        for name, labels in metrics.infos.items():
            yield InfoMetricFamily(f"sidecar_injector_{name}", ASKED[name], value=labels())
        counts = metrics.counts()
        for name, text in COUNTS.items():
            yield CounterMetricFamily(f"sidecar_injector_{name}", text, value=counts.get(name, 0))
        yield from _caches(counts)
        yield InfoMetricFamily(
            "sidecar_injector_build",
            "Version of the injector and of Python.",
            value={"version": __version__, "python": platform.python_version()},
        )
        yield GaugeMetricFamily(
            "sidecar_injector_start_time_seconds",
            "Unix time at which the process started.",
            value=metrics.started,
        )

    def _istio(self) -> Iterator[Metric]:
        """Istio's names, with the meanings that their help texts have in Istio."""
        metrics = self._metrics
        by_outcome: Counter[str] = Counter()
        for (outcome, _), count in metrics.outcomes.items():
            by_outcome[outcome] += count
        refused = metrics.refused.total()
        for name, text, value in (
            ("requests", "Total number of sidecar injection requests.", by_outcome.total() + refused),
            ("success", "Total number of successful sidecar injection requests.", by_outcome["injected"]),
            ("failure", "Total number of failed sidecar injection requests.", by_outcome["denied"] + refused),
            ("skip", "Total number of skipped sidecar injection requests.", by_outcome["skipped"]),
        ):
            yield CounterMetricFamily(f"sidecar_injection_{name}", text, value=value)
        yield metrics.istio_seconds.family(
            "sidecar_injection_time_seconds", "Total time taken for injection in seconds."
        )

    def _reviews(self) -> Iterator[Metric]:
        metrics = self._metrics
        reviews = CounterMetricFamily(
            "sidecar_injector_reviews",
            "Reviews answered, by outcome and reason.",
            labels=["outcome", "reason"],
        )
        for (outcome, reason), count in sorted(metrics.outcomes.items()):
            reviews.add_metric([outcome, reason], count)
        yield reviews
        yield _labelled("webhook_refused", "Calls that got no review, by reason.", "reason", metrics.refused)
        yield metrics.review_seconds.family(
            "sidecar_injector_webhook_review_seconds", "Time from a whole body to its answer."
        )

    def _connections(self) -> Iterator[Metric]:
        metrics = self._metrics
        yield CounterMetricFamily(
            "sidecar_injector_connections_opened", "Connections accepted.", value=metrics.connections_total
        )
        yield CounterMetricFamily(
            "sidecar_injector_connections_refused",
            "Connections refused because the cap was reached.",
            value=metrics.connections_refused,
        )
        yield _labelled(
            "connections_evicted",
            "Connections closed: slow ones, and some for others.",
            "reason",
            metrics.connections_evicted,
        )
        yield _labelled(
            "handshakes_failed", "TLS handshakes that failed, by reason.", "reason", metrics.handshakes_failed
        )

    def _reloads(self) -> Iterator[Metric]:
        reloads = CounterMetricFamily(
            "sidecar_injector_reloads",
            "Changes of mounted files, by unit and result.",
            labels=["unit", "result"],
        )
        healthy = GaugeMetricFamily(
            "sidecar_injector_reload_healthy",
            "1 when what is mounted now is what serves, 0 when the last good one serves instead.",
            labels=["unit"],
        )
        last = GaugeMetricFamily(
            "sidecar_injector_reload_last_success_time_seconds",
            "Unix time at which the unit was last loaded.",
            labels=["unit"],
        )
        for unit, state in sorted(self._metrics.reloads.items()):
            reloads.add_metric([unit, "success"], state.succeeded)
            reloads.add_metric([unit, "failure"], state.failed)
            healthy.add_metric([unit], float(state.healthy))
            last.add_metric([unit], state.last_success)
        yield from (reloads, healthy, last)


def _caches(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Show what each cache takes of the memory that it may have."""
    families: tuple[GaugeMetricFamily | CounterMetricFamily, ...] = (
        GaugeMetricFamily("sidecar_injector_cache_bytes", "Bytes that a cache keeps.", labels=["cache"]),
        GaugeMetricFamily("sidecar_injector_cache_entries", "Entries of a cache.", labels=["cache"]),
        CounterMetricFamily(
            "sidecar_injector_cache_evictions", "Entries dropped to make room for others.", labels=["cache"]
        ),
    )
    for family in families:
        kind = family.name.removeprefix("sidecar_injector_cache_")
        for cache in CACHES:
            family.add_metric([cache], counts.get(f"{cache}_cache_{kind}", 0))
        yield family


def _labelled(name: str, text: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"sidecar_injector_{name}", text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _edge(edge: float) -> str:
    return "+Inf" if edge == float("inf") else repr(edge)
