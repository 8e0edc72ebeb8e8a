"""Read the texts of Istio's injector ConfigMap (InjectConfig and values), or report every fault at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from injector.errors import ConfigError, TypedError, YAMLError
from injector.golang.jsontext import member
from injector.injection.selector import Selector, SelectorError
from injector.istio.releases import Behaviour
from injector.json_types import JSON, JSONObject
from injector.kubeyaml import load

SIDECAR: Final = "sidecar"
"""The name of the only template up to 1.8, and of the default template since."""

_EMPTY: Final = "templates.{} is empty: its pods get the marks of injection and nothing else"

_KINDS: Final = {
    str: "a string",
    dict: "a mapping",
    list: "a list",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectConfig:
    """The injector's ConfigMap key ``config``, typed.

    ``templates`` maps a template's name to its text; up to 1.8 the only one is ``sidecar``. ``warnings`` say
    what was left out because it cannot be used, one sentence each.
    """

    policy: str
    templates: Mapping[str, str]
    default_templates: tuple[str, ...] = ("sidecar",)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    never_inject_selectors: tuple[Selector, ...] = ()
    always_inject_selectors: tuple[Selector, ...] = ()
    injected_annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def usual_templates(self) -> frozenset[str]:
        """The names of the templates for pods that name none."""
        aliases = self.aliases
        return frozenset(name for each in self.default_templates for name in (each, *aliases.get(each, ())))


class ConfigErrors(ConfigError):  # noqa: N818 - several of what its base is one of
    """Several faults of one configuration; ``str()`` gives each its line."""

    def __init__(self, faults: Iterable[ConfigError]) -> None:
        self.faults = tuple(faults)
        first = self.faults[0]
        super().__init__(first.reason, file=first.file, line=first.line, path=first.path)

    def __str__(self) -> str:
        """Return one line per fault."""
        return "\n".join(str(fault) for fault in self.faults)


class Faults:
    """Collects faults so that all of them are reported in one go."""

    def __init__(self) -> None:
        self.found: list[ConfigError] = []

    def add(self, reason: str, *, file: str = "", line: int = 0, path: str = "") -> None:
        """Note one fault."""
        self.found.append(ConfigError(reason, file=file, line=line, path=path))

    def raise_if_any(self) -> None:
        """Raise what was found: one ConfigError, or ConfigErrors for several."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise ConfigErrors(self.found)


def read_mapping(text: str, file: str, faults: Faults) -> JSONObject | None:
    """Return the mapping of a YAML text, None for an empty text; {}, with a fault noted, for any other."""
    try:
        value = load(text, alone=True)
    except YAMLError as error:
        faults.add(error.reason, file=file, line=error.line)
        return {}
    if value is not None and not isinstance(value, dict):
        faults.add(f"must be a mapping, not {_KINDS[type(value)]}", file=file)
        return {}
    return value


def parse_config(document: JSONObject, behaviour: Behaviour, *, file: str, faults: Faults) -> InjectConfig:
    """Return the typed configuration; its faults are added to ``faults``."""
    reader = _ConfigReader(document=document, file=file, faults=faults)
    never = reader.selectors("neverInjectSelector") if behaviour.has_selectors else ()
    always = reader.selectors("alwaysInjectSelector") if behaviour.has_selectors else ()
    return InjectConfig(
        policy=reader.string("policy"),
        templates=_templates(reader, behaviour),
        default_templates=reader.strings(reader.get("defaultTemplates"), "defaultTemplates") or (SIDECAR,),
        aliases=reader.aliases(),
        never_inject_selectors=never,
        always_inject_selectors=always,
        injected_annotations=reader.string_map("injectedAnnotations")
        if behaviour.has_injected_annotations
        else {},
        warnings=tuple(reader.warnings),
    )


def _templates(reader: _ConfigReader, behaviour: Behaviour) -> dict[str, str]:
    """Return the templates that the release reads; the other format is a fault that says what to do.

    Charts from 1.9 on put a ``template`` beside ``templates`` that only says that versions do not match.
    """
    if behaviour.overlays:
        templates = reader.string_map("templates")
        if not templates:
            old = " (it has `template`, so it is of 1.8 or older: say so with --release)"
            reader.fault(f"there are no templates{old if reader.get('template') else ''}", "templates")
        reader.warnings += [_EMPTY.format(name) for name, text in templates.items() if not text.strip()]
        return templates
    template = reader.string("template")
    if not template:
        new = " (it has `templates`, so it is of 1.9 or newer: say so with --release)"
        reader.fault(f"there is no template{new if reader.get('templates') else ''}", "template")
    return {SIDECAR: template}


class _ConfigReader:
    """Typed access to one document's keys; every mismatch becomes a fault with its path."""

    def __init__(self, *, document: JSONObject, file: str, faults: Faults) -> None:
        self._document = document
        self._file = file
        self._faults = faults
        self.warnings: list[str] = []

    def get(self, key: str) -> JSON:
        return member(self._document, key)

    def fault(self, reason: str, path: str) -> None:
        self._faults.add(reason, file=self._file, path=path)

    def _typed(self, value: JSON, path: str, wanted: type, zero: Any) -> Any:
        if value is None:
            return zero
        if not isinstance(value, wanted):
            quoted = (
                " (YAML reads it so; put it in quotes)" if wanted is str and isinstance(value, bool) else ""
            )
            self.fault(f"must be {_KINDS[wanted]}, not {_KINDS[type(value)]}{quoted}", path)
            return zero
        return value

    def string(self, key: str) -> str:
        return str(self._typed(self.get(key), key, str, ""))

    def strings(self, value: JSON, path: str) -> tuple[str, ...]:
        items = self._typed(value, path, list, [])
        return tuple(self._typed(item, f"{path}[{index}]", str, "") for index, item in enumerate(items))

    def string_map(self, key: str) -> dict[str, str]:
        items = self._typed(self.get(key), key, dict, {})
        return {name: self._typed(value, f"{key}.{name}", str, "") for name, value in items.items()}

    def aliases(self) -> dict[str, tuple[str, ...]]:
        items = self._typed(self.get("aliases"), "aliases", dict, {})
        return {name: self.strings(value, f"aliases.{name}") for name, value in items.items()}

    def selectors(self, key: str) -> tuple[Selector, ...]:
        """Return the usable label selectors; an unusable one is skipped with a warning, as in Istio.

        A selector of the wrong type is a fault: Istio cannot read the configuration then.
        """
        found = []
        for index, item in enumerate(self._typed(self.get(key), key, list, [])):
            path = f"{key}[{index}]"
            try:
                found.append(Selector.parse(self._typed(item, path, dict, {})))
            except SelectorError as error:
                self.warnings.append(f"{path} is skipped: {error}")
            except TypedError as error:
                self.fault(str(error), path)
        return tuple(found)


def line_of_template(text: str, name: str) -> int:
    """Return the line of the configuration on which template ``name`` begins; 0 when it is not found.

    Used in errors only. The key is searched for at the start of a line, which is how every chart writes it.
    """
    match = re.search(rf"^\s*['\"]?{re.escape(name)}['\"]?:\s*[|>][^\n]*\n", text, re.MULTILINE)
    return text.count("\n", 0, match.end()) + 1 if match else 0
