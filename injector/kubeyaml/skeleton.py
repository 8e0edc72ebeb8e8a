"""Fill renderings without parsing a template's constant text twice.

The texts between the values are parsed once, with marks at the holes. A rendering with the same texts is
then filled in microseconds, and no value is ever parsed as YAML that could change it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, Self

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.filler import Builder, Reader, builder, reader
from injector.kubeyaml.nodes import unused_character
from injector.kubeyaml.reading import load
from injector.kubeyaml.safety import (
    Check,
    UnsafeValueError,
    checks,
    in_blocks,
    is_line,
    meant,
    read,
    stays_in_comment,
    unquotable,
    write,
)
from injector.kubeyaml.sizes import size_of
from injector.kubeyaml.survey import Holes, Slot, Tree, survey
from injector.rendering import Structured

Untrusted = Literal["scalar", "text"]
"""What a value means that would not stay inside its scalar: the string it is, or what YAML makes of it."""

_HARMLESS = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,254}[A-Za-z0-9])?)?\Z").match
"""Text that opens, closes and separates nothing in any place of a YAML document; short enough for a key."""


def are_harmless(values: Iterable[str]) -> bool:
    """Return whether values are words, or empty, that no place of a document can take for anything else."""
    return all(map(_HARMLESS, values))


class Skeleton:
    """The YAML of a rendering's constant texts, parsed once.

    Made by `parse`, used by `fill` any number of times. The JSON of all fills shares the subtrees that
    have no slots: nobody may change them. ``derived`` is for what somebody works out about the tree, once;
    ``size`` says how many bytes all of this takes.
    """

    __slots__ = ("_blocks", "_build", "_checks", "_read", "_survey", "derived", "size", "strings")

    def __init__(self, strings: tuple[str, ...], places: Holes) -> None:
        self.strings = strings
        self.size = size_of(strings, places)
        self.derived: Any = None
        self._survey = places
        self._blocks = in_blocks(places)
        self._build: Builder | None = None
        self._read: Reader | None = None
        self._checks: Sequence[Check] = ()
        if places.tree is not None:
            self._read = reader(places.slots, len(strings) - 1)
            self._checks = checks(places, len(strings) - 1)

    @classmethod
    def parse(cls, strings: Sequence[str]) -> Self:
        """Parse the texts between the holes; never raises for bad YAML, `fill` does."""
        return cls(tuple(strings), survey(strings))

    @property
    def tree(self) -> Tree | None:
        """The JSON with slots in it; None where each text has to be parsed with its values."""
        return self._survey.tree

    @property
    def slots(self) -> Sequence[Slot]:
        """The slots of the tree, in the order of what `scalars` returns."""
        return self._survey.slots

    def holds(self, values: Sequence[str]) -> bool:
        """Return whether each value that is `Structured` is one line of a block scalar.

        There a line is what it is; anywhere else it has to be part of the texts.
        """
        return all(
            hole in self._blocks and is_line(value)
            for hole, value in enumerate(values)
            if value.__class__ is Structured
        )

    def fill(self, values: Sequence[str], untrusted: Untrusted = "scalar") -> JSON:
        """Return the JSON of the texts with ``values`` in the holes, typed as yaml.v2 types it.

        In both modes safe values mean what YAML makes of them. Of a value that is not safe where it
        stands, ``"text"`` parses the joined text as Go does, ``"scalar"`` makes its whole scalar a
        string: constant parts and values as they are. Raises YAMLError as the parser does; in
        ``"scalar"`` also for a value that stands in no scalar and is more than a word.
        """
        try:
            return self.fill_safely(values)
        except UnsafeValueError:
            return self.fill_unsafely(values, untrusted)

    def fill_safely(self, values: Sequence[str]) -> JSON:
        """Do as `fill` does, or raise UnsafeValueError."""
        scalars = self.scalars(values)
        return self.parsed(values) if self.tree is None else self.built(scalars)

    def scalars(self, values: Sequence[str]) -> Sequence[JSON]:
        """Return the JSON of the tree's slots; raises UnsafeValueError. The skeleton `holds` the values."""
        if self._read is not None:
            if unquotable("".join([value for value in values if value.__class__ is not Structured])):
                values = [check(value) for check, value in zip(self._checks, values, strict=True)]
            return self._read(values)
        return self._judged(values)

    def built(self, scalars: Sequence[JSON]) -> JSON:
        """Return the JSON of the tree with these scalars in its slots."""
        tree = self.tree
        assert tree is not None  # noqa: S101 - whoever has its scalars has looked
        if self._build is None:
            self._build = builder(tree, self.slots)
        return self._build(scalars)

    def _judged(self, values: Sequence[str]) -> list[JSON]:
        places = self._survey
        if places.lost or not all(stays_in_comment(values[hole]) for hole in places.comments):
            raise UnsafeValueError
        return [read(slot, values) for slot in places.slots]

    def parsed(self, values: Sequence[str]) -> JSON:
        """Return the JSON of the text with values that `scalars` took; raises YAMLError."""
        return load(_interleaved(self.strings, values))

    def fill_unsafely(self, values: Sequence[str], untrusted: Untrusted) -> JSON:
        """Do as `fill` does where a value is unsafe."""
        if untrusted == "text":
            return self.parsed(values)
        places = self._survey
        if not are_harmless(values[hole] for hole in places.lost):
            raise YAMLError(
                "yaml: a value that is no word stands where the template has structure, not a scalar"
            )
        if places.tree is None:
            return self._substituted(values)
        return self.built([_scalar(slot, values) for slot in places.slots])

    def _substituted(self, values: Sequence[str]) -> JSON:
        """Parse with words in place of the values that are unsafe, then put those in."""
        texts = list(values)
        places = self._survey
        for hole in places.comments:
            texts[hole] = ""
        unsafe = [slot for slot in places.slots if _is_unsafe(slot, values)]
        if not unsafe:
            return load(_interleaved(self.strings, texts))
        token = unused_character("".join((*self.strings, *values)))
        if not token:
            raise YAMLError("yaml: the values use every character of Unicode's private area")
        meanings: dict[str, str] = {}
        for slot in unsafe:
            for hole in slot.holes:
                texts[hole] = f"{token}{hole}{token}"
                meanings[texts[hole]] = meant(values[hole], slot.context)
        return _Substitution(token, meanings).value(load(_interleaved(self.strings, texts)))


class _Substitution:
    """Puts strings in place of words, wherever in a JSON value; what is shared stays shared."""

    def __init__(self, token: str, meanings: Mapping[str, str]) -> None:
        self._word = re.compile(f"{token}[0-9]+{token}")
        self._meanings = meanings
        self._done: dict[int, JSON] = {}

    def value(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return self._word.sub(lambda match: self._meanings[match[0]], value)
        if not isinstance(value, dict | list):
            return value
        if id(value) not in self._done:
            self._done[id(value)] = self._collection(value)
        return self._done[id(value)]

    def _collection(self, value: JSON) -> JSON:
        if isinstance(value, dict):
            return {self.value(key): self.value(child) for key, child in value.items()}
        return list(map(self.value, value))


def _scalar(slot: Slot, values: Sequence[str]) -> JSON:
    try:
        return read(slot, values)
    except UnsafeValueError:
        return write(slot, values)


def _is_unsafe(slot: Slot, values: Sequence[str]) -> bool:
    try:
        read(slot, values)
    except UnsafeValueError:
        return True
    return False


def _interleaved(strings: Sequence[str], values: Sequence[str]) -> str:
    return "".join(chain.from_iterable(zip(strings, (*values, ""), strict=True)))
