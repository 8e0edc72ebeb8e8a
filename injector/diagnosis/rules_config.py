"""Find what is wrong with the key ``config`` and the text of its templates, without any pod."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from injector.diagnosis.findings import Finding, Place, found
from injector.diagnosis.items import steps_of
from injector.errors import ConfigError
from injector.gotemplate import nodes
from injector.injection.config import ConfigErrors, InjectConfig
from injector.injection.loading import Sources
from injector.injection.snapshot import Snapshot
from injector.istio.values import values_type
from injector.json_types import JSONObject
from injector.kubeyaml import line_of, load

POLICIES: Final = ("enabled", "disabled")

_CONFIG_FIELDS: Final = (
    *("policy", "template", "templates", "rawTemplates", "defaultTemplates", "aliases"),
    *("neverInjectSelector", "alwaysInjectSelector", "injectedAnnotations"),
)
"""The fields of Istio's inject.Config, in any release."""

_GUARDS: Final = frozenset(
    {"default", "or", "and", "coalesce", "empty", "hasKey", "ternary", "valueOrDefault", "not"}
)
"""Functions that handle a missing value."""


def unknown_policy(config: InjectConfig, text: str, file: str) -> ConfigError | None:
    """Return what is wrong with the policy: under an unknown one Istio injects nothing."""
    if config.policy in POLICIES:
        return None
    reason = f"unknown policy {config.policy!r}: nothing would be injected anywhere"
    if not config.policy:
        reason = "there is no policy: nothing would be injected anywhere"
    return ConfigError(
        f"{reason}; write one of {', '.join(POLICIES)}{close_to(config.policy, POLICIES)}",
        file=file,
        line=line_of(text, ("policy",)) if config.policy else 0,
        path="policy",
    )


def close_to(word: str, words: Sequence[str]) -> str:
    """Return the question whether a known word was meant; "" where none is close."""
    near = get_close_matches(word, words, n=1, cutoff=0.75)
    return f": did you mean {near[0]!r}?" if near else ""


# ---- faults of loading


def faults_of(error: ConfigError, sources: Sources) -> Iterator[Finding]:
    """Yield each fault found while loading, with a line where possible."""
    texts = {
        sources.config_file: sources.config,
        sources.values_file: sources.values,
        sources.mesh_file: _mesh_text(sources),
    }
    for fault in error.faults if isinstance(error, ConfigErrors) else (error,):
        line = fault.line or (line_of(texts.get(fault.file, ""), steps_of(fault.path)) if fault.path else 0)
        yield found("SI001", fault.reason, Place(fault.file, line, path=fault.path))


def _mesh_text(sources: Sources) -> str:
    return sources.mesh if isinstance(sources.mesh, str) else ""


# ---- names


def names(snapshot: Snapshot, sources: Sources) -> Iterator[Finding]:
    """Yield names in the configuration that refer to nothing."""
    config, text, file = snapshot.config, sources.config, sources.config_file
    document: Any = load(text) or {}
    for key in document:
        if key.lower() not in {field.lower() for field in _CONFIG_FIELDS}:
            message = f"no release reads the field {key!r}{close_to(key, _CONFIG_FIELDS)}"
            yield found("SI106", message, Place(file, line_of(text, (key,)), path=key))
    if fault := unknown_policy(config, text, file):
        yield found("SI101", fault.reason, Place(file, fault.line, path="policy"))
    if snapshot.behaviour.overlays:
        yield from _template_names(config, text, file)


def _template_names(config: InjectConfig, text: str, file: str) -> Iterator[Finding]:
    known = tuple(config.templates)
    for index, name in enumerate(config.default_templates):
        for target in _unknown_targets(config.aliases.get(name, (name,)), known):
            place = Place(file, line_of(text, ("defaultTemplates", index)), path="defaultTemplates")
            words = f"there is no template {target!r}: every pod that names none is denied"
            yield found("SI102", f"{words}; there are {', '.join(known)}{close_to(target, known)}", place)
    for alias, targets in config.aliases.items():
        for target in _unknown_targets(targets, known) if alias not in config.default_templates else ():
            place = Place(file, line_of(text, ("aliases", alias)), path=f"aliases.{alias}")
            words = f"there is no template {target!r}: pods that ask for {alias!r} are denied"
            yield found("SI103", f"{words}{close_to(target, known)}", place)


def _unknown_targets(targets: Sequence[str], known: Sequence[str]) -> list[str]:
    return [target for target in targets if target not in known]


