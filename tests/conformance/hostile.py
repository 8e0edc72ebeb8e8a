"""Make pods from a template's text whose values try to break out of it. Independent of the injector.

A *sink* is a place of a pod that a template may read: a label, an annotation, a name, an env value. Each gets
a harmless word and every string of the corpus; the overlay must have the same shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

HARMLESS: Final = "zqharmlesszq"
"""A word that takes the branches for an existing value, and that no template contains."""

CORPUS: Final = (
    '"',
    "'",
    "`",
    "\\",
    '\\"',
    'a"b',
    "a'b",
    'x" evil: "y',
    "x' evil: 'y",
    '"}',
    '"}]',
    '",',
    '", "evil": "y',
    '"\n    evil: y',
    '"\n      securityContext:\n        privileged: true\n      x: "',
    "'\n  hostNetwork: true\n  x: '",
    "x\nevil: y",
    "x\n  evil: y",
    "x\n    evil: y",
    "x\n      evil: y",
    "x\n        evil: y",
    "x\n- name: evil",
    "x\n  - name: evil",
    "x\n    - name: evil\n      image: evil",
    "x\n---\nspec: {hostPID: true}",
    "\n...\n",
    "---\nspec: {}",
    "x\r\nevil: y",
    "x\revil: y",
    "x\x85evil: y",
    "\x85      evil: y",
    "x\u2028evil: y",
    "x\u2029      evil: y",
    "\x85- name: evil",
    "a: b",
    ": b",
    "a:",
    "b: {c: d}",
    "x # y",
    "#c",
    " # c",
    "- x",
    "-",
    "? x",
    "? x\n: y",
    "[",
    "]",
    "[x",
    "[a, b]",
    "{",
    "}",
    "{a: b}",
    "{}",
    "}}",
    "{{ .Values }}",
    "[[ . ]]",
    ",",
    "a, evil: y",
    ", evil: y}",
    "&a x",
    "*a",
    "*",
    "!!binary x",
    "!x",
    "! x",
    "|",
    "|\n  x",
    ">-",
    "|2",
    "%YAML 1.1",
    "%TAG ! x",
    "@x",
    "<<",
    "<<: *a",
    "=",
    "\t",
    "a\tb",
    "\ta: b",
    " leading",
    "trailing ",
    "  deep",
    "\x00",
    "\x07",
    "\x1b[0m",
    "\x7f",
    "\x9f",
    "\ufeff",
    "\ufffe",
    "\U0001f600",
    "a\\nb: c",
    "\\x22, evil: y",
    "%s %d",
    "${X}",
    "$(X)",
    "x" * 1100 + ": y",
    "a b" * 60,
    "$patch: replace",
    "a,b,c",
    '{"evil": {"a": "b"}}',
    '[{"name": "evil"}]',
)

_UNREADABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe]").search
_LONGEST_KEY: Final = 1024

NAMES: Final = re.compile(r"""[`"]((?:[a-z0-9.-]+\.[a-z]+/)[A-Za-z0-9._-]+)[`"]""")
_INDEXED: Final = re.compile(r"""\.ObjectMeta\.(?:Labels|Annotations)\s+[`"]([^`"]+)[`"]""")
_JSON_OBJECTS: Final = ("userVolume", "userVolumeMount", "apm.datadoghq.com/env")

