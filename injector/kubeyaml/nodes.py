r"""Compose the nodes of a text's first YAML document, with aliases resolved, and find the line of a path.

`decoding` turns nodes into JSON. For usual documents `reading` needs neither.

yaml.v2 is a port of an older libyaml. Between brackets it differs from 0.2.5 (``?`` ends a plain scalar,
``:`` before ``,`` does not). It also refuses ``\/``, rejects YAML 1.2, keeps the tag ``!``, allows ``,`` and
brackets in tags, and reads a byte order mark within the text as a letter. One difference between brackets
remains: ``[!a,b]`` has one element to yaml.v2. Errors have the same sentences but not the same line numbers:
yaml.v2 counts scanner errors from one, parser errors from zero, and names no line where it counted zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError
from yaml.error import YAMLError as LibYAMLError
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from injector.errors import YAMLError
from injector.golang.unicode import HALF_SURROGATE

MAX_DEPTH: Final = 64
"""Levels of nesting. A pod has 12; libyaml itself slows down and orjson stops at 1,024."""

PRIVATE_USE: Final = range(0xE000, 0xF900)
"""Characters that YAML can print and that have no meaning: stand-ins and marks are chosen here."""

SIGNS: Final = ("?", "%YAML", "\\/", "! ", "!\n", "!\t", "\ufeff")
"""A text with any difference between the two contains one of these, except for a needless ``:``."""

MISREAD_COLON: Final = "found unexpected ':'"
_MORE: Final = (
    "the document ends above, and what follows would be lost: "
    "delete it, or in a manifest put a line `---` before it"
)

_TAG_CHARACTERS: Final = (",", "[", "]")
_MOST_IN_VAIN: Final = 8192
"""Nodes that repairs may read again, since each repair starts at the front: 75 ms. A sidecar's YAML has
500."""
_CHARACTERS_AS_A_NODE: Final = 256
"""Characters that take as long to scan as making a node takes: a text may be one long scalar."""
_BARE_TAG = re.compile(r"(?:&[A-Za-z0-9_-]+[ \t]+)?!(?=[\s,\[\]{}]|\Z)").match
_SLASH_ESCAPE = re.compile(r'"(?:[^\\]|\\[^/])*?\\/').match


@dataclass(slots=True, kw_only=True, eq=False)
class YAMLNode:
    """One node of the text.

    ``children`` of a mapping are its keys and values alternately, of an alias the node it refers to.
    ``implicit`` means that a scalar is plain; ``line`` and ``column`` count from 1. The node is
    ``text[start:end]``, except for block collections, whose end libyaml reports too late. ``style`` is a
    scalar's, or ``flow``.
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


def compose(text: str, *, source: str = "", alone: bool = False) -> YAMLNode | None:
    """Return the root node of the first document, None for a text without one; raises YAMLError.

    With ``alone`` it is also an error if more follows the document.
    """
    dialect = Dialect(text, source=source)
    while True:
        composer = _Composer(dialect, source)
        try:
            return composer.document(alone=alone)
        except LibYAMLError as error:
            if not dialect.repair(error, composer.nodes):
                raise translate(error, source=source) from error


def refuse_more(next_event: Callable[[], Any], source: str) -> None:
    """Raise YAMLError where anything but comments and empty documents follows the document just read."""
    try:
        while (event := next_event()).__class__ is not StreamEndEvent:
            if not _says_nothing(event):
                raise _more(event.start_mark, source)
    except LibYAMLError as error:
        raise _more(getattr(error, "problem_mark", None), source) from error


def _more(mark: Any, source: str) -> YAMLError:
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return YAMLError(_MORE, source=source, line=line, column=column)


def _says_nothing(event: Any) -> bool:
    """Return whether an event belongs to a document without content."""
    if isinstance(event, ScalarEvent):
        return event.implicit[0] and not event.value
    return isinstance(event, DocumentStartEvent | DocumentEndEvent)


def decoded(text: str | bytes, source: str) -> str:
    """Return the text of bytes; for those that are neither UTF-8 nor UTF-16, libyaml's error."""
    if isinstance(text, str) and not HALF_SURROGATE.search(text):
        return text
    data = _bytes(text) if isinstance(text, str) else text
    try:
        return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8")
    except UnicodeDecodeError as error:
        raise _reader_error(data, source) from error


def _bytes(text: str) -> bytes:
    """Return the bytes that a text with surrogates stands for; they are not valid UTF-8."""
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


# ---- what libyaml and yaml.v2 read differently


def at(reason: str, *, source: str = "", mark: Any = None, named_line: int = 0) -> YAMLError:
    """Return the error: ``mark`` is the true position, ``named_line`` the line in Go's sentence (0: none)."""
    sentence = f"yaml: line {named_line}: {reason}" if named_line else f"yaml: {reason}"
    if mark is None:
        return YAMLError(sentence, source=source)
    return YAMLError(sentence, source=source, line=mark.line + 1, column=mark.column + 1)


def translate(error: LibYAMLError, *, source: str) -> YAMLError:
    """Return yaml.v2's error for an error of libyaml's scanner, parser or reader."""
    if isinstance(error, ReaderError):
        return YAMLError(f"yaml: {error.reason}", source=source)
    if not isinstance(error, MarkedYAMLError):
        return YAMLError(f"yaml: {error}", source=source)
    mark = error.problem_mark
    if mark is not None and mark.line:  # counted as in yaml.v2's ``fail``
        named_line = mark.line + isinstance(error, ScannerError)
    else:
        named_line = error.context_mark.line if error.context_mark is not None else 0
    return at(error.problem or "", source=source, mark=mark, named_line=named_line)


