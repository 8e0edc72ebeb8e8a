"""Merge two lists whose merge strategy is merge (Kubernetes' strategic merge patch).

This module knows how elements are identified, deleted and ordered; the function that merges two of them is
passed in. Elements that the patch names are in the patch's order, the others in the order of the original
list. Where the two meet, the order of the original list decides if it has both elements; else the patch's
element is first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

from injector.errors import PatchError
from injector.golang.fmt import is_int64, sprint, sprint_as_string, type_of
from injector.json_types import JSON, JSONObject

Merge: TypeAlias = Callable[[JSONObject, JSONObject], JSONObject]
Identify: TypeAlias = Callable[[JSON], Hashable]
"""Returns what identifies an element within its list."""


class MergeError(PatchError):
    """A strategic merge patch that does not fit the object, with Kubernetes' message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """How the lists of one field are merged."""

    merge_key: str
    element_kind: str
    """reflect's word for the kind of the elements, for the error about a missing merge key."""
    merge: Merge
    """Merges two elements of the same identity."""

    @property
    def identify(self) -> Identify:
        """Return the function that identifies elements of the field's list."""
        return _key_identity(self.merge_key) if self.merge_key else scalar_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merged list, and what Go leaves in the original list, whose array it reuses."""

    elements: list[JSON]
    original: list[JSON]


def kind_of(value: JSON) -> type:
    """Return the class that stands for the Go type of ``value``: a number beyond 64 bits is a float."""
    kind = type(value)
    return float if kind is int and not is_int64(value) else kind


def element_kind(*lists: list[JSON]) -> type:
    """Return the class of all elements of all lists; MergeError where they differ or are lists themselves."""
    kinds = [kind_of(element) for elements in lists for element in elements]
    if not kinds:
        raise MergeError("no elements in any of the given slices")
    if kinds[0] is list:
        raise MergeError("lists of lists are not supported")
    if kinds[0] is type(None):
        raise MergeError("a list that is to be merged starts with null")
    if kinds.count(kinds[0]) < len(kinds):
        raise MergeError(f"list element types are not identical: {sprint(list(lists))}")
    return kinds[0]


def merge_lists(original: list[JSON], patch: list[JSON], merging: Merging) -> Merged:
    """Return ``patch`` merged into ``original``; neither is changed."""
    if not original and not patch:
        return Merged(elements=original, original=original)
    if merging.merge_key and are_all_different(original, patch, merging.merge_key):
        return Merged(elements=patch + original, original=original)
    if element_kind(original, patch) is dict:
        return _merge_objects(original, patch, merging)
    merged, left = _merge_scalars(original, patch)
    return Merged(elements=_ordered(merged, patch, left, merging.identify), original=left)


def are_all_different(original: list[JSON], patch: list[JSON], merge_key: str) -> bool:
    """Return whether every element has a name of its own and no directive: then the patch goes in front."""
    both = original + patch
    try:
        names = [element[merge_key] for element in both]
        return (
            set(map(type, names)) == {str}
            and len(set(names)) == len(names)
            and not [element for element in both if "$patch" in element]
        )
    except (KeyError, TypeError):  # an element is not a map, or has no merge key
        return False


def delete_from_list(original: list[JSON], patch: list[JSON], merging: Merging) -> list[JSON]:
    """Return ``original`` without the elements of ``patch``, a ``$deleteFromPrimitiveList``."""
    if (original or patch) and element_kind(original, patch) is dict:
        return merge_lists(original, patch, merging).elements
    unwanted = set(map(scalar_identity, patch))
    return [element for element in original if scalar_identity(element) not in unwanted]


def reorder(merged: Merged, patch: list[JSON], set_order: list[JSON], merging: Merging) -> list[JSON]:
    """Return a merged list in the order of a ``$setElementOrder`` list."""
    named: list[JSON] = []
    others: list[JSON] = []
    identify = merging.identify
    wanted, stop = _named_by(set_order, merging)
    for element in merged.elements:
        if identify(element) in wanted:
            named.append(element)
        elif stop is not None:
            raise MergeError(f"value for key {stop} is not a map")
        else:
            others.append(element)
    in_maps = element_kind(merged.original, patch) is dict
    identify = _key_identity(merging.merge_key) if in_maps else scalar_identity
    patch_order, original_order = _first_places(set_order, identify), _first_places(merged.original, identify)
    return arranged(named, others, patch_order, original_order, identify)


def check_order(patch: list[JSON], set_order: list[JSON], merge_key: str) -> None:
    """Check that the patch's elements are all in ``set_order``, in the same order; MergeError where not."""
    if not set_order or not patch:
        return
    if merge_key:
        for element in patch:
            _as_map(element)
    waiting = [element for element in patch if not (merge_key and _is_deleted(element))]
    place = 0
    for wanted in set_order:
        while place < len(waiting) and isinstance(waiting[place], dict) and "$patch" in waiting[place]:
            place += 1
        if place == len(waiting):
            return
        if _same_element(waiting[place], wanted, merge_key):
            place += 1
    if place < len(waiting):
        raise MergeError(
            f"The order in patch list:\n{sprint(patch)}\n"
            f" doesn't match $setElementOrder list:\n{sprint(set_order)}\n"
        )


