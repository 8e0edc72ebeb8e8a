"""Estimate from above the bytes that a skeleton and its fills take in memory.

What others work out from them and hang on them counts as well, which is how the pod's types read their parts.
The numbers were measured with tracemalloc on 64-bit CPython 3.11, and tests hold the sums against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sys import getsizeof
from typing import Any, Final, NamedTuple

from injector.json_types import JSON
from injector.kubeyaml.survey import Holes, Listing, Mapping, Slot, Static, Tree
from injector.memo import deep_size

EMPTY: Final = 4096
"""A skeleton without text, or a fill without values: the objects and functions that each consists of."""

NODE: Final = 224
"""A node of the tree: itself, its place among others, and its code and variables in the two functions."""

HOLE: Final = 304
"""A hole: its number, its check, its name and code in the functions, and its scalar's parts around it."""

READ_CONSTANT: Final = 300
"""A constant list or object as the types read it, beside a copy: an entry in a table, and zero values."""

KNOWN_PART: Final = 100
"""An entry in a fill's table of how its parts are read: an int, two references, room to grow."""

COPIES: Final = 3
"""What a fill makes is kept as it was filled, merged into an empty pod, and read by the types."""

STRING: Final = 32
"""What a string takes beside its characters where it is a value of a fill: two references, and padding."""

TEXTS: Final = 3
"""The text of a value is kept as it was quoted, before it was, and as part of its scalar."""


class Sizes(NamedTuple):
    """Bytes of a skeleton, and of one fill of it but for the text of the values.

    ``fill`` is None where each fill is parsed and shares nothing with others.
    """

    skeleton: int
    fill: int | None


def sizes(strings: Sequence[str], survey: Holes) -> Sizes:
    """Return the sizes of a skeleton of these texts."""
    nodes = [*_nodes(survey.tree)] if survey.tree is not None else [*survey.slots]
    constants: list[JSON] = [node.value for node in nodes if isinstance(node, Static)]
    parts = [*_parts(constants)]
    made = [_made(node) for node in nodes if isinstance(node, Mapping | Listing)]
    texts = sum(getsizeof("".join(node.texts)) + STRING for node in nodes if isinstance(node, Slot))
    constant = deep_size(constants) + sum(map(getsizeof, parts)) + READ_CONSTANT * len(parts)
    fill = EMPTY + texts + COPIES * sum(made) + KNOWN_PART * (len(parts) + len(made))
    return Sizes(
        skeleton=EMPTY + least_size(strings) + NODE * len(nodes) + texts + constant,
        fill=None if survey.tree is None else fill,
    )


def least_size(strings: Sequence[str]) -> int:
    """Return what any skeleton of these texts takes at least, without parsing them."""
    return sum(map(getsizeof, strings)) + HOLE * (len(strings) - 1)


def size_of_fill(of: Sizes, text: str, filled: JSON) -> int:
    """Return the bytes of a fill; ``text`` is that of all its values."""
    made = of.fill
    if made is None:
        made = EMPTY + COPIES * deep_size(filled) + READ_CONSTANT * sum(1 for _ in _parts(filled))
    return made + TEXTS * getsizeof(text)


def _nodes(tree: Tree) -> Iterator[Tree]:
    yield tree
    match tree:
        case Mapping():
            for key, value in tree.pairs:
                yield key
                yield from _nodes(value)
        case Listing():
            for item in tree.items:
                yield from _nodes(item)


def _made(node: Mapping | Listing) -> int:
    """Return the bytes of the list or object that a fill makes for a node, without what is in it."""
    if isinstance(node, Mapping):
        return getsizeof(dict.fromkeys(range(len(node.pairs))))
    return getsizeof([None] * len(node.items))


def _parts(value: JSON) -> Iterator[Any]:
    """Yield the lists and objects in a value, itself among them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            yield item
            waiting.extend(item.values() if isinstance(item, dict) else item)
