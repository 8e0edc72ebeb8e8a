"""Read what `explain` needs from kubectl's cluster: objects and the injector's texts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from injector.cli.configuration import NamedText
from injector.cli.files import SUFFIXES, FileError
from injector.diagnosis.items import Item, Material, mapping
from injector.diagnosis.registration import Ours, owned
from injector.diagnosis.running import is_running
from injector.json_types import JSONObject
from injector.kube.client import Connection, KubeClient, namespace_of
from injector.kube.errors import Unconfigured
from injector.kube.survey import RESOURCES, Resource, Subject, Survey, SurveyError, config_map, survey

GUESSES: Final = (
    ("sidecar-injector", "sidecar-injector"),
    ("istio-system", "istio-sidecar-injector"),
    ("istio-system", "sidecar-injector"),
)
"""Where the configuration is without a registration: the places of our own manifests, and Istio's."""


def subjects_of(arguments: Sequence[str]) -> list[Subject]:
    """Return the subjects of arguments, as in kubectl: ``deploy/web pod/x``, ``deploy web``, ``deploy``."""
    if not arguments:
        return [Subject(resource=each) for each in RESOURCES]
    if any("/" in each for each in arguments):
        return [_named(each) for each in arguments]
    kind, *names = arguments
    resource = _resource(kind, kind)
    return [Subject(resource=resource, name=name) for name in names] or [Subject(resource=resource)]


def _named(argument: str) -> Subject:
    kind, slash, name = argument.partition("/")
    if not slash or not name:
        raise click.UsageError(f"{argument!r} names no workload; write it as deploy/web")
    return Subject(resource=_resource(kind, argument), name=name)


def _resource(kind: str, argument: str) -> Resource:
    found = next((each for each in RESOURCES if kind.lower() in each.names), None)
    if found is None:
        if argument.endswith(SUFFIXES):
            raise click.UsageError(
                f"{argument!r} is not a workload in the cluster; give a file as -f {argument}"
            )
        known = ", ".join(min(each.names, key=len) for each in RESOURCES)
        raise click.UsageError(f"{kind!r} is not a kind that is read from clusters: {known}")
    return found


def read_cluster(
    subjects: Sequence[Subject], flags: Mapping[str, Any], ours: Ours
) -> tuple[Material, Mapping[str, Any]]:
    """Return what a cluster tells, and the flags for the injector there that no file sets.

    Raises KubeError or SurveyError, which say what to check.
    """
    kubeconfig = kubeconfig_of(flags["kubeconfig"])
    if kubeconfig and not _is_there(kubeconfig):
        raise SurveyError(f"the kubeconfig {kubeconfig} is not there")
    connection = Connection(kubeconfig=kubeconfig, context=flags["context"])
    where = "" if flags["all_namespaces"] else flags["namespace"] or namespace_of(connection)
    try:
        return asyncio.run(_read(connection, subjects, flags, where, ours))
    except Unconfigured as error:
        raise SurveyError(f"{error}; name a kubeconfig (--kubeconfig, $KUBECONFIG) and --context") from error


def _is_there(kubeconfig: str) -> bool:
    """Return whether one of the files exists; FileError where that cannot be checked."""
    try:
        return any(Path(each).is_file() for each in kubeconfig.split(os.pathsep))
    except OSError as error:
        raise FileError("read it", kubeconfig, error) from error


def kubeconfig_of(given: str | None) -> str | None:
    """Return the kubeconfig as kubectl finds it; None means the service account of a pod."""
    usual = Path("~/.kube/config").expanduser()
    return given or os.environ.get("KUBECONFIG") or (str(usual) if usual.is_file() else None)


async def _read(
    connection: Connection, subjects: Sequence[Subject], flags: Mapping[str, Any], namespace: str, ours: Ours
) -> tuple[Material, Mapping[str, Any]]:
    async with await KubeClient.connect(connection) as client:
        found = await survey(client, subjects, namespace)
        material = Material(
            pods=tuple(filter(is_running, map(_item, found.pods))),
            nodes=found.nodes,
            unseen=_unseen(found),
            remarks=found.remarks,
        )
        for each in (found.workloads, found.registration or (), found.namespaces, found.proxy_configs):
            material.add(map(_item, each))
        if flags["inject_config_file"]:
            return material, {}
        revision = flags["revision"]
        ours_there = owned(material.registration, ours)
        if revision == "default":
            revisions = (str(item.labels.get("istio.io/rev") or "") for item, _ in ours_there)
            revision = next(filter(None, revisions), revision)
        suffix = "" if revision in ("", "default") else f"-{revision}"
        texts = await _texts(client, flags["config_map"], ours_there, suffix)
        there = {flag: text for flag, text in texts.items() if not flags[flag]}  # the user's own file wins
        return material, {"revision": revision, **there}


def _item(value: JSONObject) -> Item:
    metadata = mapping(value.get("metadata"))
    name = "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
    return Item(value=value, source=f"{value.get('kind')} {name}")


def _unseen(found: Survey) -> str:
    if found.registration is not None:
        return ""
    return next((each for each in found.remarks if each.startswith("the registration")), "it cannot be read")


# ---- the injector's configuration


async def _texts(
    client: KubeClient, given: str, ours: Sequence[tuple[Item, JSONObject]], suffix: str
) -> dict[str, NamedText]:
    """Return the three texts of the named ConfigMap, or of the first one in a usual place.

    ``suffix`` is what Istio appends to the names of a revision's ConfigMaps.
    """
    places = [_split(given)] if given else list(dict.fromkeys(_candidates(ours, suffix)))
    for namespace, name in places:
        data = await config_map(client, namespace, name)
        if data is not None:
            return await _texts_of(client, namespace, name, data, suffix)
    looked = ", ".join(f"{namespace}/{name}" for namespace, name in places)
    raise SurveyError(
        f"there is no ConfigMap {looked}: "
        "give --config-map NAMESPACE/NAME, or the files (--inject-config-file)"
    )


def _split(given: str) -> tuple[str, str]:
    namespace, slash, name = given.partition("/")
    if not (namespace and slash and name):
        raise click.BadParameter(f"{given!r}: write NAMESPACE/NAME", param_hint="--config-map")
    return namespace, name


def _candidates(ours: Sequence[tuple[Item, JSONObject]], suffix: str) -> list[tuple[str, str]]:
    """Return where the configuration may be: next to the Service of our entries."""
    found = []
    for _, entry in ours:
        service = (entry.get("clientConfig") or {}).get("service") or {}
        if namespace := service.get("namespace"):
            names = (service.get("name"), f"istio-sidecar-injector{suffix}", "istio-sidecar-injector")
            found += [(str(namespace), str(name)) for name in names]
    return found or list(GUESSES)


async def _texts_of(
    client: KubeClient, namespace: str, name: str, data: Mapping[str, str], suffix: str
) -> dict[str, NamedText]:
    place = f"ConfigMap {namespace}/{name}"
    if "config" not in data:
        keys = ", ".join(sorted(data)) or "none"
        raise SurveyError(f"{place} has no key config; its keys: {keys}")
    mesh, mesh_place = data.get("mesh"), f"{place} mesh"
    if mesh is None:
        mesh_place = f"ConfigMap {namespace}/istio{suffix} mesh"
        mesh = (await config_map(client, namespace, f"istio{suffix}") or {}).get("mesh", "")
    return {
        "inject_config_file": NamedText(f"{place} config", data["config"]),
        "values_file": NamedText(f"{place} values", data.get("values") or "{}"),
        "mesh_config_file": NamedText(mesh_place, mesh),
    }
