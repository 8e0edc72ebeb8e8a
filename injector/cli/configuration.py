"""Load an Injector from the files and flags that say how to inject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from injector.cli.files import read_text
from injector.cli.options import FILE, environment, option, release_options, text_options, together
from injector.diagnosis.items import Item, items_of
from injector.errors import ConfigError
from injector.injection.injector import Injector
from injector.injection.loading import LARGEST_FILE, Sources, Surroundings, load_snapshot, unwrap
from injector.istio.releases import NEWEST_RELEASE
from injector.json_types import JSONObject
from injector.kubeyaml import documents
from injector.templates import BUILT_IN, built_in

SURROUNDINGS = ("Namespace", "ProxyConfig", "MutatingWebhookConfiguration")
"""Kinds that say where a pod will live: the output of `kubectl get` for them may be in one file."""

BUILT_IN_FILES: Final = ("built-in config", "built-in values", "mesh")
TEXTS: Final = {"config": "inject_config_file", "values": "values_file", "mesh": "mesh_config_file"}
"""The keys of Istio's ConfigMaps that hold the three texts, each with the flag for its file."""


class NamedText(NamedTuple):
    """A text that a flag may have instead of its file's path, with its name in errors."""

    name: str
    text: str

    def __str__(self) -> str:
        """Return the name, like a path."""
        return self.name


configuration_options = together(
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
        help="Namespace objects, whose labels and annotations count; not for `inject` and `krm`.",
    ),
    option(
        "--proxy-config-file",
        type=FILE,
        multiple=True,
        help="ProxyConfig resources; they do not count for `inject` and `krm`.",
    ),
)
"""Everything that `load_injector` reads."""


def load_injector(flags: Mapping[str, Any]) -> Injector:
    """Return the injector that the flags describe; ConfigError names file, line and reason."""
    return Injector(load_snapshot(*read_configuration(flags)))


def read_configuration(flags: Mapping[str, Any]) -> tuple[Sources, Surroundings]:
    """Return the texts that the flags name, and everything else that an injector needs."""
    return _sources(flags), Surroundings(
        release=flags["release"] or (None if flags["inject_config_file"] else NEWEST_RELEASE),
        revision=flags["revision"],
        env=_environment(flags),
        namespaces={
            str(each["metadata"]["name"]): each for each in _objects(flags["namespace_file"], "Namespace")
        },
        proxy_configs=[*_objects(flags["proxy_config_file"], "ProxyConfig")],
        untrusted_values=flags["untrusted_values"],
        limits=flags["review_limits"],
    )


def say_release(injector: Injector) -> None:
    """Say on stderr how the release was inferred, if no option set it."""
    if injector.release_reason:
        click.echo(f"release {injector.release}, {injector.release_reason}; --release wins", err=True)


def without_effect(flags: Mapping[str, Any], injector: Injector) -> Iterator[str]:
    """Yield a sentence for each input that has no effect by hand, as it has none in kube-inject."""
    for flag in ("namespace_file", "proxy_config_file"):
        if flags[flag]:
            yield f"--{flag.replace('_', '-')} has no effect by hand, only in the webhook: `explain` reads it"
    policy = injector.snapshot.config.policy
    if policy != "enabled":
        yield f"policy {policy!r} has no effect by hand, only in the webhook: `explain` says what that does"


def _sources(flags: Mapping[str, Any]) -> Sources:
    given: list[Path | NamedText | None] = [flags[flag] for flag in TEXTS.values()]
    config, values, mesh = map(_text_of, given)
    names = [str(each) if each else name for each, name in zip(given, BUILT_IN_FILES, strict=True)]
    default_values = ""
    if config is None:
        template = built_in(flags["template"])
        template.check_release(flags["release"])
        config, default_values = template.config, template.values
        values = default_values if values is None else values
    texts = unwrap(config, values, mesh, names)
    files = dict(zip(("config_file", "values_file", "mesh_file"), texts.files, strict=True))
    return Sources(
        config=texts.config,
        values=texts.values,
        mesh=texts.mesh,
        default_values=default_values,
        **files,
    )


def _text_of(given: Path | NamedText | None) -> str | None:
    if isinstance(given, NamedText):
        return given.text
    return None if given is None else read_text(given, largest=LARGEST_FILE)


def _environment(flags: Mapping[str, Any]) -> Mapping[str, str]:
    found = dict(environment(flags["settings"]))
    if flags["native_sidecars"]:
        found["ENABLE_NATIVE_SIDECARS"] = flags["native_sidecars"]
    if flags["platform"]:
        found["PLATFORM"] = flags["platform"]
    return found


def _objects(paths: Sequence[Path], kind: str) -> Iterator[JSONObject]:
    return (item.value for item in surroundings_of(paths, kind) if item.kind == kind)


def surroundings_of(paths: Sequence[Path], kind: str) -> Iterator[Item]:
    """Yield the objects in files given for ``kind``, including those in Lists.

    A workload is a mistake, and so is a file without any object. Other kinds of `SURROUNDINGS` are yielded as
    well, so that one file can describe the whole cluster.
    """
    for path in paths:
        found = [*documents(read_text(path), source=str(path))]
        if all(document.value is None for document in found):
            # Usually the command that should write it failed: for no objects, kubectl writes an empty List.
            raise ConfigError("there is nothing in it", file=str(path))
        for document in found:
            if document.value is not None and not isinstance(document.value, dict):
                raise ConfigError(f"this is not a {kind}", file=str(path), line=document.line)
            for item in items_of([document]):
                if item.kind not in SURROUNDINGS or not item.name:
                    line = item.at().line
                    raise ConfigError(f"this is not a {kind} with a name", file=str(path), line=line)
                yield item
