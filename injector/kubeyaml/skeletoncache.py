"""Fill renderings, with the skeletons of the texts met lately at hand."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.reading import load
from injector.kubeyaml.safety import UnsafeValueError
from injector.kubeyaml.sizes import least_size, size_of_fill
from injector.kubeyaml.skeleton import Skeleton, Untrusted, are_harmless
from injector.memo import Doorkeeper, Memo
from injector.rendering import Rendering

_SEEN: Final = 4096
"""Texts remembered by hash only: eight for each skeleton that may be kept, and 500 KiB."""


Texts: TypeAlias = tuple[str, ...]


class Filled:
    """The JSON of a rendering, and the skeleton whose constants it shares, if there is one.

    Pods of one workload make the same rendering, and get the same object: what follows from it can be kept
    in ``derived``, by whoever works it out. `sizes` counts that as well.
    """

    __slots__ = ("derived", "skeleton", "value")

    def __init__(self, value: JSON, skeleton: Skeleton | None) -> None:
        self.value = value
        self.skeleton = skeleton
        self.derived: Any = None


class SkeletonCache:
    """Fills renderings. Any number of threads may share one; at worst two of them parse the same text.

    ``hits`` and ``misses`` count renderings whose texts were known or not, ``unsafe`` those with a value
    that would not have stayed in its scalar. A text is parsed with its values when it is first met, and
    gets a skeleton when it is met again. A fill goes with its skeleton, whose constants it shares.
    """

    __slots__ = ("_seen", "fills", "hits", "misses", "skeletons", "unsafe")

    def __init__(self, skeletons: Memo[Texts, Skeleton], fills: Memo[tuple[Skeleton, Texts], Filled]) -> None:
        """Take where skeletons are kept by their texts, and what was filled by skeleton and values."""
        self.skeletons = skeletons
        self.fills = fills
        self._seen = Doorkeeper(_SEEN)
        self.hits = 0
        self.misses = 0
        self.unsafe = 0

    def fill(self, rendering: Rendering, untrusted: Untrusted = "scalar") -> JSON:
        """Return `Skeleton.fill` of the rendering; raises YAMLError as that does."""
        return self.filled(rendering, untrusted).value

    def filled(self, rendering: Rendering, untrusted: Untrusted = "scalar") -> Filled:
        """Return what `fill` does, with the skeleton."""
        skeleton = self.skeletons.get(rendering.strings)
        if skeleton is None:
            self.misses += 1
            return self._fill_unknown(rendering, untrusted)
        if not skeleton.holds(rendering.values):
            return self.filled(rendering.inlined(), untrusted)
        self.hits += 1
        return self.fills.get((skeleton, rendering.values)) or self._filled(skeleton, rendering, untrusted)

    def _filled(
        self, skeleton: Skeleton, rendering: Rendering, untrusted: Untrusted, *, keep: bool = True
    ) -> Filled:
        values = rendering.values
        try:
            filled = Filled(skeleton.fill_safely(values), skeleton)
        except UnsafeValueError:
            self.unsafe += 1
            return Filled(skeleton.fill_unsafely(values, untrusted), None)
        text = "".join(values)
        # With a backslash equal texts may differ: what was quoted, and what only looks so.
        if keep and "\\" not in text:
            self.fills.put((skeleton, values), filled, size_of_fill(skeleton.sizes, text, filled.value))
        return filled

    def _fill_unknown(self, rendering: Rendering, untrusted: Untrusted) -> Filled:
        if untrusted == "scalar":
            rendering = _readable(rendering)
        if self._is_not_worth_it(rendering.strings) and (filled := _parsed(rendering, untrusted)):
            return filled
        skeleton = Skeleton.parse(rendering.strings)
        keep = self._keep(skeleton)  # also where it does not hold these values: the next ones ask it
        if not skeleton.holds(rendering.values):
            return self.filled(rendering.inlined(), untrusted)
        return self._filled(skeleton, rendering, untrusted, keep=keep)

    def _is_not_worth_it(self, strings: Texts) -> bool:
        """Return whether a skeleton would not be found again: making it costs ten times what parsing does."""
        return self._seen.is_first(strings) or least_size(strings) > self.skeletons.largest

    def _keep(self, skeleton: Skeleton) -> bool:
        """Keep a skeleton, and drop the fills of those that it puts out; returns whether it is kept."""
        gone = set(self.skeletons.put(skeleton.strings, skeleton, skeleton.sizes.skeleton))
        if gone:
            self.fills.discard(lambda key: key[0] in gone)
        return skeleton not in gone


def _parsed(rendering: Rendering, untrusted: Untrusted) -> Filled | None:
    """Return the JSON of the text; None where the values in it could be anything but words."""
    whole = rendering.inlined()
    if untrusted == "scalar":
        whole = _readable(whole)
    if not are_harmless(whole.values) or not all(whole.values):
        return None
    try:
        return Filled(load(whole.text), None)
    except YAMLError:
        return None  # let the skeleton say whether it is the template's fault


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
