"""Find the JSON patch operations (RFC 6902) that turn one document into another.

Elements of lists are told apart by what Kubernetes tells them apart by (a container's name, a mount's path),
which is seen from the list itself: a changed container is changed where it is, and a container put in front
moves nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Final, TypeAlias

import orjson

from injector.json_types import JSON, JSONObject, Operation

_Operations: TypeAlias = list[Operation]
_ABSENT: Final = object()
_NAMES: Final = frozenset({str, int})
"""The classes of values that may identify an element; a bool may not."""

# The members that may identify the elements of a list of objects, the likeliest first. Mounts may share a
# name and ports may have none, so the first members that every element has, with different values, are taken.
_NAMING_MEMBERS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("mountPath",),
    ("containerPort", "protocol"),
    ("containerPort",),
    ("key",),
    ("devicePath",),
    ("ip",),
    ("uid",),
)


def diff(before: JSON, after: JSON) -> list[Operation]:
    """Return the operations that turn ``before`` into ``after``; their values are parts of ``after``.

    Same input, same operations, in the order of the keys of both. True, 1 and 1.0 are three values.
    Subtrees that are the same object are not looked into, so the cost follows the change.
    """
    operations: _Operations = []
    if before is not after:
        _differ(before, after, "", operations)
    return operations


def _differ(before: JSON, after: JSON, path: str, operations: _Operations) -> None:
    kind = type(after)
    if kind is dict and type(before) is dict:
        _differ_objects(before, after, path, operations)
    elif kind is list and type(before) is list:
        _differ_lists(before, after, path, operations)
    elif before != after or not same(before, after):
        operations.append({"op": "replace", "path": path, "value": after})


def _differ_objects(before: JSONObject, after: JSONObject, path: str, operations: _Operations) -> None:
    if not before.keys() <= after.keys():
        gone = [key for key in before if key not in after]
        operations += [{"op": "remove", "path": f"{path}/{_token(key)}"} for key in gone]
    for key, value in after.items():
        old = before.get(key, _ABSENT)
        if old is value:
            continue
        inner = f"{path}/{_token(key)}"
        if old is _ABSENT:
            operations.append({"op": "add", "path": inner, "value": value})
        else:
            _differ(old, value, inner, operations)


def _differ_lists(before: list[JSON], after: list[JSON], path: str, operations: _Operations) -> None:
    """Add removals from the back, moves, additions, and the changes in elements that stay.

    No operation touches an element that is the same in both lists. Linear, but for sorting those that moved.
    """
    head, tail = _common_ends(before, after)
    stop, end = len(before) - tail, len(after) - tail
    if head == stop:
        operations += [{"op": "add", "path": f"{path}/{at}", "value": after[at]} for at in range(head, end)]
    elif head == end:
        backwards = range(stop - 1, head - 1, -1)
        operations += [{"op": "remove", "path": f"{path}/{at}"} for at in backwards]
    else:
        _differ_middle(before[head:stop], after[head:end], head, path, operations)


def _common_ends(before: list[JSON], after: list[JSON]) -> tuple[int, int]:
    """Return how many elements are the same at the start, and how many of the rest at the end."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and (before[head] is after[head] or same(before[head], after[head])):
        head += 1
    tail = 0
    left = shorter - head
    while tail < left and (
        before[-1 - tail] is after[-1 - tail] or same(before[-1 - tail], after[-1 - tail])
    ):
        tail += 1
    return head, tail


def _differ_middle(old: list[JSON], new: list[JSON], offset: int, path: str, operations: _Operations) -> None:
    old_names, new_names = _names(old, new)
    wanted = {name: place for place, name in enumerate(new_names)}
    kept = [place for place, name in enumerate(old_names) if name in wanted]
    if len(kept) < len(old):
        gone = [place for place in range(len(old) - 1, -1, -1) if old_names[place] not in wanted]
        operations += [{"op": "remove", "path": f"{path}/{offset + place}"} for place in gone]
    targets = [wanted[old_names[place]] for place in kept]
    in_order = sorted(targets)
    if targets == in_order:
        staying = set(targets)
        added = [place for place in range(len(new)) if place not in staying]
        operations += [{"op": "add", "path": f"{path}/{offset + at}", "value": new[at]} for at in added]
    else:
        _arrange(targets, new, offset, path, operations)
    origins = dict(zip(targets, kept, strict=True))
    for target in in_order:
        _differ(old[origins[target]], new[target], f"{path}/{offset + target}", operations)


