"""YAML text in, JSON out, as sigs.k8s.io/yaml v1.6 (yaml.v2) reads it; and how much it would be, unread.

The usual document (block and flow collections, scalars) is built straight from libyaml's events.
Whatever is rarer (aliases, tags, merges, odd keys) goes the exact way of `nodes`. Files of many documents are
split by the rule of k8s.io/apimachinery's YAMLReader, which kubectl and istioctl read files with: a line that
starts with ``---`` ends a document, whatever it stands in.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError as LibYAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.decoding import decode, finite
from injector.kubeyaml.nodes import MAX_DEPTH, MISREAD_COLON, SIGNS, compose, decoded, translate
from injector.kubeyaml.scalars import MERGE, TYPED_START, plain

MAX_SIZE: Final = 16 << 20
"""Characters. etcd holds 1.5 MiB an object; a file with a List of many objects may be larger."""

_SEPARATOR: Final = "---"
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")

_NextEvent = Callable[[], Any]  # the stubs know no event's fields


class _UnusualError(Exception):
    """The document needs the exact way."""


def load(text: str | bytes, *, source: str = "") -> JSON:
    """Return the JSON of the first document; None for empty text. Duplicate keys: the last one counts.

    The result may share subtrees where the text has aliases: treat it as frozen. Numbers are what
    JSON text shows: integral floats are ints while they fit in 64 bits. ``source`` is named in
    errors. Raises YAMLError in the wording of Go, also for text that is deeper than MAX_DEPTH
    or longer than MAX_SIZE.
    """
    if len(text) > MAX_SIZE:
        raise YAMLError(f"yaml: text of {len(text)} characters is longer than {MAX_SIZE}", source=source)
    text = decoded(text, source)
    if not any(sign in text for sign in SIGNS):
        try:
            return _first_document(text, source)
        except _UnusualError:
            pass
    root = compose(text, source=source)
    return None if root is None else decode(root, source=source)


def json_scalar(text: str) -> JSON:
    """Return the JSON value of a plain scalar; raises YAMLError for infinities and NaN."""
    value = plain(text)
    return finite(value) if isinstance(value, float) else value


def _first_document(text: str, source: str) -> JSON:
    """Build the first document from events; _UnusualError when there is more to it."""
    next_event = CParser(text).get_event
    try:
        next_event()
        if next_event().__class__ is StreamEndEvent:
            return None
        value = _value(next_event(), next_event, MAX_DEPTH)
        next_event()
    except LibYAMLError as error:
        if MISREAD_COLON in str(error) or "a tag" in str(error):
            raise _UnusualError from error
        raise translate(error, source=source) from error
    return value


def _value(event: Any, next_event: _NextEvent, depth: int) -> JSON:
    """Return the JSON of the node that starts with ``event``."""
    kind = event.__class__
    if kind is ScalarEvent:
        return _scalar(event)
    if kind is MappingStartEvent and depth:
        return _mapping(next_event, depth - 1)
    if kind is SequenceStartEvent and depth:
        return _sequence(next_event, depth - 1)
    raise _UnusualError


def _scalar(event: Any) -> JSON:
    implicit = event.implicit
    if implicit[0]:
        text = event.value
        if text and text[0] not in TYPED_START:
            return text
        try:
            return json_scalar(text)
        except YAMLError:
            raise _UnusualError from None
    if implicit[1]:
        return event.value
    raise _UnusualError


def _mapping(next_event: _NextEvent, depth: int) -> JSON:
    mapping: dict[str, JSON] = {}
    while True:
        event = next_event()
        kind = event.__class__
        if kind is ScalarEvent:
            key = _scalar(event)
            if key.__class__ is not str or key == MERGE:
                raise _UnusualError
            event = next_event()
            mapping[key] = (
                _scalar(event) if event.__class__ is ScalarEvent else _value(event, next_event, depth)
            )
        elif kind is MappingEndEvent:
            return mapping
        else:
            raise _UnusualError


def _sequence(next_event: _NextEvent, depth: int) -> JSON:
    sequence: list[JSON] = []
    while True:
        event = next_event()
        kind = event.__class__
        if kind is SequenceEndEvent:
            return sequence
        sequence.append(_scalar(event) if kind is ScalarEvent else _value(event, next_event, depth))


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document of a file.

    ``text`` is the file's own, line ends included; ``line`` is where it starts, from 1; ``separator`` is
    the line that ends it, empty at the end of the file. A separator that follows nothing belongs to
    the text after it, as in Go.
    """

    text: str
    line: int
    separator: str
    source: str = ""

    @cached_property
    def value(self) -> JSON:
        """The document's JSON; raises YAMLError with the file's line, Go's sentence counts the document's."""
        try:
            return load(self.text, source=self.source)
        except YAMLError as error:
            if error.line:
                error.line += self.line - 1
            raise


