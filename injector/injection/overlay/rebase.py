"""What injection changed in, the pod as it was received with those changes out. Knows no injection.

Injection works on the pod as Go's types have it: without what the types do not know, with what they
always print. A patch made from that pod would not always apply to the one that was received, and
would drop what is newer than all types. So changes are carried over, and nothing else.

Lists are carried over place by place, as the patches are that Istio makes: values that Go would print
otherwise (``0.25`` for ``250m``) stay where nothing of the place changes. Only what no type knows goes
with its element; Istio leaves it behind at the old place.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from operator import is_
from typing import Any, Final

from injector.json_types import JSON, JSONObject, Pod
from injector.patch import POD, GoType
from injector.patch.equality import same

_ABSENT: Final = object()
_TIMESTAMP: Final = "creationTimestamp"
_UNSET: Final[JSONObject] = {_TIMESTAMP: None}


def rebase(received: Pod, typed: Pod, final: Pod) -> Pod:
    """Return ``received`` with the changes from ``typed`` to ``final``; what did not change is shared.

    ``typed`` is ``received`` as Go's types have it, before injection.
    """
    pod: Pod = _value(received, typed, final, POD, "")
    return pod


def print_zero_times(typed: Pod, final: Pod) -> Pod:
    """Return ``final`` with ``creationTimestamp: null`` in what Go's older types write anew and unset.

    That is a timestamp that a merge took away, and the claim templates of volumes that have moved.
    """
    metadata, before = final.get("metadata") or {}, typed.get("metadata") or {}
    if _TIMESTAMP in before and _TIMESTAMP not in metadata:
        final = final | {"metadata": metadata | _UNSET}
    spec = final.get("spec") or {}
    volumes = spec.get("volumes") or ()
    if not any("ephemeral" in volume for volume in volumes):
        return final
    before = typed.get("spec") or {}
    stayed = {index: volume.get("name") for index, volume in enumerate(before.get("volumes") or ())}
    printed = [
        volume if volume.get("name") == stayed.get(index, _ABSENT) else _print_claim_time(volume)
        for index, volume in enumerate(volumes)
    ]
    return final | {"spec": spec | {"volumes": printed}}


def _print_claim_time(volume: JSONObject) -> JSONObject:
    ephemeral = volume.get("ephemeral") or {}
    template = ephemeral.get("volumeClaimTemplate")
    if template is None:
        return volume
    template = template | {"metadata": _UNSET | (template.get("metadata") or {})}
    return volume | {"ephemeral": ephemeral | {"volumeClaimTemplate": template}}


def _value(received: JSON, typed: JSON, final: JSON, declared: GoType, merge_key: str) -> JSON:
    if final is typed:
        return received
    if received is typed:  # as an API server sends it: there is nothing that Go would have written otherwise
        return final
    if isinstance(final, dict) and isinstance(typed, dict):
        return _object(received if isinstance(received, dict) else {}, typed, final, declared.target)
    if isinstance(final, list) and isinstance(typed, list) and isinstance(received, list):
        return _list(received, typed, final, declared.target.element, merge_key)
    return received if same(typed, final) else final


def _object(received: JSONObject, typed: JSONObject, final: JSONObject, declared: GoType) -> JSONObject:
    changes = dict(_changes(received, typed, final, declared))
    gone = () if typed.keys() <= final.keys() else {key for key in typed if key not in final}
    if not changes and received.keys().isdisjoint(gone):
        return received
    return {key: value for key, value in received.items() if key not in gone} | changes


def _changes(
    received: JSONObject, typed: JSONObject, final: JSONObject, declared: GoType
) -> Iterator[tuple[str, JSON]]:
    for key, value in final.items():
        before = typed.get(key, _ABSENT)
        if before is _ABSENT:
            yield key, value
        elif value is not before:
            element, merge_key = _declared(declared, key)
            carried = _value(received.get(key), before, value, element, merge_key)
            if carried is not received.get(key) and (received.get(key) is not None or carried != {}):
                yield key, carried


def _declared(declared: GoType, key: str) -> tuple[GoType, str]:
    """Return the type of what stands under ``key`` and, for a list, what tells its elements apart."""
    if declared.kind != "struct":
        return declared.element, ""
    field = declared.by_name[key]
    return field.type, field.merge_key


# ---- lists


def _list(
    received: list[Any], typed: list[Any], final: list[Any], element: GoType, merge_key: str
) -> list[Any]:
    carried = list(_elements(received, typed, final, element, merge_key))
    unchanged = len(carried) == len(received) and all(map(is_, carried, received))
    return received if unchanged else carried


def _elements(
    received: list[Any], typed: list[Any], final: list[Any], element: GoType, merge_key: str
) -> Iterator[JSON]:
    """Carry over place by place, as Istio's patch does; what no type knows goes with its element."""
    pairs = zip(typed, received, strict=True) if merge_key else ()
    owners = {_key(before, merge_key): raw for before, raw in pairs}
    for place, value in enumerate(final):
        before = typed[place] if place < len(typed) else _ABSENT
        if before is not _ABSENT and _key(before, merge_key) == _key(value, merge_key):
            yield _value(received[place], before, value, element, "")
        else:
            carried = value
            if before is not _ABSENT:
                carried = _value(_without_unknown(received[place], element), before, value, element, "")
            yield _with_unknown(carried, owners.get(_key(value, merge_key)), element)


def _key(value: JSON, merge_key: str) -> Hashable:
    return value.get(merge_key) if merge_key and isinstance(value, dict) else None


# ---- what no type knows


def _without_unknown(value: JSON, declared: GoType) -> JSON:
    """Return ``value`` without the fields that its type does not declare, at every depth."""
    declared = declared.target
    if isinstance(value, list) and declared.kind == "list":
        return [_without_unknown(item, declared.element) for item in value]
    if not isinstance(value, dict) or declared.kind != "struct":
        return value
    fields = ((key, item, declared.field(key)) for key, item in value.items())
    return {key: _without_unknown(item, field.type) for key, item, field in fields if field is not None}


def _with_unknown(value: JSON, received: JSON, declared: GoType) -> JSON:
    """Return ``value`` with the fields of ``received`` that its type does not declare, at every depth."""
    declared = declared.target
    if declared.kind != "struct" or not isinstance(value, dict) or not isinstance(received, dict):
        return value
    extra = {key: item for key, item in received.items() if declared.field(key) is None}
    for field in declared.fields:
        if field.name in value and isinstance(received.get(field.name), dict | list):
            inside = _inside(value[field.name], received[field.name], field.type, field.merge_key)
            if inside is not value[field.name]:
                extra[field.name] = inside
    return value | extra if extra else value


def _inside(value: JSON, received: JSON, declared: GoType, merge_key: str) -> JSON:
    if not isinstance(value, list):
        return _with_unknown(value, received, declared)
    if not merge_key or not isinstance(received, list):
        return value
    known = {_key(item, merge_key): item for item in received}
    element = declared.target.element
    items = [_with_unknown(item, known.get(_key(item, merge_key)), element) for item in value]
    return value if all(map(is_, items, value)) else items
