"""The status annotation: write what an injection added, and remove what an earlier one added.

Templates must not see what they added themselves, or a second injection would differ from the first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from injector.errors import BadReview, TypedError
from injector.golang.jsontext import fold_name, go_json
from injector.injection.steps.environment import NETWORK, NETWORK_LABEL
from injector.injection.steps.metrics import PORT, moved_annotations, spelling_of
from injector.injection.steps.pods import (
    KINDS,
    Draft,
    Kind,
    annotations_of,
    containers_of,
    name_of,
    with_annotations,
    with_containers,
)
from injector.injection.steps.settings import Injection
from injector.istio.releases import Behaviour
from injector.json_types import Pod
from injector.memo import remembered

STATUS: Final = "sidecar.istio.io/status"

LISTS: Final = ("initContainers", "containers", "volumes", "imagePullSecrets")


def status_text(template_pod: Pod, revision: str | None) -> str:
    """Return the annotation's value: the names of what the templates added, null where there are none.

    ``template_pod`` is the templates applied to an empty pod. ``revision`` None leaves the field out, as
    releases before 1.11 do; an empty revision is "default".
    """
    spec = template_pod.get("spec") or {}
    names = [
        tuple([item.get("name", "") for item in items]) if (items := spec.get(key)) else None for key in LISTS
    ]
    return _text(tuple(names), revision)


@remembered("status_texts")
def _text(names: tuple[tuple[str, ...] | None, ...], revision: str | None) -> str:
    status: dict[str, Any] = dict(zip(LISTS, names, strict=True))
    if revision is not None:
        status["revision"] = revision or "default"
    return go_json(status, sort_keys=False)


def mark(draft: Draft, injection: Injection) -> None:
    """Set the network's label, the status annotation and the configured annotations."""
    snapshot, environment = injection.snapshot, injection.environment
    status = status_text(
        injection.template_pod, snapshot.revision if snapshot.behaviour.status_revision else None
    )
    if NETWORK in environment:
        labels = draft.metadata.get("labels") or {}
        draft.metadata["labels"] = {**labels, NETWORK_LABEL: environment[NETWORK]}
    draft.annotate({**draft.annotations, STATUS: status, **snapshot.config.injected_annotations})


# ---- an earlier injection


def earlier_status(annotations: Mapping[str, str]) -> dict[str, list[str]] | None:
    """Return the lists of an earlier injection's status, None where there is no readable status."""
    text = annotations.get(STATUS)
    if text is None:
        return None
    try:
        return _decoded(orjson.loads(text))
    except (orjson.JSONDecodeError, TypedError):
        return None


def _decoded(status: Any) -> dict[str, list[str]]:
    """Return the lists as Go decodes them: names in any case, null as empty."""
    if status is None:
        return {}
    if not isinstance(status, dict):
        raise TypedError("a status is an object")
    lists = {}
    for name, value in status.items():
        key = next((known for known in LISTS if fold_name(known) == fold_name(name)), None)
        if key is None:
            if fold_name(name) == "revision" and not isinstance(value, str | None):
                raise TypedError("a revision is a string")
            continue
        lists[key] = names_in(value)
    return lists


def names_in(value: Any) -> list[str]:
    """Return a list of names as Go decodes it, null as an empty string; raises TypedError."""
    if value is None:
        return []
    if not isinstance(value, list) or any(not isinstance(item, str | None) for item in value):
        raise TypedError("a list of names is a list of strings")
    return [item or "" for item in value]


def strip(pod: Pod, behaviour: Behaviour, *, agent_port: int) -> Pod:
    """Return the pod without what an earlier injection added, and without metrics at the agent's port."""
    annotations = annotations_of(pod)
    status = earlier_status(annotations)
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


def injected_before(annotations: Mapping[str, str]) -> Mapping[Kind, Collection[str]]:
    """Return the names that the status annotation lists; an unreadable annotation lists none.

    A value that is not a list, or a name that is not a string, crashes Istio: raises BadReview.
    """
    try:
        status = orjson.loads(annotations.get(STATUS, "null"))
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(status, dict):
        return {}
    return {kind: _names_or_crash(kind, status.get(kind)) for kind in reversed(KINDS)}


def _names_or_crash(kind: Kind, names: Any) -> Collection[str]:
    if names is None:
        return ()
    if not isinstance(names, list) or any(not isinstance(name, str) for name in names):
        raise BadReview(400, f"annotation {STATUS} lists no names under {kind}: correct or remove it")
    return frozenset(names)
