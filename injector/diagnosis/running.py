"""A pod as it is in the cluster: whether it has the sidecar, whose, and since when it could have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from injector.diagnosis.items import Item, mapping
from injector.errors import InjectorError, TypedError
from injector.injection.inject import inject_one
from injector.injection.snapshot import Snapshot
from injector.injection.steps.pods import all_names
from injector.injection.steps.status import STATUS
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import load
from injector.patch import diff, go_type, normalise

SHOWN: Final = 3
"""Changes by today's configuration that are named; the rest is in ``--diff``."""

HASH_SHOWN: Final = 12
"""Characters shown of a template's hash, as git shows a commit's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What is known of one running pod.

    ``sidecars`` are the containers that its status annotation lists as injected and that exist.
    ``configuration`` is the revision or the hash in the annotation, "" where it has none. ``changes`` are the
    paths that another injection would change. ``older`` names the registration that is newer than the pod.
    """

    namespace: str
    name: str
    phase: str
    sidecars: tuple[str, ...]
    configuration: str
    changes: tuple[str, ...]
    older: str

    @property
    def sentence(self) -> str:
        """The message about it for people."""
        parts = [f"has {', '.join(self.sidecars)}" if self.sidecars else "has no sidecar"]
        if self.configuration:
            parts.append(f"injected by {self.configuration}")
        if self.older and not self.sidecars:
            parts.append(f"it is older than {self.older}: restart it")
        if self.sidecars and self.changes:
            more = f" and {len(self.changes) - SHOWN} more" if len(self.changes) > SHOWN else ""
            shown = ", ".join(self.changes[:SHOWN])
            parts.append(f"today's configuration would change {shown}{more}: restart it")
        return "; ".join(parts)


ENDED: Final = ("Succeeded", "Failed")
"""Phases of pods that have ended."""

_POD: Final = go_type("core/v1.Pod")


def is_running(item: Item) -> bool:
    """Return whether an object is a pod that an API server has accepted and that has not ended."""
    if item.kind != "Pod" or not item.metadata.get("uid"):
        return False
    try:
        normalise(item.value, _POD, keep_unknown=True)
    except TypedError:
        return False  # from a file, where anything is possible
    return (item.value.get("status") or {}).get("phase") not in ENDED


def look_at(pod: Item, snapshot: Snapshot, registration: Sequence[Item]) -> Running:
    """Return what a running pod shows; ``registration`` are the configurations that select it."""
    metadata = pod.metadata
    namespace = str(metadata.get("namespace") or "")
    status = _status(mapping(metadata.get("annotations")).get(STATUS))
    sidecars = _present(pod.value, status)
    return Running(
        namespace=namespace,
        name=pod.name,
        phase=str((pod.value.get("status") or {}).get("phase") or ""),
        sidecars=sidecars,
        configuration=_configuration(status),
        changes=tuple(_changes(pod.value, namespace, snapshot)) if sidecars else (),
        older=_younger(str(metadata.get("creationTimestamp") or ""), registration),
    )


def _status(text: JSON) -> JSONObject:
    """Return the status annotation; empty where it is missing or not an object."""
    try:
        value = load(text) if isinstance(text, str) else None
    except InjectorError:
        return {}
    return value if isinstance(value, dict) else {}


def _present(pod: JSONObject, status: JSONObject) -> tuple[str, ...]:
    there = all_names(pod)
    named = [status.get(key) for key in ("initContainers", "containers")]
    lists = [each for each in named if isinstance(each, list)]
    return tuple(name for each in lists for name in each if isinstance(name, str) and name in there)


def _configuration(status: JSONObject) -> str:
    if revision := status.get("revision"):
        return f"revision {revision}"
    version = str(status.get("version") or "")
    return f"the template with hash {version[:HASH_SHOWN]}" if version else ""


def _changes(pod: JSONObject, namespace: str, snapshot: Snapshot) -> list[str]:
    """Return what injecting the pod again would change: nothing, where the configuration is the same.

    What it would remove is a default that the API server has added, in lists that merge as a whole.
    """
    try:
        injected, _ = inject_one(pod, namespace, snapshot)
    except InjectorError:
        return []
    return [str(each["path"]) for each in diff(pod, injected) if each["op"] != "remove"]


def _younger(created: str, registration: Sequence[Item]) -> str:
    """Return the first configuration created after the pod; times are RFC 3339 in UTC, so texts compare."""
    for item in registration:
        made = str(item.metadata.get("creationTimestamp") or "")
        if created and made > created:
            return f"{item.kind} {item.name}"
    return ""
