"""Read a scalar with holes, given the holes' values, as YAML would, and generate functions that do so.

A value is safe at its position if the text around it keeps its meaning: the scalar starts and ends at the
same positions, and means the same as the value. The rules allow less than YAML does; values that they refuse
are read by the parser (``text``) or inserted as a string (``scalar``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from sys import getsizeof
from typing import Any, Final

from injector.errors import YAMLError
from injector.golang.unicode import to_valid
from injector.json_types import JSON
from injector.kubeyaml.decoding import finite, key_text
from injector.kubeyaml.scalars import MERGE, resolve
from injector.kubeyaml.survey import Context, Holes, Listing, Mapping, Role, Slot, Tree
from injector.memo import Memo, process_wide
from injector.rendering import Quoted, interleaved

_UNREADABLE: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff"
"""Control characters, line breaks, surrogates, byte order marks."""

unquotable = re.compile(rf"[\"'\\{_UNREADABLE}]").search
"""Finds what is unsafe in some kind of quoted or block scalar."""

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
"""Characters. libyaml looks for the colon within 1,024 characters of a key's start, escapes included."""

Check = Callable[[str], str]
Reader = Callable[[Sequence[str]], Sequence[JSON]]
Builder = Callable[[Sequence[JSON]], JSON]

_UNKNOWN: Final[Any] = object()


class UnsafeValueError(Exception):
    """A value would not stay inside its scalar, or would not mean itself there."""


class PlainTexts:
    """The JSON of plain scalars in one kind of position, by their texts."""

    __slots__ = ("_flow", "_memo", "_role")

    def __init__(self, role: Role, *, flow: bool) -> None:
        self._role = role
        self._flow = flow
        self._memo: Memo[str, JSON] = process_wide(f"plain_{role.name}_{'flow' if flow else 'block'}".lower())

    def read(self, text: str) -> JSON:
        """Return the value of a text; UnsafeValueError if it is not one plain scalar."""
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
                if text == MERGE or len(text) > _LONGEST_KEY:
                    raise UnsafeValueError
                return key_text(resolve(text))
            value = resolve(text)  # not `plain`, which would cache the text a second time
            return finite(value) if isinstance(value, float) else value
        except YAMLError:
            raise UnsafeValueError from None


PLAIN_TEXTS: Final = {(role, flow): PlainTexts(role, flow=flow) for role in Role for flow in (False, True)}


def read(slot: Slot, values: Sequence[str]) -> JSON:
    """Return what YAML reads with the values inserted; raises UnsafeValueError."""
    own = [values[hole] for hole in slot.holes]
    if slot.context is Context.BLOCK:
        for hole in slot.first:
            in_line_start(values[hole])
    elif slot.folded and not all(map(_is_solid, own)):
        raise UnsafeValueError
    if slot.context is Context.PLAIN:
        return PLAIN_TEXTS[slot.role, slot.flow].read(interleaved(slot.texts, own))
    is_key = slot.role is Role.KEY
    text = interleaved(slot.texts, list(map((_KEY_CHECKS if is_key else _CHECKS)[slot.context], own)))
    return short_key(text) if is_key else text


def checks(places: Holes, holes: int) -> Sequence[Check]:
    """Return for each hole the function that returns the decoded value, or raises UnsafeValueError.

    The functions for plain scalars accept everything: `PLAIN_TEXTS` checks their whole text.
    """
    by_hole: dict[int, Check] = dict.fromkeys(range(holes), in_comment)
    for slot in places.slots:
        check = (_KEY_CHECKS if slot.role is Role.KEY else _CHECKS)[slot.context]
        by_hole.update(dict.fromkeys(slot.holes, check))
    return [by_hole[hole] for hole in range(holes)]


def meant(value: str, context: Context) -> str:
    """Return the string behind a value; invalid UTF-8 becomes U+FFFD, as in Go's JSON."""
    text = value.raw if context is Context.DOUBLE and isinstance(value, Quoted) else str(value)
    return to_valid(text)


is_line = re.compile(rf"[^ {_UNREADABLE}][^{_UNREADABLE}]*\Z").match
"""Returns whether a text is one line without a leading space: in a block scalar it means itself."""


def in_line_start(value: str) -> str:
    """Return a value at the start of a line in a block scalar; it must not change the indentation."""
    if not value or value[0] == " ":
        raise UnsafeValueError
    return str(value)


def short_key(text: str) -> str:
    """Return a quoted key that is short enough for the parser to find its colon."""
    if len(text) > _LONGEST_KEY:
        raise UnsafeValueError
    return text


def _is_solid(value: str) -> bool:
    """Return whether a value may be beside a folded line break, or in column 0."""
    return bool(value) and " " not in (value[0], value[-1]) and not value.startswith(("---", "..."))


def _without(found: Callable[[str], object]) -> Check:
    def check(value: str) -> str:
        if found(value):
            raise UnsafeValueError
        return str(value)

    return check


in_comment: Final = _without(_UNREADABLE_ONE)
"""Returns a value that does not move the end of a comment."""


def _in_double(value: str) -> str:
    """Return the value of a text between double quotes; one quoted by Go has its raw string."""
    if not _DOUBLE(value):
        return str(value)
    if isinstance(value, Quoted) and _GO_QUOTED(value):
        return value.raw
    raise UnsafeValueError


