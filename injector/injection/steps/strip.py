"""Restore the pod as its owner wrote it: what templates get to see.

A pod that was injected before says so in its status annotation. Templates must not see what they
brought themselves, or a second injection would differ from the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from injector.errors import TypedError
from injector.injection.steps.metrics import PORT, moved_annotations, spelling_of
from injector.injection.steps.pods import (
    KINDS,
    Kind,
    annotations_of,
    containers_of,
    name_of,
    with_annotations,
    with_containers,
)
from injector.injection.steps.status import LISTS, STATUS
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, Pod


def earlier_status(annotations: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Return the lists of an earlier injection's status, None where there is none that can be read."""
    text = annotations.get(STATUS)
    if text is None:
        return None
    try:
        return _decoded(orjson.loads(text))
    except (orjson.JSONDecodeError, TypedError):
        return None


def _decoded(status: Any) -> dict[str, list[str]]:
    """Return the lists as Go decodes them: names without regard to case, null as empty."""
    if status is None:
        return {}
    if not isinstance(status, dict):
        raise TypedError("a status is an object")
    lists = {}
    for name, value in status.items():
        key = next((known for known in LISTS if known.lower() == name.lower()), None)
        if key is None:
            if name.lower() == "revision" and not isinstance(value, str | None):
                raise TypedError("a revision is a string")
            continue
        lists[key] = _strings(value)
    return lists


def _strings(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or any(not isinstance(item, str | None) for item in value):
        raise TypedError("a list of names is a list of strings")
    return [item or "" for item in value]


def strip(pod: Pod, behaviour: Behaviour, *, agent_port: int) -> Pod:
    """Return the pod without what an earlier injection brought, and without metrics at the agent's port."""
    status = earlier_status(annotations_of(pod))
    if status is None:
        return pod
    for kind in KINDS:
        names = frozenset(status.get(kind, ()))
        containers = [each for each in containers_of(pod, kind) if name_of(each) not in names]
        if len(containers) != len(containers_of(pod, kind)):
            pod = with_containers(pod, kind, containers)
    annotations = {name: text for name, text in annotations_of(pod).items() if name != STATUS}
    spelling = spelling_of(behaviour)
    if spelling.value(annotations, PORT) == str(agent_port):
        annotations = spelling.cleared(annotations, *moved_annotations(behaviour))
    return with_annotations(pod, annotations)


def reinsert(pod: Pod, overrides: Mapping[Kind, Sequence[JSONObject]]) -> Pod:
    """Return the pod with the containers of its overrides annotation that it lacks, at the end.

    They are the owner's: injection merged into them, and stripping took the whole container away.
    """
    for kind in KINDS:
        containers = list(containers_of(pod, kind))
        names = set(map(name_of, containers))
        for override in overrides.get(kind, ()):
            if name_of(override) not in names:
                names.add(name_of(override))
                containers.append(override)
        if len(containers) != len(containers_of(pod, kind)):
            pod = with_containers(pod, kind, containers)
    return pod
