"""YAML text in, the first document's nodes out, aliases tied to what they name; and where a path's value is.

`decoding` turns the nodes into JSON. `reading` spares usual documents both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError as LibYAMLError
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from injector.errors import YAMLError
from injector.kubeyaml.dialect import Dialect, at, translate

MAX_DEPTH: Final = 64
"""Levels of nesting. A pod has 12; libyaml itself slows down and orjson stops at 1,024."""

_HALF_SURROGATE = re.compile("[\ud800-\udfff]").search


@dataclass(slots=True, kw_only=True, eq=False)
class YAMLNode:
    """One node of the text.

    ``children`` of a mapping are its keys and values in turn, of an alias the one node it names.
    ``implicit`` tells that a scalar is plain, ``line`` and ``column`` count from 1. It is ``text[start:end]``
    but for block collections, whose end libyaml tells too late; ``style`` is a scalar's, or ``flow``.
    """

    kind: type[Event]
    line: int
    column: int
    start: int
    end: int
    style: str = ""
    tag: str = ""
    value: str = ""
    implicit: bool = False
    anchored: bool = False
    children: list[YAMLNode] = field(default_factory=list)


def compose(text: str, *, source: str = "", max_depth: int = MAX_DEPTH) -> YAMLNode | None:
    """Return the root node of the first document, None for a text without one; raises YAMLError."""
    dialect = Dialect(text, source=source)
    while True:
        try:
            return _Composer(dialect, source, max_depth).document()
        except LibYAMLError as error:
            if not dialect.repair(error):
                raise translate(error, source=source) from error


def decoded(text: str | bytes, source: str) -> str:
    """Return the text of bytes; libyaml says what is wrong with those that are neither UTF-8 nor UTF-16."""
    if isinstance(text, str) and not _HALF_SURROGATE(text):
        return text
    data = _bytes(text) if isinstance(text, str) else text
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
    except UnicodeDecodeError as error:
        raise _reader_error(data, source) from error


def _bytes(text: str) -> bytes:
    """Return the bytes that a text with half surrogates stands for; they are no UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _reader_error(data: bytes, source: str) -> YAMLError:
    try:
        parser = CParser(data)
        while parser.check_event():
            parser.get_event()
    except LibYAMLError as error:
        return translate(error, source=source)
    return at("invalid Unicode character", source=source)


class _Composer:
    """Pulls events until the first document has ended, so that a fault behind it is never seen."""

    __slots__ = ("_anchors", "_dialect", "_event", "_max_depth", "_parser", "_source")

    def __init__(self, dialect: Dialect, source: str, max_depth: int) -> None:
        self._dialect = dialect
        self._parser = CParser(dialect.text)
        self._source = source
        self._max_depth = max_depth
        self._anchors: dict[str, YAMLNode] = {}
        self._event: Any = self._parser.get_event()  # Any: the stubs know no event's fields

    def document(self) -> YAMLNode | None:
        start = self._next()
        if not isinstance(start, DocumentStartEvent):
            return None
        if start.version not in (None, (1, 1)):
            raise at("found incompatible YAML document", source=self._source, mark=start.start_mark)
        self._next()
        root = self._node(self._max_depth, None)
        self._next()
        return root

    def _next(self) -> Any:
        self._event = self._parser.get_event()
        return self._event

    def _node(self, depth: int, collection: Any) -> YAMLNode:
        event = self._event
        node = _placed(event)
        if isinstance(event, AliasEvent):
            return self._alias(node, event)
        node.tag = self._dialect.tag(event)
        if event.anchor is not None:
            node.anchored = True
            self._anchors[event.anchor] = node
        if isinstance(event, ScalarEvent):
            node.value = self._dialect.value(event, collection)
            node.implicit = event.implicit[0]
            node.style = event.style or ""
        elif isinstance(event, CollectionStartEvent):
            self._children(node, event, depth)
        return node

    def _children(self, node: YAMLNode, event: Any, depth: int) -> None:
        if not depth:
            reason = f"exceeded max depth of {self._max_depth}"
            raise at(reason, source=self._source, mark=event.start_mark, named_line=event.start_mark.line + 1)
        end = MappingEndEvent if isinstance(event, MappingStartEvent) else SequenceEndEvent
        while not isinstance(self._next(), end):
            node.children.append(self._node(depth - 1, event if event.flow_style else None))
        if event.flow_style:
            node.style, node.end = "flow", self._event.end_mark.index

    def _alias(self, node: YAMLNode, event: Any) -> YAMLNode:
        node.value = event.anchor
        target = self._anchors.get(node.value)
        if target is None:
            raise at(f"unknown anchor '{node.value}' referenced", source=self._source, mark=event.start_mark)
        node.children.append(target)
        return node


def _placed(event: Any) -> YAMLNode:
    """Return a node of which nothing is known yet but where it is."""
    start, end = event.start_mark, event.end_mark
    return YAMLNode(
        kind=event.__class__, line=start.line + 1, column=start.column + 1, start=start.index, end=end.index
    )


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the value under keys and indexes; 0 when the text cannot be read.

    Where the path leads nowhere it is the line of the last step that does.
    """
    return Positions(text).at(path)[0]


class Positions:
    """Where the values of one text stand; it is read once, when first asked."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _root(self) -> YAMLNode | None:
        try:
            return compose(self._text)
        except YAMLError:
            return None

    def at(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the key or the item that ``path`` ends with.

        Zeros and the last step that leads somewhere are as `line_of` has them.
        """
        node = self._root
        if node is None:
            return 0, 0
        position = node.line, node.column
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            stands, node = found
            position = stands.line, stands.column
        return position


def _step(node: YAMLNode, step: str | int) -> tuple[YAMLNode, YAMLNode] | None:
    """Return the key or the item, and the value there; of a key that is given twice the last."""
    while node.kind is AliasEvent:
        node = node.children[0]
    if node.kind is SequenceStartEvent and isinstance(step, int) and step < len(node.children):
        return node.children[step], node.children[step]
    if node.kind is not MappingStartEvent:
        return None
    pairs = list(zip(node.children[::2], node.children[1::2], strict=True))
    return next(((key, value) for key, value in reversed(pairs) if key.value == step), None)
