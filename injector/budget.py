"""Limit what one review may cost, by counting, so that the same review has the same outcome on every machine.

A Budget belongs to one review. Whatever a pod can repeat, or make expensive, is charged by its size and not
by the work that was done, so that a cache changes no outcome. Past a limit the pod is denied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, Literal

from injector.errors import ConfigError, DeadlineError, LimitError

LimitName = Literal[
    "values",
    "irregular_values",
    "annotations",
    "annotation_items",
    "annotation_nodes",
    "containers",
    "entries",
    "templates",
    "rendered",
    "inserted",
    "nodes",
    "merged",
    "operations",
    "patch",
]

_KIB: Final = 1 << 10
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLimits:
    """The most that one review may use: each at least 20 times what any reference case of Istio uses.

    Together they keep a review of 3 MiB within 250 ms of CPU where a small one takes 1 ms, and within 40 MiB
    of memory. Each limit was chosen by the measured cost of one unit.
    """

    values: int = 150_000
    """JSON values in the review. A real pod has one in 20 to 30 bytes, and 3 MiB of it (what an API server
    takes) are no more than this; in memory each takes up to 200 bytes, so all of them 30 MiB."""

    irregular_values: int = 20_000
    """JSON values of a pod that is not written as an API server writes one: they are read one by one, up to 4
    microseconds each. A pod as an API server sends it is not counted here."""

    annotations: int = 256 * _KIB
    """Bytes of the pod's annotations, names and values: Kubernetes' own TotalAnnotationSizeLimitB. An API
    server refuses a pod with more, but only after it has asked us."""

    annotation_items: int = 4096
    """Commas in Istio's annotations, whose names contain ``istio.io/``: each annotation may be a list, text,
    JSON or YAML, whose items are checked or inserted one by one, ten microseconds each."""

    annotation_nodes: int = 1024
    """YAML nodes of the annotation proxy.istio.io/config: 500 keys of proxyMetadata, each of which becomes a
    variable of the proxy and passes through the rendered text, its skeleton and the merge."""

    containers: int = 512
    """Containers of all kinds, including those of the overrides annotation. A kubelet runs 110 pods a
    node."""

    entries: int = 8_000
    """Elements of the lists and maps of the pod's metadata, spec, and containers: variables, ports, mounts,
    volumes. A pod of 2,000 variables is among the largest known; each may take 10 microseconds."""

    templates: int = 64
    """Templates applied; one named twice counts twice. Istio's charts contain six, of which a pod names one
    or two."""

    rendered: int = _MIB
    """Characters that the templates render. A sidecar has 20,000, and the pod's annotations go in twice."""

    inserted: int = 1400
    """Values of the pod that one template puts into its text: a sidecar has up to 64. Compiling the position
    of each takes 50 microseconds."""

    nodes: int = 16_384
    """YAML nodes of one template's output: a sidecar has about 500."""

    merged: int = 30_000
    """Entries of the pod and lines of an overlay, counted for each merge of the two."""

    operations: int = 10_000
    """Operations of the JSON patch: a sidecar has about 20; the most is one for each entry of the pod."""

    patch: int = 3 * _MIB
    """Bytes of the JSON patch: a larger one makes a pod that the API server refuses, and etcd stores half of
    that at most."""

    def __post_init__(self) -> None:
        """Refuse limits that would deny every pod."""
        for limit in fields(self):
            if getattr(self, limit.name) < 1:
                raise ConfigError(f"limit {limit.name} must be at least 1", path=f"limits.{limit.name}")


LIMIT_NAMES: Final = tuple(limit.name for limit in fields(ReviewLimits))

DEFAULT_LIMITS: Final = ReviewLimits()


class Budget:
    """What one review has spent. ``late`` returns whether its caller has stopped waiting; None: never."""

    __slots__ = ("_late", "limits", "spent")

    def __init__(self, limits: ReviewLimits = DEFAULT_LIMITS, late: Callable[[], bool] | None = None) -> None:
        self.limits = limits
        self.spent: dict[LimitName, int] = {}
        self._late = late

    def charge(self, name: LimitName, amount: int, sentence: str) -> None:
        """Add ``amount`` to what was spent.

        ``sentence`` says what of the pod is counted, with ``{}`` for the sum where that is known. Raises
        LimitError past the limit and DeadlineError past the deadline.
        """
        spent = self.spent.get(name, 0) + amount
        self.spent[name] = spent
        if spent > getattr(self.limits, name):
            self._exceeded(name, spent, sentence)
        if self._late is not None:
            self.check_deadline()

    def hold(self, name: LimitName, amount: int, sentence: str) -> None:
        """Check ``amount`` by itself against the limit, without adding it up; raises as `charge` does."""
        self.spent[name] = max(amount, self.spent.get(name, 0))
        if amount > getattr(self.limits, name):
            self._exceeded(name, amount, sentence)
        if self._late is not None:
            self.check_deadline()

    def check_deadline(self) -> None:
        """Raise DeadlineError when the caller has stopped waiting."""
        if self._late is not None and self._late():
            raise DeadlineError("the review's deadline has passed")

    def _exceeded(self, name: LimitName, amount: int, sentence: str) -> None:
        most = getattr(self.limits, name)
        raise LimitError(f"{sentence.format(f'{amount:,}')}; at most {most:,}", name=name)
