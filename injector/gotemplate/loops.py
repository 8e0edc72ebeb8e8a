"""``range``: repeated code for a short list that is known, else Python's ``for``."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from injector.errors import TemplateSyntaxError
from injector.gotemplate import nodes, runtime
from injector.gotemplate.branches import Branches, Compile
from injector.gotemplate.code import (
    UNIT_SIZE,
    Computed,
    Constant,
    Expr,
    certain,
    invoke,
    load,
    static_type,
    walrus,
)
from injector.gotemplate.functions import ExecutionError
from injector.gotemplate.output import Output, Pending
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.values import MISSING, Value
from injector.gotemplate.variables import Variables

UNROLL_ELEMENTS = 64
"""Longer known lists become loops: their code would be longer than their text."""

LOOP_DEPTH = 16
"""Python allows 20 loops inside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop to be emitted: over ``items``, made from ``value``, which the variable ``container`` holds."""

    node: nodes.Range
    items: ast.expr
    value: Expr
    container: str
    in_pairs: bool


class Loops:
    """Compiles ``range``; ``depth`` counts the Python loops around this point."""

    def __init__(
        self,
        scope: Scope,
        output: Output,
        variables: Variables,
        branches: Branches,
        compile_body: Compile,
    ) -> None:
        self._scope = scope
        self._unit = scope.unit
        self._output = output
        self._variables = variables
        self._branches = branches
        self._compile = compile_body
        self._depth = 0

    def range(self, node: nodes.Range) -> None:
        """Compile ``range``: repeated code for a short known list, else a loop."""
        with self._scope.inside():
            value = self._scope.strict(self._variables.evaluate(node.pipe))
            if isinstance(value, Constant):
                self._range_constant(node, value.value)
            else:
                self._range_computed(node, value)

    def _range_constant(self, node: nodes.Range, value: Value) -> None:
        in_pairs = len(node.pipe.declarations) == 2
        try:
            items = runtime.pairs(value) if in_pairs else runtime.elements(value)
        except ExecutionError as error:
            self._output.fail(str(error), last_node(node.pipe))
            return
        if not items:
            if node.otherwise is not None:
                self._compile(node.otherwise)
        elif self._may_unroll(node, len(items)):
            interface = not runtime.is_typed(value)
            for item in items:
                key, element = item if in_pairs else (MISSING, item)
                self._iteration(node, Constant(value=key), Constant(value=element, interface=interface))
        else:
            container = self._unit.bind("k_", value)
            self._unit.kept[container] = 1  # a constant, which is there whether it is read or not
            loop = Loop(
                node=node,
                items=load(self._unit.bind("k_", items)),
                value=Constant(value=value),
                container=container,
                in_pairs=in_pairs,
            )
            self._loop(loop, always=True)

    def _may_unroll(self, node: nodes.Range, count: int) -> bool:
        return count <= UNROLL_ELEMENTS and self._unit.size < UNIT_SIZE and not jumps(node.body)

    def _range_computed(self, node: nodes.Range, value: Expr) -> None:
        in_pairs = len(node.pipe.declarations) == 2
        if in_pairs and not node.pipe.is_assignment and not uses(node.pipe.declarations[0].name, node.body):
            in_pairs = self._may_be_number(value)  # two variables for a number are an error
        container = self._unit.fresh("y_")
        self._unit.kept[container] = 0
        items = invoke("pairs" if in_pairs else "elements", walrus(container, self._scope.load(value)))
        loop = Loop(
            node=node,
            items=self._scope.positioned(items, last_node(node.pipe)),
            value=value,
            container=container,
            in_pairs=in_pairs,
        )
        self._loop(loop, always=node.otherwise is None)

    def _may_be_number(self, value: Expr) -> bool:
        declared = static_type(value)
        return declared is None or declared.kind not in {"slice", "map"}

    def _loop(self, loop: Loop, *, always: bool) -> None:
        node = loop.node
        if self._depth >= LOOP_DEPTH:
            line, _ = self._unit.tree.place(node.pos)
            message = f"template: {self._unit.tree.name}:{line}: range nested too deeply"
            raise TemplateSyntaxError(message, name=self._unit.tree.name, line=line)
        self._variables.settle(node.body, node.otherwise)
        if node.pipe.is_assignment:
            self._variables.settle(node.pipe)
        if always:
            self._for(loop)
            return
        kept = self._unit.fresh("r_")
        test, otherwise = walrus(kept, loop.items), self._branches.otherwise(node.otherwise)
        self._output.branch(test, lambda: self._for(replace(loop, items=load(kept))), otherwise)

    def _for(self, loop: Loop) -> bool:
        self._output.flush()
        key, element = self._unit.fresh("i_"), self._unit.fresh("e_")
        index = (
            Computed(code=load(key), fallible=False, key=("local", key))
            if loop.in_pairs
            else Constant(value=MISSING)
        )
        self._depth += 1
        arm = self._output.collect(
            lambda: self._iteration(loop.node, index, self._element(loop, element)), self._output.pending
        )
        self._depth -= 1
        if arm.reachable:
            self._output.flush_into(arm)
        self._output.pending = Pending(moved=True)
        names = [ast.Name(id=name, ctx=ast.Store()) for name in (key, element)]
        target = ast.Tuple(elts=list(names), ctx=ast.Store()) if loop.in_pairs else names[1]
        self._output.emit(ast.For(target=target, iter=loop.items, body=arm.block or [ast.Pass()], orelse=[]))
        return True

    def _element(self, loop: Loop, name: str) -> Computed:
        """Return the element of a loop: typed where the list is."""
        declared = static_type(loop.value)
        if declared is not None and declared.kind == "slice" and declared.elem is not None:
            elem = certain(declared.elem)
            if elem is not None:
                return Computed(code=load(name), type=elem, fallible=False, key=("local", name))
        return Computed(
            code=load(name),
            interface=loop.container,
            fallible=False,
            missable=True,
            nilable=True,
            key=("local", name),
        )

    def _iteration(self, node: nodes.Range, key: Expr, element: Expr) -> bool:
        declarations = node.pipe.declarations
        given = (key, element) if len(declarations) == 2 else (element,)
        with self._scope.inside(element):
            for variable, value in zip(declarations, given, strict=False):
                if node.pipe.is_assignment:
                    self._variables.reassign(variable, value, node.pipe)
                else:
                    self._scope.declare(variable.name, value)
            return self._compile(node.body)


def jumps(body: nodes.ListNode) -> bool:
    """Return whether a range body breaks or continues its own loop."""
    for node in body.nodes:
        if isinstance(node, (nodes.Break, nodes.Continue)):
            return True
        if isinstance(node, (nodes.If, nodes.With)) and jumps(node.body):
            return True
        if isinstance(node, nodes.Branch) and node.otherwise is not None and jumps(node.otherwise):
            return True
    return False


def uses(variable: str, node: nodes.Node) -> bool:
    """Return whether a body mentions a variable."""
    return any(isinstance(found, nodes.Variable) and found.name == variable for found in nodes.walk(node))
