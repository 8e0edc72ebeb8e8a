"""Reviews that a hostile tenant can have an API server send: each makes one thing as expensive as it can.

An API server checks a pod after the mutating webhooks, not before: names may be long, lists of any length,
containers without an image. What it does bound is the request (3 MiB) and all annotations together (256 KiB).
Some shapes are beyond that: those only a caller who is no API server can send, and they are marked so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from injector.budget import DEFAULT_LIMITS

JSONObject = dict[str, Any]

ANNOTATION_BYTES: Final = 256 * 1024 - 2048
"""Bytes of annotations that an API server accepts, less what the rest of a pod's annotations need."""

REQUEST_BYTES: Final = 3 * 1024 * 1024
"""Bytes of a request that an API server accepts."""

ITEMS: Final = DEFAULT_LIMITS.annotation_items
"""Items of a list in an annotation, one more than its commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One kind of hostile review; ``body`` makes the n-th of them, no two alike.

    ``by_api_server`` says whether an API server would send it; if not, only a stranger on the network can.
    """

    name: str
    body: Callable[[int], bytes]
    by_api_server: bool = True


def review(pod: JSONObject, number: int, *, old: JSONObject | None = None) -> bytes:
    """Return the bytes of an AdmissionReview of a pod."""
    request: JSONObject = {
        "uid": f"00000000-0000-4000-8000-{number:012d}",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": "tenant",
        "operation": "UPDATE" if old else "CREATE",
        "object": pod,
    }
    if old:
        request["oldObject"] = old
    return orjson.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})


