"""Apply the owner's own containers over those of the templates.

An owner who names a container like an injected one customises it: what the owner wrote wins. It is kept in an
annotation, so that a second injection can apply it again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from injector.budget import Budget
from injector.errors import InjectionError
from injector.golang.jsontext import fold_name, go_json, json_fault, mismatch
from injector.injection.steps.merge import Overlay, PodTypes
from injector.injection.steps.pods import (
    KINDS,
    Kind,
    all_names,
    annotations_of,
    containers_of,
    find,
    find_anywhere,
    name_of,
    with_annotations,
    with_containers,
)
from injector.injection.steps.settings import Injection
from injector.injection.steps.status import STATUS, injected_before
from injector.json_types import JSON, JSONObject, Pod
from injector.patch import go_type, normalise

OVERRIDES: Final = "proxy.istio.io/overrides"
AUTO: Final = "auto"
"""The image that an owner writes to take the injected one: the field is required."""

Overrides = Mapping[Kind, Sequence[JSONObject]]


def overrides_of(annotations: Mapping[str, str], types: PodTypes, budget: Budget) -> Overrides:
    """Return the containers kept by an earlier injection.

    Raises InjectionError in Go's words, LimitError where they and the pod's containers are too many.
    """
    text = annotations.get(OVERRIDES)
    if text is None:
        return {}
    kept = decode_containers(text, types)
    count = sum(map(len, kept.values()))
    budget.charge("containers", count, f"the pod with its annotation {OVERRIDES} has {{}} containers")
    return kept


def reapply(pod: Pod, injection: Injection) -> Pod:
    """Return ``pod`` with the owner's containers over the templates' containers of the same names.

    Containers that an earlier injection kept beat the pod's own; those that an earlier injection added do not
    count (1.17). Only a pod's first injection writes the annotation.
    """
    types = injection.settings.types
    annotations = injection.annotations
    names = all_names(injection.template_pod)
    if STATUS not in annotations and not injection.kept and names.isdisjoint(injection.owned):
        return pod
    earlier = injected_before(annotations) if injection.snapshot.behaviour.parses_status_always else {}
    found: dict[Kind, list[JSONObject]] = {}
    for kind in KINDS:
        for injected in containers_of(injection.template_pod, kind):
            name = name_of(injected)
            own = None if name in earlier.get(kind, ()) else _own(injection, kind, name)
            if own is not None:
                own = _without_auto(own)
                found.setdefault(kind, []).append(own)
                pod = _applied(pod, kind, own, types)
    if STATUS in annotations or not found:
        return pod
    # The text is longer than this, up to six times: it is not even made where it cannot be kept.
    injection.request.budget.charge(
        "annotations",
        _least_size(found),
        f"the pod's annotations have {{}} bytes with {OVERRIDES}, which is added",
    )
    return with_annotations(pod, {**annotations_of(pod), OVERRIDES: containers_json(found, types)})


def _least_size(found: Mapping[Kind, list[JSONObject]]) -> int:
    try:
        return len(orjson.dumps(found))
    except orjson.JSONEncodeError:  # a lone surrogate, which only a caller of the library can pass
        return 0


def _own(injection: Injection, kind: Kind, name: str) -> JSONObject | None:
    """Return the owner's container; where sidecars may be native (1.19), from either list for an init one."""
    container = find(injection.kept.get(kind, ()), name)
    if container is not None:
        return container
    if kind == "initContainers" and injection.snapshot.behaviour.native_sidecars_by_feature:
        return find_anywhere(injection.original, name)
    return find(containers_of(injection.original, kind), name)


def _without_auto(container: JSONObject) -> JSONObject:
    if container.get("image") != AUTO:
        return container
    return {key: value for key, value in container.items() if key != "image"}


def _applied(pod: Pod, kind: Kind, container: JSONObject, types: PodTypes) -> Pod:
    spec: JSONObject = {"containers": [container]}
    if kind == "initContainers":
        spec = {"containers": [], "initContainers": [container]}
    overlay: JSONObject = {"spec": spec}
    if types.prints_unset_times:
        overlay["metadata"] = {"creationTimestamp": None}  # as Go prints the overlay: null deletes
    try:
        return types.merge(pod, Overlay(overlay))
    except InjectionError as error:
        word = "init container" if kind == "initContainers" else "container"
        raise InjectionError(f"failed to apply sidecar {word}: {error}") from error


def reinsert(pod: Pod, overrides: Overrides) -> Pod:
    """Return the pod with the kept containers that it lacks, at the end.

    They are the owner's: an earlier injection merged into them, and stripping removed the whole containers.
    """
    for kind in KINDS if overrides else ():
        containers = list(containers_of(pod, kind))
        names = set(map(name_of, containers))
        for override in overrides.get(kind, ()):
            if name_of(override) not in names:
                names.add(name_of(override))
                containers.append(override)
        if len(containers) != len(containers_of(pod, kind)):
            pod = with_containers(pod, kind, containers)
    return pod


# ---- the annotation's text

# The lists are checked as those of a pod, so the paths in errors begin with the pod's.
_POD_SPEC: Final = re.compile(r"\bPodSpec\.spec\.")
_IN_SPEC: Final = re.compile(r"(?<=\.)spec\.")


def decode_containers(text: str, types: PodTypes) -> dict[Kind, list[JSONObject]]:
    """Return the lists of containers in a JSON object, as Go decodes Istio's type podOverrides.

    Raises InjectionError in encoding/json's words.
    """
    value = _parse(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InjectionError(mismatch(value, "inject.podOverrides"))
    lists = {key: item for key, item in value.items() if fold_name(key) in ("containers", "initcontainers")}
    try:
        spec = types.typed({"spec": lists})["spec"]
    except InjectionError as error:
        words = _POD_SPEC.sub("podOverrides.", str(error))
        raise InjectionError(_IN_SPEC.sub("", words)) from error
    return {kind: spec[kind] for kind in KINDS if spec.get(kind)}


def _parse(text: str) -> JSON:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InjectionError(json_fault(text.encode()) or str(error)) from error


def containers_json(lists: Mapping[Kind, Sequence[JSONObject]], types: PodTypes) -> str:
    """Return lists of typed containers as Go's JSON: fields in their declared order."""
    declared = go_type("[]core/v1.Container", types.pod.version)
    ordered = {kind: normalise(lists[kind], declared) for kind in KINDS if kind in lists}
    return go_json(ordered, sort_keys=False)
