"""Files and flags that say how to inject, to an Injector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from injector.cli.files import read_text
from injector.cli.options import FILE, environment, option, release_options, text_options
from injector.errors import ConfigError
from injector.injection.injector import Injector
from injector.injection.releases import NEWEST_RELEASE
from injector.json_types import JSONObject
from injector.kubeyaml import documents
from injector.templates import BUILT_IN, built_in

Command = TypeVar("Command", bound=Callable[..., Any])

BUILT_IN_FILES = ("built-in config", "built-in values", "mesh")


def configuration_options(command: Command) -> Command:
    """Add everything that `load_injector` reads."""
    options = (
        text_options,
        click.option(
            "--template",
            type=click.Choice(BUILT_IN),
            default=BUILT_IN[0],
            show_default=True,
            help="The built-in configuration, where no --inject-config-file is given.",
        ),
        release_options,
        option(
            "--native-sidecars",
            type=click.Choice(("auto", "true", "false")),
            help="Whether istio-proxy becomes a native sidecar; the release decides when not given.",
        ),
        click.option("--platform", type=click.Choice(("openshift",)), help="The platform istiod runs on."),
        option(
            "--namespace-file",
            type=FILE,
            multiple=True,
            help="Namespace objects, whose labels and annotations count.",
        ),
        option("--proxy-config-file", type=FILE, multiple=True, help="ProxyConfig resources."),
    )
    for each in reversed(options):
        command = each(command)
    return command


def load_injector(flags: Mapping[str, Any]) -> Injector:
    """Return the injector that the flags describe; ConfigError names file, line and reason."""
    texts, names = _texts(flags)
    return Injector.load(
        *texts,
        files=names,
        release=flags["release"] or (None if flags["inject_config_file"] else NEWEST_RELEASE),
        revision=flags["revision"],
        env=_environment(flags),
        namespaces=dict(_namespaces(flags["namespace_file"])),
        proxy_configs=[*_objects(flags["proxy_config_file"], "ProxyConfig")],
        untrusted_values=flags["untrusted_values"],
        limits=flags["review_limits"],
    )


def say_release(injector: Injector) -> None:
    """Say on stderr what told the release, where no option did."""
    if injector.release_reason:
        click.echo(f"release {injector.release}, {injector.release_reason}; --release wins", err=True)


def _texts(flags: Mapping[str, Any]) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    config, values, mesh = flags["inject_config_file"], flags["values_file"], flags["mesh_config_file"]
    template = built_in(flags["template"])
    if not config:
        template.check_release(flags["release"])
    texts = (
        read_text(config) if config else template.config,
        read_text(values) if values else "{}" if config else template.values,
        read_text(mesh) if mesh else "",
    )
    given = (config, values, mesh)
    config_name, values_name, mesh_name = (
        str(path) if path else name for path, name in zip(given, BUILT_IN_FILES, strict=True)
    )
    return texts, (config_name, values_name, mesh_name)


def _environment(flags: Mapping[str, Any]) -> Mapping[str, str]:
    found = dict(environment(flags["settings"]))
    if flags["native_sidecars"]:
        found["ENABLE_NATIVE_SIDECARS"] = flags["native_sidecars"]
    if flags["platform"]:
        found["PLATFORM"] = flags["platform"]
    return found


def _namespaces(paths: Sequence[Path]) -> Iterator[tuple[str, JSONObject]]:
    for namespace in _objects(paths, "Namespace"):
        yield str(namespace["metadata"]["name"]), namespace


def _objects(paths: Sequence[Path], kind: str) -> Iterator[JSONObject]:
    """Yield the objects of one kind in files; any other object there is a mistake."""
    for path in paths:
        for document in documents(read_text(path), source=str(path)):
            value = document.value
            if value is None:
                continue
            if not isinstance(value, dict) or value.get("kind") != kind or not _named(value):
                raise ConfigError(f"this is no {kind} with a name", file=str(path), line=document.line)
            yield value


def _named(value: JSONObject) -> bool:
    metadata = value.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("name"))
