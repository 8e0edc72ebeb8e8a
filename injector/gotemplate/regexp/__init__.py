"""Go's package regexp: compile an expression, find, replace and split by it.

Python's ``re`` is not used: it differs from RE2 in syntax, in what counts as a letter and in the handling of
empty matches, and a hostile text can make it take exponential time. Nor is RE2 itself: docs/performance.md
has its differences from Go. This engine is linear, but slow: a search is given up after
``program.MOST_STEPS`` steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from injector.golang import unicode
from injector.gotemplate.regexp.program import Instruction, Matcher, compile_node
from injector.gotemplate.regexp.syntax import parse
from injector.memo import remembered

__all__ = ["Regexp", "compile_regexp"]

_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,7}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regexp:
    """A compiled expression."""

    text: str
    names: tuple[str, ...]
    program: tuple[Instruction, ...]

    def find(self, text: str) -> tuple[int, int] | None:
        """Return start and end of the leftmost match."""
        found = self._matcher(text).search(0)
        return (found[0], found[1]) if found else None

    def _matcher(self, text: str) -> Matcher:
        return Matcher(self.program, text, 2 * len(self.names))

    def matches(self, text: str, count: int) -> Iterator[tuple[int, int]]:
        """Yield at most ``count`` matches, all when it is negative; no empty one right behind another."""
        matcher = self._matcher(text)
        position, previous_end = 0, -1
        while count and position <= len(text):
            found = matcher.search(position)
            if found is None:
                return
            start, end = found[0], found[1]
            if end != position or start != previous_end:
                yield start, end
                count -= 1
            position = end if end > position else position + 1
            previous_end = end

    def replace(self, text: str, expand: Callable[[list[int]], str]) -> str:
        """Return ``text`` with every match replaced by what ``expand`` makes of its positions."""
        matcher = self._matcher(text)
        out: list[str] = []
        last, position = 0, 0
        while position <= len(text):
            found = matcher.search(position)
            if found is None:
                break
            out.append(text[last : found[0]])
            if found[1] > last or found[0] == 0:
                out.append(expand(found))
            last = found[1]
            position = last if last > position else position + 1
        return "".join([*out, text[last:]])

    def split(self, text: str, count: int) -> list[str]:
        """Return what stands between the matches, in at most ``count`` pieces, all when it is negative."""
        if count == 0:
            return []
        if self.text and not text:
            return [""]
        pieces: list[str] = []
        start = end = 0
        for match_start, match_end in self.matches(text, count):
            if count > 0 and len(pieces) == count - 1:
                break
            end = match_start
            if match_end != 0:
                pieces.append(text[start:end])
            start = match_end
        if end != len(text):
            pieces.append(text[start:])
        return pieces

    def expand(self, template: str, text: str, found: list[int]) -> str:
        """Return a replacement with ``$1``, ``${name}`` and ``$$`` filled in."""
        head, *parts = template.split("$")
        out = [head]
        raw = False
        for place, part in enumerate(parts):
            if raw:  # the second of two dollar signs
                out.append(part)
                raw = False
            elif not part and place + 1 < len(parts):
                out.append("$")
                raw = True
            else:
                out.append(self._variable(part, text, found))
        return "".join(out)

    def _variable(self, part: str, text: str, found: list[int]) -> str:
        """Return what stands for a name and what follows it; a dollar sign without a name is itself."""
        braced = part.startswith("{")
        inner = part[1:] if braced else part
        length = next((at for at, rune in enumerate(inner) if not _names(rune)), len(inner))
        name, rest = inner[:length], inner[length:]
        if not name or (braced and not rest.startswith("}")):
            return "$" + part
        return self._group(name, text, found) + (rest[1:] if braced else rest)

    def _group(self, name: str, text: str, found: list[int]) -> str:
        if _DIGITS.fullmatch(name):
            numbers = [int(name)] if int(name) < len(self.names) else []
        else:
            numbers = [number for number, known in enumerate(self.names) if known == name]
        for number in numbers:
            if found[2 * number] >= 0:
                return text[found[2 * number] : found[2 * number + 1]]
        return ""


def _names(rune: str) -> bool:
    return rune == "_" or unicode.is_letter(rune) or unicode.is_digit(rune)


@remembered("regexps")
def compile_regexp(text: str) -> Regexp:
    """Return the compiled expression. Raises FunctionError with Go's sentence."""
    expression = parse(text)
    return Regexp(text=text, names=expression.names, program=compile_node(expression.node))