def unused_character(text: str) -> str:
    """Return a character that ``text`` neither contains nor writes as an escape, or ""."""
    codes = text.lower()
    free = (code for code in PRIVATE_USE if chr(code) not in text and f"{code:x}" not in codes)
    return next(map(chr, free), "")


class Dialect:
    """One instance per text. ``text`` is what libyaml parses; positions in it are those of the original."""

    def __init__(self, text: str, *, source: str) -> None:
        text = text.removeprefix("\ufeff")
        free = (character for character in map(chr, PRIVATE_USE) if character not in text)
        self._bom = next(free, "")
        self._colon = next(free, "")
        self._source = source
        self._in_vain = 0
        self.text = text.replace("\ufeff", self._bom) if self._bom else text

    def repair(self, error: LibYAMLError, nodes: int) -> bool:
        """Replace what libyaml wrongly refuses, a colon or a tag, by a stand-in; False for other errors.

        Also False after too many repairs: ``nodes`` had been read when libyaml stopped.
        """
        if not isinstance(error, ScannerError) or error.problem_mark is None or not self._colon:
            return False
        position = error.problem_mark.index
        if error.problem == MISREAD_COLON:
            stand_in = self._colon
        elif (
            error.context == "while scanning a tag" and self.text[position : position + 1] in _TAG_CHARACTERS
        ):
            stand_in = "$"  # as unknown to yaml.v2 as the original tag
        else:
            return False
        self.text = self.text[:position] + stand_in + self.text[position + 1 :]
        self._in_vain += 1 + nodes + position // _CHARACTERS_AS_A_NODE
        return self._in_vain <= _MOST_IN_VAIN

    def value(self, event: Any, collection: Any) -> str:
        """Return the text of a scalar; raises YAMLError for what yaml.v2 refuses in it.

        ``collection`` is the start of the flow collection around the scalar, else None.
        """
        value: str = event.value
        if event.style == '"' and "\\/" in self.text:
            self._refuse_slash(event)
        if collection is not None and not event.style and "?" in value:
            raise self._question_mark(event, collection)
        return value.replace(self._bom, "\ufeff").replace(self._colon, ":") if self._colon else value

    def tag(self, event: Any) -> str:
        """Return the tag of a node; libyaml drops ``!``, with which yaml.v2 does not type a scalar."""
        if event.tag is None and _BARE_TAG(self.text, event.start_mark.index):
            return "!"
        return event.tag or ""

    def _refuse_slash(self, event: Any) -> None:
        start = event.start_mark
        match = _SLASH_ESCAPE(self.text, self.text.index('"', start.index), event.end_mark.index)
        if match:
            line = start.line + match[0].count("\n")
            raise at(
                "found unknown escape character",
                source=self._source,
                mark=start,
                named_line=line + (line > 0),
            )

    def _question_mark(self, event: Any, collection: Any) -> YAMLError:
        start = event.start_mark
        position = self.text.index("?", start.index)
        line = start.line + self.text.count("\n", start.index, position)
        closing = "}" if "Mapping" in type(collection).__name__ else "]"
        named = line or collection.start_mark.line
        return at(
            f"did not find expected ',' or '{closing}'", source=self._source, mark=start, named_line=named
        )


# ---- nodes


class _Composer:
    """Pulls events until the end of the first document, so that a fault after it is not found."""

    def __init__(self, dialect: Dialect, source: str) -> None:
        self._dialect = dialect
        self._parser = CParser(dialect.text)
        self._source = source
        self._anchors: dict[str, YAMLNode] = {}
        self._event: Any = None  # Any: the stubs know no event's fields
        self.nodes = 0

    def document(self, *, alone: bool) -> YAMLNode | None:
        self._next()
        start = self._next()
        if not isinstance(start, DocumentStartEvent):
            return None
        if start.version not in (None, (1, 1)):
            raise at("found incompatible YAML document", source=self._source, mark=start.start_mark)
        self._next()
        root = self._node(MAX_DEPTH, None)
        self._next()
        if alone:
            refuse_more(self._parser.get_event, self._source)
        return root

    def _next(self) -> Any:
        self._event = self._parser.get_event()
        return self._event

    def _node(self, depth: int, collection: Any) -> YAMLNode:
        event = self._event
        self.nodes += 1
        start, end = event.start_mark, event.end_mark
        node = YAMLNode(
            kind=event.__class__,
            line=start.line + 1,
            column=start.column + 1,
            start=start.index,
            end=end.index,
        )
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
            reason = f"exceeded max depth of {MAX_DEPTH}"
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


def line_of(text: str, path: Sequence[str | int]) -> int:
    """Return the line, from 1, of the value under keys and indices; 0 when the text cannot be read.

    If the path leads nowhere, it is the line of the last step that exists.
    """
    return Positions(text).at(path)[0]


class Positions:
    """The positions of values in one text, which is read when first needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _root(self) -> YAMLNode | None:
        try:
            return compose(self._text)
        except YAMLError:
            return None

    def at(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column, from 1, of the key or the item at the end of ``path``.

        Zeros, and paths that lead nowhere, are as in `line_of`.
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
    """Return the key or the item, and its value; for a key given twice the last."""
    while node.kind is AliasEvent:
        node = node.children[0]
    if node.kind is SequenceStartEvent and isinstance(step, int) and step < len(node.children):
        return node.children[step], node.children[step]
    if node.kind is not MappingStartEvent:
        return None
    pairs = list(zip(node.children[::2], node.children[1::2], strict=True))
    return next(((key, value) for key, value in reversed(pairs) if key.value == step), None)
