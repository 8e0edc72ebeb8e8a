"""Elements of a merged list to the order in which Kubernetes puts them.

Elements that the patch names are in the patch's order, the others in the order of the original list; where
the two meet, the original list decides, and the patch goes first where it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeAlias

from injector.errors import PatchError
from injector.golang.fmt import sprint, type_of
from injector.json_types import JSON, JSONObject

Identify: TypeAlias = Callable[[JSON], Hashable]
"""Element of a list to what tells it apart in this list."""


class MergeError(PatchError):
    """A strategic merge patch that does not fit the object, in the words of Kubernetes."""


def scalar_identity(value: JSON) -> Hashable:
    """Return something equal for two scalars that are the same: 1, 1.0 and True are three."""
    if isinstance(value, dict | list):
        raise MergeError(f"comparing uncomparable type {type_of(value)}")
    return value if isinstance(value, str) else (type(value), value)


def key_identity(merge_key: str) -> Identify:
    """Return how elements of a list are told apart by their ``merge_key``."""

    def identify(element: JSON) -> Hashable:
        return scalar_identity(merge_value(element, merge_key))

    return identify


def as_map(element: JSON) -> JSONObject:
    """Return ``element``, which has to be a map; MergeError where it is none."""
    if isinstance(element, dict):
        return element
    raise MergeError(f"expected a map[string]interface {{}}, but received a {type_of(element)}")


def merge_value(element: JSON, merge_key: str) -> JSON:
    """Return the value of the merge key; MergeError where the element is no object or has none."""
    if merge_key not in as_map(element):
        raise MergeError(f"map: {sprint(element)} does not contain declared merge key: {merge_key}")
    return element[merge_key]


def first_places(elements: Iterable[JSON], identify: Identify) -> dict[Hashable, int]:
    """Return for each identity the place of its first element."""
    places: dict[Hashable, int] = {}
    for place, element in enumerate(elements):
        places.setdefault(identify(element), place)
    return places


def arranged(
    named: Sequence[JSON],
    others: Sequence[JSON],
    *,
    patch_order: dict[Hashable, int],
    original_order: dict[Hashable, int],
    identify: Identify,
) -> list[JSON]:
    """Return the elements ``named`` by the patch and the ``others`` as one list in its final order."""
    left = _sorted(others, original_order, identify)
    right = _sorted(named, patch_order, identify)
    heres, theres = ([original_order.get(identify(element)) for element in side] for side in (left, right))
    result: list[JSON] = []
    at = to = 0
    while at < len(left) and to < len(right):
        here, there = heres[at], theres[to]
        if here is not None and there is not None and here < there:
            result.append(left[at])
            at += 1
        else:
            result.append(right[to])
            to += 1
    return result + left[at:] + right[to:]


def _sorted(elements: Sequence[JSON], order: dict[Hashable, int], identify: Identify) -> list[JSON]:
    """Return ``elements`` by ``order``, those that are marked as deleted last."""
    deleted = [element for element in elements if is_deleted(element)]
    kept = [element for element in elements if not is_deleted(element)] if deleted else list(elements)
    names = list(map(identify, kept))
    if not all(name in order for name in names):
        return _insertion_sorted(kept, list(map(order.get, names))) + deleted
    return [kept[at] for at in sorted(range(len(kept)), key=lambda at: order[names[at]])] + deleted


def _insertion_sorted(elements: list[JSON], places: Sequence[int | None]) -> list[JSON]:
    """Sort as Go's stable sort does when an element without a place is less than every other."""
    result: list[tuple[int | None, JSON]] = []
    for place, element in zip(places, elements, strict=True):
        at = len(result)
        while at and (place is None or (before := result[at - 1][0]) is None or place < before):
            at -= 1
        result.insert(at, (place, element))
    return [element for _, element in result]


def is_deleted(element: JSON) -> bool:
    """Whether the element says of itself that it is to be deleted."""
    return isinstance(element, dict) and element.get("$patch") == "delete"
