"""A file with a ConfigMap's key, or with the whole ConfigMap as kubectl prints it, to the key's text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from injector.errors import ConfigError, YAMLError
from injector.kubeyaml import line_of, load


def text_of_key(text: str, key: str, file: str) -> str:
    """Return the text of ``key``: the file's own, or the key's of the ConfigMap that the file holds.

    Blank lines stand in front where the key's text is a block, so that its lines count as the file's do.
    Raises ConfigError for a ConfigMap without the key.
    """
    data = _data(text)
    if data is None:
        return text
    if not isinstance(found := data.get(key), str):
        has = f"it has {', '.join(sorted(map(str, data)))}" if data else "it has no data"
        raise ConfigError(f"the ConfigMap has no key {key!r}: {has}", file=file)
    start = line_of(text, ("data", key))
    header = text.split("\n")[start - 1].partition("#")[0].rstrip() if start else ""
    return "\n" * start + found if header.endswith(("|", "|-", "|+")) else found


def keys_of_map(text: str) -> frozenset[str]:
    """Return the keys of the ConfigMap that a text is; none where it is not one."""
    return frozenset(map(str, _data(text) or ()))


def _data(text: str) -> Mapping[str, Any] | None:
    """Return the data of a ConfigMap, None for any other text."""
    if "ConfigMap" not in text:
        return None
    try:
        value = load(text)
    except YAMLError:
        return None
    if not isinstance(value, dict) or value.get("kind") != "ConfigMap":
        return None
    data = value.get("data") or {}
    return data if isinstance(data, dict) else {}
