"""Random pods and strategic merge patches for them, mostly sensible: a generator with a seed, since Go is the judge.

A patch names elements that the pod has, deletes, replaces, reorders and retains, and now and then is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

Make = Callable[[bool], Any]
"""Makes a value; told whether it is for a patch."""

NAMES = "abcde"
MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "volumes": "name", "env": "name", "volumeMounts": "mountPath",
    "ports": "containerPort", "imagePullSecrets": "name", "ownerReferences": "uid", "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}  # fmt: skip


class Overlays:
    """Draws pods and patches."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._fault = self._chance.choice([0.0, 0.0, 0.003, 0.01])

    def pair(self) -> tuple[Any, Any]:
        """Return a pod and a patch."""
        return self._object(self._pod(), False, 0.9), self._object(self._pod(), True, 0.9)

    def _word(self, _patch: bool) -> str:
        return self._chance.choice("xyz")

    def _number(self, _patch: bool) -> int:
        return self._chance.randint(0, 5)

    def _words(self, _patch: bool) -> list[str]:
        return [self._chance.choice(NAMES) for _ in range(self._chance.choice([0, 1, 2, 3, 4, 5, 9]))]

    def _labels(self, patch: bool) -> dict[str, Any]:
        return {
            self._chance.choice(NAMES): None if patch and self._chance.random() < 0.2 else self._word(patch)
            for _ in range(self._chance.randint(0, 3))
        }

    def _anything(self, depth: int = 0) -> Any:
        roll = self._chance.random()
        if depth > 2 or roll < 0.6:
            return self._chance.choice(["x", "y", 1, 2, 1.5, True, False, None])
        if roll < 0.8:
            return {
                self._chance.choice("pqr"): self._anything(depth + 1)
                for _ in range(self._chance.randint(0, 3))
            }
        return [self._anything(depth + 1) for _ in range(self._chance.randint(0, 3))]

    def _object(self, fields: Mapping[str, Make], patch: bool, likely: float = 0.4) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, make in fields.items():
            if self._chance.random() < likely:
                made[name] = self._field(make, patch)
        return self._directed(made, fields) if patch else made

    def _field(self, make: Make, patch: bool) -> Any:
        if self._chance.random() < self._fault:
            return self._anything()
        return None if patch and self._chance.random() < 0.12 else make(patch)

    def _directed(self, made: dict[str, Any], fields: Mapping[str, Make]) -> dict[str, Any]:
        if self._chance.random() < 0.03:
            made["$patch"] = self._chance.choice(["replace", "delete"])
        if self._chance.random() < self._fault:
            made["$patch"] = self._chance.choice(["merge", "bad", 1, None, {"a": True}])
        if fields and self._chance.random() < 0.03:
            made["$retainKeys"] = [*made, *self._chance.sample(list(fields), 1)][
                self._chance.choice([0, 0, 0, 1]) :
            ]
        for name in fields:
            self._directed_list(made, name, fields[name])
        return made

    def _directed_list(self, made: dict[str, Any], name: str, make: Make) -> None:
        present = made.get(name)
        if isinstance(present, list) and self._chance.random() < 0.15:
            made[f"$setElementOrder/{name}"] = self._order(present, MERGE_KEYS.get(name))
        elif self._chance.random() < 0.01 and isinstance(others := make(True), list):
            made[f"$setElementOrder/{name}"] = self._order(others, MERGE_KEYS.get(name))
        if present is None and self._chance.random() < 0.02:
            made[f"$deleteFromPrimitiveList/{name}"] = [self._chance.choice(NAMES) for _ in range(2)]
        if self._chance.random() < self._fault / 4:
            made[self._chance.choice(["$deleteFromPrimitiveList/", "$setElementOrder/"]) + name] = (
                self._anything()
            )
        if self._chance.random() < self._fault / 20:
            made[self._chance.choice(["$deleteFromPrimitiveList", "$setElementOrder", "$retainKeys"])] = []

    def _order(self, elements: list[Any], key: str | None) -> list[Any]:
        if key is None:
            order = [element for element in elements if not isinstance(element, dict | list)]
            more: list[Any] = [self._chance.choice(NAMES)]
        else:
            order = [
                {key: element[key]} for element in elements if isinstance(element, dict) and key in element
            ]
            more = [{key: self._chance.choice(NAMES)} for _ in range(self._chance.randint(0, 2))]
        order += more
        if self._chance.random() < 0.2:
            self._chance.shuffle(order)
        if self._chance.random() < self._fault:
            order.append(self._anything())
        return order if self._chance.random() > self._fault else []

    def _keyed(self, key: str, fields: Mapping[str, Make], most: int = 4, keys: Any = NAMES) -> Make:
        def make(patch: bool) -> list[Any]:
            elements: list[Any] = []
            for _ in range(self._chance.randint(0, most)):
                element = self._object(fields, patch)
                if self._chance.random() > self._fault:
                    element = {key: self._chance.choice(keys), **element}
                if patch and self._chance.random() < 0.05:
                    element["$patch"] = self._chance.choice(["delete", "delete", "replace"])
                elements.append(element)
            if self._chance.random() < self._fault:
                elements.insert(self._chance.randint(0, len(elements)), self._anything())
            return elements

        return make

    def _nested(self, fields: Mapping[str, Make]) -> Make:
        return lambda patch: self._object(fields, patch, 0.7)

    def _container(self) -> dict[str, Make]:
        source = {
            "fieldRef": self._nested({"fieldPath": self._word}),
            "secretKeyRef": self._nested({"key": self._word}),
        }
        ports = {"name": self._word, "protocol": self._word, "hostPort": self._number}
        return {
            "image": self._word,
            "args": self._words,
            "env": self._keyed("name", {"value": self._word, "valueFrom": self._nested(source)}),
            "ports": self._keyed("containerPort", ports, 3, [80, 81, 80.0, 82]),
            "volumeMounts": self._keyed("mountPath", {"name": self._word, "readOnly": lambda _: True}, 3),
            "securityContext": self._nested(
                {
                    "runAsUser": self._number,
                    "capabilities": self._nested({"add": self._words, "drop": self._words}),
                }
            ),
            "resources": self._nested(
                {"limits": self._labels, "requests": self._labels, "claims": self._keyed("name", {}, 2)}
            ),
            "livenessProbe": self._nested(
                {
                    "httpGet": self._nested({"port": self._number}),
                    "exec": self._nested({"command": self._words}),
                }
            ),
        }

    def _pod(self) -> dict[str, Make]:
        return {
            "metadata": self._nested(
                {
                    "labels": self._labels,
                    "annotations": self._labels,
                    "finalizers": self._words,
                    "ownerReferences": self._keyed("uid", {"name": self._word, "kind": self._word}, 3),
                    "creationTimestamp": lambda _: self._chance.choice([None, {}, "x"]),
                    "unknown": lambda _: self._chance.choice(["x", 1, None]),
                }
            ),
            "spec": lambda patch: self._object(self._spec(), patch, 0.45),
            "status": self._nested(
                {
                    "podIPs": self._keyed("ip", {}, 2),
                    "conditions": self._keyed("type", {"status": self._word}, 2),
                }
            ),
        }

    def _spec(self) -> dict[str, Make]:
        projected = self._nested(
            {"sources": self._keyed("x", {"configMap": self._nested({"name": self._word})}, 2)}
        )
        return {
            "containers": self._keyed("name", self._container(), 4),
            "initContainers": self._keyed("name", self._container(), 2),
            "volumes": self._keyed(
                "name",
                {
                    "emptyDir": self._nested({"medium": self._word}),
                    "configMap": self._nested({"items": self._keyed("key", {"path": self._word}, 2)}),
                    "projected": projected,
                },
            ),
            "imagePullSecrets": self._keyed("name", {}, 3),
            "tolerations": self._keyed("key", {"value": self._word}, 2),
            "hostAliases": self._keyed("ip", {"hostnames": self._words}, 2),
            "topologySpreadConstraints": self._keyed("topologyKey", {"maxSkew": self._number}, 2),
            "nodeSelector": self._labels,
            "NodeSelector": self._labels,
            "securityContext": self._nested({"fsGroup": self._number, "sysctls": self._keyed("name", {}, 2)}),
            "hostNetwork": lambda _: True,
        }
