"""Decode the JSON of a rendered template up to 1.8 into a typed SidecarInjectionSpec.

Go decodes the rendered YAML into typed structs: a number or boolean in place of a string becomes its text,
unknown fields vanish, and a wrong type is an error.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from injector.errors import TypedError
from injector.golang.jsontext import fold_name, kind_of, mismatch
from injector.istio.releases import Behaviour
from injector.json_types import JSON, JSONObject
from injector.patch import GoType, go_type, in_key_order, normalise

_DNS_CONFIG: Final = "core/v1.PodDNSConfig"
_ROOT: Final = re.compile(r"Go value of type")
_WITHIN: Final = re.compile(r"Go struct field (?!SidecarInjectionSpec)\w+\.")

_LISTS: Final = {
    "initContainers": "core/v1.Container",
    "containers": "core/v1.Container",
    "volumes": "core/v1.Volume",
    "imagePullSecrets": "core/v1.LocalObjectReference",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarInjectionSpec:
    """What a template adds to a pod; Kubernetes objects as their JSON."""

    init_containers: tuple[JSONObject, ...] = ()
    containers: tuple[JSONObject, ...] = ()
    volumes: tuple[JSONObject, ...] = ()
    image_pull_secrets: tuple[JSONObject, ...] = ()
    dns_config: JSONObject | None = None
    rewrite_probes: bool = False
    redirect_annotations: JSONObject | None = None

    @property
    def lists(self) -> dict[str, tuple[JSONObject, ...]]:
        """What it adds to each list of a pod's spec, in the order of the status annotation."""
        return {
            "initContainers": self.init_containers,
            "containers": self.containers,
            "volumes": self.volumes,
            "imagePullSecrets": self.image_pull_secrets,
        }


def decode_spec(rendered: JSON, behaviour: Behaviour) -> SidecarInjectionSpec:
    """Return the typed spec; raises TypedError where the JSON does not fit."""
    if rendered is None:
        return SidecarInjectionSpec()
    if not isinstance(rendered, dict):
        raise TypedError(mismatch(rendered, "inject.SidecarInjectionSpec"))
    fields = {_FIELDS[fold_name(key)]: value for key, value in rendered.items() if fold_name(key) in _FIELDS}
    dns_config = fields.get("dnsConfig") if behaviour.has_dns_config else None

    def listed(key: str) -> tuple[JSONObject, ...]:
        return _objects(fields.get(key), key, go_type(_LISTS[key], behaviour.kubernetes))

    # The first misfit is the error: Go reads the fields in sorted order, and what is in them too.
    return SidecarInjectionSpec(
        containers=listed("containers"),
        dns_config=None
        if dns_config is None
        else _typed(dns_config, go_type(_DNS_CONFIG, behaviour.kubernetes), "DNSConfig"),
        image_pull_secrets=listed("imagePullSecrets"),
        init_containers=listed("initContainers"),
        redirect_annotations=_strings(fields.get("podRedirectAnnot")),
        rewrite_probes=behaviour.rewrites_probes and _boolean(fields.get("rewriteAppHTTPProbe")),
        volumes=listed("volumes"),
    )


_FIELDS: Final = {
    fold_name(key): key for key in (*_LISTS, "dnsConfig", "rewriteAppHTTPProbe", "podRedirectAnnot")
}


def _objects(value: JSON, key: str, schema: GoType) -> tuple[JSONObject, ...]:
    if value is None:
        return ()
    field = key[0].upper() + key[1:]
    if not isinstance(value, list):
        raise _misfit(value, field, f"[]v1.{schema.name}")
    return tuple(_typed({} if item is None else item, schema, field) for item in value)


def _typed(value: JSON, schema: GoType, field: str) -> JSONObject:
    """Return what Go reads; ``field`` of the spec is where the paths in errors begin."""
    with suppress(TypedError):
        typed: JSONObject = normalise(value, schema, coerce_strings=True)
        return typed
    try:  # again in Go's order, to find the first misfit
        typed = normalise(in_key_order(value), schema, coerce_strings=True)
    except TypedError as error:
        words = _ROOT.sub(rf"Go struct field SidecarInjectionSpec.{field} of type", str(error))
        raise TypedError(_WITHIN.sub(rf"\g<0>{field}.", words)) from error
    return typed


def _boolean(value: JSON) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _misfit(value, "RewriteAppHTTPProbe", "bool")


def _strings(value: JSON) -> JSONObject | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _misfit(value, "PodRedirectAnnot", "map[string]string")
    return {key: _string(item) for key, item in value.items()}


def _string(value: Any) -> str:
    """Return a value of a map of strings as ghodss/yaml passes it to Go: scalars as their text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise _misfit(value, "PodRedirectAnnot", "string")


def _misfit(value: JSON, field: str, wanted: str) -> TypedError:
    place = f"Go struct field SidecarInjectionSpec.{field}"
    return TypedError(f"json: cannot unmarshal {kind_of(value)} into {place} of type {wanted}")
