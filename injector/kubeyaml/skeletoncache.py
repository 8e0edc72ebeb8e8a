"""Renderings in, JSON out, with the skeletons of the texts met lately at hand. Knows no template, no lock.

Bounded, and without a cliff: when it is full, the one that was used longest ago among a few is
dropped, so that a working set a little larger than the cache still mostly hits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.reading import load
from injector.kubeyaml.safety import UnsafeValueError
from injector.kubeyaml.skeleton import Skeleton, Untrusted, are_harmless
from injector.rendering import Rendering
from injector.sightings import Sightings

_SAMPLE: Final = 5
"""Candidates for eviction; Redis found five to be close to true LRU."""

_SEEN_PER_ENTRY: Final = 8
"""Texts remembered by hash only, for each kept skeleton."""

_MULTIPLIER: Final = 6364136223846793005  # Knuth's MMIX generator: the same requests evict the same entries
_INCREMENT: Final = 1442695040888963407
_STATE: Final = (1 << 64) - 1


class _Entry:
    """A skeleton and when it was used last, in lookups."""

    __slots__ = ("skeleton", "used")

    def __init__(self, skeleton: Skeleton, used: int) -> None:
        self.skeleton = skeleton
        self.used = used


class Filled:
    """The JSON of a rendering, and the skeleton whose constants it shares, if there is one.

    Pods of one workload make the same rendering, and get the same object: what follows from it can be kept.
    """

    __slots__ = ("__weakref__", "skeleton", "value")

    def __init__(self, value: JSON, skeleton: Skeleton | None) -> None:
        self.value = value
        self.skeleton = skeleton


class SkeletonCache:
    """Fills renderings. Any number of threads may share one; at worst two of them parse the same text.

    ``hits`` and ``misses`` count renderings whose texts were known or not, ``unsafe`` those with a value
    that would not have stayed in its scalar. A text is parsed with its values when it is first met, and
    gets a skeleton when it is met again: most texts that are met once are never met again. Renderings
    are kept filled, as many as skeletons.
    """

    __slots__ = (
        "_entries",
        "_filled_lately",
        "_keys",
        "_max_entries",
        "_random",
        "_seen",
        "hits",
        "misses",
        "unsafe",
    )

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: dict[tuple[str, ...], _Entry] = {}
        self._filled_lately: dict[tuple[Skeleton, tuple[str, ...]], Filled] = {}
        self._keys: list[tuple[str, ...]] = []
        self._seen = Sightings(_SEEN_PER_ENTRY * max_entries)
        self._random = 1
        self.hits = 0
        self.misses = 0
        self.unsafe = 0

    def __len__(self) -> int:
        return len(self._entries)

    def fill(self, rendering: Rendering, untrusted: Untrusted = "scalar") -> JSON:
        """Return `Skeleton.fill` of the rendering; raises YAMLError as that does."""
        return self.filled(rendering, untrusted).value

    def filled(self, rendering: Rendering, untrusted: Untrusted = "scalar") -> Filled:
        """Return what `fill` does, with the skeleton."""
        entry = self._entries.get(rendering.strings)
        if entry is None:
            self.misses += 1
            return self._fill_unknown(rendering, untrusted)
        self.hits += 1
        entry.used = self.hits
        known = self._filled_lately.get((entry.skeleton, rendering.values))
        return known or self._filled(entry.skeleton, rendering, untrusted)

    def _filled(self, skeleton: Skeleton, rendering: Rendering, untrusted: Untrusted) -> Filled:
        values = rendering.values
        try:
            filled = Filled(skeleton.fill_safely(values), skeleton)
        except UnsafeValueError:
            self.unsafe += 1
            return Filled(skeleton.fill_unsafely(values, untrusted), None)
        if _are_unambiguous(values):
            if len(self._filled_lately) >= self._max_entries:
                self._filled_lately = {}  # start again: threads may share it
            self._filled_lately[skeleton, values] = filled
        return filled

    def _fill_unknown(self, rendering: Rendering, untrusted: Untrusted) -> Filled:
        if untrusted == "scalar":
            rendering = _readable(rendering)
        if (
            self._seen.is_first(rendering.strings)
            and are_harmless(rendering.values)
            and all(rendering.values)
        ):
            try:
                return Filled(load(rendering.text), None)
            except YAMLError:
                pass  # let the skeleton say whether it is the template's fault
        skeleton = Skeleton.parse(rendering.strings)
        self._keep(skeleton)
        return self._filled(skeleton, rendering, untrusted)

    def _keep(self, skeleton: Skeleton) -> None:
        strings = skeleton.strings
        if strings not in self._entries:
            if len(self._keys) < self._max_entries:
                self._keys.append(strings)
            else:
                place = min((self._draw() for _ in range(_SAMPLE)), key=self._last_use)
                self._entries.pop(self._keys[place], None)
                self._keys[place] = strings
        self._entries[strings] = _Entry(skeleton, self.hits)

    def _last_use(self, place: int) -> int:
        entry = self._entries.get(self._keys[place])
        return entry.used if entry is not None else -1

    def _draw(self) -> int:
        """Return the next place of a fixed random sequence."""
        self._random = (self._random * _MULTIPLIER + _INCREMENT) & _STATE
        return (self._random >> 33) % len(self._keys)


def _are_unambiguous(values: Sequence[str]) -> bool:
    """Whether equal texts mean the same: with a backslash, what was quoted and what only looks so do not."""
    return "\\" not in "".join(values)


_UNREADABLE: Final = re.compile(r"[\x7f-\x9f\ufffe\uffff]|(?<=[\s\S])\ufeff")
"""What JSON may hold and YAML may not, or takes for the end of a line (U+0085)."""


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
