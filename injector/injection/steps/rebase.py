"""Carry the changes of an injection over to the pod as it was received.

Injection works on the pod as the release's Go types have it: without fields that these types do not know, and
with fields that they always print. A patch made from that pod might not apply to the received one, and would
drop every field that is newer than the types. So only the changes are carried over.

Lists are carried over index by index, as Istio's patches are: a value that Go would print differently
(``0.25`` for ``250m``) stays where nothing changes at its index. A field that the types do not know goes with
its element, wherever that is now; Istio's patch leaves it behind or drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import is_
from typing import Any, Final

from injector.json_types import JSON, JSONObject, Pod
from injector.patch import GoType, go_type
from injector.patch.json_patch import identity, same

_ABSENT: Final = object()
_UNKNOWN: Final = go_type("meta/v1.FieldsV1")
"""The type of a field that no type declares: any JSON."""


def rebase(received: Pod, typed: Pod, final: Pod, declared: GoType) -> Pod:
    """Return ``received`` with the changes from ``typed`` to ``final``; unchanged parts are shared.

    ``typed`` is ``received`` before injection as ``declared`` has it, the release's type of pods.
    """
    pod: Pod = _value(received, typed, final, declared, "")
    return _with_moved_containers(pod, received, typed, final, declared)


def _value(received: JSON, typed: JSON, final: JSON, declared: GoType, merge_key: str) -> JSON:
    if final is typed:
        return received
    if received is typed:  # as an API server sends it: Go would write it the same way
        return final
    declared = declared.target
    if isinstance(final, dict) and isinstance(typed, dict):
        return _object(received if isinstance(received, dict) else {}, typed, final, declared)
    if isinstance(final, list) and _match(received, typed):
        element = declared.element if declared.kind == "list" else _UNKNOWN
        return _list(received, typed, final, element, merge_key)
    return received if same(typed, final) else final


def _object(received: JSONObject, typed: JSONObject, final: JSONObject, declared: GoType) -> JSONObject:
    changes = _changes(received, typed, final, declared)
    if not typed.keys() <= final.keys():
        gone = received.keys() & (typed.keys() - final.keys())
        received = {key: value for key, value in received.items() if key not in gone} if gone else received
    return received | changes if changes else received


def _changes(received: JSONObject, typed: JSONObject, final: JSONObject, declared: GoType) -> JSONObject:
    changes: JSONObject = {}
    for key, value in final.items():
        before = typed.get(key, _ABSENT)
        if value is before:
            continue
        given = received.get(key, _ABSENT)
        if before is _ABSENT or before is given:  # new, or received as Go writes it
            changes[key] = value
            continue
        element, merge_key = _declared(declared, key)
        given = None if given is _ABSENT else given
        carried = _value(given, before, value, element, merge_key)
        is_printed_only = given is None and carried == {} and isinstance(before, dict)
        if carried is not given and not is_printed_only:
            changes[key] = carried
    return changes


def _declared(declared: GoType, key: str) -> tuple[GoType, str]:
    """Return the type of the field ``key``, and the merge key if it is a list."""
    if declared.kind == "map":
        return declared.element, ""
    field = declared.by_name.get(key) if declared.kind == "struct" else None
    return (_UNKNOWN, "") if field is None else (field.type, field.merge_key)


# ---- lists


def _list(
    received: list[Any], typed: list[Any], final: list[Any], element: GoType, merge_key: str
) -> list[Any]:
    """Carry over index by index; unknown fields go with their element."""
    origins = _origins(typed, final, element, merge_key)
    items: list[Any] = []
    for index, value in enumerate(final):
        origin, carried = origins[index], value
        if origin == index:
            carried = _value(received[index], typed[index], value, element, "")
        elif index < len(typed):
            here, before = _without_unknown(received[index], element), _without_unknown(typed[index], element)
            carried = _value(here, before, value, element, "")
        if origin is not None and origin != index:
            carried = _with_unknown(carried, received[origin], typed[origin], value, element, "")
        items.append(carried)
    unchanged = len(items) == len(received) and all(map(is_, items, received))
    return received if unchanged else items


def _match(received: JSON, typed: JSON) -> bool:
    """Return whether these are lists of the same elements; a list given in two spellings is not."""
    return isinstance(received, list) and isinstance(typed, list) and len(received) == len(typed)


def _origins(typed: list[Any], final: list[Any], element: GoType, merge_key: str) -> list[int | None]:
    """Return for each final element the index of the typed one that it was made of, None for one that is new.

    That is the very same element, else the first left of the same merge key, or an equal one where there is
    none. Elements that cannot have unknown fields are told apart by their index.
    """
    if element.target.kind != "struct":
        return [index if index < len(typed) else None for index in range(len(final))]
    origins = _paired(typed, final, [None] * len(final), id)
    if None in origins:
        name_of = (lambda value: value.get(merge_key)) if merge_key else identity
        origins = _paired(typed, final, origins, name_of)
    return origins


def _paired(
    typed: list[Any], final: list[Any], origins: list[int | None], name_of: Callable[[Any], Hashable]
) -> list[int | None]:
    """Return ``origins`` with elements that have none paired by name with unused typed ones."""
    taken = set(origins)
    left: dict[Hashable, list[int]] = {}
    for index in range(len(typed) - 1, -1, -1):
        if index not in taken:
            left.setdefault(name_of(typed[index]), []).append(index)
    return [
        indices.pop() if origin is None and (indices := left.get(name_of(value))) else origin
        for value, origin in zip(final, origins, strict=True)
    ]


# ---- fields that the types do not know


def _without_unknown(value: JSON, declared: GoType) -> JSON:
    """Return ``value`` without the fields that its type does not declare, at every depth.

    It is the very same where it has none.
    """
    declared = declared.target
    if isinstance(value, list) and declared.kind == "list":
        items = [_without_unknown(item, declared.element) for item in value]
        return value if all(map(is_, items, value)) else items
    if not isinstance(value, dict) or declared.kind != "struct":
        return value
    fields = ((key, item, declared.field(key)) for key, item in value.items())
    known = {key: _without_unknown(item, field.type) for key, item, field in fields if field is not None}
    return value if len(known) == len(value) and all(map(is_, known.values(), value.values())) else known


def _with_unknown(
    value: JSON, received: JSON, typed: JSON, final: JSON, declared: GoType, merge_key: str
) -> JSON:
    """Return ``value``, which stands for ``final``, with the fields of ``received`` that are not declared.

    ``final`` was made of ``typed``, and that is ``received`` without them.
    """
    declared = declared.target
    if received is typed:
        return value
    if isinstance(value, list) and isinstance(final, list) and declared.kind == "list":
        return _list_with_unknown(value, received, typed, final, declared.element, merge_key)
    if declared.kind != "struct" or not (
        isinstance(value, dict)
        and isinstance(received, dict)
        and isinstance(typed, dict)
        and isinstance(final, dict)
    ):
        return value
    extra = {key: item for key, item in received.items() if declared.field(key) is None}
    for key in received.keys() & typed.keys() & final.keys():
        field = declared.by_name.get(key)
        if field is not None:
            made = value.get(
                key, final[key]
            )  # an empty object that the owner did not write is not carried over
            inside = _with_unknown(made, received[key], typed[key], final[key], field.type, field.merge_key)
            if inside is not made:
                extra[key] = inside
    return value | extra if extra else value


def _list_with_unknown(
    value: list[Any], received: JSON, typed: JSON, final: list[Any], element: GoType, merge_key: str
) -> list[Any]:
    if not _match(received, typed):
        return value
    items = [
        item if origin is None else _with_unknown(item, received[origin], typed[origin], made, element, "")
        for item, made, origin in zip(value, final, _origins(typed, final, element, merge_key), strict=True)
    ]
    return value if all(map(is_, items, value)) else items


def _with_moved_containers(pod: Pod, received: Pod, typed: Pod, final: Pod, declared: GoType) -> Pod:
    """Return ``pod`` with the unknown fields of containers that became init containers (native sidecars)."""
    before, after = typed.get("spec") or {}, final.get("spec") or {}
    if received.get("spec") is before or not after.get("initContainers"):
        return pod
    origins = _moved(before, after)
    if not origins:
        return pod
    container = declared.by_name["spec"].type.by_name["containers"].type.element
    given = received["spec"]["containers"]
    items = list(pod["spec"]["initContainers"])
    for index, origin in origins.items():
        made = after["initContainers"][index]
        known = before["containers"][origin]
        items[index] = _with_unknown(items[index], given[origin], known, made, container, "")
    return pod | {"spec": pod["spec"] | {"initContainers": items}}


def _moved(before: JSONObject, after: JSONObject) -> dict[int, int]:
    """Return the index of each init container that was a container before, with its index there."""
    origins = {name: index for index, name in enumerate(_names(before, "containers"))}
    for name in (*_names(before, "initContainers"), *_names(after, "containers")):
        origins.pop(name, None)
    after_names = enumerate(_names(after, "initContainers"))
    return {index: origins[name] for index, name in after_names if name in origins}


def _names(spec: JSONObject, kind: str) -> list[JSON]:
    return [container.get("name") for container in spec.get(kind) or ()]
