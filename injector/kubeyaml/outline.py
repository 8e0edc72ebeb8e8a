"""YAML text in, where its keys, items and values stand out.

Only block collections are opened: what stands between brackets, an alias, a complex key or a merge is
a leaf or makes its collection one, to be kept or replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from yaml.events import MappingStartEvent, ScalarEvent, SequenceStartEvent

from injector.errors import YAMLError
from injector.kubeyaml.conversion import key_text
from injector.kubeyaml.nodes import Node, compose
from injector.kubeyaml.reading import MAX_DEPTH
from injector.kubeyaml.scalars import MERGE, plain

_STARTS: Final = (MappingStartEvent, SequenceStartEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A value that is kept or replaced as a whole: ``text[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key with its colon, which ends before ``colon``, and its value."""

    key: str
    start: int
    colon: int
    value: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A dash at ``start`` and the value behind it."""

    start: int
    value: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block mapping (of entries) or sequence (of items) whose keys or dashes stand in ``column``."""

    start: int
    end: int
    column: int
    children: Sequence[Entry] | Sequence[Item]


Outline = Leaf | Block


def outline(text: str) -> Outline | None:
    """Return the outline of the first document, None for a text without one that can be read."""
    try:
        root = compose(text, source="", max_depth=MAX_DEPTH)
    except YAMLError:
        return None
    return None if root is None else _outline(root, text)


def _outline(node: Node, text: str) -> Outline:
    if node.kind not in _STARTS:
        return Leaf(start=node.start, end=_end(node, text))
    if node.style == "flow":
        return Leaf(start=node.start, end=node.end)
    found: list[Any] = []
    end = node.start
    if node.kind is MappingStartEvent:
        for key, value in zip(node.children[::2], node.children[1::2], strict=True):
            entry, end = _entry(key, value, text)
            found.append(entry)
    else:
        for child in node.children:
            item, end = _item(child, end, text)
            found.append(item)
    if node.anchored or node.tag or not all(found):
        return Leaf(start=node.start, end=end)
    return Block(start=node.start, end=end, column=node.column - 1, children=found)


def _entry(key: Node, value: Node, text: str) -> tuple[Entry | None, int]:
    """Return the entry of a key, None if it is not a simple one, and its end."""
    written, inner = _outline(key, text), _outline(value, text)
    colon = text.find(":", written.end) + 1
    is_simple = key.kind is ScalarEvent and not text[written.end : max(colon - 1, 0)].strip(" ")
    name = _name(key) if is_simple else None
    if name is None:
        return None, max(inner.end, written.end)
    return Entry(key=name, start=written.start, colon=colon, value=inner), max(inner.end, colon)


def _item(node: Node, previous: int, text: str) -> tuple[Item, int]:
    """Return the item of a value; its dash is the first after ``previous``."""
    value = _outline(node, text)
    start = previous
    while text[start] != "-":  # between two items stand blanks and comments only
        start = text.index("\n", start) + 1 if text[start] == "#" else start + 1
    return Item(start=start, value=value), max(value.end, start + 1)


def _name(key: Node) -> str | None:
    if key.anchored or key.tag:
        return None
    if not key.implicit:
        return key.value
    try:
        return None if key.value == MERGE else key_text(plain(key.value))
    except YAMLError:  # no key at all, in a mapping that a later duplicate replaces
        return None


def _end(node: Node, text: str) -> int:
    """Return where a scalar ends; blank lines behind a block scalar are its own only if it keeps them."""
    if node.style not in ("|", ">"):
        return node.end
    header = text[node.start : text.find("\n", node.start)]
    whole = text[node.start : node.end]
    kept = whole.removesuffix("\n") if "+" in header else whole.rstrip("\r\n ")
    return node.start + len(kept)
