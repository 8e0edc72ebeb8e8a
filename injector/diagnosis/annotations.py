"""Find what is wrong with the annotations and labels of an object: unknown, misplaced, ignored, dropped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from injector.diagnosis.annotations_table import (
    ELSEWHERE,
    FORMS,
    KNOWN,
    OF_NAMESPACES,
    Form,
    KnownName,
    releases,
)
from injector.diagnosis.findings import Finding, Place, found
from injector.diagnosis.items import mapping, pods_metadata, written
from injector.errors import YAMLError
from injector.golang.strconv import parse_bool
from injector.injection.kinds import place_of
from injector.injection.policy import SWITCH
from injector.istio.releases import Behaviour
from injector.json_types import JSONObject, at
from injector.kubeyaml import load
from injector.patch import GoType, go_type, quantity_fault

_NAMESPACE_LABEL: Final = "istio-injection"
_USER_VOLUMES: Final = {
    "sidecar.istio.io/userVolume": "core/v1.Volume",
    "sidecar.istio.io/userVolumeMount": "core/v1.VolumeMount",
}
_OVERRIDES: Final = "proxy.istio.io/overrides"
_EXACT: Final = frozenset({"true", "false"})
_WORDS: Final = frozenset({"y", "yes", "true", "on", "n", "no", "false", "off"})
_BOTH: Final = ("labels", "annotations")


def advise_metadata(
    value: JSONObject, *, behaviour: Behaviour, source: str = "", pod_template_path: str = ""
) -> list[Finding]:
    """Return what is wrong with the annotations and labels of an object, and of its pod template.

    Paths are those in the object; ``source`` names its file, ``pod_template_path`` says where an unknown kind
    keeps its pods.
    """
    if not isinstance(value.get("kind") or "", str):
        return []
    return [*_Adviser(value, behaviour, source, pod_template_path).findings()]


class _Adviser:
    """One object, and the release that reads it."""

    def __init__(self, value: JSONObject, behaviour: Behaviour, source: str, template_path: str) -> None:
        self._value = value
        self._template_path = template_path
        self._kind = str(value.get("kind") or "object")
        self._behaviour = behaviour
        self._source = source

    def findings(self) -> Iterator[Finding]:
        place = place_of(self._value, self._template_path)
        own = ("metadata",)
        if place is None:
            yield from self._misplaced(own, {}, "the pods' metadata", self._kind)
            return
        path = pods_metadata(place)
        yield from self._of_pods(path)
        inner, target = mapping(at(self._value, *path)), ".".join(path)
        if path != own:
            yield from self._misplaced(own, inner, target, self._kind)
        if place.metadata != path:
            yield from self._misplaced(place.metadata, inner, target, "Job")

    def _found(self, rule: str, message: str, path: tuple[str, ...], advice: str = "") -> Finding:
        return found(rule, message, Place(self._source, path=written(path)), advice=advice)

    # ---- what stands where it is read

    def _of_pods(self, path: tuple[str, ...]) -> Iterator[Finding]:
        metadata = mapping(at(self._value, *path))
        for kind in _BOTH:
            for name, text in mapping(metadata.get(kind)).items():
                where = (*path, kind, name)
                if name == _NAMESPACE_LABEL:
                    words = f"{name} is a label of namespaces; of a pod it is {SWITCH}"
                    yield self._found("SI402", words, where, f'label the pod {SWITCH}: "true"')
                elif (known := KNOWN.get(name)) is None:
                    yield from self._unknown(name, where)
                elif known.kind not in ("label or annotation", kind.removesuffix("s")):
                    article = "an" if known.kind == "annotation" else "a"
                    words = f"{name} is read as {article} {known.kind} and stands among the {kind}"
                    yield self._found("SI402", words, where, f"move it to {'.'.join(path)}.{known.kind}s")
                else:
                    yield from self._value_of(name, known, text, where)

    def _unknown(self, name: str, where: tuple[str, ...]) -> Iterator[Finding]:
        domain, _, rest = name.rpartition("/")
        if not domain.endswith("istio.io") or name in ELSEWHERE or not rest:
            return
        if near := closest(name):
            yield self._found(
                "SI401", f"no release reads {name}: did you mean {near}?", where, f"write {near}"
            )

    def _value_of(self, name: str, known: KnownName, text: Any, where: tuple[str, ...]) -> Iterator[Finding]:
        release = self._behaviour.release
        if not known.span.covers(self._behaviour.minor):
            words = f"{name} is read by {releases(known.span)}, not by {release}"
            yield self._found("SI405", words, where)
            return
        if not isinstance(text, str):
            words = f"{text!r} is not a string: an API server refuses it"
            yield self._found("SI403", words, where, "put it in quotes")
            return
        if fault := self._fault(name, known.form, text):
            yield self._found("SI403", f"{name}: {fault}", where, f"write {FORMS[known.form]}")
        yield from self._dropped(name, text, where)

    def _fault(self, name: str, form: Form, text: str) -> str:
        """Return what is wrong with a value that does not deny the pod."""
        if not text:
            return ""  # as if it were missing
        if form == "switch":
            return self._switch_fault(name, text)
        if form == "boolean" and parse_bool(text) is None:
            return f"{text!r} is not a boolean, and is ignored"
        if form == "quantity" and (fault := quantity_fault(text)):
            return f"{text!r} is not a quantity: {fault}"
        return f"{text!r} is not a number" if form == "number" and not text.strip().isdigit() else ""

    def _switch_fault(self, name: str, text: str) -> str:
        if self._behaviour.exact_switch or name != SWITCH:
            return "" if text in _EXACT else f"{text!r} is neither true nor false, and is ignored"
        return "" if text.lower() in _WORDS else f"{text!r} counts as false"

    # ---- JSON

    def _dropped(self, name: str, text: str, where: tuple[str, ...]) -> Iterator[Finding]:
        if name not in _USER_VOLUMES and name != _OVERRIDES:
            return
        try:
            value = load(text)
        except YAMLError:
            return  # it denies the pod
        version = self._behaviour.kubernetes
        if name == _OVERRIDES:
            parts = [item for each in _values(value) for item in _values(each)]
            declared = go_type("core/v1.Container", version)
        else:
            parts, declared = _values(value), go_type(_USER_VOLUMES[name], version)
        for part in parts:
            for path, near in _strangers(part, declared):
                hint = f": did you mean {near!r}?" if near else ""
                yield self._found("SI404", f"{name}: the key {path!r} is dropped{hint}", where)

    # ---- what stands where it is not read

    def _misplaced(
        self, own: tuple[str, ...], inner: Mapping[str, Any], target: str, kind_there: str
    ) -> Iterator[Finding]:
        metadata = mapping(at(self._value, *own))
        for kind in _BOTH:
            there = mapping(inner.get(kind))
            for name in mapping(metadata.get(kind)):
                where = (*own, kind, name)
                if (known := KNOWN.get(name)) is None:
                    yield from self._unknown(name, where)
                elif self._kind == "Namespace" and name == SWITCH:
                    words = f"{name} says nothing on a Namespace: its label is {_NAMESPACE_LABEL}"
                    yield self._found("SI402", words, where, f"label it {_NAMESPACE_LABEL}=enabled")
                elif known.form != "written by us" and name not in there and self._is_of_pods(name):
                    words = f"{name} is read on pods, and stands on the {kind_there} itself"
                    yield self._found("SI402", words, where, f"move it to {target}.{kind}")

    def _is_of_pods(self, name: str) -> bool:
        """Return whether a known name has no other meaning on an object of this kind."""
        if self._kind == "Namespace":
            return name not in OF_NAMESPACES
        is_workload = place_of(self._value, self._template_path) is not None
        return is_workload or self._kind == "Service" or name == SWITCH


def closest(name: str) -> str:
    """Return the known name of which an unknown one may be a misspelling, "" for none."""
    folded = {known.lower(): known for known in KNOWN}
    if name.lower() in folded:
        return folded[name.lower()]
    last = name.rpartition("/")[2].lower()
    same = [known for known in KNOWN if known.rpartition("/")[2].lower() == last]
    if len(same) == 1:
        return same[0]
    near = get_close_matches(name.lower(), folded, n=1, cutoff=0.88)
    return folded[near[0]] if near else ""


def _values(value: Any) -> list[Any]:
    """Return the elements of a list, or the values of a mapping."""
    if isinstance(value, Mapping):
        return [*value.values()]
    return value if isinstance(value, list) else []


def _strangers(value: Any, declared: GoType, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and likely spelling of each key that a type does not have."""
    declared = declared.target
    if declared.kind == "struct" and isinstance(value, dict):
        for key, item in value.items():
            field = declared.by_name.get(key)
            if field is not None:
                yield from _strangers(item, field.type, f"{path}{key}.")
            else:
                meant = declared.field(key)
                near = get_close_matches(key, [each.name for each in declared.fields], n=1, cutoff=0.7)
                yield f"{path}{key}", meant.name if meant else near[0] if near else ""
    elif declared.kind in ("list", "map"):
        for item in _values(value):
            yield from _strangers(item, declared.element, path)
