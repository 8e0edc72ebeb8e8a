"""Recognise the replicas of a pod, and keep the patches that all of them get.

The pods of a ReplicaSet differ in three things: their name (which the API server shows from Kubernetes 1.30),
the last five letters of the volume with the service account's token, and managedFields, which say when they
were written. Pods of other controllers, and of the next ReplicaSet, differ in a few more (see `perpod`).
Istio's injection ignores managedFields, shows the name to templates only, and only compares a volume's name
with those of other volumes. So all replicas get one patch, unless a template read what differs between them,
or the patch contains it.

`likeness_of` returns what replicas have in common; `is_common` tells whether a patch fits all of them.
Everything else that an answer depends on is part of its key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from sys import getsizeof
from typing import Final

import msgspec
import orjson

from injector.injection.perpod import (
    ANY,
    Unread,
    blanked,
    every_container,
    is_spoken_of,
    with_own_image,
    without_own,
)
from injector.json_types import JSON, JSONObject, Pod
from injector.memo import Memo

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a review whose pod is remembered: the likeness of a larger one costs too much."""

_PREFIX: Final = "kube-api-access-"
_TOKEN_VOLUME: Final = re.compile(_PREFIX + "[a-z0-9]{5}")

# No pod can contain this: JSON escapes a NUL.
_ANY_VOLUME: Final = b'"name":\0'

_NOT_IN_LIKENESS: Final = ("name", "generateName", "ownerReferences", "managedFields")

_TEXTS: Final = 1024
"""Bytes of an answer besides its patch: tuples, and the short reason and message of its decision."""

Key = tuple[str, str, bool, bytes]
"""The URL's path, the request's namespace, whether sidecars are native, and the likeness."""


class CommonAnswer(msgspec.Struct, frozen=True):
    """What the answers to replicas have in common; ``patch`` is the result of `in_base64`."""

    patch: bytes
    reason: str
    message: str
    warnings: tuple[str, ...] = ()


class ReplicaCache:
    """The answers for recent workloads; ``hits`` and ``misses`` count look-ups. Threads may share it."""

    __slots__ = ("answers", "hits", "misses")

    def __init__(self, answers: Memo[Key, CommonAnswer]) -> None:
        self.answers = answers
        self.hits = 0
        self.misses = 0

    def get(self, key: Key) -> CommonAnswer | None:
        """Return the answer that was kept for a replica."""
        answer = self.answers.get(key)
        if answer is None:
            self.misses += 1
        else:
            self.hits += 1
        return answer

    def keep(self, key: Key, answer: CommonAnswer) -> None:
        """Keep an answer for which `is_common` is true."""
        likeness = bytes(memoryview(key[-1]))  # orjson's bytes may reserve up to eight times their length
        own = (*key[:-1], likeness)
        size = sum(map(getsizeof, (*own, answer.patch, *answer.warnings))) + _TEXTS
        self.answers.put(own, answer, size)


def not_in_likeness(metadata: JSONObject) -> JSONObject:
    """Return the part of the metadata whose values are left out of a likeness."""
    return {name: metadata[name] for name in _NOT_IN_LIKENESS if name in metadata}


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a pod has in common with its replicas, and what was blanked in it besides each pod's own.

    ``volume`` is the name of its token volume (None: it has none), ``unread`` are its labels and annotations
    that nothing reads.
    """

    text: bytes
    volume: str | None
    unread: Unread


def likeness_of(pod: Pod, workload: tuple[str, str, str], unread: Unread) -> Likeness | None:
    """Return what is equal for two generated pods exactly if they are replicas; None without JSON.

    Its text is the pod's JSON (which tells 1, 1.0 and true apart) without managedFields, with the
    ``workload`` (name, apiVersion, kind) and the number of its owners, and with blanks in place of each pod's
    own values.
    """
    common = {key: value for key, value in pod["metadata"].items() if key != "managedFields"}
    owners = common.get("ownerReferences") or ()
    common |= {"generateName": ANY, "ownerReferences": (*workload, len(owners))}
    if common.get("name"):
        common["name"] = ANY
    if labels := common.get("labels"):
        common["labels"] = blanked(labels, unread.labels)
    if annotations := common.get("annotations"):
        common["annotations"] = blanked(annotations, unread.annotations)
    alike = pod | {"metadata": common}
    if spec := pod.get("spec"):
        alike["spec"] = without_own(spec)
    try:
        text = orjson.dumps(alike)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return None
    volume = _token_volume(pod)
    if volume is not None:
        text = text.replace(b'"name":"%b"' % volume.encode(), _ANY_VOLUME)
    return Likeness(text, volume, unread)


def is_common(pod: Pod, overlays: Sequence[JSON], patch: bytes, likeness: Likeness) -> bool:
    """Return whether a JSON patch made for ``pod``, by templates that read no name, fits all its replicas.

    It does if all of this holds:

    - The patch contains neither the pod's name nor an image that the likeness leaves out.
    - The blanks of the likeness are the token volume and its mounts and nothing else, so that a replica is
      the same pod with that volume renamed.
    - No overlay mentions such a volume (it could be the replica's) or anything else that is blank.
    """
    name = pod["metadata"].get("name")
    if name and orjson.dumps(name)[1:-1] in patch:
        return False
    own = with_own_image(pod)
    if not {container["image"].encode() for container in own}.isdisjoint(_images_in(patch)):
        return False
    imaged = {container["name"] for container in own}
    for overlay in overlays:
        if is_spoken_of(overlay, pod, likeness.unread, imaged):
            return False
    volume = likeness.volume
    if volume is None:
        return True
    return (
        volume.encode() not in patch
        and likeness.text.count(_ANY_VOLUME) == 1 + _mounts(pod, volume)
        and not any(map(_may_speak_of_one, overlays))
    )


def _images_in(patch: bytes) -> set[bytes]:
    """Return the images of the containers in a patch, and in the annotations that the patch writes."""
    return {
        text.partition(quote)[0]
        for quote in (b'"', b'\\"')
        for text in patch.split(b"%bimage%b:%b" % (quote, quote, quote))[1:]
    }


def _may_speak_of_one(overlay: JSON) -> bool:
    try:
        return _PREFIX.encode() in orjson.dumps(overlay)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return True


def _token_volume(pod: Pod) -> str | None:
    spec: JSONObject = pod.get("spec") or {}
    for volume in spec.get("volumes") or ():
        name: str | None = volume.get("name") if volume else None
        if name and _TOKEN_VOLUME.fullmatch(name):
            return name
    return None


def _mounts(pod: Pod, volume: str) -> int:
    spec: JSONObject = pod.get("spec") or {}
    mounts = [mount for each in every_container(spec) for mount in each.get("volumeMounts") or () if mount]
    return [mount.get("name") for mount in mounts].count(volume)
