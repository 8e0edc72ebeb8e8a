"""What is wrong with what a template makes of a pod, each with the template's line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from injector.diagnosis.rules_config import close_to
from injector.diagnosis.rules_trace import Traced
from injector.errors import TypedError, YAMLError
from injector.injection.snapshot import Snapshot
from injector.istio.mesh.jsonpb import dotted
from injector.istio.releases import Behaviour
from injector.json_types import JSON
from injector.kubeyaml.survey import Context, Role, survey
from injector.patch import GoType, go_type, normalise
from injector.patch.schema import NEWEST

Said: TypeAlias = tuple[str, str, int]
"""Rule, message and the template's line."""

_Path: TypeAlias = tuple[str | int, ...]

_NO_VALUE: Final = "<no value>"

_LEGACY: Final[Mapping[str, str]] = {
    "initContainers": "[]core/v1.Container",
    "containers": "[]core/v1.Container",
    "volumes": "[]core/v1.Volume",
    "imagePullSecrets": "[]core/v1.LocalObjectReference",
    "dnsConfig": "core/v1.PodDNSConfig",
    "rewriteAppHTTPProbe": "bool",
    "podRedirectAnnot": "map[string]string",
    "securityContext": "core/v1.PodSecurityContext",
    "hostAliases": "[]core/v1.HostAlias",
}
"""SidecarInjectionSpec of 1.0 to 1.8, by the names that its YAML has."""


def overlay_rules(traced: Traced, snapshot: Snapshot) -> Iterator[Said]:
    """Yield what is wrong with one rendered template."""
    yield from _missing_values(traced)
    overlay = traced.overlay
    if isinstance(overlay, YAMLError):
        yield "SI204", f"what the template makes is not YAML: {overlay.reason}", traced.line(overlay.line)
        return
    if overlay is not None and not isinstance(overlay, dict):
        yield "SI205", "the template makes no mapping", traced.line(1)
        return
    yield from _fields(traced, overlay or {}, snapshot.behaviour)
    yield from _unquoted(traced)


def _missing_values(traced: Traced) -> Iterator[Said]:
    for number, line in enumerate(traced.text.split("\n"), 1):
        if _NO_VALUE in line:
            yield "SI202", f"a missing value is printed: `{line.strip()}`", traced.line(number)


# ---- fields and types


def _fields(traced: Traced, overlay: dict[str, JSON], behaviour: Behaviour) -> Iterator[Said]:
    pod = go_type("core/v1.Pod", behaviour.kubernetes)
    found = [*_walk(overlay, pod, (), behaviour)] if behaviour.overlays else [*_legacy(overlay, behaviour)]
    for rule, message, path in found:
        yield rule, message, traced.line_at(path)


def _legacy(overlay: dict[str, JSON], behaviour: Behaviour) -> Iterator[tuple[str, str, _Path]]:
    known = {name.lower(): name for name in _LEGACY}
    for key, value in overlay.items():
        name = known.get(key.lower())
        if name is None:
            yield "SI203", f"{key} is not a field of SidecarInjectionSpec{close_to(key, (*_LEGACY,))}", (key,)
        else:
            yield from _walk(value, go_type(_LEGACY[name], behaviour.kubernetes), (key,), behaviour)


def _walk(
    value: Any, declared: GoType, path: _Path, behaviour: Behaviour
) -> Iterator[tuple[str, str, _Path]]:
    declared = declared.target
    if value is None or declared.kind == "raw":
        return
    if declared.kind == "struct" and isinstance(value, dict):
        for key, item in value.items():
            yield from _member(key, item, declared, path, behaviour)
    elif declared.kind == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, declared.element, (*path, index), behaviour)
    elif declared.kind == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, declared.element, (*path, key), behaviour)
    else:
        try:
            normalise(value, declared, coerce_strings=not behaviour.overlays)
        except TypedError as error:
            yield "SI205", f"{dotted(path)}: {error}", path


def _member(
    key: str, item: Any, declared: GoType, path: _Path, behaviour: Behaviour
) -> Iterator[tuple[str, str, _Path]]:
    field = declared.field(key)
    if field is not None:
        if behaviour.overlays and field.merges and field.merge_key:
            yield from _unmergeable(item, field.merge_key, (*path, key))
        yield from _walk(item, field.type, (*path, key), behaviour)
    elif key.startswith("$"):
        return  # a directive of strategic merge
    elif (later := go_type(declared.expression, NEWEST).field(key)) is not None:
        # Newer than the release: our patch keeps it where Istio drops it.
        yield from _walk(item, later.type, (*path, key), behaviour)
    else:
        near = close_to(key, [each.name for each in declared.fields])
        yield "SI203", f"{dotted(path) or 'a pod'} has no field {key!r}{near}", (*path, key)


def _unmergeable(items: Any, merge_key: str, path: _Path) -> Iterator[tuple[str, str, _Path]]:
    """Yield the elements of a merged list that nothing tells from the others: the merge refuses them."""
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and merge_key not in item and "$patch" not in item:
            words = f"{dotted((*path, index))} has no {merge_key}, by which the list is merged"
            yield "SI205", words, (*path, index)


# ---- values of the pod


def _unquoted(traced: Traced) -> Iterator[Said]:
    """Yield lines where a value of the pod, and nothing that the template says, decides what YAML reads."""
    rendering = traced.rendering
    # A number or a boolean that the template computed cannot break out, whatever the pod says.
    plain = [
        (slot, hole)
        for slot in survey(rendering.strings).slots
        if slot.context is Context.PLAIN and slot.role is not Role.KEY
        for hole in slot.holes
        if not _is_harmless(rendering.values[hole])
    ]
    for slot, hole in plain:
        shown = "…".join(slot.texts)
        yield "SI206", f"a value of the pod stands unquoted in `{shown}`", traced.line(traced.holes[hole])


def _is_harmless(value: str) -> bool:
    return value in ("true", "false") or value.removeprefix("-").isdigit()
