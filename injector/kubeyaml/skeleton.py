"""Fill renderings without parsing a template's constant text twice.

The texts between the values are parsed once, with marks at the holes. A rendering with the same texts is
then filled in microseconds, and no value is ever parsed as YAML that could change it. The skeletons of the
texts met lately are kept at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final, Literal, TypeAlias

import msgspec

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.filler import (
    Builder,
    Check,
    Reader,
    UnsafeValueError,
    builder,
    checks,
    in_comment,
    is_line,
    meant,
    read,
    reader,
    unquotable,
)
from injector.kubeyaml.nodes import unused_character
from injector.kubeyaml.reading import load
from injector.kubeyaml.survey import Context, Slot, least_size, size_of, survey
from injector.memo import Doorkeeper, Memo
from injector.rendering import Rendering, Structured, interleaved

Untrusted = Literal["scalar", "text"]
"""The meaning of a value that would not stay inside its scalar: that string, or what YAML reads."""

Texts: TypeAlias = tuple[str, ...]

_HARMLESS = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,254}[A-Za-z0-9])?)?\Z").match
"""Text that is not syntax at any place of a YAML document, and short enough for a key."""


def are_harmless(values: Iterable[str]) -> bool:
    """Return whether all values are empty, or words that are not syntax at any place of a document."""
    return all(map(_HARMLESS, values))


class Skeleton:
    """The YAML of a rendering's constant texts, parsed once.

    The JSON of all fills shares the subtrees that have no slots: nobody may change them. ``derived`` is for
    what somebody works out about the tree, once; ``size`` says how many bytes all of this takes.
    """

    def __init__(self, strings: Texts) -> None:
        """Parse the texts between the holes; never raises for bad YAML, filling it does."""
        places = survey(strings)
        self.strings = strings
        self.tree = places.tree
        """The JSON with slots in it; None where each text has to be parsed with its values."""
        self.slots = places.slots
        """The slots of the tree, in the order of what `scalars` returns."""
        self.size = size_of(strings, places)
        self.derived: Any = None
        self._survey = places
        blocks = [slot.holes for slot in places.slots if slot.context is Context.BLOCK]
        self._in_blocks = frozenset(chain.from_iterable(blocks))
        self._build: Builder | None = None
        self._read: Reader | None = None
        self._checks: Sequence[Check] = ()
        if places.tree is not None:
            self._read = reader(places.slots, len(strings) - 1)
            self._checks = checks(places, len(strings) - 1)

    def holds(self, values: Sequence[str]) -> bool:
        """Return whether each value that is `Structured` is one line of a block scalar.

        There a line is what it is; anywhere else it has to be part of the texts.
        """
        return all(
            hole in self._in_blocks and is_line(value)
            for hole, value in enumerate(values)
            if value.__class__ is Structured
        )

    def scalars(self, values: Sequence[str]) -> Sequence[JSON]:
        """Return the JSON of the tree's slots; raises UnsafeValueError. The skeleton `holds` the values."""
        if self._read is not None:
            if unquotable("".join([value for value in values if value.__class__ is not Structured])):
                values = [check(value) for check, value in zip(self._checks, values, strict=True)]
            return self._read(values)
        return self._judged(values)

    def built(self, scalars: Sequence[JSON]) -> JSON:
        """Return the JSON of the tree with these scalars in its slots."""
        if self._build is None:
            assert self.tree is not None  # noqa: S101 - there are scalars only if there is a tree
            self._build = builder(self.tree, self.slots)
        return self._build(scalars)

    def _judged(self, values: Sequence[str]) -> list[JSON]:
        places = self._survey
        if places.lost:
            raise UnsafeValueError
        for hole in places.comments:
            in_comment(values[hole])
        return [read(slot, values) for slot in places.slots]

    def parsed(self, values: Sequence[str]) -> JSON:
        """Return the JSON of the text with values that `scalars` took; raises YAMLError."""
        return load(interleaved(self.strings, values))

    def fill_unsafely(self, values: Sequence[str], untrusted: Untrusted) -> JSON:
        """Return the JSON where `scalars` found a value unsafe.

        ``"text"`` parses the joined text as Go does, ``"scalar"`` makes the whole scalar of such a value a
        string: constant parts and values as they are. Raises YAMLError as the parser does; in ``"scalar"``
        also for a value that stands in no scalar and is more than a word.
        """
        if untrusted == "text":
            return self.parsed(values)
        places = self._survey
        if not are_harmless(values[hole] for hole in places.lost):
            raise YAMLError(
                "yaml: a value that is more than a word stands where the template has structure, not a scalar"
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
            return load(interleaved(self.strings, texts))
        token = unused_character("".join((*self.strings, *values)))
        if not token:
            raise YAMLError("yaml: the values use every character of Unicode's private area")
        meanings: dict[str, str] = {}
        for slot in unsafe:
            for hole in slot.holes:
                texts[hole] = f"{token}{hole}{token}"
                meanings[texts[hole]] = meant(values[hole], slot.context)
        return _Substitution(token, meanings).value(load(interleaved(self.strings, texts)))


class _Substitution:
    """Replaces words by strings anywhere in a JSON value; shared parts stay shared."""

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
        return interleaved(slot.texts, [meant(values[hole], slot.context) for hole in slot.holes])


def _is_unsafe(slot: Slot, values: Sequence[str]) -> bool:
    try:
        read(slot, values)
    except UnsafeValueError:
        return True
    return False


# ---- the skeletons of recent texts

_SEEN: Final = 4096
"""The texts that are remembered by hash: eight for each skeleton that may be kept, and 500 KiB."""


class Filled(msgspec.Struct, frozen=True):
    """The JSON of a rendering, and the skeleton that it was built with from the JSON of the slots, if it was.

    It shares the skeleton's constants: nobody may change them.
    """

    value: JSON
    skeleton: Skeleton | None = None
    scalars: Sequence[JSON] = ()


class SkeletonCache:
    """Fills renderings. Any number of threads may share one; at worst two of them parse the same text.

    ``hits`` and ``misses`` count renderings whose texts were known or not, ``unsafe`` those with a value
    that would not have stayed in its scalar. A text is parsed with its values when it is first met, and
    gets a skeleton when it is met again.
    """

    __slots__ = ("_seen", "hits", "misses", "skeletons", "unsafe")

    def __init__(self, skeletons: Memo[Texts, Skeleton]) -> None:
        """Keep skeletons in this memo, by their texts."""
        self.skeletons = skeletons
        self._seen = Doorkeeper(_SEEN)
        self.hits = 0
        self.misses = 0
        self.unsafe = 0

    def filled(self, rendering: Rendering, untrusted: Untrusted = "scalar") -> Filled:
        """Return the JSON of the texts with the values in the holes, typed as yaml.v2 types it.

        Safe values mean what YAML makes of them; of those that are not safe where they stand
        `Skeleton.fill_unsafely` tells. Raises YAMLError.
        """
        skeleton = self.skeletons.get(rendering.strings)
        if skeleton is None:
            self.misses += 1
            return self._fill_unknown(rendering, untrusted)
        if not skeleton.holds(rendering.values):
            return self.filled(rendering.inlined(), untrusted)
        self.hits += 1
        return self._filled(skeleton, rendering, untrusted)

    def _filled(self, skeleton: Skeleton, rendering: Rendering, untrusted: Untrusted) -> Filled:
        values = rendering.values
        try:
            scalars = skeleton.scalars(values)
            if skeleton.tree is None:
                return Filled(skeleton.parsed(values))
            return Filled(skeleton.built(scalars), skeleton, scalars)
        except UnsafeValueError:
            self.unsafe += 1
            return Filled(skeleton.fill_unsafely(values, untrusted))

    def _fill_unknown(self, rendering: Rendering, untrusted: Untrusted) -> Filled:
        if untrusted == "scalar":
            rendering = _readable(rendering)
        if self._is_not_worth_it(rendering.strings) and (filled := _parsed(rendering, untrusted)):
            return filled
        skeleton = Skeleton(rendering.strings)
        # Also if it does not hold these values: it may hold the next ones.
        self.skeletons.put(rendering.strings, skeleton, skeleton.size)
        if not skeleton.holds(rendering.values):
            return self.filled(rendering.inlined(), untrusted)
        return self._filled(skeleton, rendering, untrusted)

    def _is_not_worth_it(self, strings: Texts) -> bool:
        """Return whether a skeleton would hardly be used again: it costs ten times as much as parsing."""
        return self._seen.is_first(strings) or least_size(strings) > self.skeletons.largest


def _parsed(rendering: Rendering, untrusted: Untrusted) -> Filled | None:
    """Return the JSON of the text; None where the values in it could be anything but words."""
    whole = rendering.inlined()
    if untrusted == "scalar":
        whole = _readable(whole)
    if not are_harmless(whole.values) or not all(whole.values):
        return None
    try:
        return Filled(load(whole.text))
    except YAMLError:
        return None  # let the skeleton say whether it is the template's fault


_UNREADABLE: Final = re.compile(r"[\x7f-\x9f\ufffe\uffff]|(?<=[\s\S])\ufeff")
"""Characters that JSON may contain, and that YAML refuses or reads as the end of a line (U+0085)."""


def _readable(rendering: Rendering) -> Rendering:
    """Return the rendering with such characters in its texts written as JSON may write them.

    JSON that a template makes of a pod is text, and may hold them: one value could so end the scalar that
    the JSON stands in, or make it unreadable.
    """
    if not any(map(_UNREADABLE.search, rendering.strings)):
        return rendering
    strings = tuple(_UNREADABLE.sub(_escaped, text) for text in rendering.strings)
    return Rendering(strings, rendering.values)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
