"""Find where the holes of a text are in its YAML, by parsing it with a mark at each hole.

A mark is one character that the text neither contains nor writes as an escape, the hole's number, and the
character again: a harmless word wherever a scalar is allowed. What the parser makes of the marks tells how a
value there will be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from sys import getsizeof
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError as LibYAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.decoding import key_text
from injector.kubeyaml.nodes import MAX_DEPTH, unused_character
from injector.kubeyaml.reading import json_scalar
from injector.kubeyaml.scalars import MERGE, plain
from injector.memo import deep_size


class Context(Enum):
    """How the text of a scalar is read; within one line the two block styles are alike."""

    PLAIN = "plain"
    SINGLE = "'"
    DOUBLE = '"'
    BLOCK = "|"


class Role(Enum):
    """The role of a scalar in its collection; only an empty plain scalar in the role of a value is null."""

    VALUE = "value"
    KEY = "key"
    FLOW_ITEM = "flow item"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A scalar with holes: ``texts`` are its constant parts, decoded, one more than ``holes``.

    ``flow`` means that it is in a flow collection, ``folded`` that it has more than one line, ``first`` are
    the holes with only spaces before them in their line.
    """

    context: Context
    role: Role
    texts: tuple[str, ...]
    holes: tuple[int, ...]
    flow: bool
    folded: bool
    first: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Static:
    """A subtree without holes, as JSON. All renderings share it."""

    value: JSON


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping that contains a slot."""

    pairs: Sequence[tuple[Static | Slot, Tree]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence that contains a slot."""

    items: Sequence[Tree]


Tree = Static | Slot | Mapping | Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Holes:
    """Where the holes are.

    ``lost`` holes are in no scalar and no comment that the parser shows. ``tree`` is None where a document
    needs the exact reader: aliases, tags, merges, faults.
    """

    slots: Sequence[Slot]
    comments: Sequence[int]
    lost: Sequence[int]
    tree: Tree | None


def survey(strings: Sequence[str]) -> Holes:
    """Return where the holes between ``strings`` are; for invalid YAML all are lost. Never raises."""
    try:
        return _Surveyor(strings, unused_character("".join(strings))).survey()
    except (LibYAMLError, UnicodeEncodeError, _LostError):
        return Holes(slots=(), comments=(), lost=range(len(strings) - 1), tree=None)


class _LostError(Exception):
    """The parser does not show the holes, or would read the text otherwise than yaml.v2."""


