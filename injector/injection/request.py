"""What is asked about one pod, told apart from how the question came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from injector.budget import Budget
from injector.json_types import JSONObject, Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The object that a pod belongs to, as the template's DeploymentMeta and TypeMeta show it.

    ``metadata`` is ObjectMeta JSON (name and namespace at least where known); of a pod that nothing
    owns it is the pod's own.
    """

    metadata: JSONObject
    api_version: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectionRequest:
    """One pod to inject.

    ``pod`` is the JSON as received; it is never mutated. ``namespace`` is the pod's own, else the
    one of the review or the command line. ``url_environment`` holds what the webhook's URL sets,
    names as environment variables, in the order of the URL (sorted where the release sorts).
    ``by_hand`` is a kube-inject, which differs from the webhook in ways that the release says; ``written`` is
    then the pod of the file, to which the result is carried over (None: ``pod`` is what was received).
    ``budget`` is what the pod may still cost.
    """

    pod: Pod
    namespace: str
    workload: Workload
    url_environment: Mapping[str, str] = field(default_factory=dict)
    by_hand: bool = False
    written: Pod | None = None
    budget: Budget = field(default_factory=Budget, compare=False)
