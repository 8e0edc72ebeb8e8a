"""The parse tree of a template; each node prints as its text in the template.

``pos`` counts characters from the start of the text; it is the position in an error message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from injector.golang.strconv import parse_float, parse_literal, quote, unquote_rune


class Node(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Anything that has a position in the template."""

    pos: int


class Text(Node, frozen=True, kw_only=True):
    """Text outside actions."""

    text: str

    def __str__(self) -> str:
        return self.text


class Bool(Node, frozen=True, kw_only=True):
    """``true`` or ``false``."""

    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


class DotNode(Node, frozen=True, kw_only=True):
    """``.``: the cursor."""

    def __str__(self) -> str:
        return "."


class Nil(Node, frozen=True, kw_only=True):
    """``nil``."""

    def __str__(self) -> str:
        return "nil"


class NumberNode(Node, frozen=True, kw_only=True):
    """A constant and every kind of number that it may stand for; None for the others."""

    text: str
    as_int: int | None = None
    as_uint: int | None = None
    as_float: float | None = None
    as_complex: complex | None = None

    def __str__(self) -> str:
        return self.text


class String(Node, frozen=True, kw_only=True):
    """A string constant: its text and its value."""

    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


class Identifier(Node, frozen=True, kw_only=True):
    """The name of a function."""

    name: str

    def __str__(self) -> str:
        return self.name


class FieldNode(Node, frozen=True, kw_only=True):
    """``.A.B``: fields of the dot."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


class Variable(Node, frozen=True, kw_only=True):
    """``$x.A.B``: a variable, with its dollar, and fields of it."""

    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


class ChainNode(Node, frozen=True, kw_only=True):
    """``(pipeline).A.B`` or ``function.A``: fields of a term."""

    term: Operand
    fields: tuple[str, ...]

    def __str__(self) -> str:
        term = f"({self.term})" if isinstance(self.term, Pipe) else str(self.term)
        return ".".join((term, *self.fields))


class Command(Node, frozen=True, kw_only=True):
    """A function or an operand with its arguments."""

    args: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(f"({arg})" if isinstance(arg, Pipe) else str(arg) for arg in self.args)


class Pipe(Node, frozen=True, kw_only=True):
    """Commands, each given the value of the previous one, and the variables that get the last value."""

    declarations: tuple[Variable, ...]
    is_assignment: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        commands = " | ".join(str(command) for command in self.commands)
        if not self.declarations:
            return commands
        names = ", ".join(str(name) for name in self.declarations)
        return f"{names} {'=' if self.is_assignment else ':='} {commands}"


Operand: TypeAlias = (
    Bool | DotNode | Nil | NumberNode | String | Identifier | FieldNode | Variable | ChainNode | Pipe
)


class Action(Node, frozen=True, kw_only=True):
    """A pipeline whose value is printed, unless it declares variables."""

    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


class ListNode(Node, frozen=True, kw_only=True):
    """Nodes, one after the other."""

    nodes: tuple[Statement, ...]

    def __str__(self) -> str:
        return "".join(str(node) for node in self.nodes)


class Branch(Node, frozen=True, kw_only=True):
    """The common parts of ``if``, ``with`` and ``range``."""

    pipe: Pipe
    body: ListNode
    otherwise: ListNode | None

    def __str__(self) -> str:
        keyword = type(self).__name__.lower()
        otherwise = "" if self.otherwise is None else f"{{{{else}}}}{self.otherwise}"
        return f"{{{{{keyword} {self.pipe}}}}}{self.body}{otherwise}{{{{end}}}}"


class If(Branch, frozen=True, kw_only=True):
    """``{{if}}``."""


class With(Branch, frozen=True, kw_only=True):
    """``{{with}}``."""


class Range(Branch, frozen=True, kw_only=True):
    """``{{range}}``."""


class Break(Node, frozen=True, kw_only=True):
    """``{{break}}``."""

    def __str__(self) -> str:
        return "{{break}}"


class Continue(Node, frozen=True, kw_only=True):
    """``{{continue}}``."""

    def __str__(self) -> str:
        return "{{continue}}"


class TemplateCall(Node, frozen=True, kw_only=True):
    """``{{template "name" pipeline}}``, also what ``{{block}}`` becomes."""

    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        argument = "" if self.pipe is None else f" {self.pipe}"
        return f"{{{{template {quote(self.name)}{argument}}}}}"


Statement: TypeAlias = Text | Action | If | With | Range | Break | Continue | TemplateCall


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything in it, without the templates that it calls."""
    yield node
    for part in parts(node):
        yield from walk(part)