def _names(old: list[JSON], new: list[JSON]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return an identifier for each element of both lists, unique within its list."""
    if set(map(type, old)) | set(map(type, new)) == {dict}:
        for members in _NAMING_MEMBERS:
            old_names, new_names = _members(old, members), _members(new, members)
            if old_names and new_names:
                return old_names, new_names
    return _values(old, new)


def _members(elements: list[JSON], members: tuple[str, ...]) -> Sequence[Hashable]:
    """Return the ``members`` of each element; nothing if an element lacks them or two have the same."""
    names = [tuple(map(element.get, members)) for element in elements]
    if not _NAMES.issuperset([type(part) for name in names for part in name]):
        return []
    return names if len(set(names)) == len(names) else []


def _values(old: list[JSON], new: list[JSON]) -> tuple[list[Hashable], list[Hashable]]:
    """Identify elements by value and occurrence, and an element that replaces another by its place."""
    old_names, new_names = _numbered(old), _numbered(new)
    only_old, only_new = set(old_names).difference(new_names), set(new_names).difference(old_names)
    for place, (left, right) in enumerate(zip(old_names, new_names, strict=False)):
        if left in only_old and right in only_new:
            old_names[place] = new_names[place] = ("place", place)
    return old_names, new_names


def _numbered(elements: list[JSON]) -> list[Hashable]:
    counts: dict[Hashable, int] = {}
    names: list[Hashable] = []
    for element in elements:
        name = identity(element)
        counts[name] = counts.get(name, 0) + 1
        names.append((name, counts[name]))
    return names


def _arrange(targets: list[int], new: list[JSON], offset: int, path: str, operations: _Operations) -> None:
    """Add the moves and additions that turn the kept elements, with places ``targets``, into ``new``.

    The longest run of kept elements that are in order already stays. Going through ``new`` from the front,
    every other element is put behind its predecessor. Elements that wait for their move are counted by their
    old place, so that a place is found by bisection instead of by search.
    """
    staying = _longest_increasing(targets)
    stays = set(staying)
    staying_targets = [targets[place] for place in staying]
    waiting = [place for place in range(len(targets)) if place not in stays]
    origins = {target: place for place, target in enumerate(targets)}
    passed = 0  # how many of those that stay have their predecessors all in place
    ahead = 0  # old place of the last one of these, or 0
    for place, value in enumerate(new):
        origin = origins.get(place)
        if origin is None:
            at = offset + place + bisect_left(waiting, ahead)
            operations.append({"op": "add", "path": f"{path}/{at}", "value": value})
        elif origin in stays:
            passed, ahead = passed + 1, origin
        else:
            before = bisect_left(staying, origin)
            settled = staying_targets[before] if before < passed else place + before - passed
            at = bisect_left(waiting, origin)
            del waiting[at]
            source, target = offset + settled + at, offset + place + bisect_left(waiting, ahead)
            # Never the place where it is: then it would be in order, and would stay.
            operations.append({"op": "move", "from": f"{path}/{source}", "path": f"{path}/{target}"})


def _longest_increasing(numbers: list[int]) -> list[int]:
    """Return the places of a longest increasing subsequence (patience sorting)."""
    tops: list[int] = []
    places: list[int] = []
    previous: list[int] = []
    for place, number in enumerate(numbers):
        pile = bisect_left(tops, number)
        previous.append(places[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(number)
            places.append(place)
        else:
            tops[pile], places[pile] = number, place
    chain: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        chain.append(place)
        place = previous[place]
    return chain[::-1]


def same(left: JSON, right: JSON) -> bool:
    """Return whether both are the same JSON except for the order of keys; True, 1 and 1.0 differ."""
    if left is right:
        return True
    kind = type(left)
    if kind is not type(right) or left != right:  # unequal values are found at once
        return False
    if kind is dict:
        return all(same(left[key], right[key]) for key in left)
    if kind is list:
        return all(map(same, left, right))
    if kind is float:
        return repr(left) == repr(right)  # -0.0 equals 0.0 and is another text
    return True


def identity(value: JSON) -> Hashable:
    """Return a hashable value that is equal for two values exactly if `same` says that they are the same."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a number beyond 64 bits, or text that is not Unicode
        return _identity(value)


def _identity(value: JSON) -> Hashable:
    kind = type(value)
    if kind is dict:
        return (kind, frozenset((key, _identity(item)) for key, item in value.items()))
    if kind is list:
        return (kind, tuple(map(_identity, value)))
    return (kind, repr(value)) if kind is float else (kind, value)


def _token(key: str) -> str:
    """Return a key as a reference token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
