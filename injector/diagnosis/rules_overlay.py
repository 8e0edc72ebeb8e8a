"""Find what is wrong with a template's output for a pod, with the template's line.

The template's own text gets a mark at the end of each of its lines, and is rendered like any other; the marks
in the output say which line wrote it. The positions of a pod's values are known as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

from injector.diagnosis.items import Path, mapping, steps_of
from injector.diagnosis.rules_config import close_to
from injector.errors import TypedError, YAMLError
from injector.gotemplate import nodes
from injector.injection.dot.template import InjectionTemplate
from injector.injection.render import TemplateData
from injector.injection.snapshot import Snapshot
from injector.istio.mesh.jsonpb import dotted
from injector.istio.releases import Behaviour
from injector.json_types import JSON, Pod
from injector.kubeyaml import line_of, load
from injector.kubeyaml.survey import Context, Role, survey
from injector.patch import GoType, go_type, normalise
from injector.patch.schema import NEWEST
from injector.rendering import Rendering

_OPEN, _CLOSE = "\ue000", "\ue001"
"""From Unicode's private use area: no template has them, and they are removed before anything reads the
text."""

_MARK: Final = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_LINE_END: Final = re.compile(r"(?<=\S)[^\S\n]*$", re.MULTILINE)


# ---- what it makes


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A rendered template.

    ``lines[i]`` is the template's line for line i + 1 of the text. ``holes`` are the lines of the text with
    the pod's values, in their order.
    """

    template: str
    rendering: Rendering
    lines: tuple[int, ...]
    holes: tuple[int, ...]

    @property
    def text(self) -> str:
        """The rendered text."""
        return self.rendering.text

    @cached_property
    def overlay(self) -> JSON | YAMLError:
        """The JSON of the text, or the error in it."""
        try:
            return load(self.text)
        except YAMLError as error:
            return error

    def line(self, rendered: int) -> int:
        """Return the template's line for a line of the text; 0 where none is known."""
        return self.lines[min(rendered, len(self.lines)) - 1] if rendered and self.lines else 0

    def line_at(self, path: Path) -> int:
        """Return the template's line of the value under keys and indices of the overlay."""
        return self.line(line_of(self.text, path))

    def line_behind(self, path: str, pod: Pod) -> int:
        """Return the template's line for a path of the injected pod; 0 where it wrote none of it."""
        overlay: Any = {} if isinstance(self.overlay, YAMLError) else self.overlay
        value: Any = pod
        written_by: list[str | int] = []
        for step in steps_of(path):
            key: str | int | None
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else None
                key = _index_of(mapping(value).get("name"), overlay)
            else:
                value = mapping(value).get(step)
                key = step if step in mapping(overlay) else None
            if key is None:
                break
            overlay = overlay[key]
            written_by.append(key)
        wrote = any(step != "spec" for step in written_by)
        return self.line_at(tuple(written_by)) if wrote else 0


def _index_of(name: Any, overlay: Any) -> int | None:
    """Return the index in a list of the overlay of the element with a name, its merge key."""
    elements = overlay if isinstance(overlay, list) else ()
    same = (i for i, each in enumerate(elements) if isinstance(each, dict) and each.get("name") == name)
    return next(same, None)


def traced_template(name: str, snapshot: Snapshot) -> InjectionTemplate:
    """Return a template of the configuration that marks its lines; raises TemplateError as compiling does."""
    template = snapshot.templates[name]
    return template.with_text(_marked(template.usual.tree))


def trace(name: str, template: InjectionTemplate, data: TemplateData) -> Traced:
    """Return the output of a marked template for a pod's data; raises TemplateExecError as rendering does."""
    rendering = template.for_pods(usual=data.usual).render(data.fields).inlined()
    strings = tuple(_MARK.sub("", text) for text in rendering.strings)
    return Traced(
        template=name,
        rendering=Rendering(strings, rendering.values),
        lines=tuple(_origins(rendering.text)),
        holes=tuple(_holes(strings, rendering.values)),
    )


def _marked(tree: nodes.Tree) -> str:
    """Return the text of a tree with each line of its text nodes marked at its end."""
    text = tree.text
    marks: dict[int, int] = {}
    for body in tree.templates.values():
        for node in nodes.walk(body):
            if isinstance(node, nodes.Text) and text.startswith(node.text, node.pos):
                for end in _LINE_END.finditer(node.text):
                    position = node.pos + end.start()
                    marks[position] = 1 + text.count("\n", 0, position)
    parts, before = [], 0
    for position in sorted(marks):
        parts += [text[before:position], f"{_OPEN}{marks[position]}{_CLOSE}"]
        before = position
    return "".join((*parts, text[before:]))


def _origins(marked: str) -> Iterator[int]:
    """Yield for each line the template's line: its own mark, else the one before it."""
    known = 0
    for line in marked.split("\n"):
        found = _MARK.search(line)
        known = int(found[1]) if found else known
        yield known


def _holes(strings: tuple[str, ...], values: tuple[str, ...]) -> Iterator[int]:
    line = 1
    for before, value in zip(strings, values, strict=False):
        line += before.count("\n")
        yield line
        line += value.count("\n")


# ---- what is wrong with it


Said: TypeAlias = tuple[str, str, int]
"""Rule, message and the template's line."""

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
"""SidecarInjectionSpec of 1.0 to 1.8, by its names in YAML."""


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


def _legacy(overlay: dict[str, JSON], behaviour: Behaviour) -> Iterator[tuple[str, str, Path]]:
    known = {name.lower(): name for name in _LEGACY}
    for key, value in overlay.items():
        name = known.get(key.lower())
        if name is None:
            yield "SI203", f"{key} is not a field of SidecarInjectionSpec{close_to(key, (*_LEGACY,))}", (key,)
        else:
            yield from _walk(value, go_type(_LEGACY[name], behaviour.kubernetes), (key,), behaviour)


def _walk(value: Any, declared: GoType, path: Path, behaviour: Behaviour) -> Iterator[tuple[str, str, Path]]:
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
    key: str, item: Any, declared: GoType, path: Path, behaviour: Behaviour
) -> Iterator[tuple[str, str, Path]]:
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


def _unmergeable(items: Any, merge_key: str, path: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield the elements of a merged list that lack the merge key: the merge refuses them."""
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and merge_key not in item and "$patch" not in item:
            words = f"{dotted((*path, index))} has no {merge_key}, by which the list is merged"
            yield "SI205", words, (*path, index)


# ---- values of the pod


def _unquoted(traced: Traced) -> Iterator[Said]:
    """Yield lines where only a value of the pod, without text of the template, decides what YAML reads."""
    rendering = traced.rendering
    for slot in survey(rendering.strings).slots:
        if slot.context is not Context.PLAIN or slot.role is Role.KEY:
            continue
        words = f"a value of the pod stands unquoted in `{'…'.join(slot.texts)}`"
        for hole in slot.holes:
            if not _is_harmless(rendering.values[hole]):
                yield "SI206", words, traced.line(traced.holes[hole])


def _is_harmless(value: str) -> bool:
    """Return whether it is a number or a boolean, which cannot break out whatever the pod says."""
    return value in ("true", "false") or value.removeprefix("-").isdigit()
