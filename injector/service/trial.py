"""Try a new configuration on pods before it serves: ConfigError where it must not.

Built-in sample pods decide. Pods seen lately only cause warnings, since each belongs to one tenant; if all of
them would be denied, and they are from several namespaces, the configuration is refused.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from injector.diagnosis.trial import Answerer, Seen, check_patch, injects, try_samples
from injector.errors import ConfigError, InjectorError
from injector.service.logs import shorten

PODS_OF_ONE: Final = 2
"""Pods remembered per namespace: a tenant who deploys all day does not evict the others'."""

NAMESPACES: Final = 8
"""Namespaces whose pods are remembered, those with the latest injections."""

LARGEST_REMEMBERED: Final = 64 << 10
"""Bytes of a review up to which it is remembered: sixteen of them are a mebibyte."""

SECONDS_BETWEEN: Final = 1.0
"""At most one review is remembered per second: otherwise the last burst of one Deployment would fill all."""

SEVERAL: Final = 2
"""Pods of at least so many namespaces may refuse a configuration: one namespace is one tenant's."""


class Loss(NamedTuple):
    """A pod that is injected today and would not be by the new configuration.

    ``rule`` is from a fixed set (an Answer's reason, ``patch``, ``call`` or ``crash``). ``message`` may quote
    the pod, and is cut to what a log line may hold. ``denied``: the pod would not even be created.
    """

    namespace: str
    rule: str
    message: str
    denied: bool = True


class Trial(NamedTuple):
    """The result of a trial that was passed.

    ``losses`` are pods seen lately; ``empty`` says why no sample is injected, "" where one is.
    """

    losses: tuple[Loss, ...] = ()
    empty: str = ""


class LastPods:
    """The last reviews that led to an injection: kept in memory only, and never logged or shown."""

    __slots__ = ("_next", "_reviews")

    def __init__(self) -> None:
        self._reviews: dict[str, deque[Seen]] = {}
        self._next = 0.0

    def see(self, body: bytes, path: str, namespace: str) -> None:
        """Remember a review: the first of a namespace, else at most one a second."""
        now = time.monotonic()
        if (now < self._next and namespace in self._reviews) or len(body) > LARGEST_REMEMBERED:
            return
        self._next = now + SECONDS_BETWEEN
        # Moved to the end, so that the first namespace is the one seen longest ago.
        own = self._reviews.pop(namespace, None) or deque(maxlen=PODS_OF_ONE)
        own.append(Seen(body, path, namespace))
        self._reviews[namespace] = own
        if len(self._reviews) > NAMESPACES:
            del self._reviews[next(iter(self._reviews))]

    def reviews(self) -> tuple[Seen, ...]:
        """Return the reviews by namespace, the one seen longest ago first; any thread may call it."""
        return tuple(seen for own in tuple(self._reviews.values()) for seen in tuple(own))


def try_out(
    candidate: Answerer, current: Answerer | None, seen: Iterable[Seen] = (), *, allow_empty: bool = False
) -> Trial:
    """Return what a change to ``candidate`` costs, above all recent pods that would lose their sidecars.

    ``current`` is the last configuration that injected. Raises ConfigError where ``candidate`` denies or
    breaks a sample that ``current`` injects, injects no more pods (unless ``allow_empty``), or denies all
    recent pods of several namespaces. Without a current one (at start) it raises only where ``candidate``
    denies samples and injects none.
    """
    empty = try_samples(candidate, current, allow_empty=allow_empty)
    if current is None:
        return Trial(empty=empty)
    today = [review for review in seen if injects(current, review)]
    losses = tuple(loss for review in today if (loss := _loss(candidate, review)) is not None)
    namespaces = {review.namespace for review in today}
    if all(loss.denied for loss in losses) and len(losses) == len(today) and len(namespaces) >= SEVERAL:
        raise ConfigError(
            f"all {len(today)} pods seen lately, of {len(namespaces)} namespaces, are injected today "
            f"and would be denied ({rules_of(losses)})",
            detail=losses[0].message,
        )
    return Trial(losses, empty)


def rules_of(losses: Sequence[Loss]) -> str:
    """Return the rules that cause the losses; they quote no pod."""
    return ", ".join(sorted({loss.rule for loss in losses}))


def _loss(candidate: Answerer, review: Seen) -> Loss | None:
    """Return why a pod that is injected today would not be, whatever the pod does to the candidate."""
    try:
        answered = candidate.answer(review.body, review.path)
        if answered.outcome == "injected":
            check_patch("the pod", review, answered)
    except ConfigError as error:
        return Loss(review.namespace, "patch", shorten(error.reason))
    except InjectorError as error:
        return Loss(review.namespace, "call", shorten(str(error)))
    except Exception as error:  # noqa: BLE001 - a tenant's pod must not refuse a configuration by a fault of ours
        return Loss(review.namespace, "crash", type(error).__name__)
    if answered.outcome == "injected":
        return None
    message = shorten(answered.message)
    return Loss(review.namespace, answered.reason, message, denied=answered.outcome == "denied")