def _same_element(left: JSON, right: JSON, merge_key: str) -> bool:
    if merge_key:
        left, right = _as_map(left), _as_map(right)
        left, right = _merge_value(left, merge_key), _merge_value(right, merge_key)
    return kind_of(left) is kind_of(right) and scalar_identity(left) == scalar_identity(right)


def _named_by(set_order: list[JSON], merging: Merging) -> tuple[set[Hashable], int | None]:
    """Return what ``set_order`` identifies up to its first element that is not an object, and that index."""
    if not merging.merge_key:
        return set(map(scalar_identity, set_order)), None
    names: set[Hashable] = set()
    for place, element in enumerate(set_order):
        if not isinstance(element, dict):
            return names, place
        if merging.merge_key in element:
            names.add(scalar_identity(element[merging.merge_key]))
    return names, None


def _merge_scalars(original: list[JSON], patch: list[JSON]) -> tuple[list[JSON], list[JSON]]:
    """Return both lists in one without duplicates, and what the original list is afterwards.

    Go appends to the original's array where it has room. Then its way to drop a duplicate, which moves the
    last element there, changes the original too, and the original decides the order later.
    """
    both = original + patch
    total = drop_duplicates(both)
    in_place = len(original) + len(patch) <= _capacity(len(original))
    return both[:total], both[: len(original)] if in_place else original


def drop_duplicates(elements: list[JSON]) -> int:
    """Move the last element to each duplicate's index, from the front; return how many elements are left.

    Go does so in a loop within a loop; here the indices of duplicates are remembered, which takes less time.
    """
    names = list(map(scalar_identity, elements))
    total = len(names)
    if len(set(names)) == total:
        return total
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)  # ascending, so it is a heap
    place = 0
    while place < total:
        waiting = places[names[place]]
        while waiting:
            at = heappop(waiting)
            if not place < at < total or names[at] != names[place]:
                continue
            total -= 1
            names[at], elements[at] = names[total], elements[total]
            heappush(places[names[at]], at)
        place += 1
    return total


def _capacity(length: int) -> int:
    """Return the capacity of the array of a list that Go read from JSON: it doubles as it grows."""
    return 1 << (length - 1).bit_length() if length else 0


def _merge_objects(original: list[JSON], patch: list[JSON], merging: Merging) -> Merged:
    if not merging.merge_key:
        raise MergeError(f"cannot merge lists without merge key for {merging.element_kind}")
    left, count, plain, replaces = _obey_directives(original, patch, merging.merge_key)
    if replaces:
        base, plain = plain, []
    else:
        base = left[:count]
    merged = _merge_elements(base, plain, merging)
    elements = _ordered(merged, plain, base, merging.identify)
    if not replaces:
        left = (merged + left[len(merged) :])[: len(left)]
    return Merged(elements=elements, original=left)


def _ordered(merged: list[JSON], patch: list[JSON], original: list[JSON], identify: Identify) -> list[JSON]:
    patch_order = _first_places(patch, identify)
    named: list[JSON] = []
    others: list[JSON] = []
    for element in merged:
        (named if identify(element) in patch_order else others).append(element)
    return arranged(named, others, patch_order, _first_places(original, identify), identify)


def _obey_directives(
    original: list[JSON], patch: list[JSON], merge_key: str
) -> tuple[list[JSON], int, list[JSON], bool]:
    """Return the original's array after deletions, how much of it counts, the patch's elements, and a flag.

    The elements are those without a directive; the flag says whether they replace the list.
    """
    array, count = list(original), len(original)
    plain: list[JSON] = []
    replaces = False
    for element in patch:
        if "$patch" not in element:
            plain.append(element)
        elif element["$patch"] == "delete":
            count = _delete(array, count, merge_key, _merge_value(element, merge_key))
        elif element["$patch"] == "replace":
            replaces = True
        elif element["$patch"] == "merge":
            raise MergeError("merging lists cannot yet be specified in the patch")
        else:
            raise unknown_directive(element)
    return array, count, plain, replaces