def documents(text: str, *, source: str = "") -> Iterator[Document]:
    """Yield the documents of ``text`` in order; nothing for empty text.

    Joined, their texts and separators are ``text`` again. Raises YAMLError at a separator line that has
    more than a comment behind it.
    """
    start, first_line = 0, 1
    for line, found in enumerate(_LINE.finditer(text), start=1):
        position, end = found.span()
        if not text.startswith(_SEPARATOR, position):
            continue
        rest = text[position + len(_SEPARATOR) : end].strip()
        if rest and not rest.startswith("#"):
            raise YAMLError(f"invalid Yaml document separator: {rest}", source=source, line=line)
        if position > start:
            separator = text[position:end]
            yield Document(text=text[start:position], line=first_line, separator=separator, source=source)
            start, first_line = end, line + 1
    if start < len(text):
        yield Document(text=text[start:], line=first_line, separator="", source=source)


# ---- how many nodes a YAML text has, or values a JSON text, without building any of them

_NODES: Final = frozenset({AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent})
_MARKS: Final = (",", ":", "-", "?", "[", "{", "\n", "\r", "\x85", "\u2028", "\u2029")
"""One of these stands before every node of YAML but the first: an indicator or the end of a line."""

_WINDOWS: Final = 64
_WINDOW: Final = 256
"""A sample of 16 KiB: it is read in 20 microseconds, where all of 3 MiB would cost a tenth of the review."""

_BLOCK: Final = 1 << 16
"""Bytes that are looked at in one go, for less than a millisecond: no other thread can run meanwhile."""

_BACKSLASH: Final = 0x5C


def count_nodes(text: str, most: int) -> int:
    """Return how many nodes ``text`` has where that is more than ``most``, else some number up to ``most``.

    Looks no further than it has to: first at the length, then for what must stand before a node, then at
    the parser's events. What is not YAML has the nodes before its fault, at most.
    """
    # A mark opens at most a mapping and its key.
    if len(text) <= most or 2 + 2 * sum(map(text.count, _MARKS)) <= most:
        return 0
    next_event = CParser(text).get_event
    count = 0
    try:
        while count <= most and (kind := next_event().__class__) is not StreamEndEvent:
            count += kind in _NODES
    except LibYAMLError:
        pass  # who reads the text will say what is wrong with it
    return count


def count_values(text: bytes, most: int) -> int:
    """Return how many values a JSON text has where they are more than ``most``, else a number up to ``most``.

    Each value but the first stands behind a comma or opens a container. The text need not be valid. One that
    is made of long strings is not counted.
    """
    if len(text) <= 2 * most:  # a value takes two characters, one of them a comma or a bracket
        return 0
    if not _looks_dense(text, most):
        return 0
    if (bound := 1 + _separators(text)) <= most:
        return bound
    count, last = 1, b""
    for block in _outside_of_strings(text):
        joint = last + block
        count += _separators(block) - joint.count(b"[]") - joint.count(b"{}")
        if count > most + 1:  # one of them may turn out to be empty
            break
        last = joint[-1:]
    return count


def _outside_of_strings(text: bytes) -> Iterator[bytes]:
    """Yield the text in blocks with a 0 for each string: commas and brackets in it are no separators."""
    inside = False
    start = 0
    while start < len(text):
        end = min(start + _BLOCK, len(text))
        while end < len(text) and text[end - 1] == _BACKSLASH:  # what it escapes comes with it
            end += 1
        unescaped = text[start:end].replace(rb"\\", b"").replace(rb"\"", b"")
        pieces = unescaped.split(b'"')
        if outside := pieces[inside::2]:
            yield b"0" * inside + b"0".join(outside)
        inside ^= len(pieces) % 2 == 0
        start = end


def _looks_dense(text: bytes, most: int) -> bool:
    """Return whether a sample has a quarter of the separators that ``most`` values in all would give it.

    Where the sample is taken follows from the head of the text, in which an API server's review has its uid:
    so whoever makes the rest cannot write around it.
    """
    step = max(len(text) // _WINDOWS, 1)
    phase = zlib.crc32(text[:1024]) % step
    sample = b"".join([text[at : at + _WINDOW] for at in range(phase, len(text), step)])
    return 4 * (1 + _separators(sample)) * len(text) > most * len(sample)


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
