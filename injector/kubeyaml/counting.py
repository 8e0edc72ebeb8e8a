"""How many nodes a YAML text has, or values a JSON text, without building any of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from yaml._yaml import CParser
from yaml.error import YAMLError as LibYAMLError
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent, StreamEndEvent

from injector.kubeyaml.nodes import Dialect

_NODES: Final = frozenset({AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent})
_MARKS: Final = (",", ":", "-", "?", "[", "{", "\n", "\r", "\x85", "\u2028", "\u2029")
"""One of these stands before every node of YAML but the first: an indicator or the end of a line."""

_WINDOWS: Final = 64
_WINDOW: Final = 256
"""A sample of 16 KiB: it is read in 20 microseconds, where all of 3 MiB would cost a tenth of the review."""

_BLOCK: Final = 1 << 16
"""Bytes that are looked at in one go, for less than a millisecond: no other thread can run meanwhile."""

_BACKSLASH: Final = 0x5C


def count_nodes(text: str, most: int) -> int:
    """Return how many nodes ``text`` has where that is more than ``most``, else some number up to ``most``.

    Looks no further than it has to: first at the length, then for what must stand before a node, then at
    the parser's events. What is not YAML has the nodes before its fault, at most; what only libyaml stumbles
    over is no fault.
    """
    # A mark opens at most a mapping and its key.
    if len(text) <= most or 2 + 2 * sum(map(text.count, _MARKS)) <= most:
        return 0
    dialect = Dialect(text, source="")
    while True:
        next_event = CParser(dialect.text).get_event
        count = 0
        try:
            while count <= most and (kind := next_event().__class__) is not StreamEndEvent:
                count += kind in _NODES
        except LibYAMLError as error:
            if dialect.repair(error, count):
                continue  # else who reads the text will say what is wrong with it
        return count


def count_values(text: bytes, most: int) -> int:
    """Return how many values a JSON text has where they are more than ``most``, else a number up to ``most``.

    Each value but the first stands behind a comma or opens a container. The text need not be valid. One that
    is made of long strings is not counted.
    """
    if len(text) <= 2 * most:  # a value takes two characters, one of them a comma or a bracket
        return 0
    if not _looks_dense(text, most):
        return 0
    if (bound := 1 + _separators(text)) <= most:
        return bound
    count, last = 1, b""
    for block in _outside_of_strings(text):
        joint = last + block
        count += _separators(block) - joint.count(b"[]") - joint.count(b"{}")
        if count > most + 1:  # one of them may turn out to be empty
            break
        last = joint[-1:]
    return count


def _outside_of_strings(text: bytes) -> Iterator[bytes]:
    """Yield the text in blocks with a 0 for each string: commas and brackets in it are no separators."""
    inside = False
    start = 0
    while start < len(text):
        end = min(start + _BLOCK, len(text))
        while end < len(text) and text[end - 1] == _BACKSLASH:  # what it escapes comes with it
            end += 1
        unescaped = text[start:end].replace(rb"\\", b"").replace(rb"\"", b"")
        pieces = unescaped.split(b'"')
        if outside := pieces[inside::2]:
            yield b"0" * inside + b"0".join(outside)
        inside ^= len(pieces) % 2 == 0
        start = end


def _looks_dense(text: bytes, most: int) -> bool:
    """Return whether a sample has a quarter of the separators that ``most`` values in all would give it.

    Where the sample is taken follows from the head of the text, in which an API server's review has its uid:
    so whoever makes the rest cannot write around it.
    """
    step = max(len(text) // _WINDOWS, 1)
    phase = zlib.crc32(text[:1024]) % step
    sample = b"".join([text[at : at + _WINDOW] for at in range(phase, len(text), step)])
    return 4 * (1 + _separators(sample)) * len(text) > most * len(sample)


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