def unknown_directive(patch: JSONObject) -> MergeError:
    """Return the error for a ``$patch`` other than replace, delete and merge."""
    return MergeError(f"unknown patch type: {sprint_as_string(patch['$patch'])} in map: {sprint(patch)}")


def _delete(array: list[JSON], count: int, merge_key: str, value: JSON) -> int:
    """Delete in place, leaving the end of the array as it was; return how much of it counts now."""
    unwanted = scalar_identity(value)
    place = 0
    while place < count:
        element = array[place]
        if merge_key in element and scalar_identity(element[merge_key]) == unwanted:
            array[place : count - 1] = array[place + 1 : count]
            count -= 1
        else:
            place += 1
    return count


def _merge_elements(original: list[JSON], patch: list[JSON], merging: Merging) -> list[JSON]:
    """Merge each element of the patch into the one of its name, or append it unchanged."""
    merged = list(original)
    places: dict[Hashable, int] = {}
    for place, element in enumerate(merged):
        if merging.merge_key in element:
            places.setdefault(scalar_identity(element[merging.merge_key]), place)
    for element in patch:
        name = scalar_identity(_merge_value(element, merging.merge_key))
        if name in places:
            merged[places[name]] = merging.merge(merged[places[name]], element)
        else:
            places[name] = len(merged)
            merged.append(element)
    return merged


# ---- how elements are told apart


def scalar_identity(value: JSON) -> Hashable:
    """Return a value that is equal for equal scalars; 1, 1.0 and True are different."""
    if isinstance(value, dict | list):
        raise MergeError(f"comparing uncomparable type {type_of(value)}")
    return value if isinstance(value, str) else (type(value), value)


def _key_identity(merge_key: str) -> Identify:
    """Return the function that identifies elements by their ``merge_key``."""

    def identify(element: JSON) -> Hashable:
        return scalar_identity(_merge_value(element, merge_key))

    return identify


def _as_map(element: JSON) -> JSONObject:
    """Return ``element``; MergeError where it is not a map."""
    if isinstance(element, dict):
        return element
    raise MergeError(f"expected a map[string]interface {{}}, but received a {type_of(element)}")


def _merge_value(element: JSON, merge_key: str) -> JSON:
    """Return the value of the merge key; MergeError where the element is not an object or has no such key."""
    if merge_key not in _as_map(element):
        raise MergeError(f"map: {sprint(element)} does not contain declared merge key: {merge_key}")
    return element[merge_key]


# ---- the order in which Kubernetes puts them


def _first_places(elements: Iterable[JSON], identify: Identify) -> dict[Hashable, int]:
    """Return for each identity the index of its first element."""
    places: dict[Hashable, int] = {}
    for place, element in enumerate(elements):
        places.setdefault(identify(element), place)
    return places


def arranged(
    named: Sequence[JSON],
    others: Sequence[JSON],
    patch_order: dict[Hashable, int],
    original_order: dict[Hashable, int],
    identify: Identify,
) -> list[JSON]:
    """Return the elements ``named`` by the patch and the ``others`` as one list in its final order."""
    left = _sorted(others, original_order, identify)
    right = _sorted(named, patch_order, identify)
    left_places, right_places = (
        [original_order.get(identify(element)) for element in side] for side in (left, right)
    )
    result: list[JSON] = []
    at = to = 0
    while at < len(left) and to < len(right):
        here, there = left_places[at], right_places[to]
        if here is not None and there is not None and here < there:
            result.append(left[at])
            at += 1
        else:
            result.append(right[to])
            to += 1
    return result + left[at:] + right[to:]


def _sorted(elements: Sequence[JSON], order: dict[Hashable, int], identify: Identify) -> list[JSON]:
    """Return ``elements`` by ``order``; those marked as deleted are last."""
    deleted = [element for element in elements if _is_deleted(element)]
    kept = [element for element in elements if not _is_deleted(element)] if deleted else list(elements)
    names = list(map(identify, kept))
    if not all(name in order for name in names):
        return _insertion_sorted(kept, list(map(order.get, names))) + deleted
    return [kept[at] for at in sorted(range(len(kept)), key=lambda at: order[names[at]])] + deleted


def _insertion_sorted(elements: list[JSON], places: Sequence[int | None]) -> list[JSON]:
    """Sort as Go's stable sort does when an element without an index is less than every other."""
    result: list[tuple[int | None, JSON]] = []
    for place, element in zip(places, elements, strict=True):
        at = len(result)
        while at and (place is None or (before := result[at - 1][0]) is None or place < before):
            at -= 1
        result.insert(at, (place, element))
    return [element for _, element in result]


def _is_deleted(element: JSON) -> bool:
    """Return whether the element itself says that it is to be deleted."""
    return isinstance(element, dict) and element.get("$patch") == "delete"
