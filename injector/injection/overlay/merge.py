"""A pod and an overlay in, the merged pod as Go's types have it out. Knows no template.

Istio decodes the result of every merge into its Pod type and encodes it again: what does not fit the
types is an error there, and what the types do not know is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from injector.errors import InjectionError, PatchError, TypedError
from injector.json_types import JSON, Pod
from injector.kubeyaml import Filled, Skeleton
from injector.patch import POD, is_canonical, normalise, normalise_merged, readings, strategic_merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What a template made of a pod; ``known`` is how Go's types have its constant parts, by their ids."""

    value: JSON
    known: Mapping[int, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTypes:
    """The Pod type of a release; ``unknown`` are the fields that came to Kubernetes later."""

    unknown: frozenset[str] = frozenset()
    _known: WeakKeyDictionary[Skeleton, Mapping[int, JSON]] = field(
        default_factory=WeakKeyDictionary, compare=False, repr=False
    )

    def typed(self, received: JSON) -> Pod:
        """Return a pod as the types have it; raises InjectionError in encoding/json's words."""
        if isinstance(received, dict) and is_canonical(received, POD, without=self.unknown):
            return received
        try:
            pod: Pod = normalise(received, POD, without=self.unknown)
        except TypedError as error:
            raise InjectionError(str(error)) from error
        return pod

    def overlay(self, filled: Filled) -> Overlay:
        """Return a template's overlay; how its skeleton's constant parts are read is worked out once."""
        skeleton = filled.skeleton
        if skeleton is None:
            return Overlay(value=filled.value)
        known = self._known.get(skeleton)
        if known is None:
            constants = frozenset(map(id, skeleton.constants))
            known = readings(filled.value, constants, POD, without=self.unknown)
            self._known[skeleton] = known
        return Overlay(value=filled.value, known=known)

    def merge(self, pod: Pod, overlay: Overlay) -> Pod:
        """Return ``pod``, a typed one, with the overlay merged in; null or nothing changes nothing.

        Raises InjectionError in Istio's words: for an overlay that is no mapping, for one that
        Kubernetes' strategic merge refuses, and for a result that is no Pod.
        """
        try:
            merged = strategic_merge(pod, overlay.value)
        except PatchError as error:
            raise InjectionError(f"strategic merge: {error}") from error
        try:
            typed: Pod = normalise_merged(merged, pod, POD, without=self.unknown, known=overlay.known)
        except TypedError as error:
            raise InjectionError(f"unmarshal patched pod: {error}") from error
        return typed
