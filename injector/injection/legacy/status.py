"""The annotation sidecar.istio.io/status up to 1.8: written for a spec, read from a pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from injector.golang.jsontext import go_json
from injector.injection.legacy.spec import SidecarInjectionSpec
from injector.injection.steps.status import LISTS, STATUS
from injector.json_types import JSONObject


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierInjection:
    """The names of what an earlier injection added, which the next one removes first."""

    init_containers: frozenset[str]
    containers: frozenset[str]
    volumes: frozenset[str]
    image_pull_secrets: frozenset[str] = frozenset()


# What Istio added before it wrote down what it adds; a volume of the user's with such a name goes, too.
_BEFORE_STATUS: Final = EarlierInjection(
    init_containers=frozenset({"istio-init", "enable-core-dump"}),
    containers=frozenset({"istio-proxy"}),
    volumes=frozenset({"istio-certs", "istio-envoy"}),
)


def template_version(template: str) -> str:
    """Return the hash by which the status names a template."""
    return sha256(template.encode()).hexdigest()


def written_status(spec: SidecarInjectionSpec, version: str) -> str:
    """Return the annotation's value; a list without elements is null, as Go writes a nil slice."""
    return go_json(
        {
            "version": version,
            "initContainers": _names(spec.init_containers),
            "containers": _names(spec.containers),
            "volumes": _names(spec.volumes),
            "imagePullSecrets": _names(spec.image_pull_secrets),
        },
        sort_keys=False,
    )


def _names(objects: tuple[JSONObject, ...]) -> list[str] | None:
    return [item.get("name") or "" for item in objects] or None


def earlier_injection(annotations: Mapping[str, str]) -> EarlierInjection:
    """Return what is to be removed; the names of old where the annotation is missing, empty or unreadable."""
    status = _read(annotations.get(STATUS) or "")
    lists = [_strings(status, key) for key in LISTS]
    if any(names is None for names in lists) or not any(lists):
        return _BEFORE_STATUS
    sets = [frozenset(names or ()) for names in lists]
    return EarlierInjection(
        init_containers=sets[0], containers=sets[1], volumes=sets[2], image_pull_secrets=sets[3]
    )


def _read(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(value, dict) or not isinstance(value.get("version") or "", str):
        return {}
    return value


def _strings(status: dict[str, Any], key: str) -> list[str] | None:
    """Return a list of strings, None where Go could not decode it as one."""
    value = status.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(item is None or isinstance(item, str) for item in value):
        return None
    return [item or "" for item in value]
