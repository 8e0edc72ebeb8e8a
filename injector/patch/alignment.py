"""Two lists to the steps that make the second of the first, element by element.

Elements are told apart by what Kubernetes tells them apart by (a container's name, a mount's path), so
that a changed container is changed where it is, and a container put in front moves nothing else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from injector.json_types import JSON, Operation
from injector.patch.equality import identity, same

_NAMES: Final = frozenset({str, int})
"""The classes of what may tell elements apart; a bool does not."""


class Remove(NamedTuple):
    """Take out the element that is at ``place`` by now."""

    place: int

    def operation(self, path: str) -> Operation:
        """Return what does it to the list at ``path``."""
        return {"op": "remove", "path": f"{path}/{self.place}"}


class Add(NamedTuple):
    """Insert ``value`` so that it is at ``place``."""

    place: int
    value: JSON

    def operation(self, path: str) -> Operation:
        """Return what does it to the list at ``path``."""
        return {"op": "add", "path": f"{path}/{self.place}", "value": self.value}


class Move(NamedTuple):
    """Take out the element at ``source`` and insert it at ``place`` of what is left."""

    source: int
    place: int

    def operation(self, path: str) -> Operation:
        """Return what does it to the list at ``path``."""
        return {"op": "move", "from": f"{path}/{self.source}", "path": f"{path}/{self.place}"}


class Pair(NamedTuple):
    """The element at ``place`` of the finished list was ``before`` and becomes ``after``."""

    place: int
    before: JSON
    after: JSON


Step: TypeAlias = Remove | Add | Move | Pair

# What tells the elements of a list of objects apart, the likeliest first. Mounts may share their name, ports
# may have none, so the first that is there in every element and different in each is taken.
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


def align(before: list[JSON], after: list[JSON]) -> Iterator[Step]:
    """Yield the steps in the order in which they apply: removals from the back, moves, additions, pairs.

    No step touches an element that is the same in both lists. Linear, but for sorting those that moved.
    """
    head, tail = _common_ends(before, after)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old:
        for place, value in enumerate(new, head):
            yield Add(place, value)
    elif not new:
        for place in range(head + len(old) - 1, head - 1, -1):
            yield Remove(place)
    else:
        yield from _align_middle(old, new, head)


def _common_ends(before: list[JSON], after: list[JSON]) -> tuple[int, int]:
    """Return how many elements are the same at the start, and of the rest at the end."""
    shorter = min(len(before), len(after))
    head = 0
    while head < shorter and same(before[head], after[head]):
        head += 1
    tail = 0
    while tail < shorter - head and same(before[-1 - tail], after[-1 - tail]):
        tail += 1
    return head, tail


def _align_middle(old: list[JSON], new: list[JSON], offset: int) -> Iterator[Step]:
    old_names, new_names = _names(old, new)
    wanted = {name: place for place, name in enumerate(new_names)}
    kept = [place for place, name in enumerate(old_names) if name in wanted]
    if len(kept) < len(old):
        for place in range(len(old) - 1, -1, -1):
            if old_names[place] not in wanted:
                yield Remove(offset + place)
    targets = [wanted[old_names[place]] for place in kept]
    if targets == sorted(targets):
        staying = set(targets)
        yield from (Add(offset + at, value) for at, value in enumerate(new) if at not in staying)
    else:
        yield from _arrange(targets, new, offset)
    for place, target in sorted(zip(kept, targets, strict=True), key=lambda pair: pair[1]):
        yield Pair(offset + target, old[place], new[target])


def _names(old: list[JSON], new: list[JSON]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return for each element of both lists what it is recognised by, different within each list."""
    if set(map(type, old)) | set(map(type, new)) == {dict}:
        for members in _NAMING_MEMBERS:
            old_names, new_names = _members(old, members), _members(new, members)
            if old_names and new_names:
                return old_names, new_names
    return _values(old, new)


def _members(elements: list[JSON], members: tuple[str, ...]) -> list[Hashable]:
    """Return the ``members`` of each element; nothing if one lacks them or two have the same."""
    names: list[Hashable] = []
    for element in elements:
        name = tuple([element.get(member) for member in members])
        kinds = tuple(map(type, name))
        if not _NAMES.issuperset(kinds):
            return []
        names.append((kinds, name))
    return names if len(set(names)) == len(names) else []


def _values(old: list[JSON], new: list[JSON]) -> tuple[list[Hashable], list[Hashable]]:
    """Recognise elements by their value and its occurrence, and what took another's place by that place."""
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


def _arrange(targets: list[int], new: list[JSON], offset: int) -> Iterator[Step]:
    """Yield the moves and additions that make ``new`` of the kept elements, whose places are ``targets``.

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
            yield Add(offset + place + bisect_left(waiting, ahead), value)
        elif origin in stays:
            passed, ahead = passed + 1, origin
        else:
            before = bisect_left(staying, origin)
            settled = staying_targets[before] if before < passed else place + before - passed
            at = bisect_left(waiting, origin)
            del waiting[at]
            # Never the place where it is, or it would be in order and among those that stay.
            yield Move(offset + settled + at, offset + place + bisect_left(waiting, ahead))


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