def parts(node: Node) -> Iterator[Node]:
    """Yield the direct parts of a node."""
    for name in node.__struct_fields__:
        value = getattr(node, name)
        for element in value if isinstance(value, tuple) else (value,):
            if isinstance(element, Node):
                yield element


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """The templates of one text: ``templates[name]`` is the text itself, the others are defined in it."""

    name: str
    text: str
    templates: dict[str, ListNode]

    def place(self, pos: int) -> tuple[int, int]:
        """Return line (from 1) and column (bytes from 0) of a position, as in Go's messages."""
        start = self.text.rfind("\n", 0, pos) + 1
        return 1 + self.text.count("\n", 0, pos), len(self.text[start:pos].encode(errors="surrogateescape"))


def uses(variable: str, node: Node) -> bool:
    """Return whether a node uses a variable."""
    return any(isinstance(found, Variable) and found.name == variable for found in walk(node))


def jumps(body: ListNode) -> bool:
    """Return whether a range body breaks or continues its own loop."""
    for node in body.nodes:
        if isinstance(node, (Break, Continue)):
            return True
        if isinstance(node, (If, With)) and jumps(node.body):
            return True
        if isinstance(node, Branch) and node.otherwise is not None and jumps(node.otherwise):
            return True
    return False


def assigned(node: Node, known: dict[int, frozenset[str]]) -> frozenset[str]:
    """Return the variables that are assigned (not declared) anywhere in a node, also in parentheses.

    ``known`` caches results by the identity of the nodes, for the branches inside.
    """
    found = known.get(id(node))
    if found is None:
        found = frozenset[str]().union(*(assigned(part, known) for part in parts(node)))
        if isinstance(node, Pipe) and node.is_assignment:
            found = found.union(variable.name for variable in node.declarations)
        if isinstance(node, ListNode):
            known[id(node)] = found
    return found


# Numbers: Python's ``complex`` and ``float`` are Go's complex128 and float64.


def char_constant(text: str, pos: int) -> NumberNode:
    """Return ``'x'``: an integer that may be any number; ValueError in Go's words."""
    code, _, end = unquote_rune(text, 1, "'")
    if text[1:2] == "'" or text[end:] != "'":
        message = "invalid syntax" if text[1:2] == "'" else f"malformed character constant: {text}"
        raise ValueError(message)
    return NumberNode(pos=pos, text=text, as_int=code, as_uint=code, as_float=float(code))


def complex_constant(text: str, pos: int) -> NumberNode:
    """Return ``1+2i``; ValueError in Go's words."""
    cut = max(text.rfind("+"), text.rfind("-"))
    if text[cut - 1] in "eEpP":
        cut = max(text.rfind("+", 0, cut - 1), text.rfind("-", 0, cut - 1))
    real, imaginary = parse_float(text[:cut]), parse_float(text[cut:-1])
    if real is None or imaginary is None:
        raise ValueError("syntax error scanning complex number")
    return _number(text, pos, real if imaginary == 0 else None, complex(real, imaginary))


def number_constant(text: str, pos: int) -> NumberNode:
    """Return any other number; ValueError in Go's words."""
    imaginary = parse_float(text[:-1]) if text.endswith("i") else None
    if imaginary is not None:
        return _number(text, pos, 0.0 if imaginary == 0 else None, complex(0, imaginary))
    whole = parse_literal(text)
    signed = text.startswith(("+", "-"))
    as_int, as_uint = _int64(whole), _uint64(whole) if not signed or whole == 0 else None
    if whole is not None and (as_int is not None or as_uint is not None):
        return NumberNode(pos=pos, text=text, as_int=as_int, as_uint=as_uint, as_float=float(whole))
    number = parse_float(text)
    if number is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    if not any(mark in text for mark in ".eEpP"):
        raise ValueError(f"integer overflow: {quote(text)}")
    return _number(text, pos, number)


def _number(text: str, pos: int, real: float | None, as_complex: complex | None = None) -> NumberNode:
    """Return a float with the integers that it may stand for; without integers where it is None."""
    whole = int(real) if real is not None and real.is_integer() else None
    return NumberNode(
        pos=pos,
        text=text,
        as_int=_int64(whole),
        as_uint=_uint64(whole),
        as_float=real,
        as_complex=as_complex,
    )


def _int64(whole: int | None) -> int | None:
    return whole if whole is not None and -(2**63) <= whole < 2**63 else None


def _uint64(whole: int | None) -> int | None:
    return whole if whole is not None and 0 <= whole < 2**64 else None
