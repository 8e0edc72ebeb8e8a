"""Make the AdmissionReviews of a whole cluster from owners and their shares. Opens no sockets.

A cluster creates pods when something is rolled out, scaled or due: some workloads at a time, each with its
replicas, and then never again in that version. So the pods of a kind come from a few rollouts at once. A
rollout is of one of several applications, with a new image and a new template hash. The controllers of the
kinds write different metadata, and that decides what can be known from an earlier pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from benchlib.reviews import TOKEN_VOLUME, letters, workload

NAME: Final = "cluster-mix"
"""What the case is called."""

DEFAULT: Final = "replicaset=60:2/3/3/5/20,daemonset=10:50,statefulset=6:1/3/3,job=20:1/1/1/5,pod=4:1"
"""The default mix; docs/performance.md has the reasons."""

APPLICATIONS: Final = 50
"""Different applications of each kind: as many shapes as the case ``mixed`` has."""

AT_ONCE: Final = 8
"""Concurrent rollouts of one kind, whose pods take turns."""

_MARK: Final = re.compile(r"\[\[(\w+)\]\]")
_CONTROLLERS: Final = {
    "replicaset": "replicaset-controller",
    "daemonset": "daemon-set-controller",
    "statefulset": "statefulset-controller",
    "job": "job-controller",
}
_NAMES: Final = {
    "replicaset": "web",
    "daemonset": "agent",
    "statefulset": "store",
    "job": "batch",
    "pod": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A kind of owner: its share of all pods, and how many pods its workloads have, in turn."""

    kind: str
    share: float
    replicas: tuple[int, ...]


def owners_of(text: str) -> tuple[Owner, ...]:
    """Return the mix that ``KIND=SHARE:REPLICAS[/REPLICAS…],…`` describes; ValueError says what is wrong."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"(\w+)=(\d+(?:\.\d+)?):([1-9]\d*(?:/[1-9]\d*)*)", part.strip())
        if match is None or match[1] not in _CHANGES:
            kinds = ", ".join(_CHANGES)
            raise ValueError(f"{part!r} is not KIND=SHARE:REPLICAS[/REPLICAS…] with KIND of {kinds}")
        replicas = tuple(map(int, match[3].split("/")))
        found.append(Owner(kind=match[1], share=float(match[2]), replicas=replicas))
    if not sum(owner.share for owner in found):
        raise ValueError("the shares of a mix must not all be zero")
    return tuple(found)


class ClusterMix:
    """The reviews of a mix, each of another pod; ``size`` is the length of the longest, without names."""

    def __init__(self, owners: tuple[Owner, ...]) -> None:
        self._owners = owners
        self._pieces = {owner.kind: _applications(owner.kind) for owner in owners}
        self.size = max(sum(map(len, pieces)) for made in self._pieces.values() for pieces in made)

    def bodies(self, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Yield (uid, body) for ever; another start begins with other rollouts."""
        pods = {owner.kind: _pods(owner.replicas, start) for owner in self._owners}
        kinds = _in_turn(self._owners)
        for number in count(start + 1):
            kind = next(kinds)
            rollout, index = next(pods[kind])
            uid = f"{number & 0xFFFFFFFF:08x}-0000-4000-8000-{number:012x}"
            pieces = self._pieces[kind][rollout % APPLICATIONS]
            yield uid.encode(), _joined(pieces, _filling(uid, number, rollout, index)).encode()


def _in_turn(owners: tuple[Owner, ...]) -> Iterator[str]:
    """Yield kinds by their shares, as evenly as possible: the one that is furthest behind is next."""
    total = sum(owner.share for owner in owners)
    sent = dict.fromkeys(owners, 0.0)
    for number in count(1):
        next_ = max(owners, key=lambda owner: owner.share / total * number - sent[owner])
        sent[next_] += 1
        yield next_.kind


def _pods(replicas: tuple[int, ...], start: int) -> Iterator[tuple[int, int]]:
    """Yield (number of the rollout, index of the pod in it) for ever, of some rollouts in turn."""
    rollouts = count(start)
    under_way = [(next(rollouts), 0) for _ in range(AT_ONCE)]
    while True:
        for lane, (rollout, index) in enumerate(under_way):
            yield rollout, index
            last = index + 1 == replicas[rollout % len(replicas)]
            under_way[lane] = (next(rollouts), 0) if last else (rollout, index + 1)


def _filling(uid: str, number: int, rollout: int, index: int) -> dict[str, str]:
    """Return the value of each mark in a pod."""
    return {
        "uid": uid,
        "suffix": letters(number, 5).decode(),
        "hash": letters(rollout, 10).decode(),
        "owner": f"{rollout & 0xFFFFFFFF:08x}-0000-4000-9000-{rollout:012x}",
        "tag": letters(rollout, 7).decode(),
        "due": str(28_000_000 + rollout % 1_000_000),
        "node": f"ip-10-0-{index // 250}-{index % 250}.example.internal",
        "index": str(index),
    }


