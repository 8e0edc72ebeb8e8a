"""Fill renderings, with the skeletons of the texts met lately at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from injector.errors import YAMLError
from injector.json_types import JSON
from injector.kubeyaml.reading import load
from injector.kubeyaml.safety import UnsafeValueError
from injector.kubeyaml.sizes import least_size
from injector.kubeyaml.skeleton import Skeleton, Untrusted, are_harmless
from injector.memo import Doorkeeper, Memo
from injector.rendering import Rendering

_SEEN: Final = 4096
"""Texts remembered by hash only: eight for each skeleton that may be kept, and 500 KiB."""


Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filled:
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
        """Take where skeletons are kept by their texts."""
        self.skeletons = skeletons
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
        skeleton = Skeleton.parse(rendering.strings)
        # Also where it does not hold these values: the next ones ask it.
        self.skeletons.put(rendering.strings, skeleton, skeleton.size)
        if not skeleton.holds(rendering.values):
            return self.filled(rendering.inlined(), untrusted)
        return self._filled(skeleton, rendering, untrusted)

    def _is_not_worth_it(self, strings: Texts) -> bool:
        """Return whether a skeleton would not be found again: making it costs ten times what parsing does."""
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
