"""Read YAML text to JSON, as sigs.k8s.io/yaml v1.6 (yaml.v2) does.

A usual document (block and flow collections, scalars) is built directly from libyaml's events. Rarer
constructs (aliases, tags, merges, odd keys) take the exact way through `nodes`.

Files with several documents are split by the rule of k8s.io/apimachinery's YAMLReader, with which kubectl and
istioctl read files: a line that starts with ``---`` ends a document, whatever it is inside of. Objects of
JSON may follow one another without it, as in kubectl's reader, YAMLOrJSONDecoder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from yaml._yaml import CParser
from yaml.error import YAMLError as LibYAMLError
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from injector.errors import YAMLError
from injector.golang.unicode import trim_space
from injector.json_types import JSON
from injector.kubeyaml.decoding import decode, finite
from injector.kubeyaml.nodes import (
    MAX_DEPTH,
    MISREAD_COLON,
    SIGNS,
    compose,
    decoded,
    refuse_more,
    translate,
)
from injector.kubeyaml.scalars import MERGE, TYPED_START, plain

MAX_SIZE: Final = 16 << 20
"""Characters. etcd holds 1.5 MiB per object; a file with a List of many objects may be larger."""

_SEPARATOR: Final = "---"
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_TWO_OBJECTS: Final = re.compile(r"\}[ \t\r\n]*\{")
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_JSON: Final = json.JSONDecoder(parse_int=str, parse_float=str)
"""Finds where an object ends; numbers stay text, since Python refuses some of them."""

_NextEvent = Callable[[], Any]  # the stubs know no event's fields


class _UnusualError(Exception):
    """The document needs the exact way."""


def load(text: str | bytes, *, source: str = "", alone: bool = False) -> JSON:
    """Return the JSON of the first document; None for empty text. Of duplicate keys the last one counts.

    Text after the document is not read, as in Go; with ``alone`` it is refused, since its author meant
    something by it.

    The result may share subtrees where the text has aliases: treat it as frozen. Numbers are as JSON text
    shows them: integral floats are ints if they fit in 64 bits. ``source`` is named in errors. Raises
    YAMLError in Go's wording, also for text deeper than MAX_DEPTH or longer than MAX_SIZE.
    """
    if len(text) > MAX_SIZE:
        raise YAMLError(f"yaml: text of {len(text)} characters is longer than {MAX_SIZE}", source=source)
    text = decoded(text, source)
    if not any(sign in text for sign in SIGNS):
        try:
            return _first_document(text, source, alone=alone)
        except _UnusualError:
            pass
    root = compose(text, source=source, alone=alone)
    return None if root is None else decode(root, source=source)


def json_scalar(text: str) -> JSON:
    """Return the JSON value of a plain scalar; raises YAMLError for infinities and NaN."""
    value = plain(text)
    return finite(value) if isinstance(value, float) else value


def _first_document(text: str, source: str, *, alone: bool) -> JSON:
    """Build the first document from events; raises _UnusualError if it needs the exact way."""
    next_event = CParser(text).get_event
    try:
        next_event()
        if next_event().__class__ is StreamEndEvent:
            return None
        value = _value(next_event(), next_event, MAX_DEPTH)
        next_event()
        if alone:
            refuse_more(next_event, source)
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

    ``text`` is the file's own, line ends included; ``line`` is where it starts, from 1; ``separator`` is the
    line that ends it, empty at the end of the file. A separator that follows nothing belongs to the text
    after it, as in Go.
    """

    text: str
    line: int
    separator: str
    source: str = ""

    @cached_property
    def value(self) -> JSON:
        """The document's JSON; raises YAMLError with the file's line (in Go's sentence: the document's)."""
        try:
            return load(self.text, source=self.source, alone=True)
        except YAMLError as error:
            if error.line:
                error.line += self.line - 1
            raise


def documents(text: str, *, source: str = "") -> Iterator[Document]:
    """Yield the documents of ``text`` in order; nothing for empty text.

    Joined, their texts and separators are ``text`` again. Raises YAMLError at a separator line that has
    more than a comment behind it.
    """
    for chunk in _chunks(text, source):
        yield from _objects(chunk) if _TWO_OBJECTS.search(chunk.text) else (chunk,)


def _objects(chunk: Document) -> Iterator[Document]:
    """Yield the objects of a JSON stream, each with the space after it; any other text unchanged."""
    text, start, line = chunk.text, 0, chunk.line
    while end := _next_object(text, start):
        yield Document(text=text[start:end], line=line, separator="", source=chunk.source)
        start, line = end, line + text.count("\n", start, end)
    yield Document(text=text[start:], line=line, separator=chunk.separator, source=chunk.source)


def _next_object(text: str, start: int) -> int:
    """Return where the object after the JSON object at ``start`` begins; 0 if there are no two."""
    begin = _behind_space(text, start)
    if not text.startswith("{", begin):
        return 0
    try:
        _, end = _JSON.raw_decode(text, begin)
    except (ValueError, RecursionError):
        return 0
    following = _behind_space(text, end)
    return following if text.startswith("{", following) else 0


def _behind_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _chunks(text: str, source: str) -> Iterator[Document]:
    """Yield what stands between separator lines."""
    start, first_line = 0, 1
    for line, found in enumerate(_LINE.finditer(text), start=1):
        position, end = found.span()
        if not text.startswith(_SEPARATOR, position):
            continue
        rest = trim_space(text[position + len(_SEPARATOR) : end])
        if rest and not rest.startswith("#"):
            raise YAMLError(f"invalid Yaml document separator: {rest}", source=source, line=line)
        if position > start:
            separator = text[position:end]
            yield Document(text=text[start:position], line=first_line, separator=separator, source=source)
            start, first_line = end, line + 1
    if start < len(text):
        yield Document(text=text[start:], line=first_line, separator="", source=source)
