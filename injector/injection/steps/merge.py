"""Merge an overlay into a pod, and read the result with the release's Go types.

Istio decodes the result of every merge into its Pod type and encodes it again: a value that does not fit the
types is an error there, and a field that the types do not have is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from injector.budget import Budget
from injector.errors import InjectionError, PatchError, TypedError
from injector.golang.jsontext import fold_name
from injector.injection.cost import charge_irregular
from injector.injection.steps.typed_fill import TypedFills, UndecidedError
from injector.json_types import JSON, JSONObject, Pod
from injector.kubeyaml import Filled, Skeleton
from injector.patch import (
    POD,
    GoType,
    in_key_order,
    is_canonical,
    join,
    normalise,
    only_adds,
    strategic_merge,
)

_SPEC: Final = "spec"
_NO_SPEC: Final[JSONObject] = {"containers": []}
"""Stands for a spec that need not be checked again."""


class Overlay(msgspec.Struct, frozen=True):
    """A template's output for a pod; ``alone`` is that output as a pod, where the overlay `only_adds`."""

    value: JSON
    alone: Pod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTypes:
    """The Pod type of a release: that of the Kubernetes version with which Istio was built."""

    pod: GoType = POD

    @property
    def prints_unset_times(self) -> bool:
        """Return whether Go writes an unset creationTimestamp as null: up to Kubernetes 0.33."""
        return not self.pod.by_name["metadata"].type.by_name["creationTimestamp"].is_left_out

    def typed(self, received: JSON, budget: Budget | None = None, *, has_plain_spec: bool = False) -> Pod:
        """Return a pod in the form of the types; raises InjectionError in encoding/json's words.

        What has another form is charged to the ``budget``: the whole pod, or the pod without its spec.
        ``has_plain_spec`` says that the spec is known to have the form of the types.
        """
        if isinstance(received, dict):
            if is_canonical(received | {_SPEC: _NO_SPEC} if has_plain_spec else received, self.pod):
                return received
            if self._has_canonical_spec(received):
                # The spec is almost all of a pod, and what has another form is often an annotation or a
                # label.
                rest = {key: value for key, value in received.items() if key != _SPEC}
                return self._typed(rest, budget) | {_SPEC: received[_SPEC]}
        return self._typed(received, budget)

    def _has_canonical_spec(self, received: JSONObject) -> bool:
        if [key for key in received if fold_name(key) == _SPEC] != [_SPEC]:
            return False
        return is_canonical(received[_SPEC], self.pod.by_name[_SPEC].type)

    def _typed(self, received: JSON, budget: Budget | None) -> Pod:
        if budget is not None:
            charge_irregular(received, budget)
        try:
            pod: Pod = normalise(received, self.pod)
        except TypedError as error:
            raise InjectionError(str(error)) from error
        return pod

    def overlay(self, filled: Filled) -> Overlay:
        """Return a template's overlay."""
        fills = self._fills_of(filled.skeleton) if filled.skeleton is not None else None
        alone = fills.read(filled.scalars) if fills is not None else None
        return Overlay(filled.value, self._alone(filled.value) if alone is None else alone)

    def _fills_of(self, skeleton: Skeleton) -> TypedFills | None:
        """Return a reader of a skeleton's fills; None where each fill must be read as a whole."""
        known: tuple[PodTypes, TypedFills | None] | None = skeleton.derived
        if known is None or known[0] is not self:
            try:
                fills = TypedFills(skeleton, self.pod)
            except UndecidedError:
                fills = None
            known = skeleton.derived = self, fills
        return known[1]

    def _alone(self, overlay: JSON) -> Pod | None:
        """Return the pod that an overlay describes, if it `only_adds` and fits the types; else None."""
        if not only_adds(overlay, self.pod):
            return None
        try:
            return self._read(overlay)
        except TypedError:
            return None

    def merge(self, pod: Pod, overlay: Overlay) -> Pod:
        """Return the typed pod ``pod`` with the overlay merged in; null and an empty overlay change nothing.

        Raises InjectionError in Istio's words: for an overlay that is not a mapping, for one that Kubernetes'
        strategic merge refuses, and for a result that does not fit the types.
        """
        if overlay.alone is not None:
            joined = join(pod, overlay.value, overlay.alone, self.pod)
            if joined is not None:
                return joined
        return self._merge(pod, overlay)

    def on_empty_pod(self, overlay: Overlay) -> Pod:
        """Return the overlay merged into an empty pod; raises InjectionError as `merge` does."""
        return self._merge(self.typed({}), overlay) if overlay.alone is None else overlay.alone

    def _merge(self, pod: Pod, overlay: Overlay) -> Pod:
        try:
            merged = strategic_merge(pod, overlay.value, self.pod)
        except PatchError as error:
            raise InjectionError(f"strategic merge: {error}") from error
        try:
            return self._read(merged)
        except TypedError:
            return self._in_key_order(merged)

    def _read(self, merged: JSON) -> Pod:
        pod: Pod = normalise(merged, self.pod, any_order=True)
        return pod

    def _in_key_order(self, merged: JSON) -> Pod:
        """Read a merged pod that does not fit, in Go's order; raises InjectionError for the first misfit."""
        try:
            return self.typed(in_key_order(merged))
        except InjectionError as error:
            raise InjectionError(f"unmarshal patched pod: {error}") from error
