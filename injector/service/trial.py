"""Try a new configuration out beside the current one, before it serves: ConfigError where it may not.

Built-in sample pods decide. Pods seen lately only warn, since each is one tenant's; where all of them would
be denied, and they are of several namespaces, the configuration is at fault.
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
"""Pods remembered of one namespace: whoever deploys all day does not push the others out."""

NAMESPACES: Final = 8
"""Namespaces of which pods are remembered, those that had a pod injected last."""

LARGEST_REMEMBERED: Final = 64 << 10
"""Bytes of a review that is worth remembering: sixteen of them are a mebibyte."""

SECONDS_BETWEEN: Final = 1.0
"""Remembering every review would keep the last burst of one Deployment; one a second keeps a mixture."""

SEVERAL: Final = 2
"""Namespaces whose pods together may refuse a configuration: one namespace alone is one tenant's."""


class Loss(NamedTuple):
    """A pod that is injected today and would not be by the new configuration.

    ``rule`` is of a fixed set (an Answer's reason, ``patch``, ``call`` or ``crash``); ``message`` may quote
    the pod, and is cut to what a line of the log may hold. ``denied``: it would not even be created.
    """

    namespace: str
    rule: str
    message: str
    denied: bool = True


class Trial(NamedTuple):
    """What came of a trial that was passed.

    ``losses`` are pods seen lately; ``empty`` says why no sample is injected, "" where one is.
    """

    losses: tuple[Loss, ...] = ()
    empty: str = ""


class LastPods:
    """The last reviews that led to an injection: kept in memory alone, and never logged or shown."""

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
        # Put back at the end, so that the namespace at the front is the one seen longest ago.
        own = self._reviews.pop(namespace, None) or deque(maxlen=PODS_OF_ONE)
        own.append(Seen(body, path, namespace))
        self._reviews[namespace] = own
        if len(self._reviews) > NAMESPACES:
            del self._reviews[next(iter(self._reviews))]

    def reviews(self) -> tuple[Seen, ...]:
        """Return what is remembered by namespace, that of the longest silence first; safe in any thread."""
        return tuple(seen for own in tuple(self._reviews.values()) for seen in tuple(own))


def try_out(
    candidate: Answerer, current: Answerer | None, seen: Iterable[Seen] = (), *, allow_empty: bool = False
) -> Trial:
    """Return what a change to ``candidate`` costs: above all, the pods seen lately that lose their sidecars.

    ``current`` is the last configuration that injected. Raises ConfigError where ``candidate`` denies or
    breaks a sample that ``current`` injects, injects no more pods (unless ``allow_empty``), or denies all
    pods seen of several namespaces; with no current one (at start) where it denies samples and injects none.
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
    """Return the rules that losses are due to, which quote no pod."""
    return ", ".join(sorted({loss.rule for loss in losses}))


def _loss(candidate: Answerer, review: Seen) -> Loss | None:
    """Return why a pod that is injected today would not be, whatever it does to the candidate."""
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
