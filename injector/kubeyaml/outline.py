"""YAML text in, where its keys, items and values stand out.

Only block collections are opened: what stands between brackets, an alias, a complex key or a merge is
a leaf or makes its collection one, to be kept or replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from injector.kubeyaml.conversion import key_text
from injector.kubeyaml.scalars import MERGE, plain

_STARTS: Final = (MappingStartEvent, SequenceStartEvent)
_ENDS: Final = (MappingEndEvent, SequenceEndEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineLeaf:
    """A value that is kept or replaced as a whole: ``text[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingEntry:
    """A key with its colon, which ends before ``colon``, and its value."""

    key: str
    start: int
    colon: int
    value: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceEntry:
    """A dash at ``start`` and the value behind it."""

    start: int
    value: Outline


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block mapping (of entries) or sequence (of items) whose keys or dashes stand in ``column``."""

    start: int
    end: int
    column: int
    children: Sequence[MappingEntry] | Sequence[SequenceEntry]


Outline = OutlineLeaf | Block


def outline(text: str) -> Outline | None:
    """Return the outline of the first document, None for a text without one that libyaml can read."""
    try:
        return _Outliner(text).document()
    except (LibYAMLError, UnicodeEncodeError):
        return None


class _Outliner:
    """Walks the events once. libyaml ends a block collection where the next token starts: too late."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: Callable[[], Any] = CParser(text).get_event

    def document(self) -> Outline | None:
        self._next()
        if isinstance(self._next(), StreamEndEvent):
            return None
        return self._outline(self._next())

    def _outline(self, event: Any) -> Outline:
        start, column = event.start_mark.index, event.start_mark.column
        if event.__class__ not in _STARTS:
            return OutlineLeaf(start=start, end=self._end(event))
        if event.flow_style:
            return OutlineLeaf(start=start, end=self._flow_end())
        is_mapping = event.__class__ is MappingStartEvent
        children: list[Any] = []
        end = start
        while (first := self._next()).__class__ not in _ENDS:
            child, end = self._entry(first) if is_mapping else self._item(first, end)
            children.append(child)
        if event.anchor is not None or event.tag is not None or not all(children):
            return OutlineLeaf(start=start, end=end)
        return Block(start=start, end=end, column=column, children=children)

    def _flow_end(self) -> int:
        """Pass over what stands between brackets; return where the closing one has been."""
        depth = 1
        while depth:
            event = self._next()
            depth += (event.__class__ in _STARTS) - (event.__class__ in _ENDS)
        return int(event.end_mark.index)

    def _entry(self, event: Any) -> tuple[MappingEntry | None, int]:
        """Return the entry that starts with ``event``, None if it is no plain matter, and its end."""
        key = self._outline(event)
        value = self._outline(self._next())
        colon = self._text.find(":", key.end) + 1
        is_simple = isinstance(event, ScalarEvent) and not self._text[key.end : max(colon - 1, 0)].strip(" ")
        name = self._name(event) if is_simple else None
        if name is None:
            return None, max(value.end, key.end)
        end = max(value.end, colon)
        return MappingEntry(key=name, start=key.start, colon=colon, value=value), end

    def _item(self, event: Any, previous: int) -> tuple[SequenceEntry, int]:
        """Return the item whose value starts with ``event``; its dash is the first after ``previous``."""
        value = self._outline(event)
        start = previous
        while self._text[start] != "-":  # between two items stand blanks and comments only
            start = self._text.index("\n", start) + 1 if self._text[start] == "#" else start + 1
        return SequenceEntry(start=start, value=value), max(value.end, start + 1)

    def _name(self, event: Any) -> str | None:
        if event.anchor is not None or event.tag is not None:
            return None
        if not event.implicit[0]:
            return str(event.value)
        try:
            return None if event.value == MERGE else key_text(plain(event.value))
        except YAMLError:  # no key at all, in a mapping that a later duplicate replaces
            return None

    def _end(self, event: Any) -> int:
        """Return where a scalar ends; blank lines behind a block scalar are its own only if it keeps them."""
        start, end = event.start_mark.index, event.end_mark.index
        if getattr(event, "style", None) not in ("|", ">"):
            return int(end)
        header = self._text[start : self._text.find("\n", start)]
        text = self._text[start:end]
        kept = text.removesuffix("\n") if "+" in header else text.rstrip("\r\n ")
        return int(start + len(kept))