_CHECKS: Final[dict[Context, Check]] = {
    Context.PLAIN: str,
    Context.SINGLE: _without(_SINGLE),
    Context.DOUBLE: _in_double,
    Context.BLOCK: in_comment,
}
_KEY_CHECKS: Final = {
    **_CHECKS,
    Context.DOUBLE: _without(_DOUBLE),  # also escapes, which count towards the length of a key
}


# ---- functions that read the values of all slots, and that build the JSON of a tree with slots
# Each function is one expression: a tuple, or dict and list displays. The code contains no part of a value
# and no text of the template: constants are passed in as variables. So they are not copied, and are freed
# with the function. Python 3.12 and newer keep constant strings of compiled code that look like identifiers
# for ever (CPython's InternalDocs/string_interning.md), and the texts of a template may come from a pod.


def reader(slots: Sequence[Slot], holes: int) -> Reader | None:
    """Return the function from the holes' values to the slots' JSON, in the order of ``slots``.

    The values must not contain quotes or unreadable characters. The function raises UnsafeValueError where
    that does not suffice. None if a slot needs more checks.
    """
    if any(slot.folded and slot.context is not Context.BLOCK for slot in slots):
        return None
    constants = _Constants()
    expression = "".join(f"{_reading(slot, constants)}, " for slot in slots)
    compiled: Reader = _compiled(f"({expression})", [f"v{hole}" for hole in range(holes)], constants)
    return compiled


def builder(tree: Tree, slots: Sequence[Slot]) -> Builder:
    """Return the function from the slots' JSON, in the order of ``slots``, to the JSON of the tree."""
    names = [f"v{position}" for position in range(len(slots))]
    scalars = {id(slot): name for slot, name in zip(slots, names, strict=True)}
    constants = _Constants()
    compiled: Builder = _compiled(_expression(tree, scalars, constants), names, constants)
    return compiled


class _Constants:
    """The constants of one function, which it gets as global variables."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = dict(_FIXED)
        self._texts: dict[str, str] = {}

    def expression(self, value: JSON) -> str:
        """Return the expression of a value that no caller of the function may change."""
        if isinstance(value, str):
            return (self._texts.get(value) or self._text(value)) if value else "''"
        return self._variable(value) if isinstance(value, dict | list | float) else repr(value)

    def _text(self, text: str) -> str:
        name = self._texts[text] = self._variable(text)
        return name

    def _variable(self, value: JSON) -> str:
        name = f"c{len(self.variables)}"
        self.variables[name] = value
        return name


def _compiled(expression: str, parameters: Sequence[str], constants: _Constants) -> Any:
    """Compile ``lambda values: expression`` with the values unpacked into ``parameters``."""
    unpack = f"    {', '.join(parameters)}, = values\n" if parameters else ""
    code = compile(f"def fill(values):\n{unpack}    return {expression}\n", "<skeleton>", "exec")
    exec(code, constants.variables)  # noqa: S102 - nothing of a value gets into it
    return constants.variables.pop("fill")  # or the two would refer to each other until a garbage collection


def _expression(tree: Tree, scalars: MappingType[int, str], constants: _Constants) -> str:
    match tree:
        case Slot():
            return scalars[id(tree)]
        case Mapping():
            pairs = (
                f"{_expression(key, scalars, constants)}: {_expression(value, scalars, constants)}"
                for key, value in tree.pairs
            )
            return "{" + ", ".join(pairs) + "}"
        case Listing():
            return "[" + ", ".join(_expression(item, scalars, constants) for item in tree.items) + "]"
    return constants.expression(tree.value)


def _reading(slot: Slot, constants: _Constants) -> str:
    """Return the expression that reads a slot's text from the values."""
    values = [_value(slot, hole) for hole in slot.holes]
    texts = [constants.expression(text) for text in slot.texts]
    parts = [texts[0]]
    for value, text in zip(values, texts[1:], strict=True):
        parts += value, text
    parts = [part for part in parts if part != "''"]
    if slot.context is Context.PLAIN:
        return f"{_plain_texts(slot.role, flow=slot.flow)}({_sum(parts)})"
    text = _sum(parts) if len(parts) > 1 else _exactly_str(parts[0])
    return f"short_key({text})" if slot.role is Role.KEY else text


def _value(slot: Slot, hole: int) -> str:
    if slot.context is Context.BLOCK and hole in slot.first:
        return f"in_line_start(v{hole})"
    return f"v{hole}"


def _sum(parts: Sequence[str]) -> str:
    """Join strings; a few are added faster."""
    return " + ".join(parts) if len(parts) < 5 else f"''.join(({', '.join(parts)}))"


def _exactly_str(value: str) -> str:
    """Return a plain str for a value that may be of a subclass, since JSON is compared by class."""
    return f"{value} if {value}.__class__ is str else str({value})" if value.isalnum() else value


def _plain_texts(role: Role, *, flow: bool) -> str:
    return f"plain_{role.name}_{flow:d}".lower()


_FIXED: Final = {
    **{_plain_texts(role, flow=flow): texts.read for (role, flow), texts in PLAIN_TEXTS.items()},
    "in_line_start": in_line_start,
    "short_key": short_key,
}
