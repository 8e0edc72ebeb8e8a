"""A pod and an overlay in, the merged pod as Go's types have it out. Knows no template.

Istio decodes the result of every merge into its Pod type and encodes it again: what does not fit the
types is an error there, and what the types do not know is gone.
"""

from __future__ import annotations

from typing import Final

from injector.errors import InjectionError, PatchError, TypedError
from injector.json_types import JSON, Pod
from injector.patch import POD, normalise, strategic_merge


def typed_pod(received: JSON) -> Pod:
    """Return a pod as Go's types have it; raises InjectionError in encoding/json's words."""
    try:
        pod: Pod = normalise(received, POD)
    except TypedError as error:
        raise InjectionError(str(error)) from error
    return pod


EMPTY_POD: Final = typed_pod({})


def merge_pod(pod: Pod, overlay: JSON) -> Pod:
    """Return ``pod`` with the overlay merged in; an overlay of null or nothing changes nothing.

    Raises InjectionError in Istio's words: for an overlay that is no mapping, for one that Kubernetes'
    strategic merge refuses, and for a result that is no Pod.
    """
    try:
        merged = strategic_merge(pod, overlay)
    except PatchError as error:
        raise InjectionError(f"strategic merge: {error}") from error
    try:
        return typed_pod(merged)
    except InjectionError as error:
        raise InjectionError(f"unmarshal patched pod: {error}") from error
