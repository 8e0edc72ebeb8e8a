"""Building blocks of compiled templates: values by when they are known, and the code that computes them.

Every expression that may raise has the index of its site in ``Unit.sites`` as its column number, and the
line in the template as its line number. Python keeps both beside its bytecode (``co_positions``), where a
traceback finds them: a position costs nothing while nothing fails, unlike a ``try`` or a variable for it.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from injector.gotemplate import runtime
from injector.gotemplate.functions import boxed, convert
from injector.gotemplate.nodes import Node, Tree
from injector.gotemplate.types import Type
from injector.gotemplate.values import Value, is_invalid, type_of
from injector.rendering import Structured

Stmts: TypeAlias = list[ast.stmt]

UNIT_SIZE = 12_000
"""Statements generated for one text after which nothing is unrolled or inlined any more."""

RUNTIME = {
    "fields": runtime.fields,
    "through": runtime.through,
    "field_or_method": runtime.field_or_method,
    "is_method": runtime.is_method,
    "unwrap": runtime.unwrap,
    "nil_if_missing": runtime.nil_if_missing,
    "string_argument": runtime.string_argument,
    "boxed": boxed,
    "convert": convert,
    "fail": runtime.fail,
    "elements": runtime.elements,
    "pairs": runtime.pairs,
    "printed": runtime.printed,
    "quoted": runtime.quoted,
    "bare": runtime.bare,
    "structured": Structured,
    "deeper": runtime.deeper,
}
"""What generated code may call, by its name there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value known when the template is compiled; ``interface``: it was found in an interface{}."""

    value: Value
    interface: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A value that the generated code computes.

    What is known of it, each with a template that sets it (``.Values`` not being known at load):

    =========  ================================================  =========================================
    flag       meaning                                           set by
    =========  ================================================  =========================================
    type       its Go type, where that is certain                ``{{ .ObjectMeta.Name }}``: string
    interface  True: it is in an interface{}, which is the type  ``{{ print .Values.a }}``: the argument
               that messages show
               a name: the Python variable with the container    ``{{ range .Values.a }}{{ .b }}{{ end }}``:
               that it is an element of, which decides that      the dot inside
    text       a serialiser made it: it is text of the template  ``{{ toYaml .Values.a }}``
               wherever it does not stay inside a scalar
    fallible   computing it may raise, or is another thing at    ``{{ .Values.a.b }}``, if ``a`` is a number;
               another time                                      a variable that is assigned in a branch
    missable   it may be MISSING, which prints "<no value>"      ``{{ .ObjectMeta.Labels.app }}``
    nilable    it may be None: Go's nil                          ``{{ .Values.a }}``, if it is JSON's null
    unwrapped  it came out of a pipeline, which takes values     ``{{ (.Values.a).b }}``: what is in
               out of an interface{}: a nil in one becomes no    parentheses
               value, so None stands for MISSING
    path       the fields that lead to it from the data; they    ``{{ .ObjectMeta.Name }}``:
               are read once, before the template starts         ("ObjectMeta", "Name")
    key        equal for expressions that always have the same   ``{{ toYaml .Spec }}{{ toYaml .Spec }}``:
               value; None where that is not known               one call
    =========  ================================================  =========================================

    ``code`` computes it, unless there is a ``path``: Scope.load makes the code of a value.
    """

    code: ast.expr
    type: Type | None = None
    interface: bool | str = False
    text: bool = False
    fallible: bool = True
    missable: bool = False
    nilable: bool = False
    unwrapped: bool = False
    path: tuple[str, ...] | None = None
    key: Hashable = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """The data that a rendering starts with: some fields are known at load, the others are not."""


Expr: TypeAlias = Constant | Computed | Dot


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A position in a template: the node that messages show, the executed template, the called function."""

    node: Node
    template: str
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An error that is certain when its site is reached; ``message`` lacks the position."""

    site: Site
    message: str