def _joined(pieces: tuple[str, ...], filling: dict[str, str]) -> str:
    """Return the text with its marks filled: every second piece is the name of one."""
    return "".join(filling[piece] if at % 2 else piece for at, piece in enumerate(pieces))


# --- what the controllers write


def _applications(kind: str) -> list[tuple[str, ...]]:
    """Return the reviews of the kind's applications, cut at their marks."""
    return [tuple(_MARK.split(_text(kind, number))) for number in range(APPLICATIONS)]


def _text(kind: str, number: int) -> str:
    review = workload(number)
    request, pod = review["request"], review["request"]["object"]
    name = f"{_NAMES[kind]}-{number}"
    pod["metadata"]["labels"]["app"] = name
    for container in pod["spec"]["containers"]:
        container["image"] += "-[[tag]]"
    _CHANGES[kind](pod, name)
    request["uid"] = "[[uid]]"
    request["name"] = pod["metadata"]["name"]
    who = _CONTROLLERS.get(kind)
    request["userInfo"]["username"] = f"system:serviceaccount:kube-system:{who}" if who else "somebody"
    text = json.dumps(review, separators=(",", ":"))
    return TOKEN_VOLUME.sub("kube-api-access-[[suffix]]", text)


def _own(pod: dict[str, Any], prefix: str, labels: dict[str, str], owner: dict[str, str]) -> None:
    """Set a pod's owner: names after ``prefix``, the labels of its controller, its owner reference."""
    app = pod["metadata"]["labels"]["app"]
    pod["metadata"] |= {
        "generateName": prefix,
        "name": f"{prefix}[[suffix]]",
        "labels": {"app": app, "version": "v1", **labels},
        "ownerReferences": [{**owner, "uid": "[[owner]]", "controller": True, "blockOwnerDeletion": True}],
    }


def _replica_set(pod: dict[str, Any], name: str) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-[[hash]]"}
    _own(pod, f"{name}-[[hash]]-", {"pod-template-hash": "[[hash]]"}, owner)


def _daemon_set(pod: dict[str, Any], name: str) -> None:
    """Change a pod to a DaemonSet's, whose controller names a node in each."""
    labels = {"controller-revision-hash": "[[hash]]", "pod-template-generation": "7"}
    _own(pod, f"{name}-", labels, {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": name})
    field = {"key": "metadata.name", "operator": "In", "values": ["[[node]]"]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    pod["spec"]["affinity"] = {"nodeAffinity": {required: terms}}
    pod["spec"]["tolerations"] += [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoSchedule"}
        for key in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")
    ]


def _stateful_set(pod: dict[str, Any], name: str) -> None:
    """Change a pod to a StatefulSet's: named and labelled by its index, with a volume of its own."""
    own = f"{name}-[[index]]"
    labels = {
        "apps.kubernetes.io/pod-index": "[[index]]",
        "controller-revision-hash": f"{name}-[[hash]]",
        "statefulset.kubernetes.io/pod-name": own,
    }
    _own(pod, f"{name}-", labels, {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name})
    pod["metadata"]["name"] = own
    pod["spec"] |= {"hostname": own, "subdomain": name}
    pod["spec"]["volumes"].insert(
        0, {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}-[[index]]"}}
    )


def _job(pod: dict[str, Any], name: str) -> None:
    """Change a pod to one of a CronJob's Jobs, which have the minute at which they are due in their names."""
    job = f"{name}-[[due]]"
    labels = {
        "batch.kubernetes.io/controller-uid": "[[owner]]",
        "batch.kubernetes.io/job-name": job,
        "controller-uid": "[[owner]]",
        "job-name": job,
    }
    _own(pod, f"{job}-", labels, {"apiVersion": "batch/v1", "kind": "Job", "name": job})
    pod["spec"]["restartPolicy"] = "OnFailure"
    # A CronJob's image is that of its last release, and does not change with each of its Jobs.
    for container in pod["spec"]["containers"]:
        container["image"] = container["image"].removesuffix("-[[tag]]")
        container.pop("livenessProbe", None)
        container.pop("readinessProbe", None)


def _bare(pod: dict[str, Any], name: str) -> None:
    """Change a pod to one that was created by hand: no owner, and a name that is not generated."""
    metadata = pod["metadata"]
    del metadata["generateName"], metadata["ownerReferences"], metadata["labels"]["pod-template-hash"]
    metadata["name"] = f"{name}-by-hand-[[suffix]]"


_CHANGES: Final[dict[str, Callable[[dict[str, Any], str], None]]] = {
    "replicaset": _replica_set,
    "daemonset": _daemon_set,
    "statefulset": _stateful_set,
    "job": _job,
    "pod": _bare,
}
