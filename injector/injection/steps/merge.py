"""Merge an overlay into a pod, and read the result as Go's types have it.

Istio decodes the result of every merge into its Pod type and encodes it again: what does not fit the
types is an error there, and what the types do not know is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from injector.budget import Budget
from injector.errors import InjectionError, PatchError, TypedError
from injector.injection.cost import charge_irregular
from injector.json_types import JSON, Pod
from injector.kubeyaml import Filled
from injector.patch import (
    POD,
    GoType,
    in_key_order,
    is_canonical,
    join,
    normalise,
    only_adds,
    readings,
    strategic_merge,
)

_NOTHING: Final[dict[int, JSON]] = {}


class Overlay:
    """What a template made of a pod. What is worked out about it once is kept with it.

    ``constants`` is how ``types`` have the parts of ``value`` that it shares with others, by their ids.
    ``on_empty_pod`` is a pod of nothing else, once it was asked for.
    """

    __slots__ = ("constants", "on_empty_pod", "only_adds", "types", "value")

    def __init__(
        self, value: JSON, constants: dict[int, JSON] = _NOTHING, *, types: PodTypes | None = None
    ) -> None:
        """Take what is known of it."""
        self.value = value
        self.constants = constants
        self.types = types
        self.only_adds = types is not None and only_adds(value, types.pod)
        self.on_empty_pod: Pod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTypes:
    """The Pod type of a release: that of the Kubernetes that it was built with."""

    pod: GoType = POD

    @property
    def prints_unset_times(self) -> bool:
        """Whether Go writes a creationTimestamp that is not set as null: up to Kubernetes 0.33."""
        return not self.pod.by_name["metadata"].type.by_name["creationTimestamp"].is_left_out

    def typed(self, received: JSON, budget: Budget | None = None) -> Pod:
        """Return a pod as the types have it; raises InjectionError in encoding/json's words.

        What is not as they have it yet is charged to the ``budget``: all of it, or the pod without its spec.
        """
        if isinstance(received, dict) and is_canonical(received, self.pod):
            return received
        known = self._canonical_spec(received)
        if budget is not None:
            charge_irregular(received, budget, known)
        try:
            pod: Pod = normalise(received, self.pod, known=known)
        except TypedError as error:
            raise InjectionError(str(error)) from error
        return pod

    def _canonical_spec(self, received: JSON) -> dict[int, JSON]:
        """Return the spec by its id if it is as the types have it, so that it need not be read.

        Almost all of a pod is in it, and what is odd is often an annotation or a label.
        """
        spec = received.get("spec") if isinstance(received, dict) else None
        if spec is None or not is_canonical(spec, self.pod.by_name["spec"].type):
            return _NOTHING
        return {id(spec): spec}

    def overlay(self, filled: Filled) -> Overlay:
        """Return a template's overlay; of the same filling it is the same."""
        overlay: Overlay | None = filled.derived
        if overlay is None or overlay.types is not self:
            overlay = filled.derived = Overlay(filled.value, self._constants_of(filled), types=self)
        return overlay

    def _constants_of(self, filled: Filled) -> dict[int, JSON]:
        """Return how the constant parts of a skeleton are read, which is worked out once."""
        skeleton = filled.skeleton
        if skeleton is None:
            return _NOTHING
        known: tuple[PodTypes, dict[int, JSON]] | None = skeleton.derived
        if known is None or known[0] is not self:
            constants = frozenset(map(id, skeleton.constants))
            known = skeleton.derived = self, readings(filled.value, constants, self.pod)
        return known[1]

    def merge(self, pod: Pod, overlay: Overlay) -> Pod:
        """Return ``pod``, a typed one, with the overlay merged in; null or nothing changes nothing.

        Raises InjectionError in Istio's words: for an overlay that is not a mapping, for one that
        Kubernetes' strategic merge refuses, and for a result that does not fit the types.
        """
        if overlay.only_adds and (alone := self._alone(overlay)) is not None:
            joined = join(pod, overlay.value, alone, self.pod)
            if joined is not None:
                return joined
        return self._merge(pod, overlay)

    def on_empty_pod(self, overlay: Overlay) -> Pod:
        """Return a pod of nothing but the overlay; raises InjectionError as `merge` does."""
        alone = self._alone(overlay) if overlay.only_adds else None
        return self._merge(self.typed({}), overlay) if alone is None else alone

    def _alone(self, overlay: Overlay) -> Pod | None:
        """Return the pod that an overlay which only adds is; None where it does not fit the types."""
        if overlay.on_empty_pod is None:
            try:
                overlay.on_empty_pod = self._read(overlay.value, overlay)
            except TypedError:
                return None
        return overlay.on_empty_pod

    def _merge(self, pod: Pod, overlay: Overlay) -> Pod:
        try:
            merged = strategic_merge(pod, overlay.value, self.pod)
        except PatchError as error:
            raise InjectionError(f"strategic merge: {error}") from error
        try:
            return self._read(merged, overlay)
        except TypedError:
            return self._in_key_order(merged)

    def _read(self, merged: JSON, overlay: Overlay) -> Pod:
        pod: Pod = normalise(merged, self.pod, any_order=True, known=overlay.constants)
        return pod

    def _in_key_order(self, merged: JSON) -> Pod:
        """Read a merged pod that does not fit, in Go's order; raises InjectionError for the first misfit."""
        try:
            return self.typed(in_key_order(merged))
        except InjectionError as error:
            raise InjectionError(f"unmarshal patched pod: {error}") from error
