"""A rendered template whose constant text and values are still apart. Independent of templates and YAML."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Self

import msgspec


class Quoted(str):
    """The inside of a Go ``%q`` literal; ``raw`` is the string before it was quoted."""

    __slots__ = ("raw",)
    raw: str

    def __new__(cls, quoted: str, raw: str) -> Self:
        """Keep both: the text that Go prints, and the string before quoting."""
        self = super().__new__(cls, quoted)
        self.raw = raw
        return self


class Structured(str):
    """A serialiser's output for part of a pod: part of the template's text, unless it is inside a scalar."""

    __slots__ = ()


class Settled(str):
    """A text of the configuration, at a place where a pod may put its own: part of the template's text."""

    __slots__ = ()


def interleaved(strings: Sequence[str], values: Sequence[str]) -> str:
    """Return the strings, of which there is one more, with the values between them."""
    return "".join(chain.from_iterable(zip(strings, (*values, ""), strict=True)))


class Rendering(msgspec.Struct, frozen=True):
    """The constant texts of a rendered template and, between them, the values that came from one pod.

    ``strings`` has one element more than ``values`` and depends only on the branches taken, so it is the key
    under which the parsed form is cached. The idea is PEP 750's. A `Structured` value may become part of the
    texts: see `inlined`.
    """

    strings: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        """The joined text: what Go's text/template would print."""
        return interleaved(self.strings, self.values)

    def inlined(self) -> Rendering:
        """Return the same rendering with its `Structured` values as part of the texts."""
        return self._with_texts(Structured)

    def settled(self) -> Rendering:
        """Return the same rendering with its `Settled` values as part of the texts."""
        return self._with_texts(Settled)

    def _with_texts(self, kind: type[str]) -> Rendering:
        strings, values = [self.strings[0]], []
        for value, string in zip(self.values, self.strings[1:], strict=True):
            if value.__class__ is kind:
                strings[-1] += value + string
            else:
                strings.append(string)
                values.append(value)
        return Rendering(tuple(strings), tuple(values))
