"""Configurations as people break them: a line dropped, a key misspelt, an indent changed, a type changed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Final

Mutator = Callable[[list[str], random.Random], list[str]]

_KEY: Final = re.compile(r"^(\s*(?:- )?)([A-Za-z][A-Za-z0-9_-]*)(:)")
_VALUE: Final = re.compile(r"^(\s*(?:- )?[A-Za-z][A-Za-z0-9_-]*: )(\S.*)$")
_TYPES: Final = ("true", "3", "[]", "{}", "null", '"text"', "[a, b]", "{a: 1}", "<no value>")


def drop_a_line(lines: list[str], choice: random.Random) -> list[str]:
    """Return the lines without one of them."""
    at = choice.randrange(len(lines))
    return [*lines[:at], *lines[at + 1 :]]


def misspell_a_key(lines: list[str], choice: random.Random) -> list[str]:
    """Return the lines with one key's letter lost, doubled or swapped with the next."""
    at = choice.choice([index for index, line in enumerate(lines) if _KEY.match(line)])
    match = _KEY.match(lines[at])
    assert match is not None
    key = match[2]
    letter = choice.randrange(len(key))
    spelt = choice.choice(
        (
            key[:letter] + key[letter + 1 :] or "x",
            key[:letter] + key[letter] + key[letter:],
            key[:letter] + key[letter + 1 : letter + 2] + key[letter] + key[letter + 2 :],
        )
    )
    return [*lines[:at], f"{match[1]}{spelt}{lines[at][match.end(2) :]}", *lines[at + 1 :]]


def shift_a_line(lines: list[str], choice: random.Random) -> list[str]:
    """Return the lines with one of them further to the right or the left."""
    at = choice.choice([index for index, line in enumerate(lines) if line.strip()])
    line, by = lines[at], choice.choice((-4, -2, -1, 1, 2, 4))
    shifted = " " * by + line if by > 0 else line[min(-by, len(line) - len(line.lstrip())) :]
    return [*lines[:at], shifted, *lines[at + 1 :]]


def change_a_type(lines: list[str], choice: random.Random) -> list[str]:
    """Return the lines with one value of another type."""
    at = choice.choice([index for index, line in enumerate(lines) if _VALUE.match(line)])
    match = _VALUE.match(lines[at])
    assert match is not None
    return [*lines[:at], f"{match[1]}{choice.choice(_TYPES)}", *lines[at + 1 :]]


def cut_an_action(lines: list[str], choice: random.Random) -> list[str]:
    """Return the lines with one template action changed: its end lost, its field misspelt, or gone."""
    places = [index for index, line in enumerate(lines) if "{{" in line]
    if not places:
        return drop_a_line(lines, choice)
    at = choice.choice(places)
    changed = choice.choice(
        (
            lines[at].replace("}}", "", 1),
            re.sub(r"\.([A-Z]\w+)", r".\1x", lines[at], count=1),
            re.sub(r"\{\{.*?\}\}", "", lines[at], count=1),
            lines[at].replace("{{", "{{{", 1),
        )
    )
    return [*lines[:at], changed, *lines[at + 1 :]]


MUTATORS: Final[tuple[Mutator, ...]] = (
    drop_a_line,
    misspell_a_key,
    shift_a_line,
    change_a_type,
    cut_an_action,
)


def mutated(text: str, count: int, seed: str) -> Iterator[tuple[str, str]]:
    """Yield what was done and the text, ``count`` times; the same ones in every run."""
    lines = text.split("\n")
    # The head decides about everything; a template's hundreds of lines would hardly ever let it be chosen.
    head = next((index for index, line in enumerate(lines) if line.endswith(("|", "|-"))), 10) + 1
    for number in range(count):
        choice = random.Random(f"{seed}/{number}")
        mutator = MUTATORS[number % len(MUTATORS)]
        if number % 7 == 0 and any(_KEY.match(line) and _VALUE.match(line) for line in lines[:head]):
            done = [*mutator(lines[:head], choice), *lines[head:]]
        else:
            done = mutator(lines, choice)
        yield f"{seed}-{number}-{mutator.__name__}", "\n".join(done)
