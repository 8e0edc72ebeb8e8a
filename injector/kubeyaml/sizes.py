"""Estimate from above the bytes that a skeleton takes in memory.

What others work out from it and hang on it counts as well, which is how the pod's types read its parts. The
numbers were measured with tracemalloc on 64-bit CPython 3.11, and tests hold the sums against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from sys import getsizeof
from typing import Any, Final

from injector.json_types import JSON
from injector.kubeyaml.survey import Holes, Listing, Mapping, Slot, Static, Tree
from injector.memo import deep_size

EMPTY: Final = 4096
"""A skeleton without text: the objects and functions that it consists of."""

NODE: Final = 224
"""A node of the tree: itself, its place among others, and its code and variables in the functions."""

HOLE: Final = 432
"""A hole: its number, its check, its name and code in the functions, and its scalar's parts around it."""

READ_CONSTANT: Final = 300
"""A constant list or object as the types read it, beside a copy: a node of its own, and zero values."""

STRING: Final = 32
"""What a string takes beside its characters: two references, and padding."""


def size_of(strings: Sequence[str], survey: Holes) -> int:
    """Return the bytes of a skeleton of these texts."""
    nodes = [*_nodes(survey.tree)] if survey.tree is not None else [*survey.slots]
    constants: list[JSON] = [node.value for node in nodes if isinstance(node, Static)]
    parts = [*_parts(constants)]
    texts = sum(getsizeof("".join(node.texts)) + STRING for node in nodes if isinstance(node, Slot))
    constant = deep_size(constants) + sum(map(getsizeof, parts)) + READ_CONSTANT * len(parts)
    return EMPTY + least_size(strings) + NODE * len(nodes) + texts + constant


def least_size(strings: Sequence[str]) -> int:
    """Return what any skeleton of these texts takes at least, without parsing them."""
    return sum(map(getsizeof, strings)) + HOLE * (len(strings) - 1)


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


def _parts(value: JSON) -> Iterator[Any]:
    """Yield the lists and objects in a value, itself among them."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            yield item
            waiting.extend(item.values() if isinstance(item, dict) else item)
