"""An object together with where it came from, so that whatever is said of it can name its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from injector.diagnosis.findings import Place
from injector.injection.kinds import PodPlace
from injector.json_types import JSONObject
from injector.kubeyaml import Positions

Path = tuple[str | int, ...]

_STEP: Final = re.compile(r"\[(\d+)\]|\[([^\]]+)\]|([^.\[]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object of a file or of the cluster.

    ``source`` is the file's name, or ``kind namespace/name`` in the cluster. Of a file: ``positions`` are
    those of the YAML document that the object is in, ``line`` where that starts, ``path`` where it
    stands in that (the items of a List).
    """

    value: JSONObject
    source: str
    positions: Positions | None = None
    line: int = 0
    path: Path = ()

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.value.get("kind") or "")

    @property
    def name(self) -> str:
        """The object's name, or the beginning of the one it will get."""
        return str(self.metadata.get("name") or self.metadata.get("generateName") or "")

    @property
    def title(self) -> str:
        """Kind and name for a sentence."""
        return f"{self.kind or 'object'} {self.name or '?'}"

    @property
    def metadata(self) -> JSONObject:
        """The object's metadata, empty where there is none."""
        return mapping(self.value.get("metadata"))

    @property
    def labels(self) -> JSONObject:
        """The object's labels, empty where there are none."""
        return mapping(self.metadata.get("labels"))

    def at(self, *path: str | int) -> Place:
        """Return the place of a field of the object; of one that is missing, that of what it would be in."""
        whole = (*self.path, *path)
        if self.positions is None:
            return Place(self.source, path=written(whole))
        line, column = self.positions.at(whole)
        return Place(self.source, line + self.line - 1 if line else self.line, column, written(whole))


def mapping(value: Any) -> JSONObject:
    """Return a mapping; an empty one for null, and for whatever stands in a mapping's place."""
    return value if isinstance(value, dict) else {}


def pods_metadata(place: PodPlace) -> tuple[str, ...]:
    """Return where a workload has the metadata of its pods, as an API server reads it.

    Of a CronJob kube-inject, Istio's and ours, labels and annotates the jobs instead: see PodPlace.
    """
    return (*place.spec[:-1], "metadata")


def written(path: Path) -> str:
    """Return a path as people write it: ``metadata.labels[istio.io/rev]``, ``spec.containers[0]``."""
    text = ""
    for step in path:
        if isinstance(step, int) or not step.replace("-", "").isalnum():
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def steps_of(path: str) -> Path:
    """Return ``spec.a[0].b[example.org/c]`` as keys and indexes."""
    return tuple(int(number) if number else key or name for number, key, name in _STEP.findall(path))
