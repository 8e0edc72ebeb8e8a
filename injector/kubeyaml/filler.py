"""Generate the functions that read the values of slots, and that build the JSON of a tree with slots.

Each is one expression: a tuple, or dict and list displays. Nothing of a value gets into the code, nor any
text of the template: what is constant is handed in as variables. It is not copied so, and it is freed with
the function. Python 3.12 and newer keep constant strings of compiled code that look like identifiers for as
long as they run (CPython's InternalDocs/string_interning.md), and pods may have their own in a template.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from typing import Any, Final

from injector.json_types import JSON
from injector.kubeyaml.safety import PLAIN_TEXTS, in_line_start, short_key
from injector.kubeyaml.survey import Context, Listing, Mapping, Role, Slot, Tree

Reader = Callable[[Sequence[str]], Sequence[JSON]]
Builder = Callable[[Sequence[JSON]], JSON]


def reader(slots: Sequence[Slot], holes: int) -> Reader | None:
    """Return the function from the holes' values to the slots' JSON, in the order of ``slots``.

    The values may have no quotes nor unreadable characters. It raises UnsafeValueError where that is not
    enough. None if a slot needs more.
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
    """What the code of one function is handed as its global variables."""

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
    exec(code, constants.variables)  # noqa: S102 - see the module's docstring
    return constants.variables["fill"]


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
    """Join strings; a few are faster added."""
    return " + ".join(parts) if len(parts) < 5 else f"''.join(({', '.join(parts)}))"


def _exactly_str(value: str) -> str:
    """Turn a value that may be a subclass of str into one that is not, since JSON is compared by class."""
    return f"{value} if {value}.__class__ is str else str({value})" if value.isalnum() else value


def _plain_texts(role: Role, *, flow: bool) -> str:
    return f"plain_{role.name}_{flow:d}".lower()


_FIXED: Final = {
    **{_plain_texts(role, flow=flow): texts.read for (role, flow), texts in PLAIN_TEXTS.items()},
    "in_line_start": in_line_start,
    "short_key": short_key,
}
