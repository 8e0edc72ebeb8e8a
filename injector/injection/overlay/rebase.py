"""What injection changed in, the pod as it was received with those changes out. Knows no injection.

Injection works on the pod as Go's types have it: without what the types do not know, with what they
always print. A patch made from that pod would not always apply to the one that was received, and
would drop what is newer than our types. So changes are carried over, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import is_
from typing import Any, Final

from injector.json_types import JSON, JSONObject, Pod
from injector.patch import POD, GoType
from injector.patch.equality import same

_ABSENT: Final = object()


def rebase(received: Pod, typed: Pod, final: Pod) -> Pod:
    """Return ``received`` with the changes from ``typed`` to ``final``; what did not change is shared.

    ``typed`` is ``received`` as Go's types have it, before injection.
    """
    pod: Pod = _value(received, typed, final, POD, "")
    return pod


def _value(received: JSON, typed: JSON, final: JSON, declared: GoType, merge_key: str) -> JSON:
    if final is typed:
        return received
    if isinstance(final, dict) and isinstance(typed, dict):
        return _object(received if isinstance(received, dict) else {}, typed, final, declared.target)
    if isinstance(final, list) and isinstance(typed, list) and isinstance(received, list):
        return _list(received, typed, final, declared.target.element, merge_key)
    return received if same(typed, final) else final


def _object(received: JSONObject, typed: JSONObject, final: JSONObject, declared: GoType) -> JSONObject:
    changes = dict(_changes(received, typed, final, declared))
    gone = {key for key in typed if key not in final and key in received}
    if not changes and not gone:
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


def _list(
    received: list[Any], typed: list[Any], final: list[Any], element: GoType, merge_key: str
) -> list[Any]:
    kept = {id(value) for value in final}
    by_identity = {id(value): index for index, value in enumerate(typed)}
    by_key: dict[JSON, list[int]] = {}
    for index in reversed(range(len(typed))):
        if id(typed[index]) not in kept:
            by_key.setdefault(_key(typed[index], merge_key, index), []).append(index)
    carried = []
    for position, value in enumerate(final):
        place = by_identity.get(id(value))
        if place is None and (places := by_key.get(_key(value, merge_key, position))):
            place = places.pop()
        carried.append(value if place is None else _value(received[place], typed[place], value, element, ""))
    unchanged = len(carried) == len(received) and all(map(is_, carried, received))
    return received if unchanged else carried


def _key(value: JSON, merge_key: str, position: int) -> JSON:
    """Return what an element is told by: its merge key, else its place in the list."""
    return value.get(merge_key) if merge_key and isinstance(value, dict) else position
