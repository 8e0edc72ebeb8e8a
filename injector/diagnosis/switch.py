"""The pod's own switch, `sidecar.istio.io/inject`, where it has no effect: wrong value, wrong object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from injector.diagnosis.findings import Finding
from injector.diagnosis.items import Item, Path
from injector.injection.kinds import get_at
from injector.injection.policy import SWITCH
from injector.injection.releases import Behaviour
from injector.json_types import JSONObject

KINDS: Final = ("labels", "annotations")

_WORDS: Final = frozenset({"true", "false"})
_OLD_WORDS: Final = _WORDS | {"y", "yes", "on", "n", "no", "off"}
"""What releases before the exact switch know in any case; they take every other word for a no."""


def misused_switch(item: Item, template: Path, behaviour: Behaviour) -> Iterator[Finding]:
    """Yield what is wrong with the switch of an object whose pod template stands at ``template``.

    The path is () for a pod, which is its own template.
    """
    on_pod = _metadata(item.value, template)
    for kind in KINDS:
        values: JSONObject = on_pod.get(kind) or {}
        if fault := _value_fault(values.get(SWITCH), behaviour):
            place = item.at(*template, "metadata", kind, SWITCH)
            yield Finding("switch-value", "warning", f"{kind[:-1]} {SWITCH}: {fault}", place)
        own: JSONObject = _metadata(item.value, ()).get(kind) or {}
        if template and SWITCH in own and SWITCH not in values:
            message = f"the {kind[:-1]} {SWITCH} belongs on {'.'.join(map(str, template))}.metadata"
            place = item.at("metadata", kind, SWITCH)
            yield Finding("switch-place", "warning", message, place, "pods do not get it from here")


def _metadata(value: JSONObject, path: Path) -> JSONObject:
    found = get_at(value, tuple(map(str, (*path, "metadata"))))
    return found if isinstance(found, dict) else {}


def _value_fault(value: object, behaviour: Behaviour) -> str:
    if not value or not isinstance(value, str):
        return ""
    if behaviour.exact_switch:
        return "" if value in _WORDS else f"{value!r} is neither 'true' nor 'false', and ignored"
    return "" if value.lower() in _OLD_WORDS else f"{value!r} is not a known word, and counts as false"