class _Surveyor:
    """Walks the events of the marked text once."""

    def __init__(self, strings: Sequence[str], mark: str) -> None:
        self._text, self._offsets = _marked(strings, mark)
        if not mark or "\\/" in self._text or "\ufeff" in self._text:
            raise _LostError
        self._mark = mark
        self._split = re.compile(f"{mark}([0-9]+){mark}").split
        self._next = CParser(self._text).get_event
        self._slots: list[Slot] = []
        self._unseen = set(range(len(self._offsets)))
        self._blocks: list[tuple[int, int]] = []
        self._exact = False
        self._texts: dict[str, str] = {}

    def survey(self) -> Holes:
        self._next()
        start: Any = self._next()
        if isinstance(start, StreamEndEvent):
            return self._result(Static(None), len(self._text))
        self._exact = start.version is not None
        tree = self._node(self._next(), Role.VALUE, MAX_DEPTH, flow=False)
        end: Any = self._next()
        return self._result(tree, end.start_mark.index)

    def _result(self, tree: Tree, end: int) -> Holes:
        """Place the holes that are in no scalar: before the document's end they can only be in comments."""
        unseen = sorted(self._unseen)
        lost = [hole for hole in unseen if self._offsets[hole] >= end or self._in_block_header(hole)]
        comments = [hole for hole in unseen if hole not in lost]
        compiled = None if lost or self._exact else tree
        return Holes(slots=self._slots, comments=comments, lost=lost, tree=compiled)

    def _in_block_header(self, hole: int) -> bool:
        offset = self._offsets[hole]
        return any(start <= offset < end for start, end in self._blocks)

    def _node(self, event: Any, role: Role, depth: int, *, flow: bool) -> Tree:
        if isinstance(event, ScalarEvent):
            return self._scalar(event, role, flow=flow)
        if isinstance(event, AliasEvent):
            self._exact = True
            return Static(None)
        if not depth:
            raise _LostError
        if event.anchor is not None or event.tag is not None:
            self._exact = True
        if isinstance(event, MappingStartEvent):
            return self._mapping(depth - 1, flow=bool(event.flow_style))
        return self._sequence(depth - 1, flow=bool(event.flow_style))

    def _mapping(self, depth: int, *, flow: bool) -> Tree:
        pairs: list[tuple[Static | Slot, Tree]] = []
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event, depth, flow=flow)
            pairs.append((key, self._node(self._next(), Role.VALUE, depth, flow=flow)))
        if all(isinstance(key, Static) and isinstance(value, Static) for key, value in pairs):
            return Static({key.value: value.value for key, value in pairs})  # type: ignore[union-attr]
        return Mapping(pairs)

    def _sequence(self, depth: int, *, flow: bool) -> Tree:
        role = Role.FLOW_ITEM if flow else Role.VALUE
        items: list[Tree] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._node(event, role, depth, flow=flow))
        if all(isinstance(item, Static) for item in items):
            return Static([item.value for item in items])  # type: ignore[union-attr]
        return Listing(items)

    def _key(self, event: Any, depth: int, *, flow: bool) -> Static | Slot:
        key = self._node(event, Role.KEY, depth, flow=flow)
        if isinstance(key, Slot):
            return key
        if not isinstance(key, Static) or isinstance(key.value, dict | list):
            self._exact = True
            return Static("")
        if event.__class__ is ScalarEvent and event.implicit[0]:
            return Static(self._plain_key(self._texts[event.value]))
        return key

    def _plain_key(self, text: str) -> str:
        try:
            self._exact = self._exact or text == MERGE
            return key_text(plain(text))
        except YAMLError:
            self._exact = True
            return ""

    def _scalar(self, event: Any, role: Role, *, flow: bool) -> Static | Slot:
        context = Context.BLOCK if event.style == ">" else Context(event.style or "plain")
        if context is Context.BLOCK:
            self._blocks.append((event.start_mark.index, event.end_mark.index))
        if context is Context.PLAIN and flow and "?" in event.value:
            raise _LostError
        if (
            event.anchor is not None
            or event.tag is not None
            or self._text.startswith("!", event.start_mark.index)
        ):
            self._exact = True
        if self._mark in event.value:
            return self._slot(event, context, role, flow=flow)
        text = self._texts.setdefault(event.value, event.value)  # "name" occurs a hundred times
        return Static(self._plain(text) if event.implicit[0] else text)

    def _plain(self, text: str) -> JSON:
        try:
            return json_scalar(text)
        except YAMLError:
            self._exact = True
            return None

    def _slot(self, event: Any, context: Context, role: Role, *, flow: bool) -> Slot:
        parts = self._split(event.value)
        holes = tuple(map(int, parts[1::2]))
        self._unseen.difference_update(holes)
        slot = Slot(
            context=context,
            role=role,
            texts=tuple(parts[::2]),
            holes=holes,
            flow=flow,
            folded=event.start_mark.line != event.end_mark.line,
            first=tuple(hole for hole in holes if self._is_first(hole)),
        )
        self._slots.append(slot)
        return slot

    def _is_first(self, hole: int) -> bool:
        offset = self._offsets[hole]
        line = self._text[self._text.rfind("\n", 0, offset) + 1 : offset]
        return not line.strip(" \t")


def _marked(strings: Sequence[str], mark: str) -> tuple[str, list[int]]:
    """Join the strings with marks between them; return the offset of each mark, too."""
    parts = [strings[0]]
    offsets = []
    length = len(strings[0])
    for hole, string in enumerate(strings[1:]):
        offsets.append(length)
        token = f"{mark}{hole}{mark}"
        parts += token, string
        length += len(token) + len(string)
    return "".join(parts), offsets


# ---- the bytes that a skeleton takes in memory, estimated from above
# The sizes include what others derive from a skeleton and store with it, as for the pod's types. The numbers
# were measured with tracemalloc on 64-bit CPython 3.11, and tests compare the sums with it.

_EMPTY: Final = 4096
"""A skeleton without text: its objects and functions."""

_NODE: Final = 224
"""A node of the tree: itself, its place in a list, and its code and variables in the functions."""

_HOLE: Final = 432
"""A hole: its number, its check, its name and code in the functions, and the parts of its scalar."""

_READ_CONSTANT: Final = 300
"""A constant list or object as the types read it, beside a copy: a node of its own, and zero values."""

_STRING: Final = 32
"""What a string takes besides its characters: two references, and padding."""


def size_of(strings: Sequence[str], survey: Holes) -> int:
    """Return the bytes of a skeleton of these texts."""
    nodes = [*_nodes(survey.tree)] if survey.tree is not None else [*survey.slots]
    constants: list[JSON] = [node.value for node in nodes if isinstance(node, Static)]
    parts = [*_parts(constants)]
    texts = sum(getsizeof("".join(node.texts)) + _STRING for node in nodes if isinstance(node, Slot))
    constant = deep_size(constants) + sum(map(getsizeof, parts)) + _READ_CONSTANT * len(parts)
    return _EMPTY + least_size(strings) + _NODE * len(nodes) + texts + constant


def least_size(strings: Sequence[str]) -> int:
    """Return the least bytes of any skeleton of these texts, without parsing them."""
    return sum(map(getsizeof, strings)) + _HOLE * (len(strings) - 1)


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
    """Yield the lists and objects in a value, including itself."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict | list):
            yield item
            waiting.extend(item.values() if isinstance(item, dict) else item)
