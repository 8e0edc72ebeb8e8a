"""Count the nodes of a YAML text, or the values of a JSON text, without building any of them."""

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
"""One of these precedes every YAML node except the first: an indicator or the end of a line."""

_WINDOWS: Final = 64
_WINDOW: Final = 256
"""A sample of 16 KiB: reading it takes 20 microseconds, where all of 3 MiB would cost a tenth of the
review."""

_BLOCK: Final = 1 << 16
"""Bytes that are searched in one call, in less than a millisecond: no other thread can run meanwhile."""

_BACKSLASH: Final = 0x5C


def count_nodes(text: str, most: int) -> int:
    """Return the number of nodes in ``text`` if it is more than ``most``, else any number up to ``most``.

    The cheapest test that decides is used: the length, then the characters that precede nodes, then the
    parser's events. Text that is not YAML has at most the nodes before its fault; what only libyaml refuses
    is not a fault.
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
                continue  # else the reader of the text reports the error
        return count


def count_values(text: bytes, most: int) -> int:
    """Return the number of values in a JSON text if it is more than ``most``, else any number up to ``most``.

    Each value except the first follows a comma or opens a container. The text need not be valid. A text that
    consists of long strings is not counted.
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
        if count > most + 1:  # one of the containers may be empty
            break
        last = joint[-1:]
    return count


def _outside_of_strings(text: bytes) -> Iterator[bytes]:
    """Yield the text in blocks with a 0 for each string: commas and brackets in strings separate nothing."""
    inside = False
    start = 0
    while start < len(text):
        end = min(start + _BLOCK, len(text))
        while end < len(text) and text[end - 1] == _BACKSLASH:  # with the character that it escapes
            end += 1
        unescaped = text[start:end].replace(rb"\\", b"").replace(rb"\"", b"")
        pieces = unescaped.split(b'"')
        if outside := pieces[inside::2]:
            yield b"0" * inside + b"0".join(outside)
        inside ^= len(pieces) % 2 == 0
        start = end


def _looks_dense(text: bytes, most: int) -> bool:
    """Return whether a sample has a quarter of the separators that ``most`` values in all would give it.

    The sample's position depends on the start of the text, in which an API server's review has its uid: so
    the author of the rest cannot avoid it.
    """
    step = max(len(text) // _WINDOWS, 1)
    phase = zlib.crc32(text[:1024]) % step
    sample = b"".join([text[at : at + _WINDOW] for at in range(phase, len(text), step)])
    return 4 * (1 + _separators(sample)) * len(text) > most * len(sample)


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