def a_pod(
    number: int,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    metadata: JSONObject | None = None,
    **spec: Any,
) -> JSONObject:
    """Return a pod that asks for injection."""
    about: JSONObject = {
        "name": f"tenant-{number}",
        "namespace": "tenant",
        "labels": {"app": f"tenant-{number}", "sidecar.istio.io/inject": "true", **(labels or {})},
        "annotations": dict(annotations or {}),
    }
    containers = [{"name": "app", "image": "registry.example/app:1", "resources": {}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": about | (metadata or {}),
        "spec": {"containers": containers} | spec,
    }


def annotated(name: str, make: Callable[[int], str]) -> Attack:
    """Return the attack by one annotation."""
    return Attack(
        name=name.rpartition("/")[2], body=lambda number: review(a_pod(number, {name: make(number)}), number)
    )


def filled(piece: Callable[[int], str], size: int = ANNOTATION_BYTES, *, joint: str = ",") -> str:
    """Return as many pieces as fit into ``size`` bytes."""
    length, pieces = 0, []
    for index in range(size):
        text = piece(index)
        length += len(text.encode()) + len(joint)
        if length > size:
            break
        pieces.append(text)
    return joint.join(pieces)


def many(item: Callable[[int], JSONObject], size: int = REQUEST_BYTES - 8192) -> list[JSONObject]:
    """Return as many items as fit into a request."""
    length, items = 0, []
    for index in range(size):
        value = item(index)
        length += len(orjson.dumps(value)) + 1
        if length > size:
            break
        items.append(value)
    return items


# ---- annotations


def _proxy_metadata(number: int) -> str:
    pairs = filled(lambda index: f'"K{number}_{index}":"v"')
    return '{"proxyMetadata":{' + pairs + "}}"


def _bomb(number: int) -> str:
    """Return YAML whose aliases double at each line."""
    lines = [f"a0: &a0 [x{number}, x]"]
    lines += [f"a{index}: &a{index} [*a{index - 1}, *a{index - 1}]" for index in range(1, 28)]
    return "\n".join(lines)


def _misread_colons(number: int) -> str:
    """Return YAML on which libyaml fails a hundred times, each time after seven hundred nodes."""
    colons = ",\n".join(f"k{number}-{index}: [a:b:]" for index in range(100))
    return "{a: [" + "x," * 700 + "],\n" + colons + "}"


def _hidden_nodes(number: int) -> str:
    """Return YAML with many nodes after the position where libyaml fails."""
    return f"k{number}: [a:b:]\na:\n" + "- x\n" * 60_000


def _unclosed_string(number: int) -> str:
    return "[" * 201 + f'"{number}' + '\\"' * 100_000


def _deep(number: int) -> str:
    return f"x{number}: " + "[" * 20_000


_LISTS: Final = {
    "traffic.sidecar.istio.io/excludeInboundPorts": lambda _, index: str(index % 65_535 + 1),
    "traffic.sidecar.istio.io/includeInboundPorts": lambda _, index: str(index % 65_535 + 1),
    "traffic.sidecar.istio.io/includeOutboundIPRanges": lambda _, index: f"10.{index % 250}.0.0/16",
    "traffic.sidecar.istio.io/kubevirtInterfaces": lambda number, index: f"net{number % 9}{index}",
    "prometheus.istio.io/scrape-targets": lambda _, index: f"{index % 60_000 + 1024}:/m",
    "inject.istio.io/templates": lambda _, __: "sidecar",
    "sidecar.istio.io/statsInclusionPrefixes": lambda number, index: f"p{number}{index}",
    "sidecar.istio.io/extraStatTags": lambda number, index: f"t{number}{index}",
    "k8s.v1.cni.cncf.io/networks": lambda number, index: f"n{number}{index}",
    "sidecar.istio.io/interceptionMode": lambda number, index: f"x{number}{index}",
}


def _by_lists() -> Iterator[Attack]:
    for name, piece in _LISTS.items():
        yield annotated(name, lambda number, piece=piece: filled(lambda index: piece(number, index)))


def _overrides(number: int) -> str:
    containers = filled(lambda index: json.dumps({"name": f"c{number}-{index}", "image": "i"}))
    return '{"containers":[' + containers + "]}"


def _status(number: int) -> str:
    names = filled(lambda index: f'"c{number}-{index}"')
    return '{"initContainers":["istio-init"],"containers":[' + names + '],"volumes":["v"]}'


_VALUES: Final[Mapping[str, tuple[str, Callable[[int], str]]]] = {
    "proxy metadata": ("proxy.istio.io/config", _proxy_metadata),
    "alias bomb": ("proxy.istio.io/config", _bomb),
    "deep YAML": ("proxy.istio.io/config", _deep),
    "misread colons": ("proxy.istio.io/config", _misread_colons),
    "hidden nodes": ("proxy.istio.io/config", _hidden_nodes),
    "zeros of a port": (
        "proxy.istio.io/config",
        lambda number: "discoveryAddress: host:" + "0" * 5_000 + f"{number % 9 + 1}",
    ),
    "unclosed string": ("sidecar.istio.io/userVolume", _unclosed_string),
    "zeros": ("sidecar.istio.io/proxyCPU", lambda number: "0" * 990 + f"{number}x"),
    "overrides": ("proxy.istio.io/overrides", _overrides),
    "status": ("sidecar.istio.io/status", _status),
    "image": ("sidecar.istio.io/proxyImage", lambda number: f"{number}/" + "x" * ANNOTATION_BYTES),
    "image of quotes": ("sidecar.istio.io/proxyImage", lambda number: f"{number}" + '"' * ANNOTATION_BYTES),
    "image of line ends": (
        "sidecar.istio.io/proxyImage",
        lambda number: f"{number}" + "\n" * ANNOTATION_BYTES,
    ),
    "digits": ("sidecar.istio.io/proxyCPU", lambda number: f"{number}" + "9" * 100_000),
    "exponent": ("sidecar.istio.io/proxyMemory", lambda number: f"{number}e999999999"),
    "volumes": (
        "sidecar.istio.io/userVolume",
        lambda number: "{" + filled(lambda index: f'"v{number}-{index}":{{"emptyDir":{{}}}}') + "}",
    ),
    "mounts": (
        "sidecar.istio.io/userVolumeMount",
        lambda number: "{" + filled(lambda index: f'"v{number}-{index}":{{"mountPath":"/x"}}') + "}",
    ),
    "mounts up to the limit": (
        "sidecar.istio.io/userVolumeMount",
        lambda number: (
            "{" + ",".join(f'"v{number}-{index}":{{"mountPath":"/x"}}' for index in range(ITEMS)) + "}"
        ),
    ),
    "timeout": ("proxy.istio.io/config", lambda number: f"drainDuration: {number}" + "9" * 5_000 + "s"),
}


def _by_values() -> Iterator[Attack]:
    for name, (annotation, make) in _VALUES.items():
        yield Attack(
            name=name,
            body=lambda number, annotation=annotation, make=make: review(
                a_pod(number, {annotation: make(number)}), number
            ),
        )


# ---- lists of the pod


def _containers(number: int) -> list[JSONObject]:
    return many(lambda index: {"name": f"c{number}-{index}"})


def _probed(number: int) -> list[JSONObject]:
    return many(
        lambda index: {"name": f"c{number}-{index}", "livenessProbe": {"httpGet": {"port": index % 60_000}}}
    )


def _ported(number: int) -> list[JSONObject]:
    ports = many(lambda index: {"name": f"p{index}", "containerPort": index % 60_000 + 1})
    return [
        {"name": f"app{number}", "ports": ports, "livenessProbe": {"httpGet": {"port": f"p{len(ports) - 1}"}}}
    ]


def _proxy(number: int) -> list[JSONObject]:
    """Return a container that customises the proxy, with an environment that merging has to search."""
    env = many(lambda index: {"name": f"E{number}_{index}", "value": "v"})
    return [{"name": "app"}, {"name": "istio-proxy", "image": "auto", "env": env}]


_SPECS: Final[Mapping[str, Callable[[int], JSONObject]]] = {
    "containers": lambda number: {"containers": _containers(number)},
    "init containers": lambda number: {"initContainers": _containers(number)},
    "ephemeral containers": lambda number: {"ephemeralContainers": _containers(number)},
    "probes": lambda number: {"containers": _probed(number)},
    "ports": lambda number: {"containers": _ported(number)},
    "variables of the proxy": lambda number: {"containers": _proxy(number)},
    "variables": lambda number: {
        "containers": [{"name": "app", "env": many(lambda index: {"name": f"E{number}_{index}"})}]
    },
    "mounts of the proxy": lambda number: {
        "containers": [
            {
                "name": "istio-proxy",
                "volumeMounts": many(lambda index: {"name": "v", "mountPath": f"/{number}{index}"}),
            }
        ]
    },
    "volumes of the pod": lambda number: {"volumes": many(lambda index: {"name": f"v{number}-{index}"})},
    "pull secrets": lambda number: {"imagePullSecrets": many(lambda index: {"name": f"s{number}-{index}"})},
    "tolerations": lambda number: {"tolerations": many(lambda index: {"key": f"t{number}-{index}"})},
    "equal containers": lambda number: {"containers": many(lambda _: {"name": f"c{number}"})},
    "empty containers": lambda _: {"containers": many(lambda _: {})},
    "same proxies": lambda _: {"containers": many(lambda _: {"name": "istio-proxy"})},
    "name of a container": lambda number: {"containers": [{"name": f"{number}" + "n" * 500_000}]},
    "node's name": lambda number: {"nodeName": f"{number}" + "n" * 500_000},
    "digits of a user": lambda number: {"securityContext": {"runAsUser": number}},
}


def _by_specs() -> Iterator[Attack]:
    for name, make in _SPECS.items():
        yield Attack(name=name, body=lambda number, make=make: review(a_pod(number, **make(number)), number))


# ---- the rest


def _own_keys(number: int) -> bytes:
    """Return a pod of 26 kB with labels of its own: no other pod gets the same text from a template."""
    labels = {f"k{number // 2}-{index}": "v" for index in range(1500)}
    return review(a_pod(number, labels=labels), number)


def _update(number: int) -> bytes:
    pod = a_pod(number, {"padding": "x" * (REQUEST_BYTES + 300_000)})
    return review(pod, number, old=pod)


def _long_integer(number: int) -> bytes:
    text = review(a_pod(number, securityContext={"runAsUser": 424242}), number)
    return text.replace(b"424242", b"9" * 10_000)


def _many_owners(number: int) -> bytes:
    owners = many(lambda index: {"apiVersion": "v1", "kind": "K", "name": f"o{index}", "uid": "u"})
    return review(a_pod(number, metadata={"ownerReferences": owners, "generateName": "x-"}), number)


def _long_names(number: int) -> bytes:
    return review(a_pod(number, metadata={"name": f"{number}-" + "n" * 500_000}), number)


def _emoji_image(number: int) -> bytes:
    return review(
        a_pod(number, {"sidecar.istio.io/proxyImage": f"{number}\U0001f600" + "x" * 900_000}), number
    )


def _empty_objects(number: int) -> bytes:
    body = review(a_pod(number, volumes=["HERE"]), number)
    return body.replace(b'"HERE"', b",".join([b"{}"] * 2_600_000))


def _brackets(number: int) -> bytes:
    body = review(a_pod(number, volumes=["HERE"]), number)
    return body.replace(b'"HERE"', b"[" * 100_000 + b"]" * 100_000)


def attacks() -> tuple[Attack, ...]:
    """Return all of them; names are unique."""
    return (
        *_by_lists(),
        *_by_values(),
        *_by_specs(),
        Attack(name="labels of its own", body=_own_keys),
        Attack(name="owners", body=_many_owners),
        Attack(name="long names", body=_long_names),
        Attack(name="large update", body=_update),
        Attack(name="integer of ten thousand digits", body=_long_integer, by_api_server=False),
        Attack(name="large image with one emoji", body=_emoji_image, by_api_server=False),
        Attack(name="millions of empty objects", body=_empty_objects, by_api_server=False),
        Attack(name="brackets", body=_brackets, by_api_server=False),
        Attack(name="not JSON", body=lambda number: b'{"kind":' * 1000 + b"%d" % number, by_api_server=False),
    )
