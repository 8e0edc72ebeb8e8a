"""Go's package regexp: compile an expression, find, replace and split by it.

Python's ``re`` is not used: it differs from RE2 in syntax, in what counts as a letter and in the handling of
empty matches, and a hostile text can make it take exponential time. RE2 itself is not used either:
docs/performance.md lists its differences from Go. This engine is linear, but slow: a search is given up after
``MOST_STEPS`` steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from injector.golang import unicode
from injector.golang.strconv import to_int
from injector.gotemplate.functions import FunctionError
from injector.gotemplate.regexp.nodes import (
    Assertion,
    Capture,
    CharacterClass,
    Choice,
    Node,
    Repeat,
    Sequence,
    ascii_of,
    nullable,
)
from injector.gotemplate.regexp.syntax import parse
from injector.memo import remembered

_DIGITS: Final = re.compile(r"0|[1-9][0-9]{0,7}")
_LARGEST: Final = 10_000
"""Instructions of one program: counted repetitions are unrolled."""

MOST_STEPS: Final = 500_000
"""Steps for one text, less than a second: an expression of 20 instructions over 25 kB."""


@dataclass(frozen=True, slots=True)
class Take:
    """Continue after one character of the class."""

    characters: CharacterClass
    ascii: frozenset[str]

    def takes(self, rune: str) -> bool:
        """Return whether a character belongs to the class."""
        return rune in self.ascii if rune < "\x80" else rune in self.characters


@dataclass(frozen=True, slots=True)
class Save:
    """Store the position: the start of group n at 2n, its end at 2n+1."""

    slot: int


@dataclass(slots=True)
class Fork:
    """Continue at ``first``, and at ``second`` if that leads to no match."""

    first: int = -1
    second: int = -1


@dataclass(slots=True)
class Jump:
    """Continue elsewhere."""

    target: int = -1


@dataclass(frozen=True, slots=True)
class Match:
    """The expression has matched."""


Instruction: TypeAlias = Take | Assertion | Save | Fork | Jump | Match


class _Writer:
    """The instructions written so far.

    The program prefers what Go prefers: the first alternative, and the longer repetition unless it is lazy.
    """

    def __init__(self) -> None:
        self.program: list[Instruction] = []

    def add(self, instruction: Instruction) -> int:
        if len(self.program) >= _LARGEST:
            raise FunctionError("error parsing regexp: expression too large")
        self.program.append(instruction)
        return len(self.program) - 1

    @property
    def here(self) -> int:
        return len(self.program)

    def node(self, node: Node) -> None:
        match node:
            case CharacterClass():
                self.add(Take(node, ascii_of(node)))
            case Assertion():
                self.add(node)
            case Capture():
                self.capture(node.number, node.node)
            case Sequence():
                for each in node.nodes:
                    self.node(each)
            case Choice():
                self.choice(node)
            case Repeat():
                self.repeat(node)

    def capture(self, number: int, node: Node) -> None:
        self.add(Save(2 * number))
        self.node(node)
        self.add(Save(2 * number + 1))

    def choice(self, node: Choice) -> None:
        exits: list[Jump] = []
        for each in node.nodes[:-1]:
            fork = Fork(first=self.here + 1)
            self.add(fork)
            self.node(each)
            exits.append(Jump())
            self.add(exits[-1])
            fork.second = self.here
        self.node(node.nodes[-1])
        for jump in exits:
            jump.target = self.here

    def repeat(self, node: Repeat) -> None:
        """Write the node as often as required, then as often as allowed."""
        if node.most is None:
            for _ in range(node.least - 1):
                self.node(node.node)
            self.loop(node)
            return
        for _ in range(node.least):
            self.node(node.node)
        forks: list[Fork] = []
        for _ in range(node.most - node.least):
            forks.append(self.fork(node, self.here + 1))
            self.node(node.node)
        for fork in forks:
            self.close(node, fork)

    def fork(self, node: Repeat, target: int) -> Fork:
        fork = Fork(first=target) if node.greedy else Fork(second=target)
        self.add(fork)
        return fork

    def close(self, node: Repeat, fork: Fork) -> None:
        if node.greedy:
            fork.second = self.here
        else:
            fork.first = self.here

    def loop(self, node: Repeat) -> None:
        """Write ``x*`` or ``x+``; where x may be empty, ``x*`` is ``(x+)?``, as in Go."""
        skip = self.fork(node, self.here + 1) if node.least == 0 else None
        start = self.here
        self.node(node.node)
        if skip is not None and not nullable(node.node):
            self.add(Jump(target=start - 1))
        else:
            self.close(node, self.fork(node, start))
        if skip is not None:
            self.close(node, skip)


class Matcher:
    """The search of one text by one program, in time linear in the text; counts its steps.

    Every pair of instruction and position is tried once per search: what failed there will fail again. So no
    expression takes exponential time, as it could with Python's own ``re``; Go's engine works the same way.
    """

    __slots__ = ("_program", "_slots", "_steps", "_text")

    def __init__(self, program: tuple[Instruction, ...], text: str, slots: int) -> None:
        self._program = program
        self._text = text
        self._slots = slots
        self._steps = 0

    def search(self, start: int) -> list[int] | None:
        """Return the positions stored by the first match at or after ``start``.

        A group that took no part has -1. Raises FunctionError after MOST_STEPS.
        """
        tried: set[int] = set()
        found = None
        for begin in range(start, len(self._text) + 1):
            saved = [-1] * self._slots
            if self._match(begin, saved, tried):
                found = saved
                break
        self._steps += len(tried)
        return found

    def _match(self, begin: int, saved: list[int], tried: set[int]) -> bool:
        """Return whether a match starts at ``begin``; fill in its positions."""
        pending: list[tuple[int, int]] = [(0, begin)]
        while pending:
            place, position = pending.pop()
            if place < 0:
                saved[~place] = position
            elif self._run(place, position, saved, tried, pending):
                return True
            if self._steps + len(tried) > MOST_STEPS:
                raise FunctionError(f"a regular expression took more than {MOST_STEPS} steps")
        return False

    def _run(
        self, place: int, position: int, saved: list[int], tried: set[int], pending: list[tuple[int, int]]
    ) -> bool:
        """Follow one thread to a match or to its end; store its alternatives for later."""
        program, text, width = self._program, self._text, len(self._text) + 1
        while (state := place * width + position) not in tried:
            tried.add(state)
            instruction = program[place]
            if isinstance(instruction, Take):
                if position == width - 1 or not instruction.takes(text[position]):
                    return False
                place, position = place + 1, position + 1
            elif isinstance(instruction, Fork):
                pending.append((instruction.second, position))
                place = instruction.first
            elif isinstance(instruction, Jump):
                place = instruction.target
            elif isinstance(instruction, Save):
                pending.append((~instruction.slot, saved[instruction.slot]))
                saved[instruction.slot] = position
                place += 1
            elif isinstance(instruction, Assertion):
                if not instruction.place(text, position):
                    return False
                place += 1
            else:
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Regexp:
    """A compiled expression."""

    text: str
    names: tuple[str, ...]
    program: tuple[Instruction, ...]

    def find(self, text: str) -> list[int] | None:
        """Return the positions of the leftmost match."""
        return next(self.matches(text, 1), None)

    def matches(self, text: str, count: int) -> Iterator[list[int]]:
        """Yield at most ``count`` matches, all when it is negative; no empty one directly after another.

        Each is the positions of its groups; start and end of the whole match come first.
        """
        matcher = Matcher(self.program, text, 2 * len(self.names))
        position, previous_end = 0, -1
        while count and position <= len(text):
            found = matcher.search(position)
            if found is None:
                return
            start, end = found[0], found[1]
            if end != position or start != previous_end:
                yield found
                count -= 1
            position = end if end > position else position + 1
            previous_end = end

    def replace(self, text: str, expand: Callable[[list[int]], str]) -> str:
        """Return ``text`` with every match replaced by the result of ``expand`` for its positions."""
        out: list[str] = []
        last = 0
        for found in self.matches(text, -1):
            out += text[last : found[0]], expand(found)
            last = found[1]
        return "".join([*out, text[last:]])

    def split(self, text: str, count: int) -> list[str]:
        """Return the texts between the matches, in at most ``count`` pieces, all when it is negative."""
        if count == 0:
            return []
        if self.text and not text:
            return [""]
        pieces: list[str] = []
        start = end = 0
        for match_start, match_end, *_groups in self.matches(text, count):
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
        """Return the value of a name, and the text after the name; a dollar sign without a name is itself."""
        braced = part.startswith("{")
        inner = part[1:] if braced else part
        length = next((at for at, rune in enumerate(inner) if not _names(rune)), len(inner))
        name, rest = inner[:length], inner[length:]
        if not name or (braced and not rest.startswith("}")):
            return "$" + part
        return self._group(name, text, found) + (rest[1:] if braced else rest)

    def _group(self, name: str, text: str, found: list[int]) -> str:
        if _DIGITS.fullmatch(name):
            numbers = [to_int(name)] if to_int(name) < len(self.names) else []
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
    node, names = parse(text)
    writer = _Writer()
    writer.capture(0, node)
    writer.add(Match())
    return Regexp(text=text, names=names, program=tuple(writer.program))