def unused(warnings: Sequence[str], sources: Sources) -> Iterator[Finding]:
    """Yield what loading has left out."""
    for warning in warnings:
        file = sources.mesh_file if warning.startswith("mesh: ") else sources.config_file
        path = warning.removeprefix("mesh: ").partition(" ")[0]
        text = _mesh_text(sources) if file == sources.mesh_file else sources.config
        yield found("SI104", warning.removeprefix("mesh: "), Place(file, line_of(text, steps_of(path))))


# ---- the text of a template


def static_rules(tree: nodes.Tree, values: JSONObject, minor: int) -> Iterator[tuple[str, str, int]]:
    """Yield rule, message and line of what the template's text alone shows."""
    for name, body in tree.templates.items():
        if name != tree.name and not _is_called(name, tree):
            yield "SI208", f"template {name!r} is defined and never used", tree.place(body.pos)[0]
        for rule, message, pos in (*_dead_branches(body), *_lost_values(body, values, minor)):
            yield rule, message, tree.place(pos)[0]


def _is_called(name: str, tree: nodes.Tree) -> bool:
    every = (node for body in tree.templates.values() for node in nodes.walk(body))
    return any(isinstance(node, nodes.TemplateCall) and node.name == name for node in every)


def _dead_branches(body: nodes.ListNode) -> Iterator[tuple[str, str, int]]:
    met: dict[int, set[str]] = {}  # by the id of each else if, the earlier conditions of its chain
    for node in nodes.walk(body):
        if not isinstance(node, nodes.If):
            continue
        commands = node.pipe.commands
        operand = commands[0].args[0] if len(commands) == 1 and len(commands[0].args) == 1 else None
        condition, before = str(node.pipe), met.get(id(node), set())
        if condition in before and ":=" not in condition:
            words = "stands earlier in this chain: its branch is never taken"
            yield "SI207", f"the condition {condition} {words}", node.pos
        if isinstance(operand, nodes.Bool | nodes.Nil | nodes.NumberNode | nodes.String):
            yield "SI207", f"the condition {condition} is always the same", node.pos
        if following := _else_if(node):
            met[id(following)] = before | {condition}


def _else_if(node: nodes.If) -> nodes.If | None:
    inner = node.otherwise.nodes if node.otherwise else ()
    return inner[0] if len(inner) == 1 and isinstance(inner[0], nodes.If) else None


def _lost_values(body: nodes.ListNode, values: JSONObject, minor: int) -> Iterator[tuple[str, str, int]]:
    """Yield paths of values that are printed, but neither given nor declared."""
    conditions = [node.pipe for node in nodes.walk(body) if isinstance(node, nodes.If | nodes.With)]
    asked = {_values_path(part) for pipe in conditions for part in nodes.walk(pipe)}
    for node in nodes.walk(body):
        if not isinstance(node, nodes.Action) or node.pipe.declarations or _is_guarded(node.pipe):
            continue
        for part in nodes.walk(node.pipe):
            path = _values_path(part)
            if not path or path in asked or (near := _missing(path, values)) is None:
                continue
            if not _is_declared(path, minor):
                yield "SI105", f"nothing gives .Values.{'.'.join(path)}{near}", part.pos


def _is_guarded(pipe: nodes.Pipe) -> bool:
    return any(isinstance(part, nodes.Identifier) and part.name in _GUARDS for part in nodes.walk(pipe))


def _values_path(node: nodes.Node) -> tuple[str, ...]:
    if isinstance(node, nodes.FieldNode) and node.names[0] == "Values":
        return node.names[1:]
    if isinstance(node, nodes.Variable) and node.name == "$" and node.fields[:1] == ("Values",):
        return node.fields[1:]
    return ()


def _is_declared(path: Sequence[str], minor: int) -> bool:
    """Return whether Istio's Values message of the release has the path, or leaves its parts open."""
    declared: Any = values_type(max(minor, _FIRST_TYPED))
    for key in path:
        fields = getattr(declared, "fields", None)
        if fields is None:
            return True
        field = next((each for each in fields if key in (each.name, each.json_name)), None)
        if field is None:
            return False
        declared = field.type if field.label == "one" else None
    return True


_FIRST_TYPED: Final = 8
"""The first minor whose values have types."""


def _missing(path: Sequence[str], values: Any) -> str | None:
    """Return None if the values have a path, else the question whether another was meant, "" for none."""
    for index, key in enumerate(path):
        if not isinstance(values, Mapping):
            return ""
        if key not in values:
            near = get_close_matches(key, [*values], n=1, cutoff=0.7)
            meant = ".".join((*path[:index], *near, *path[index + 1 :]))
            return f": did you mean .Values.{meant}?" if near else ""
        values = values[key]
    return None