Pod = dict[str, Any]
Change = Callable[[Pod, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A place of a pod. ``structured``: its value is read as JSON or YAML before it is printed."""

    name: str
    change: Change
    structured: bool = False
    workload: bool = False


@dataclass(slots=True)
class Base:
    """A pod to begin with, with harmless values for what most templates read."""

    name: str
    annotations: dict[str, str] = field(default_factory=dict)

    def pod(self) -> Pod:
        """Return a pod of its own."""
        probe = {"httpGet": {"path": "/ready", "port": "http"}}
        ports = [{"name": "http", "containerPort": 8080, "protocol": "TCP", "hostIP": "127.0.0.1"}]
        env = [{"name": "MODE", "value": "fast"}]
        app = {"name": "app", "image": "app:1", "ports": ports, "env": env, "readinessProbe": probe}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "web-1",
                "generateName": "web-",
                "namespace": "shop",
                "labels": {"app": "web", "version": "v1"},
                "annotations": {"note": "kept"} | self.annotations,
            },
            "spec": {
                "serviceAccountName": "web",
                "nodeName": "node-1",
                "hostname": "web",
                "containers": [app, {"name": "helper", "image": "helper:1"}],
                "initContainers": [{"name": "first", "image": "first:1"}],
                "volumes": [{"name": "data", "emptyDir": {}}],
            },
        }


BASES: Final = (
    Base("plain"),
    Base(
        "tproxy", {"sidecar.istio.io/interceptionMode": "TPROXY", "sidecar.istio.io/enableCoreDump": "true"}
    ),
    Base(
        "resources",
        {
            "sidecar.istio.io/proxyCPU": "100m",
            "sidecar.istio.io/bootstrapOverride": "map",
            "sidecar.istio.io/statsInclusionPrefixes": "a,b",
            "status.sidecar.istio.io/port": "15021",
        },
    ),
)


def sinks(template: str) -> Iterator[Sink]:
    """Yield the places of a pod that a template may read, and some that it has no reason to read."""
    names = sorted({*NAMES.findall(template), *_INDEXED.findall(template), "note"})
    for name in names:
        yield Sink(name=f"annotation {name}", change=_in_metadata("annotations", name))
        yield Sink(name=f"label {name}", change=_in_metadata("labels", name))
        if any(word in name for word in _JSON_OBJECTS):
            for shown, wrapped in _OBJECTS.items():
                change = _in_metadata("annotations", name, wrapped)
                yield Sink(name=f"annotation {name} {shown}", change=change, structured=True)
    for shown, wrapped in _CONFIGS.items():
        change = _in_metadata("annotations", "proxy.istio.io/config", wrapped)
        yield Sink(name=f"proxy.istio.io/config {shown}", change=change, structured=True)
    yield from _PLACES


def _in_metadata(key: str, name: str, wrapped: Callable[[str], str] = str) -> Change:
    def change(pod: Pod, value: str) -> None:
        pod["metadata"][key][name] = wrapped(value)

    return change


def _at(*path: str | int) -> Change:
    def change(pod: Pod, value: str) -> None:
        place: Any = pod
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def _as_key(*path: str) -> Change:
    def change(pod: Pod, value: str) -> None:
        place = pod
        for step in path:
            place = place[step]
        place[f"zz{value}"] = "x"  # behind the others: a change of order is no change of shape

    return change


def _json(value: object) -> str:
    """Return JSON that YAML reads as well: without lone surrogates."""
    return _PAIR.sub(lambda pair: json.loads(f'"{pair[0]}"'), json.dumps(value))


_PAIR: Final = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
_OBJECTS: Final[dict[str, Callable[[str], str]]] = {
    "key": lambda value: _json({value: {"emptyDir": {}}}),
    "value": lambda value: _json({"v": {"hostPath": {"path": value}}}),
    "mount": lambda value: _json({"v": {"mountPath": value, "readOnly": True}}),
    "text": lambda value: _json({"v": value}),
}
_CONFIGS: Final[dict[str, Callable[[str], str]]] = {
    "metadata value": lambda value: _json({"proxyMetadata": {"KEY": value}}),
    "metadata key": lambda value: _json({"proxyMetadata": {f"ZZ{value}": "x"}}),
    "image type": lambda value: _json({"image": {"imageType": value}}),
    "address": lambda value: _json({"discoveryAddress": value}),
    "zipkin": lambda value: _json({"tracing": {"zipkin": {"address": value}}}),
    "ca": lambda value: _json({"tracing": {"tlsSettings": {"caCertificates": value}}}),
}
_PLACES: Final = (
    Sink(name="name", change=_at("metadata", "name")),
    Sink(name="generateName", change=_at("metadata", "generateName")),
    Sink(name="namespace", change=_at("metadata", "namespace")),
    Sink(name="label's name", change=_as_key("metadata", "labels")),
    Sink(name="annotation's name", change=_as_key("metadata", "annotations")),
    Sink(name="service account", change=_at("spec", "serviceAccountName")),
    Sink(name="node", change=_at("spec", "nodeName")),
    Sink(name="hostname", change=_at("spec", "hostname")),
    Sink(name="container", change=_at("spec", "containers", 0, "name")),
    Sink(name="second container", change=_at("spec", "containers", 1, "name")),
    Sink(name="init container", change=_at("spec", "initContainers", 0, "name")),
    Sink(name="image", change=_at("spec", "containers", 0, "image")),
    Sink(name="port", change=_at("spec", "containers", 0, "ports", 0, "name")),
    Sink(name="host address", change=_at("spec", "containers", 0, "ports", 0, "hostIP")),
    Sink(name="protocol", change=_at("spec", "containers", 0, "ports", 0, "protocol")),
    Sink(name="env name", change=_at("spec", "containers", 0, "env", 0, "name")),
    Sink(name="env value", change=_at("spec", "containers", 0, "env", 0, "value")),
    Sink(name="volume", change=_at("spec", "volumes", 0, "name")),
    Sink(name="workload name", change=_at("name"), workload=True),
    Sink(name="workload namespace", change=_at("namespace"), workload=True),
    Sink(name="workload kind", change=_at("kind"), workload=True),
    Sink(name="workload version", change=_at("apiVersion"), workload=True),
)


def gives_up(value: str) -> bool:
    """Return whether Go refuses JSON with this string: toYaml prints nothing, or the whole is not YAML."""
    return bool(_UNREADABLE(value)) or len(value) > _LONGEST_KEY


# ---- shapes


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf with its path, in order; empty collections are leaves."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}/{key}")
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from leaves(item, f"{path}/{place}")
    else:
        yield path, value


def changed_shape(before: Any, after: Any, path: str = "") -> str:
    """Return where the shape differs, "" where it does not.

    Keys may be made from the value, so a key with the harmless word stands for any one other key. Otherwise
    only strings that contain the word may differ, and they must stay strings.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        if len(before) != len(after):
            return f"{path}: keys {sorted(before)} became {sorted(after)}"
        for (key, value), (other, item) in zip(before.items(), after.items(), strict=True):
            if key != other and HARMLESS not in key:
                return f"{path}: key {key!r} became {other!r}"
            if found := changed_shape(value, item, f"{path}/{key}"):
                return found
        return ""
    if isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            return f"{path}: {len(before)} elements became {len(after)}"
        pairs = enumerate(zip(before, after, strict=True))
        return next((found for n, (b, a) in pairs if (found := changed_shape(b, a, f"{path}/{n}"))), "")
    if isinstance(before, str) and HARMLESS in before:
        return "" if isinstance(after, str) else f"{path}: {before!r} became {after!r}"
    same = type(before) is type(after) and before == after
    return "" if same else f"{path}: {before!r} became {after!r}"
