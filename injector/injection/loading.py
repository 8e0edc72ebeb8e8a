"""Load the texts of a configuration: return one Snapshot, or raise every fault of all of them at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from injector.budget import DEFAULT_LIMITS, ReviewLimits
from injector.errors import ConfigError, TemplateError, YAMLError
from injector.injection.caches import CACHE_BYTES, memo_of
from injector.injection.config import Faults, InjectConfig, line_of_template, parse_config, read_mapping
from injector.injection.dot.context import Known
from injector.injection.dot.functions import function_map
from injector.injection.dot.template import InjectionTemplate, advice_on_function, foreign_fields
from injector.injection.snapshot import Snapshot, UntrustedValues
from injector.istio.inference import infer_release
from injector.istio.mesh.descriptors import Message
from injector.istio.mesh.effective import ProxyConfigs
from injector.istio.mesh.jsonpb import dotted
from injector.istio.mesh.loading import Mesh, load_mesh
from injector.istio.releases import Behaviour, behaviour_of
from injector.istio.values import value_faults
from injector.json_types import JSONObject
from injector.kubeyaml import line_of, load
from injector.kubeyaml.skeleton import SkeletonCache

LARGEST_FILE: Final = 4 << 20
"""Bytes of one file, four times what a ConfigMap or Secret can hold: a growing log at the path of a
configuration must not fill the memory."""

_NO_VALUES: Final = "the values are empty or null, for which this release denies every pod: give at least {}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The three mounted texts and their names in errors; ``mesh`` may already be parsed.

    ``values`` are laid over ``default_values``, as helm lays them over a chart's.
    """

    config: str
    values: str = "{}"
    mesh: str | Mesh = ""
    default_values: str = ""
    config_file: str = "config"
    values_file: str = "values"
    mesh_file: str = "mesh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an injector is given besides its configuration; Snapshot describes each field."""

    release: str | None = None
    revision: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] | None = None
    namespaces: Mapping[str, JSONObject] = field(default_factory=dict)
    proxy_configs: Iterable[JSONObject] = ()
    untrusted_values: UntrustedValues = "scalar"
    limits: ReviewLimits = DEFAULT_LIMITS
    cache_bytes: int = CACHE_BYTES


def load_snapshot(sources: Sources, around: Surroundings) -> Snapshot:
    """Return the snapshot of a configuration; raises ConfigError, possibly for several faults."""
    faults = Faults()
    document = read_mapping(sources.config, sources.config_file, faults) or {}
    # An unreadable text gets no further faults about what it lacks.
    missing = Faults() if faults.found else faults
    given_values = _values(sources, faults)
    values = given_values or {}
    release, reason = (around.release, "") if around.release else infer_release(document, values)
    behaviour = _behaviour(release, faults)
    mesh = _mesh(sources, behaviour, faults)
    _check_values(values, behaviour, sources, faults)
    config = parse_config(document, behaviour, file=sources.config_file, faults=missing)
    denies_all = behaviour.needs_values and given_values is None
    warnings = (*config.warnings, *foreign_fields(config.templates, behaviour), *[_NO_VALUES] * denies_all)
    config = replace(config, warnings=warnings)
    known = Known(behaviour=behaviour, values=values, mesh=mesh, revision=around.revision, env=around.env)
    if faults.found:  # no template can be compiled, but their syntax can be checked
        _templates(config, known, mesh.proxy_config, frozenset(), sources, faults)
    faults.raise_if_any()
    configs = _proxy_configs(mesh, around, faults)
    proxy_config = configs.of("", {}, None)
    templates = _templates(config, known, proxy_config, config.usual_templates, sources, faults)
    faults.raise_if_any()
    return Snapshot(
        behaviour=behaviour,
        release_reason=reason,
        config=config,
        values=values,
        denies_all=denies_all,
        mesh=mesh,
        proxy_configs=configs,
        usual_proxy_config=proxy_config,
        cache_bytes=around.cache_bytes,
        skeletons=SkeletonCache(memo_of("skeletons", around.cache_bytes)),
        templates=templates,
        revision=around.revision,
        env=around.env,
        nodes=around.nodes,
        namespaces=around.namespaces,
        untrusted_values=around.untrusted_values,
        limits=around.limits,
    )


def _values(sources: Sources, faults: Faults) -> JSONObject | None:
    """Return the values as a mapping, laid over the defaults if there are any; None for an empty text."""
    given = read_mapping(sources.values, sources.values_file, faults)
    defaults = load(sources.default_values) if sources.default_values else None
    return given if defaults is None else _overlaid(defaults, given or {})


def _overlaid(defaults: JSONObject, given: JSONObject) -> JSONObject:
    """Return the defaults with the given values laid over them, map by map; null removes a default."""
    found = dict(defaults)
    for key, value in given.items():
        below = found.pop(key, None)
        if isinstance(below, dict) and isinstance(value, dict):
            found[key] = _overlaid(below, value)
        elif value is not None:
            found[key] = value
    return found


def _behaviour(release: str, faults: Faults) -> Behaviour:
    try:
        return behaviour_of(release)
    except ValueError as error:
        faults.add(str(error), path="release")
        faults.raise_if_any()
        raise


def _check_values(values: JSONObject, behaviour: Behaviour, sources: Sources, faults: Faults) -> None:
    for path, reason in value_faults(values, behaviour.minor):
        faults.add(
            f"could not parse configuration values: {reason}",
            file=sources.values_file,
            line=line_of(sources.values, path),
            path=dotted(path),
        )


