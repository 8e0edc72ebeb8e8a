"""Random pods of Kubernetes' newest types, with unknown fields, and whether one pod contains all of another.

A pod is made from the generated schema, so a new field of Kubernetes is drawn as soon as the data has it.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from injector.golang.times import canonical_time
from injector.json_types import JSONObject
from injector.patch import GoType, canonical_quantity, go_type
from injector.patch.schema import Field

POD = go_type("core/v1.Pod")
_BUSY = frozenset({"Container", "Volume", "VolumeProjection", "ProjectedVolumeSource", "ObjectMeta", "Probe"})
"""Types whose fields are drawn more often: those that injection changes, and their parts."""
_LEFT_OUT = {
    "Pod": {"kind", "apiVersion", "status"},  # a pod that is created has no status yet
    "PodSpec": {"hostNetwork", "containers", "initContainers"},
    "ObjectMeta": {"annotations"},
}
"""What is not drawn from its type but made below, or decides whether the pod is injected at all."""
_WORKLOADS = (
    ("apps/v1", "Deployment", "spec", "template"),
    ("apps/v1", "StatefulSet", "spec", "template"),
    ("batch/v1", "CronJob", "spec", "jobTemplate", "spec", "template"),
    ("argoproj.io/v1alpha1", "Rollout", "spec", "template"),
    ("v1", "Pod"),
)
_PROXY_NAMES = ("istio-proxy", "istio-init")

PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle.preStop", "lifecycle.postStart")
CHANGED = {
    # The agent asks in the kubelet's place, by HTTP, so that mTLS is no obstacle; it is told what was there.
    f"spec.containers[].{probe}.{field}"
    for probe in PROBES
    for field in ("httpGet.path", "httpGet.port", "httpGet.scheme", "tcpSocket", "grpc")
} | {
    "spec.securityContext.fsGroup",  # templates set it, so that the proxy may read its token
    "metadata.creationTimestamp",  # up to 1.27 an owner's own proxy is merged with null there
}
"""The fields that injection changes on purpose."""
CHANGED_BY_FILE = CHANGED | {
    "spec.dnsConfig",  # up to 1.7 kube-inject takes the template's, also where that has none
}


class Pods:
    """Draws pods; every drawn value is different, so that its new place can be recognised."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0
        self._own_proxy = 0.0

    def pod(self, *, own_proxy: bool = True) -> dict[str, Any]:
        """Return a pod that may be injected; ``own_proxy``: with a proxy of its owner's now and then."""
        self._own_proxy = 0.1 if own_proxy else 0.0
        pod: dict[str, Any] = self._struct(POD, 0)
        annotations = {
            f"example.com/{self._number()}": self._word() for _ in range(self._chance.choice([0, 1, 2]))
        }
        pod["metadata"] = pod.get("metadata", {}) | {"annotations": annotations}
        pod["spec"] = pod.get("spec", {}) | {"containers": self._containers("main")}
        if self._chance.random() < 0.5:
            pod["spec"]["initContainers"] = self._containers("warm")
        if self._chance.random() < 0.5:
            pod["spec"]["volumes"] = [*pod["spec"].get("volumes", []), self._projected()]
        return self._shuffled(pod) | {"apiVersion": "v1", "kind": "Pod"}

    def workload(self, pod: JSONObject) -> tuple[JSONObject, tuple[str, ...], tuple[str, Any]]:
        """Return a workload of the pod, the path of its pod template, and a field of its spec."""
        version, kind, *path = self._chance.choice(_WORKLOADS)
        template = {key: value for key, value in pod.items() if key not in ("kind", "apiVersion")}
        workload: JSONObject = template
        for key in reversed(path):
            workload = {key: workload}
        extra = self.unknown()
        workload["spec"] = workload["spec"] | dict([extra])
        return (
            {"apiVersion": version, "kind": kind, "metadata": {"name": "web"}} | workload,
            tuple(path),
            extra,
        )

    def unknown(self) -> tuple[str, Any]:
        """Return a field that no type has."""
        value = f"unknown-{self._number()}"
        return f"x{self._number()}", self._chance.choice([value, {"a": value}, [value], [{"a": [value]}]])

    def _containers(self, name: str) -> list[dict[str, Any]]:
        container = go_type("core/v1.Container")
        names = [name, *(f"{name}-{self._number()}" for _ in range(self._chance.choice([0, 0, 1, 2])))]
        if self._chance.random() < self._own_proxy:
            names.append(_PROXY_NAMES[name == "warm"])
        self._chance.shuffle(names)
        return [self._struct(container, 2) | {"name": each} for each in names]

    def _projected(self) -> dict[str, Any]:
        source = go_type("core/v1.VolumeProjection")
        sources = [self._struct(source, 3) for _ in range(self._chance.choice([1, 2, 3]))]
        return {"name": self._word(), "projected": {"sources": sources} | dict([self.unknown()])}

    def _number_or_word(self, field: Field) -> Any:
        """Return the value that identifies an element of a merged list: API servers require it."""
        return self._value(field.type.target.element.target.by_name[field.merge_key].type, 0)

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _word(self) -> str:
        return f"s{self._number()}"

    def _value(self, schema: GoType, depth: int) -> Any:
        return getattr(self, f"_{schema.target.kind}")(schema.target, depth)

    def _string(self, _schema: GoType, _depth: int) -> str:
        return self._word()

    def _bool(self, _schema: GoType, _depth: int) -> bool:
        return self._chance.random() < 0.5

    def _int32(self, _schema: GoType, _depth: int) -> int:
        return self._number()

    _int64 = _int32

    def _quantity(self, _schema: GoType, _depth: int) -> str:
        return self._chance.choice(["{}", "{}.5", "{}00m", "{}Mi", "0.{}Gi", "{}e3"]).format(self._number())

    def _time(self, _schema: GoType, _depth: int) -> str:
        return f"2026-01-02T03:04:{self._number() % 60:02}{self._chance.choice(['Z', '.5+01:00'])}"

    def _intOrString(self, _schema: GoType, _depth: int) -> str | int:  # noqa: N802 - the kind's name
        return self._chance.choice([self._number(), self._word()])

    def _raw(self, _schema: GoType, _depth: int) -> dict[str, Any]:
        return {f"f:{self._word()}": {}}

    def _list(self, schema: GoType, depth: int) -> list[Any]:
        return [self._value(schema.element, depth + 1) for _ in range(self._chance.choice([0, 1, 1, 2, 3]))]

    def _map(self, schema: GoType, depth: int) -> dict[str, Any]:
        return {
            self._word(): self._value(schema.element, depth + 1)
            for _ in range(self._chance.choice([0, 1, 2]))
        }

    def _struct(self, schema: GoType, depth: int) -> dict[str, Any]:
        likely = 0.4 if schema.name in _BUSY or depth < 2 else 0.25 if depth < 6 else 0.1
        left_out = _LEFT_OUT.get(schema.name, ())
        made = {
            field.name: self._value(field.type, depth + 1)
            for field in schema.fields
            if field.name not in left_out and self._is_drawn(field, likely)
        }
        for field in schema.fields:
            if field.merge_key:
                for element in made.get(field.name, ()):
                    element.setdefault(field.merge_key, self._number_or_word(field))
        if self._chance.random() < 0.2:
            made |= dict([self.unknown()])
        return self._shuffled(made)

    def _is_drawn(self, field: Field, likely: float) -> bool:
        """Return whether a field is drawn: what API servers ask for, and ``controller``, which Istio 1.4 does."""
        required = not field.omit_empty and field.type.kind not in ("struct", "pointer")
        return required or field.name == "controller" or self._chance.random() < likely

    def _shuffled(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        keys = list(fields)
        self._chance.shuffle(keys)
        return {key: fields[key] for key in keys}


# ---- whether one is all there in another


def losses(before: JSONObject, after: JSONObject, changed: Collection[str]) -> Iterator[str]:
    """Yield the path of everything in the pod ``before`` that is not in its place in ``after``.

    ``changed`` are the paths of what may differ (``spec.containers[].image``). An unknown field must be there
    as often as before: one that also appears in another element is yielded too.
    """
    search = _Search(frozenset(changed))
    yield from search.struct(before, after, POD, "")
    words, counts = Counter(_unknown_words(before)), Counter(_unknown_words(after))
    yield from (word for word in words if word not in search.excused and counts[word] != words[word])


class _Search:
    def __init__(self, changed: frozenset[str]) -> None:
        self._changed = changed
        self.excused: set[str] = set()

    def struct(self, before: JSONObject, after: JSONObject, schema: GoType, path: str) -> Iterator[str]:
        for key, value in before.items():
            field, inner = schema.by_name.get(key), f"{path}.{key}".removeprefix(".")
            if value is None:
                continue
            if inner in self._changed:
                self.excused |= set(_unknown_words(value))
            elif field is None:
                yield from () if after.get(key) == value else (inner,)
            elif key in ("containers", "initContainers"):
                every = [*(after.get("containers") or ()), *(after.get("initContainers") or ())]
                yield from self._list(value, every, field, "spec.containers[]")
            elif key in after:
                yield from () if _is_unset(value, field) else self._value(value, after[key], field, inner)
            elif not _is_unset(value, field):
                yield inner

    def _value(self, before: Any, after: Any, field: Field, path: str) -> Iterator[str]:
        schema = field.type.target
        if after is None and schema.kind in ("struct", "list", "map"):
            yield path
        elif schema.kind == "struct":
            yield from self.struct(before, after, schema, path)
        elif schema.kind == "list" and schema.element.target.kind == "struct":
            yield from self._list(before, after, field, f"{path}[]")
        elif schema.kind == "map":
            lost = (key for key in before if not _same(before[key], after.get(key), schema.element))
            yield from (f"{path}.{key}" for key in lost)
        elif not _same(before, after, schema):
            yield path

    def _list(self, before: list[Any], after: list[Any], field: Field, path: str) -> Iterator[str]:
        """Find each element by its merge key, in lists without one by its index."""
        element = field.type.target.element.target
        for index, value in enumerate(before):
            if field.merge_key:
                found = [each for each in after if each.get(field.merge_key) == value[field.merge_key]]
            else:
                found = after[index : index + 1] if len(before) == len(after) else []
            lost = [list(self.struct(value, each, element, path)) for each in found]
            yield from min(lost, key=len, default=[path])


def _is_unset(value: Any, field: Field) -> bool:
    """Return whether Go writes nothing for a value, or what says the same as nothing."""
    if field.type.kind == "struct":
        fields = ((field.type.by_name.get(key), each) for key, each in value.items())
        return all(inner is not None and _is_unset(each, inner) for inner, each in fields)
    return field.type.kind != "pointer" and not value


def _same(before: Any, after: Any, schema: GoType) -> bool:
    if schema.target.kind == "quantity" and after is not None:
        return canonical_quantity(before) == canonical_quantity(after)
    if schema.target.kind == "time" and after is not None:
        return canonical_time(before) == canonical_time(after)
    return type(before) is type(after) and bool(before == after)


def _unknown_words(value: Any) -> list[str]:
    return re.findall(r"unknown-\d+", json.dumps(value))
