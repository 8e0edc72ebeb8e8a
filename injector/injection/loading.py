"""The texts of a configuration in, one Snapshot out, or every fault of all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from injector.budget import DEFAULT_LIMITS, ReviewLimits
from injector.errors import ConfigError, TemplateError
from injector.gotemplate import parse
from injector.gotemplate.builtins import BUILTINS
from injector.injection.caches import CACHE_BYTES, memo_of
from injector.injection.config import Faults, line_of_template, parse_config, read_mapping
from injector.injection.forks import advice_on_function, foreign_fields
from injector.injection.functions import function_map, functions_of
from injector.injection.inference import infer_release
from injector.injection.mesh.effective import ProxyConfigs
from injector.injection.mesh.loading import Mesh, load_mesh
from injector.injection.releases import Behaviour, behaviour_of
from injector.injection.render import InjectionTemplate
from injector.injection.snapshot import InjectConfig, Snapshot, UntrustedValues, skeleton_cache
from injector.injection.values import dotted, value_faults
from injector.json_types import JSONObject
from injector.kubeyaml import line_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The three texts as mounted, and what they are called in errors."""

    config: str
    values: str = "{}"
    mesh: str = ""
    config_file: str = "config"
    values_file: str = "values"
    mesh_file: str = "mesh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an injector is told beside its configuration: see Snapshot for each."""

    release: str | None = None
    revision: str = "default"
    env: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] | None = None
    namespaces: Mapping[str, JSONObject] = field(default_factory=dict)
    proxy_configs: Iterable[JSONObject] = ()
    untrusted_values: UntrustedValues = "scalar"
    limits: ReviewLimits = DEFAULT_LIMITS
    cache_bytes: int = CACHE_BYTES


def load_snapshot(sources: Sources, around: Surroundings, *, mesh: Mesh | str | None = "text") -> Snapshot:
    """Return the snapshot of a configuration; raises ConfigError, which may be of several faults.

    ``mesh`` stands in for the text of the same name where a caller has one already.
    """
    faults = Faults()
    document = read_mapping(sources.config, sources.config_file, faults)
    # What an unreadable text does not have goes without saying.
    missing = Faults() if faults.found else faults
    values = read_mapping(sources.values, sources.values_file, faults)
    inferred = None if around.release else infer_release(document, values)
    behaviour = _behaviour(inferred.release if inferred else around.release or "", faults)
    read_mesh = _mesh(sources, behaviour, faults) if isinstance(mesh, str) else mesh
    _check_values(values, behaviour, sources, faults)
    config = parse_config(document, behaviour, file=sources.config_file, faults=missing)
    config = replace(config, warnings=(*config.warnings, *foreign_fields(config.templates, behaviour)))
    if faults.found:
        _check_syntax(config, behaviour, sources, around.env, faults)
    faults.raise_if_any()
    snapshot = Snapshot(
        behaviour=behaviour,
        release_reason=inferred.reason if inferred else "",
        config=config,
        values=values,
        mesh=read_mesh,
        proxy_configs=_proxy_configs(read_mesh, around, faults),
        cache_bytes=around.cache_bytes,
        skeletons=skeleton_cache(around.cache_bytes),
        templates={},
        revision=around.revision,
        env=around.env,
        nodes=around.nodes,
        namespaces=around.namespaces,
        untrusted_values=around.untrusted_values,
        limits=around.limits,
    )
    return _with_templates(snapshot, sources, faults)


def _behaviour(release: str, faults: Faults) -> Behaviour:
    try:
        return behaviour_of(release)
    except ValueError as error:
        faults.add(str(error), path="release")
        faults.raise_if_any()
        raise


def _check_values(values: JSONObject, behaviour: Behaviour, sources: Sources, faults: Faults) -> None:
    for fault in value_faults(values, behaviour.minor):
        faults.add(
            f"could not parse configuration values: {fault.reason}",
            file=sources.values_file,
            line=line_of(sources.values, fault.path),
            path=dotted(fault.path),
        )


def _mesh(sources: Sources, behaviour: Behaviour, faults: Faults) -> Mesh | None:
    try:
        return load_mesh(sources.mesh, behaviour.minor, file=sources.mesh_file)
    except ConfigError as error:
        faults.found.append(error)
        return None


def _proxy_configs(mesh: Mesh | None, around: Surroundings, faults: Faults) -> ProxyConfigs | None:
    if mesh is None:
        return None
    try:
        return ProxyConfigs(mesh, around.proxy_configs, memo_of("proxy_configs", around.cache_bytes))
    except ConfigError as error:
        faults.found.append(error)
        return None


def _with_templates(snapshot: Snapshot, sources: Sources, faults: Faults) -> Snapshot:
    functions = functions_of(snapshot)
    usual = _usual_names(snapshot.config)
    templates: dict[str, InjectionTemplate] = {}
    for name, text in snapshot.config.templates.items():
        try:
            templates[name] = InjectionTemplate(text, snapshot, functions, compiled=name in usual)
        except TemplateError as error:
            faults.found.append(_template_fault(name, error, snapshot.behaviour, sources))
    faults.raise_if_any()
    return replace(snapshot, templates=templates)


def _check_syntax(
    config: InjectConfig, behaviour: Behaviour, sources: Sources, env: Mapping[str, str], faults: Faults
) -> None:
    """Find what is wrong with the templates when they cannot be compiled, as something else is wrong."""
    functions = function_map(behaviour, env=env, mesh=None)
    for name, text in config.templates.items():
        try:
            parse("inject", text, BUILTINS.keys() | functions.keys(), behaviour.delimiters)
        except TemplateError as error:
            faults.found.append(_template_fault(name, error, behaviour, sources))


def _usual_names(config: InjectConfig) -> set[str]:
    """Return the templates of pods that name none."""
    return {name for each in config.default_templates for name in (each, *config.aliases.get(each, ()))}


def _template_fault(name: str, error: TemplateError, behaviour: Behaviour, sources: Sources) -> ConfigError:
    """Return the fault with the line of the file, not of the template, where that can be told."""
    overlays = behaviour.overlays
    start = line_of_template(sources.config, name if overlays else "template")
    path = f"templates.{name}" if overlays else "template"
    line = start + error.line - 1 if start and error.line else 0
    return ConfigError(
        f"{error}{advice_on_function(str(error))}", file=sources.config_file, line=line, path=path
    )
