"""Warnings for the author of a pod or a workload, which kubectl prints.

For a pod: which of its labels and annotations have no effect. For a workload: that, and what will become of
its pods, by the gates. Advice never denies anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from injector.diagnosis.annotations import advise_metadata
from injector.diagnosis.findings import Finding
from injector.diagnosis.gates import PodSurroundings, Walk, walk
from injector.diagnosis.items import Item, pods_metadata, steps_of
from injector.errors import BadReview
from injector.injection.admission import is_unread
from injector.injection.kinds import PodPlace, place_of, put_at
from injector.injection.steps.pods import KINDS, all_names, containers_of
from injector.injection.steps.status import STATUS
from injector.istio.releases import Behaviour, behaviour_of
from injector.json_types import JSON, JSONObject, Pod, at
from injector.memo import remembered

MOST: Final = 3
"""Lines of one answer: a user who applies twenty manifests must still see each one's."""

LONGEST: Final = 256
"""Characters of a line; an API server cuts longer ones."""

MOST_READ: Final = 16
LONGEST_READ: Final = 4096
"""Labels and annotations that are read, and characters of a value: a good pod has a few short ones, and a
thousand misspellings must not make a review expensive. Searching for what one may mean takes a tenth of a
millisecond."""

Entry = tuple[str, str, JSON]
"""`labels` or `annotations`, a name in it and its value."""

_FAMILY: Final = "istio"
_NOT_PRINTED: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_WITHOUT_NEWS: Final = re.compile(r"^(failed to run injection template:\s+)?(\d+ errors? occurred:\s+\* )?")
"""How Istio begins an error about annotations."""


def advise_pod(pod: Pod, behaviour: Behaviour) -> tuple[str, ...]:
    """Return the warnings about a pod's labels and annotations; equal ones get equal warnings.

    A pod that has been injected gets none: its metadata is the injector's then.
    """
    own = _read(pod.get("metadata") or {})
    return _advice_on(own, behaviour.release) if own and not _is_injected(pod) else ()


def _is_injected(pod: Pod) -> bool:
    return STATUS in (at(pod, "metadata", "annotations") or {})


@remembered("advice")
def _advice_on(own: tuple[Entry, ...], release: str) -> tuple[str, ...]:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _written(own)}
    return lines(map(_sentence, advise_metadata(pod, behaviour=behaviour_of(release))))


def _read(metadata: JSONObject) -> tuple[Entry, ...]:
    """Return the labels and annotations that injection may read, within the limits."""
    found: list[Entry] = []
    for kind in ("labels", "annotations"):
        for key, value in (metadata.get(kind) or {}).items():
            if _FAMILY in key and (not isinstance(value, str) or len(value) <= LONGEST_READ):
                found.append((kind, key, value))
    return tuple(found[:MOST_READ])


def _written(own: tuple[Entry, ...]) -> JSONObject:
    """Return metadata with these labels and annotations."""
    metadata: dict[str, JSONObject] = {"labels": {}, "annotations": {}}
    for kind, key, value in own:
        metadata[kind][key] = value
    return metadata


def answer_advice(body: bytes, around: PodSurroundings, *, warns: bool = True) -> bytes:
    """Answer the AdmissionReview of a workload: allowed, with `warnings` about what will become of its pods.

    Raises BadReview where the body is not an AdmissionReview.
    """
    try:
        review = orjson.loads(body)
        request, version = review["request"], review["apiVersion"]
        uid = request["uid"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BadReview(400, "the body is not an AdmissionReview") from error
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if warns and (warnings := advise(request, around)):
        response["warnings"] = warnings
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": version, "response": response})


def advise(request: JSONObject, around: PodSurroundings) -> tuple[str, ...]:
    """Return the warnings about the workload in an AdmissionRequest.

    There are none for objects without pods, for those that a controller made (its owner was advised on), for
    a pod that has its sidecar, for an update that leaves the pod template unchanged, and for a client that
    ignores warnings.
    """
    workload = request.get("object")
    place = place_of(workload)
    if place is None or not isinstance(workload, dict) or is_unread(request):
        return ()
    if _is_controlled(workload) or _is_injected(workload) or _is_unchanged(request, place):
        return ()
    namespace = str(request.get("namespace") or "")
    item = Item(value=workload, source=str(workload.get("kind")))
    walked = walk(item, place, namespace, around)
    verdict = _verdict(walked, around.snapshot.revision)
    # What the verdict already says is not repeated.
    findings = _findings(workload, place, around.snapshot.behaviour)
    others = (_sentence(each) for each in findings if str(steps_of(each.place.path)[-1]) not in verdict)
    return lines((*([verdict] if verdict else ()), *others))


def _findings(workload: JSONObject, place: PodPlace, behaviour: Behaviour) -> Iterable[Finding]:
    """Return what is wrong with the labels and annotations of a workload and its pod template."""
    few: JSONObject = {key: workload[key] for key in ("apiVersion", "kind") if key in workload}
    for path in dict.fromkeys((("metadata",), place.metadata, pods_metadata(place))):
        few = put_at(few, path, _written(_read(at(workload, *path) or {})))
    return advise_metadata(few, behaviour=behaviour)


def _is_controlled(workload: JSONObject) -> bool:
    owners = at(workload, "metadata", "ownerReferences") or ()
    return any(isinstance(owner, dict) and owner.get("controller") is True for owner in owners)


def _is_unchanged(request: JSONObject, place: PodPlace) -> bool:
    """Return whether an update leaves the pod template and the workload's own switches unchanged."""
    old, new = request.get("oldObject"), request.get("object")
    if request.get("operation") != "UPDATE" or not isinstance(old, dict):
        return False
    # kubectl writes what was applied into an annotation of the workload: only what we read counts.
    own = [_read(at(each, "metadata") or {}) for each in (old, new)]
    return own[0] == own[1] and at(old, *place.spec[:-1]) == at(new, *place.spec[:-1])


def _verdict(walked: Walk, revision: str) -> str:
    """Return what will become of the pods; "" where that is unknown, or a pod shows it itself."""
    what = "the pod" if walked.item.kind == "Pod" else "pods"
    gate = walked.decisive
    reason = _WITHOUT_NEWS.sub("", gate.message.partition(" is not called: ")[2] or gate.message)
    if gate.name == "accepted":
        reason = f"{gate.place.path}: {reason}"
    advised = f"{reason}; {gate.advice}" if gate.advice else reason
    if walked.verdict == "skipped":
        return f"{what} will NOT be injected: {advised}"
    if walked.verdict == "denied":
        return f"{what} will be DENIED: {advised}"
    if walked.verdict == "unknown" or walked.item.kind == "Pod":
        return ""
    names = ", ".join(_running_beside(walked)) or "what the templates say"
    return f"{what} will get {names} (revision {revision})"


def _running_beside(walked: Walk) -> Iterator[str]:
    """Yield the names of the injected containers that run as long as the pod does."""
    known = all_names(walked.pod)
    for key in reversed(KINDS):
        for each in containers_of(walked.injected, key):
            is_lasting = key == "containers" or each.get("restartPolicy") == "Always"
            if is_lasting and each.get("name") not in known:
                yield str(each.get("name"))


def _sentence(finding: Finding) -> str:
    return f"{finding.message}; {finding.advice}" if finding.advice else finding.message


def lines(sentences: Iterable[str]) -> tuple[str, ...]:
    """Return the first sentences, without repetitions, each as one line that an API server passes on."""
    whole = (_NOT_PRINTED.sub(" ", sentence).strip() for sentence in sentences)
    cut = (line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in whole)
    return tuple(dict.fromkeys(cut))[:MOST]
