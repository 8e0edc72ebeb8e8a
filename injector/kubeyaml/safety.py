"""Read a scalar with holes and the values for them, as YAML would.

A value is safe where it stands if the text around it keeps its meaning: the scalar starts and ends
where it did, and says what the value says. The rules ask for less than YAML allows; what they refuse
is read by the parser (``text``) or put in as a string (``scalar``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain
from sys import getsizeof
from typing import Any, Final

from injector.errors import YAMLError
from injector.golang.unicode import to_valid
from injector.json_types import JSON
from injector.kubeyaml.decoding import finite, key_text
from injector.kubeyaml.scalars import MERGE, resolve
from injector.kubeyaml.survey import Context, Holes, Role, Slot
from injector.memo import Memo, process_wide
from injector.rendering import Quoted

_UNREADABLE: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
"""Control characters, line breaks, half surrogates, byte order marks."""

unquotable = re.compile(rf"[\"'\\{_UNREADABLE}]").search
"""Finds what is unsafe in some quoted or block scalar."""

_UNREADABLE_ONE = re.compile(f"[{_UNREADABLE}]").search
_DOUBLE = re.compile(rf'["\\{_UNREADABLE}]').search
_SINGLE = re.compile(rf"['{_UNREADABLE}]").search
_GO_QUOTED = re.compile(
    rf'(?:[^"\\{_UNREADABLE}]|\\(?:[abfnrtv"\\]|x[0-7][0-9a-f]|u(?!d[89a-f])[0-9a-f]{{4}}'
    r"|U(?:000[1-9a-f]|0010)[0-9a-f]{4}))*\Z"
).match
_PLAIN_START = re.compile(r"(?!---|\.\.\.)(?:[^ \-?:,\[\]{}#&*!|>'\"%@`]|-[^ ])").match
_PLAIN_BLOCK = re.compile(rf":(?: |\Z)| #| \Z|[{_UNREADABLE}]").search
_PLAIN_FLOW = re.compile(rf"[,\[\]{{}}?:]| #| \Z|[{_UNREADABLE}]").search
_LONGEST_KEY: Final = 512
"""Characters. libyaml looks for the colon up to 1,024 characters after a key's start, escapes included."""

Check = Callable[[str], str]

_UNKNOWN: Final[Any] = object()


class UnsafeValueError(Exception):
    """A value would not stay inside its scalar, or not mean itself there."""