@dataclass(slots=True)
class Unit:
    """Everything shared by the functions that are generated for one text.

    ``constants`` are the objects that the code uses, by their names in it. ``size`` counts statements,
    ``serial`` names. ``kept`` maps the variables that DropUnused may remove to how often they are read.
    ``assigned`` caches the results of nodes.assigned.
    """

    tree: Tree
    sites: list[Site] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    size: int = 0
    serial: int = 0
    kept: dict[str, int] = field(default_factory=dict)
    assigned: dict[int, frozenset[str]] = field(default_factory=dict)

    def fresh(self, prefix: str) -> str:
        """Return a name that the generated code does not use yet.

        The prefix says what it is for: h_ a field of the data, k_ a constant, f_ a function, m_ a method, t_
        a type, v_ a variable of the template, d_ a dot, c_ the result of a call, p_ a piped value, q_ a value
        to quote, e_ an element of a loop, i_ its index or key, r_ what a loop iterates over, y_ the container
        of that, o_ the receiver of a method.
        """
        self.serial += 1
        return f"{prefix}{self.serial}"

    def bind(self, prefix: str, value: Any) -> str:
        """Return the name of an object in the generated code."""
        for name, bound in self.constants.items():
            if bound is value:
                return name
        name = self.fresh(prefix)
        self.constants[name] = value
        return name

    def constant(self, value: Value) -> ast.expr:
        """Return code for a value: a literal where Python has one, else a global variable."""
        if value is None or type(value) in {str, int, bool, float}:
            return ast.Constant(value=value)
        return load(self.bind("k_", value))


def load(name: str) -> ast.Name:
    """Return code that reads a variable."""
    return ast.Name(id=name, ctx=ast.Load())


def assign(name: str, value: ast.expr) -> ast.stmt:
    """Return code that sets a variable."""
    return ast.Assign(targets=[ast.Name(id=name, ctx=ast.Store())], value=value)


def invoke(function: str, *args: ast.expr) -> ast.Call:
    """Return code that calls a function by its name."""
    return ast.Call(func=load(function), args=list(args), keywords=[])


def lookup(receiver: ast.expr, *args: ast.expr) -> ast.Call:
    """Return code that calls the ``get`` of a struct or a map, which cannot fail."""
    get = ast.Attribute(value=receiver, attr="get", ctx=ast.Load())
    return ast.Call(func=get, args=list(args), keywords=[])


def after(first: ast.expr, second: ast.expr) -> ast.expr:
    """Return code that computes two expressions in this order and has the value of the second.

    It is ``(first, second)[1]``. The order is Go's: it decides which of two errors occurs.
    """
    return ast.Subscript(
        value=ast.Tuple(elts=[first, second], ctx=ast.Load()), slice=ast.Constant(value=1), ctx=ast.Load()
    )


def walrus(name: str, value: ast.expr) -> ast.expr:
    """Return code that keeps a value while computing it.

    A statement before the whole expression would compute it too early: before the operands on its left, or
    where ``and`` and ``or`` do not reach it.
    """
    return ast.NamedExpr(target=ast.Name(id=name, ctx=ast.Store()), value=value)


def key_of(expr: Expr) -> Hashable:
    """Return a key that two expressions of the same value share, None where that is not known."""
    if isinstance(expr, Constant):
        value = expr.value
        return ("constant", type(value), value) if is_scalar(value) else ("object", id(value))
    if isinstance(expr, Computed):
        return ("path", expr.path) if expr.path is not None else expr.key
    return None


def derived_key(how: Hashable, expr: Expr) -> Hashable:
    """Return the key of a value that is derived from another one."""
    key = key_of(expr)
    return None if key is None else (how, key)


class DropUnused(ast.NodeTransformer):
    """Computes a value without keeping it where it is not used again.

    When the code of a call is made, it is not known whether the call is repeated: so every result is put into
    a variable, and variables that were never read are removed from the finished module.
    """

    def __init__(self, kept: dict[str, int]) -> None:
        self.kept = kept

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        """Replace ``(c_1 := f(x))`` by ``f(x)``."""
        self.generic_visit(node)
        return node.value if self.kept.get(node.target.id) == 0 else node


def of_type(
    declared: Type,
    code: ast.expr,
    *,
    fallible: bool = True,
    path: tuple[str, ...] | None = None,
    key: Hashable = None,
) -> Computed:
    """Return a computed value of a declared type: nil and in an interface{} only if that is an interface."""
    known = certain(declared)
    return Computed(
        code=code,
        type=known,
        interface=known is None,
        nilable=known is None,
        missable=declared.kind == "interface" and declared.named,
        fallible=fallible,
        path=path,
        key=key,
    )


def static_type(expr: Expr) -> Type | None:
    """Return the Go type of an expression where it is certain."""
    if isinstance(expr, Constant):
        return None if is_invalid(expr.value) else type_of(expr.value)
    return expr.type if isinstance(expr, Computed) else None


def is_scalar(value: Value) -> bool:
    """Return whether a value cannot be changed in place."""
    return value is None or isinstance(value, (str, int, float, complex))


def certain(declared: Type) -> Type | None:
    """Return a declared type if it says what values are like, None for interfaces and reflect.Value."""
    return None if declared.kind in {"interface", "value"} else declared
