"""Write what was injected into the pod's status annotation, and its other injected metadata."""

from __future__ import annotations

from typing import Any, Final

from injector.golang.jsontext import go_json
from injector.injection.steps.environment import NETWORK, NETWORK_LABEL
from injector.injection.steps.pods import annotations_of, labels_of, with_annotations, with_labels
from injector.injection.steps.settings import Injection
from injector.json_types import Pod
from injector.memo import remembered

STATUS: Final = "sidecar.istio.io/status"

LISTS: Final = ("initContainers", "containers", "volumes", "imagePullSecrets")


def status_text(template_pod: Pod, revision: str | None) -> str:
    """Return the annotation's value: the names of what the templates brought, null where none.

    ``template_pod`` is the templates applied to an empty pod. ``revision`` None leaves the field out,
    as releases before 1.11 do; an empty one is "default".
    """
    spec = template_pod.get("spec") or {}
    return _text(tuple([_names(spec.get(key)) for key in LISTS]), revision)


def _names(items: list[Any] | None) -> tuple[str, ...] | None:
    return tuple([item.get("name", "") for item in items]) if items else None


@remembered("status_texts")
def _text(names: tuple[tuple[str, ...] | None, ...], revision: str | None) -> str:
    status: dict[str, Any] = dict(zip(LISTS, names, strict=True))
    if revision is not None:
        status["revision"] = revision or "default"
    return go_json(status, sort_keys=False)


def mark(pod: Pod, injection: Injection) -> Pod:
    """Return the pod with the network's label, the status annotation and the configured annotations."""
    snapshot, environment = injection.snapshot, injection.environment
    status = status_text(
        injection.template_pod, snapshot.revision if snapshot.behaviour.status_revision else None
    )
    if NETWORK in environment:
        pod = with_labels(pod, {**labels_of(pod), NETWORK_LABEL: environment[NETWORK]})
    return with_annotations(
        pod, {**annotations_of(pod), STATUS: status, **snapshot.config.injected_annotations}
    )
