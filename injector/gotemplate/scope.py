"""The state of the compiler at a point of a template: data, variables, the dot, and calls computed so far."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from injector.gotemplate import nodes
from injector.gotemplate.code import (
    Computed,
    Constant,
    Dot,
    Expr,
    Fault,
    Site,
    Unit,
    after,
    derived_key,
    invoke,
    load,
    walrus,
)
from injector.gotemplate.functions import Function
from injector.gotemplate.types import StructType
from injector.gotemplate.values import Value

_AnyExpr = TypeVar("_AnyExpr", Expr, Expr | None)


@dataclass(slots=True)
class Binding:
    """A variable in scope. ``local``: the Python variable that holds it, if it is assigned conditionally."""

    name: str
    expr: Expr
    local: str = ""


@dataclass(slots=True)
class Data:
    """The data that a text is compiled for.

    ``known`` fields have their values; ``dot_type`` is the struct that the dot points to, None for a map.
    ``paths`` collects the fields to read before the template starts; ``dot_used`` says whether the whole dot
    is needed.
    """

    known: Mapping[str, Value]
    dot_type: StructType | None
    functions: Mapping[str, Function]
    mutating: bool
    paths: dict[tuple[str, ...], str] = field(default_factory=dict)
    dot_used: bool = False


class Scope:
    """The point of a template that is being compiled; the parts of the compiler share one and advance it.

    ``template`` is the template's name, for errors. ``bindings`` are its variables, the innermost last.
    ``available`` are the calls that have certainly been computed when this point is reached, by their keys.
    ``may_be_skipped`` says that it is in an operand that ``and`` or ``or`` may not evaluate.
    """

    def __init__(self, unit: Unit, data: Data, template: str, dot: Expr) -> None:
        self.unit = unit
        self.data = data
        self.template = template
        self.dot = dot
        self.bindings = [Binding("$", dot)]
        self.available: dict[Hashable, Computed] = {}
        self.may_be_skipped = False

    # Variables and the dot.

    def find(self, name: str) -> Binding | None:
        """Return the innermost variable of a name."""
        return next((binding for binding in reversed(self.bindings) if binding.name == name), None)

    def declare(self, name: str, expr: Expr) -> None:
        """Add a variable to the scope."""
        self.bindings.append(Binding(name, expr))

    @contextmanager
    def inside(self, dot: Expr | None = None) -> Iterator[None]:
        """Remove on leaving the variables declared inside; ``dot`` is the cursor inside."""
        size, outer = len(self.bindings), self.dot
        self.dot = dot or outer
        yield
        del self.bindings[size:]
        self.dot = outer

    @contextmanager
    def inside_template(self, name: str, dot: Expr) -> Iterator[None]:
        """Enter another template, which sees no variable of this one."""
        outer = (self.template, self.dot, self.bindings)
        self.template, self.dot, self.bindings = name, dot, [Binding("$", dot)]
        yield
        self.template, self.dot, self.bindings = outer

    # Code for values.

    def load(self, expr: Expr) -> ast.expr:
        """Return code for a value."""
        if isinstance(expr, Constant):
            return self.unit.constant(expr.value)
        if isinstance(expr, Dot):
            self.data.dot_used = True
            return load("root")
        return self._load_path(expr.path) if expr.path is not None else expr.code

    def _load_path(self, path: tuple[str, ...]) -> ast.expr:
        if path not in self.data.paths:
            if len(path) > 1:
                self._load_path(path[:-1])
            self.data.paths[path] = self.unit.fresh("h_")
        return load(self.data.paths[path])

    def strict(self, expr: Expr) -> Expr:
        """Return an expression that distinguishes None from MISSING."""
        # Needed only here: most values are printed or tested, which treats both alike.
        if isinstance(expr, Computed) and expr.unwrapped and expr.nilable:
            code = invoke("unwrap", self.load(expr))
            key = derived_key("unwrapped", expr)
            return replace(expr, code=code, nilable=False, missable=True, path=None, key=key)
        return expr

    def keep(self, name: str, value: Expr) -> Computed:
        """Return a value that is put into a Python variable when it is computed."""
        strict = self.strict(value)
        code = walrus(name, self.load(strict))
        if isinstance(strict, Computed):
            return replace(strict, code=code, path=None)
        return Computed(code=code, missable=True, fallible=False)

    # Errors, and the order in which they occur.

    def positioned(self, code: ast.expr, node: nodes.Node, call: str = "") -> ast.expr:
        """Return the code with its position in the template, for errors; ``call``: the called function.

        Its column is the index of the site, not a column of the template: a site says more than a position.
        """
        line, _ = self.unit.tree.place(node.pos)
        code.lineno = code.end_lineno = line
        code.col_offset = code.end_col_offset = len(self.unit.sites)
        self.unit.sites.append(Site(node=node, template=self.template, call=call))
        return code

    def failing(self, message: str, node: nodes.Node) -> Computed:
        """Return an expression that raises when it is reached."""
        code = self.positioned(invoke("fail", ast.Constant(value=message)), node)
        self.unit.faults.append(Fault(site=self.unit.sites[-1], message=message))
        return Computed(code=code, missable=True)

    def after_effects(self, before: Expr | None, result: Computed) -> Computed:
        """Return ``result``, computed after something that may raise."""
        if not isinstance(before, Computed) or not before.fallible:
            return result
        return replace(result, code=after(self.load(before), result.code))

    def computed_first(self, value: _AnyExpr) -> tuple[ast.expr | None, _AnyExpr]:
        """Return code that computes a piped value before what it is piped into, and the kept value.

        It is the last argument of a call, which Python would compute last; Go computes it first.
        """
        if not isinstance(value, Computed) or not value.fallible:
            return None, value
        kept = self.unit.fresh("p_")
        effect = walrus(kept, self.load(value))
        return effect, replace(value, code=load(kept), fallible=False, path=None)


def last_node(node: nodes.Node) -> nodes.Node:
    """Return the node that is evaluated last in ``node``: errors about a bad value have its position."""
    if isinstance(node, nodes.Pipe):
        return last_node(node.commands[-1])
    if isinstance(node, nodes.Command):
        if len(node.args) > 1 and isinstance(node.args[0], nodes.Identifier):
            return last_node(node.args[-1])
        return last_node(node.args[0])
    if isinstance(node, nodes.ChainNode):
        return last_node(node.term)
    return node
