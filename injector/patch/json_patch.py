"""Two documents to the JSON patch operations that lead from the first to the second (RFC 6902).

Which member names the elements of a list is seen from the list itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from injector.json_types import JSON, JSONObject, Operation
from injector.patch.alignment import Pair, align
from injector.patch.equality import same
from injector.patch.pointers import escape

_Emit: TypeAlias = Callable[[Operation], None]
_ABSENT: Final = object()


def diff(before: JSON, after: JSON) -> list[Operation]:
    """Return the operations that make ``after`` of ``before``; their values are parts of ``after``.

    Same input, same operations, in the order of the keys of both. True, 1 and 1.0 are three values.
    Subtrees that are the same object are not looked into, so the cost follows the change.
    """
    operations: list[Operation] = []
    if before is not after:
        _differ(before, after, "", operations.append)
    return operations


def _differ(before: JSON, after: JSON, path: str, emit: _Emit) -> None:
    kind = type(after)
    if kind is dict and type(before) is dict:
        _differ_objects(before, after, path, emit)
    elif kind is list and type(before) is list:
        _differ_lists(before, after, path, emit)
    elif not same(before, after):
        emit({"op": "replace", "path": path, "value": after})


def _differ_objects(before: JSONObject, after: JSONObject, path: str, emit: _Emit) -> None:
    if not before.keys() <= after.keys():
        for key in before:
            if key not in after:
                emit({"op": "remove", "path": f"{path}/{escape(key)}"})
    for key, value in after.items():
        old = before.get(key, _ABSENT)
        if old is value:
            continue
        inner = f"{path}/{key if key.isalnum() else escape(key)}"  # most are letters: a call less
        if old is _ABSENT:
            emit({"op": "add", "path": inner, "value": value})
        else:
            _differ(old, value, inner, emit)


def _differ_lists(before: list[JSON], after: list[JSON], path: str, emit: _Emit) -> None:
    for step in align(before, after):
        if isinstance(step, Pair):
            _differ(step.before, step.after, f"{path}/{step.place}", emit)
        else:
            emit(step.operation(path))