class PlainTexts:
    """The JSON of plain scalars that stand in one kind of place, by their texts."""

    __slots__ = ("_flow", "_memo", "_role")

    def __init__(self, role: Role, *, flow: bool) -> None:
        self._role = role
        self._flow = flow
        self._memo: Memo[str, JSON] = process_wide(f"plain_{role.name}_{'flow' if flow else 'block'}".lower())

    def read(self, text: str) -> JSON:
        """Return the value of a text; UnsafeValueError where it is not one plain scalar."""
        known = self._memo.get(text, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        text = str(text)
        value = self._judge(text)
        self._memo.put(text, value, 2 * getsizeof(text))
        return value

    def _judge(self, text: str) -> JSON:
        if not text:
            if self._role is Role.VALUE:
                return None
            raise UnsafeValueError
        if not _PLAIN_START(text) or (_PLAIN_FLOW if self._flow else _PLAIN_BLOCK)(text):
            raise UnsafeValueError
        try:
            if self._role is Role.KEY:
                return self._key(text)
            value = resolve(text)  # not `plain`, which would remember the text a second time
            return finite(value) if isinstance(value, float) else value
        except YAMLError:
            raise UnsafeValueError from None

    def _key(self, text: str) -> str:
        if text == MERGE or len(text) > _LONGEST_KEY:
            raise UnsafeValueError
        return key_text(resolve(text))


PLAIN_TEXTS: Final = {(role, flow): PlainTexts(role, flow=flow) for role in Role for flow in (False, True)}


def read(slot: Slot, values: Sequence[str]) -> JSON:
    """Return what YAML reads with the values in place; raises UnsafeValueError."""
    own = [values[hole] for hole in slot.holes]
    if slot.context is Context.PLAIN:
        text = _joined(slot, own)
        if slot.folded and not all(map(_is_solid, own)):
            raise UnsafeValueError
        return PLAIN_TEXTS[slot.role, slot.flow].read(text)
    if slot.context is Context.BLOCK:
        for hole in slot.first:
            in_line_start(values[hole])
    elif slot.folded and not all(map(_is_solid, own)):
        raise UnsafeValueError
    is_key = slot.role is Role.KEY
    text = _joined(slot, list(map(_CHECKS[slot.context, is_key], own)))
    return short_key(text) if is_key else text


def checks(places: Holes, holes: int) -> Sequence[Check]:
    """Return for each hole the function that gives the decoded value, or raises UnsafeValueError.

    Those of plain scalars pass everything: `PLAIN_TEXTS` judges their whole text.
    """
    by_hole: dict[int, Check] = dict.fromkeys(range(holes), _in_comment)
    for slot in places.slots:
        by_hole.update(dict.fromkeys(slot.holes, _CHECKS[slot.context, slot.role is Role.KEY]))
    return [by_hole[hole] for hole in range(holes)]


def write(slot: Slot, values: Sequence[str]) -> str:
    """Return the string that the template's author meant, whatever the values are."""
    return _joined(slot, [meant(values[hole], slot.context) for hole in slot.holes])


def meant(value: str, context: Context) -> str:
    """Return the string behind a value; what is no UTF-8 becomes U+FFFD, as in Go's JSON."""
    text = value.raw if context is Context.DOUBLE and isinstance(value, Quoted) else str(value)
    return to_valid(text)


def in_blocks(places: Holes) -> frozenset[int]:
    """Return the holes that stand in block scalars."""
    return frozenset(hole for slot in places.slots if slot.context is Context.BLOCK for hole in slot.holes)


is_line = re.compile(rf"[^ {_UNREADABLE}][^{_UNREADABLE}]*\Z").match
"""Tells whether a text is one line that begins with no blank: in a block scalar it means itself."""


def stays_in_comment(value: str) -> bool:
    """Return whether a comment ends where it did."""
    return not _UNREADABLE_ONE(value)


def in_line_start(value: str) -> str:
    """Return a value that comes first in a line of a block scalar; it must not change the indentation."""
    if not value or value[0] == " ":
        raise UnsafeValueError
    return str(value)


def short_key(text: str) -> str:
    """Return a quoted key that the parser will look to the end of."""
    if len(text) > _LONGEST_KEY:
        raise UnsafeValueError
    return text


def _joined(slot: Slot, values: Sequence[str]) -> str:
    return "".join(chain.from_iterable(zip(slot.texts, (*values, ""), strict=True)))


def _is_solid(value: str) -> bool:
    """Return whether a value may stand beside a line break that is folded, or in column 0."""
    return bool(value) and " " not in (value[0], value[-1]) and not value.startswith(("---", "..."))


def _in_single(value: str) -> str:
    if _SINGLE(value):
        raise UnsafeValueError
    return str(value)


def _in_comment(value: str) -> str:
    if _UNREADABLE_ONE(value):
        raise UnsafeValueError
    return value


def _in_double_key(value: str) -> str:
    """Refuse escapes, which count against the length of a key."""
    if _DOUBLE(value):
        raise UnsafeValueError
    return str(value)


def _in_double(value: str) -> str:
    """Read a value between double quotes; one that Go has quoted says its raw string there."""
    if not _DOUBLE(value):
        return str(value)
    if isinstance(value, Quoted) and _GO_QUOTED(value):
        return value.raw
    raise UnsafeValueError


_CHECKS: Final[dict[tuple[Context, bool], Check]] = {
    (Context.PLAIN, False): str,
    (Context.PLAIN, True): str,
    (Context.SINGLE, False): _in_single,
    (Context.SINGLE, True): _in_single,
    (Context.DOUBLE, False): _in_double,
    (Context.DOUBLE, True): _in_double_key,
    (Context.BLOCK, False): _in_comment,
    (Context.BLOCK, True): _in_comment,
}
