"""Text that holds containers in, containers as Go's types have them out, and back. Knows no pod."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from injector.errors import InjectionError
from injector.golang.jsonfault import json_fault
from injector.golang.jsontext import go_json, kind_of
from injector.injection.steps.containers import KINDS, Kind
from injector.injection.steps.merge import PodTypes
from injector.json_types import JSON, JSONObject
from injector.patch import GoType, go_type

# Lists of containers are checked as those of a pod; the paths in errors then begin with the pod's.
_POD_SPEC: Final = re.compile(r"\bPodSpec\.spec\.")
_IN_SPEC: Final = re.compile(r"(?<=\.)spec\.")


def decode_containers(text: str, types: PodTypes) -> dict[Kind, list[JSONObject]]:
    """Return the lists of containers that a JSON object holds, as Go decodes Istio's type podOverrides.

    Raises InjectionError in encoding/json's words.
    """
    value = _parse(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        kind = kind_of(value)
        raise InjectionError(f"json: cannot unmarshal {kind} into Go value of type inject.podOverrides")
    lists = {key: item for key, item in value.items() if key.lower() in ("containers", "initcontainers")}
    try:
        spec = types.typed({"spec": lists})["spec"]
    except InjectionError as error:
        words = _POD_SPEC.sub("podOverrides.", str(error))
        raise InjectionError(_IN_SPEC.sub("", words)) from error
    return {kind: spec[kind] for kind in KINDS if spec.get(kind)}


def _parse(text: str) -> JSON:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InjectionError(json_fault(text.encode()) or str(error)) from error


def containers_json(lists: Mapping[Kind, Sequence[JSONObject]], types: PodTypes) -> str:
    """Return the JSON that Go writes of lists of containers: fields in the order of their declaration."""
    declared = go_type("[]core/v1.Container", types.pod.version)
    ordered = {kind: in_go_order(lists[kind], declared) for kind in KINDS if kind in lists}
    return go_json(ordered, sort_keys=False)


def in_go_order(value: JSON, declared: GoType) -> JSON:
    """Return a value of a type with the fields of structs as declared and the keys of maps sorted."""
    declared = declared.target
    if value is None:
        return None
    if declared.kind == "struct":
        return {
            field.name: in_go_order(value[field.name], field.type)
            for field in declared.fields
            if field.name in value
        }
    if declared.kind == "list":
        return [in_go_order(item, declared.element) for item in value]
    if declared.kind == "map":
        return {key: in_go_order(value[key], declared.element) for key in sorted(value)}
    return value
