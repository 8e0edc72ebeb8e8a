"""AdmissionReviews to send, from a folder if it has them, else made here; each one sent is unique.

Opens no sockets. A review is kept as pieces between marks, so that making the next one is a join. They are as
in a cluster: from fifty workloads, and those of one of them differ in the uid, the pod's name and the name of
its token volume. Of CASE-alone each pod is the first of its own ReplicaSet, as after a restart. Of
CASE-unseen each belongs to its own application: its name, containers, images, labels, values of variables and
ports are new as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WORKLOADS: Final = 50
"""Different Deployments that the pods come from."""

_HASH: Final = "7c9d8f6b54"
_UID: Final = "@@@@@@@@-0000-4000-8000-@@@@@@@@@@@@"
_SUFFIX: Final = "@@@@@"
_SERIAL: Final = "@serial@"
"""Distinguishes one application's names and values from another's."""

_PORT: Final = "@port{:02}@"
_PORT_NUMBER: Final = '"@number{:02}@"'
"""A port in a text, and one that is a number by itself: there the mark replaces the quotes too."""

_MARK: Final = re.compile(
    f'({_HASH}|{_UID}|{_SERIAL}|@port[0-9][0-9]@|"@number[0-9][0-9]@"|{_SUFFIX})'.encode()
)
TOKEN_VOLUME: Final = re.compile("kube-api-access-[a-z0-9]{5}")
_ALONE: Final = "-alone"
_UNSEEN: Final = "-unseen"
_FIRST_PORT: Final = 20_000
_PORTS: Final = 40_000
"""Ports of new applications: five digits, and none of Istio's proxy."""

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_NEVER_AGAIN: Final = len(_ALPHABET) ** 6
"""More pods than any load sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Reviews with marks for the uid, the pod's name, its token volume and the hash of the pod's template.

    ``variants`` are sent in turn; most cases have one. ``size`` is the length of the longest; ``workloads``
    is the number of different hashes; ``ports`` the largest number of marked ports.
    """

    variants: tuple[tuple[bytes, ...], ...]
    size: int
    workloads: int
    ports: int = 0

    def bodies(self, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Yield (uid, body) for ever, every one different; those of a variant are of the same length."""
        number = start
        while True:
            number += 1
            uid = f"{number & 0xFFFFFFFF:08x}-0000-4000-8000-{number:012x}".encode()
            filled = {
                _UID.encode(): uid,
                _SUFFIX.encode(): letters(number, 5),
                _HASH.encode(): letters(number % self.workloads + _NEVER_AGAIN, 10),
                **_unseen(number, self.ports),
            }
            pieces = self.variants[number % len(self.variants)]
            yield uid, b"".join([filled.get(piece, piece) for piece in pieces])


def load(names: list[str], folder: Path | None) -> dict[str, Review]:
    """Return the reviews by name, from ``review-NAME.json`` in the folder if it exists."""
    return {name: _case(name, folder) for name in names}


def known() -> list[str]:
    """Return the names of all reviews that can be made."""
    return [f"{name}{kind}" for name in _MADE for kind in ("", _ALONE, _UNSEEN)]


def _read(name: str, folder: Path | None) -> dict[str, Any] | None:
    path = folder / f"review-{name}.json" if folder else None
    if path is None or not path.is_file():
        return None
    review: dict[str, Any] = json.loads(path.read_text())
    return review


def _case(case: str, folder: Path | None) -> Review:
    name = case.removesuffix(_ALONE).removesuffix(_UNSEEN)
    found: dict[str, Any] | list[dict[str, Any]] = _read(name, folder) or _MADE[name]()
    reviews = found if isinstance(found, list) else [found]
    ports = max(map(_mark_application, reviews)) if case.endswith(_UNSEEN) else 0
    variants = [_marked(review) for review in reviews]
    sizes = (sum(map(len, pieces)) for pieces in variants)
    workloads = WORKLOADS if case == name else _NEVER_AGAIN
    return Review(variants=tuple(variants), size=max(sizes), workloads=workloads, ports=ports)


def _unseen(number: int, ports: int) -> dict[bytes, bytes]:
    """Return the values of an application's marks."""
    filled = {_SERIAL.encode(): letters(number, 6)}
    for at in range(ports):
        port = b"%d" % (_FIRST_PORT + (number * ports + at) % _PORTS)
        filled[_PORT.format(at).encode()] = filled[_PORT_NUMBER.format(at).encode()] = port
    return filled


def _mark_application(review: dict[str, Any]) -> int:
    """Mark everything in a review that differs between applications; return the number of ports."""
    pod = review["request"]["object"]
    metadata = pod["metadata"]
    for name, value in metadata.get("labels", {}).items():
        if name != "pod-template-hash":
            metadata["labels"][name] = f"{value}{_SERIAL}"
    if prefix := metadata.get("generateName"):
        metadata["generateName"] = f"{_SERIAL}-{prefix}"
    for owner in metadata.get("ownerReferences", ()):
        owner["name"] = f"{_SERIAL}-{owner['name']}"
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    for container in containers:
        _mark_container(container)
    ports: dict[int, int] = {}
    _mark_ports(pod["spec"], ports)
    for name, value in metadata.get("annotations", {}).items():
        if value.isdigit() and int(value) in ports:
            metadata["annotations"][name] = _PORT.format(ports[int(value)])
    return len(ports)


def _mark_container(container: dict[str, Any]) -> None:
    container["name"] += f"-{_SERIAL}"
    container["image"] += f"-{_SERIAL}"
    for variable in container.get("env", ()):
        if "value" in variable:
            variable["value"] += f" {_SERIAL}"


def _mark_ports(node: Any, ports: dict[int, int]) -> None:
    """Mark the numbers of ports below a node; ``ports`` gets the mark of each."""
    if isinstance(node, list):
        for item in node:
            _mark_ports(item, ports)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("containerPort", "port") and isinstance(value, int):
                mark = ports.setdefault(value, len(ports))
                node[key] = _PORT_NUMBER.format(mark).strip('"')
            else:
                _mark_ports(value, ports)


def _marked(review: dict[str, Any]) -> tuple[bytes, ...]:
    request = review["request"]
    metadata = request["object"]["metadata"]
    request["uid"] = _UID
    prefix = metadata.get("generateName", "pod-")
    request["name"] = metadata["name"] = prefix + _SUFFIX
    text = json.dumps(review, separators=(",", ":"))
    text = TOKEN_VOLUME.sub(f"kube-api-access-{_SUFFIX}", text)
    found = metadata.get("labels", {}).get("pod-template-hash")
    if found:
        text = text.replace(found, _HASH)
    return tuple(_MARK.split(text.encode()))


def letters(number: int, length: int) -> bytes:
    """Return a number as this many of the letters in Kubernetes' generated names."""
    found = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        found.append(_ALPHABET[digit])
    return "".join(found).encode()


# --- reviews of our own


def _review(pod: dict[str, Any]) -> dict[str, Any]:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    user = "system:serviceaccount:kube-system:replicaset-controller"
    request = {
        "uid": "",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "",
        "namespace": "shop",
        "operation": "CREATE",
        "userInfo": {
            "username": user,
            "uid": "1",
            "groups": ["system:serviceaccounts", "system:authenticated"],
        },
        "object": pod,
        "oldObject": None,
        "dryRun": False,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _pod(name: str, containers: list[dict[str, Any]], **annotations: str) -> dict[str, Any]:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{name}-{_HASH}",
        "uid": "2f1c7c52-0d5a-4d3a-9d35-6c8f1b5f8a10",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": f"{name}-{_HASH}-",
            "creationTimestamp": None,
            "labels": {"app": name, "version": "v1", "pod-template-hash": _HASH},
            "annotations": annotations,
            "ownerReferences": [owner],
        },
        "spec": {
            "volumes": [_token_volume()],
            "containers": containers,
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": name,
            "serviceAccount": name,
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {
                    "key": f"node.kubernetes.io/{key}",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
                for key in ("not-ready", "unreachable")
            ],
            "priority": 0,
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
        },
        "status": {},
    }