def _mesh(sources: Sources, behaviour: Behaviour, faults: Faults) -> Mesh:
    """Return the mesh; the default mesh where the text is unreadable, so that other faults are found too."""
    if isinstance(sources.mesh, Mesh):
        return sources.mesh
    try:
        return load_mesh(sources.mesh, behaviour.minor, file=sources.mesh_file)
    except ConfigError as error:
        faults.found.append(error)
        return load_mesh("", behaviour.minor)


def _proxy_configs(mesh: Mesh, around: Surroundings, faults: Faults) -> ProxyConfigs:
    memo = memo_of("proxy_configs", around.cache_bytes)
    try:
        return ProxyConfigs(mesh, around.proxy_configs, memo)
    except ConfigError as error:
        faults.found.append(error)
        return ProxyConfigs(mesh, (), memo)


def _templates(
    config: InjectConfig,
    known: Known,
    proxy_config: Message,
    usual: frozenset[str],
    sources: Sources,
    faults: Faults,
) -> dict[str, InjectionTemplate]:
    """Return the templates; those not in ``usual`` are only parsed for now."""
    functions = function_map(known.behaviour, env=known.env, mesh=known.mesh)
    templates: dict[str, InjectionTemplate] = {}
    for name, text in config.templates.items():
        try:
            templates[name] = InjectionTemplate(text, known, functions, proxy_config, compiled=name in usual)
        except TemplateError as error:
            faults.found.append(_template_fault(name, error, known.behaviour, sources))
    return templates


def _template_fault(name: str, error: TemplateError, behaviour: Behaviour, sources: Sources) -> ConfigError:
    """Return the fault with its line in the file instead of in the template, where it can be found."""
    overlays = behaviour.overlays
    start = line_of_template(sources.config, name if overlays else "template")
    path = f"templates.{name}" if overlays else "template"
    line = start + error.line - 1 if start and error.line else 0
    return ConfigError(
        f"{error}{advice_on_function(str(error))}", file=sources.config_file, line=line, path=path
    )


# ---- texts with a ConfigMap's key, or with the whole ConfigMap as kubectl prints it

_OBJECT: Final = re.compile(r"""^["']?kind["']?\s*:|\A\s*\{[^\0]*["]kind["]""", re.MULTILINE)
"""What the text of a Kubernetes object has, as kubectl prints it, and hardly another text: that need not be
parsed twice."""


class MountedTexts(NamedTuple):
    """The three texts of a configuration, and the name of each."""

    config: str
    values: str
    mesh: str
    files: tuple[str, str, str]


def unwrap(config: str, values: str | None, mesh: str | None, names: Sequence[str]) -> MountedTexts:
    """Return the contents of three files, each of which is a ConfigMap's key or the whole ConfigMap.

    Without a values file, the values beside config in its ConfigMap are used, if any. ``names`` are the
    files' names. Raises ConfigError for a ConfigMap without the key, and for an object of another kind.
    """
    config_file, values_file, mesh_file = names
    if values is None and "values" in _data(_object(config)):
        values, values_file = config, config_file
    return MountedTexts(
        config=_text_of_key(config, "config", config_file),
        values=_text_of_key(values or "{}", "values", values_file),
        mesh=_text_of_key(mesh or "", "mesh", mesh_file),
        files=(config_file, values_file, mesh_file),
    )


def _text_of_key(text: str, key: str, file: str) -> str:
    """Return the text of ``key``: the whole file, or the key's value in the ConfigMap that the file holds.

    For a block scalar, blank lines are put in front, so that line numbers are those of the file. Raises
    ConfigError for a ConfigMap without the key, and for an object of another kind.
    """
    found = _object(text)
    if found is None:
        return text
    if found["kind"] != "ConfigMap":
        reason = (
            f"this is a {found['kind']}: give a file with the text of {key!r}, or the ConfigMap that has it"
        )
        raise ConfigError(reason, file=file, line=line_of(text, ("kind",)))
    data = _data(found)
    start = line_of(text, ("data", key))
    if key not in data:
        has = f"it has {', '.join(sorted(map(str, data)))}" if data else "it has no data"
        raise ConfigError(f"the ConfigMap has no key {key!r}: {has}", file=file)
    if not isinstance(value := data[key], str):
        reason = "no text: write | behind its name, and the text below"
        raise ConfigError(f"what the ConfigMap has under {key!r} is {reason}", file=file, line=start)
    header = text.split("\n")[start - 1].partition("#")[0].rstrip() if start else ""
    return "\n" * start + value if header.endswith(("|", "|-", "|+")) else value


def _object(text: str) -> Mapping[str, Any] | None:
    """Return the Kubernetes object that a text holds, None for any other text."""
    if "ConfigMap" not in text and not _OBJECT.search(text):
        return None
    try:
        value = load(text, alone=True)
    except YAMLError:
        return None
    if not isinstance(value, dict) or not isinstance(kind := value.get("kind"), str):
        return None
    return value if kind == "ConfigMap" or "apiVersion" in value else None


def _data(found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the data of a ConfigMap, nothing for any other object and for None."""
    data = found.get("data") if found and found["kind"] == "ConfigMap" else None
    return data if isinstance(data, dict) else {}
