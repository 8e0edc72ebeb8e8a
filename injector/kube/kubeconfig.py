"""Check the files of a kubeconfig: kubernetes-asyncio assumes that their shape is right."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from injector.json_types import JSON, JSONObject
from injector.kube.errors import Unconfigured

SECTIONS: Final = {"contexts": "context", "clusters": "cluster", "users": "user"}
"""The lists of a kubeconfig, and the key of each entry under which its content is."""

FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    "contexts": {"cluster": str, "user": str, "namespace": str},
    "clusters": {
        "server": str,
        "certificate-authority": str,
        "certificate-authority-data": str,
        "tls-server-name": str,
        "proxy-url": str,
    },
    "users": {
        "client-certificate": str,
        "client-certificate-data": str,
        "client-key": str,
        "client-key-data": str,
        "tokenFile": str,
        "auth-provider": dict,
        "exec": dict,
    },
}
"""The fields that are read, with their types (client-go's api/v1); null counts as missing."""

_WORDS: Final[Mapping[type, str]] = {str: "a string", dict: "an object"}


def check_kubeconfig(paths: str, context: str | None) -> None:
    """Raise Unconfigured, which names the file, where a kubeconfig cannot be read or lacks what is needed.

    ``paths`` are files as in $KUBECONFIG: missing files do not count, and the first of two entries with one
    name wins. ``context`` None means the current one. kubernetes-asyncio reports a name that is not found.
    """
    documents = []
    for path in filter(None, paths.split(os.pathsep)):
        file = Path(path).expanduser()
        if file.is_file():  # a pipe can only be read once
            documents.append(_checked(file))
    current = [each["current-context"] for each in documents if each.get("current-context")]
    chosen = _entry(documents, "contexts", context or (current[-1] if current else None)) or {}
    cluster = _entry(documents, "clusters", chosen.get("cluster"))
    if cluster is not None and not cluster.get("server"):
        raise Unconfigured(f"{_unusable(paths)}: the cluster {chosen['cluster']} has no server")


def _unusable(path: Path | str) -> str:
    return f"the kubeconfig {path} cannot be used"


def _checked(file: Path) -> JSONObject:
    """Return the document of a file, whose shape was checked."""
    try:
        # When it reads a stream instead of a text, the error quotes no lines: they may be secrets.
        with file.open(encoding="utf-8") as stream:
            document = yaml.safe_load(stream)
    except OSError as error:
        raise Unconfigured(f"{_unusable(file)}: {error.strerror or error}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # invalid dates and bytes, deep nesting
        raise Unconfigured(f"{_unusable(file)}: it is not YAML: {' '.join(str(error).split())}") from error
    fault = next(_faults(document), "")
    if fault:
        raise Unconfigured(f"{_unusable(file)}: {fault}")
    checked: JSONObject = document
    return checked


def _faults(document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f"it is not an object with {', '.join(SECTIONS)}"
        return
    for section, member in SECTIONS.items():
        entries = document.get(section)
        if not isinstance(entries, list | None):
            yield f"{section} is not a list"
            return
        for index, entry in enumerate(entries or ()):
            yield from _entry_faults(entry, section, member, f"{section}[{index}]")


def _entry_faults(entry: Any, section: str, member: str, place: str) -> Iterator[str]:
    if not isinstance(entry, dict) or not entry.get("name"):
        yield f"{place} is not an object with a name"
        return
    content = entry.get(member)
    if not isinstance(content, dict | None):
        yield f"{place}.{member} is not an object"
        return
    for field, expected in FIELDS[section].items():
        if content and not isinstance(content.get(field), expected | None):
            yield f"{place}.{member}.{field} is not {_WORDS[expected]}"


def _entry(documents: list[JSONObject], section: str, name: JSON) -> JSONObject | None:
    """Return the content of the first entry with a name; None if there is none or it is empty."""
    entries = (entry for document in documents for entry in document.get(section) or ())
    found: JSONObject = next((entry for entry in entries if entry["name"] == name), {})
    content: JSONObject | None = found.get(SECTIONS[section])
    return content