def _token_volume() -> dict[str, Any]:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [
                    {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                ]
            }
        },
    ]
    return {"name": "kube-api-access-x7x2p", "projected": {"sources": sources, "defaultMode": 420}}


def _container(name: str, port: int, *, variables: int = 6, value: str = "a value") -> dict[str, Any]:
    probe = {
        "httpGet": {"path": "/ready", "port": port, "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    mount = {
        "name": "kube-api-access-x7x2p",
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    return {
        "name": name,
        "image": f"registry.example/shop/{name}:1.4.2",
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "env": [{"name": f"VARIABLE_{number:04d}", "value": value} for number in range(variables)],
        "resources": {
            "limits": {"cpu": "1", "memory": "512Mi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [mount],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def _several(count: int, variables: int) -> dict[str, Any]:
    names = [f"part-{number}" for number in range(count)]
    containers = [_container(name, 8080 + at, variables=variables) for at, name in enumerate(names)]
    return _review(
        _pod("checkout", containers, **{"prometheus.io/scrape": "true", "prometheus.io/port": "8080"})
    )


def _mixed() -> list[dict[str, Any]]:
    """Return a pod of each of fifty workloads, as different as those of a cluster."""
    return [workload(number) for number in range(WORKLOADS)]


def workload(number: int) -> dict[str, Any]:
    """Return the review of a pod of one of the different workloads of ``mixed``."""
    containers = [
        _container(f"part-{at}", 8000 + number + at, variables=3 + number % 7) for at in range(1 + number % 4)
    ]
    if number % 3 == 0:
        del containers[0]["livenessProbe"]
    if number % 5 == 0:
        containers[0]["ports"].append({"name": "metrics", "containerPort": 9090, "protocol": "TCP"})
    annotations: dict[str, str] = {}
    if number % 2 == 0:
        annotations |= {"prometheus.io/scrape": "true", "prometheus.io/port": str(9000 + number)}
    if number % 4 == 1:
        annotations["sidecar.istio.io/proxyCPU"] = f"{100 + number}m"
    if number % 7 == 0:
        annotations["traffic.sidecar.istio.io/excludeOutboundPorts"] = str(5000 + number)
    return _review(_pod(f"workload-{number}", containers, **annotations))


def _branches(count: int) -> list[dict[str, Any]]:
    """Return pods for which a template with ten conditions on annotations has ``count`` different outputs."""
    return [
        _review(_pod("hello", [_container("hello", 8080)], **_switches(number))) for number in range(count)
    ]


def _switches(number: int) -> dict[str, str]:
    return {f"bench/{name}": "on" if number >> at & 1 else "off" for at, name in enumerate("abcdefghij")}


_MADE: Final[dict[str, Callable[[], Any]]] = {
    "small": lambda: _review(_pod("hello", [_container("hello", 8080)])),
    "typical": lambda: _several(3, 100),
    "containers16": lambda: _several(16, 30),
    "env2000": lambda: _review(_pod("wide", [_container("wide", 8080, variables=2000, value="x" * 90)])),
    "mixed": _mixed,
    "branches1": lambda: _branches(1),
    "branches64": lambda: _branches(64),
    "branches1024": lambda: _branches(1024),
    "mib3": lambda: _review(_pod("huge", [_container("huge", 8080, variables=3000, value="x" * 980)])),
}
