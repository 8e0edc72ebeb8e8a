"""The statements of a template to Python statements: a part for each kind, and ``template``."""

from __future__ import annotations

import ast

from injector.golang.strconv import quote
from injector.gotemplate import nodes, runtime
from injector.gotemplate.branches import Branches
from injector.gotemplate.code import (
    UNIT_SIZE,
    Computed,
    Constant,
    Expr,
    Unit,
    assign,
    invoke,
    load,
    static_type,
    walrus,
)
from injector.gotemplate.expressions import Expressions
from injector.gotemplate.functions import ExecutionError
from injector.gotemplate.loops import Loops
from injector.gotemplate.output import Output
from injector.gotemplate.scope import Data, Scope
from injector.gotemplate.values import MISSING
from injector.gotemplate.variables import Variables


class Actions:
    """Compiles ``{{ pipeline }}``."""

    def __init__(self, scope: Scope, expressions: Expressions, output: Output, variables: Variables) -> None:
        self._scope = scope
        self._expressions = expressions
        self._output = output
        self._variables = variables

    def action(self, node: nodes.Action) -> None:
        """Print a pipeline, or set its variables."""
        if node.pipe.declarations:
            self._variables.evaluate(node.pipe)
        elif not self._quoted(node):
            self._print(self._expressions.pipeline(node.pipe), node)

    def _print(self, value: Expr, node: nodes.Action) -> None:
        """Print a value: text if it is known, else a hole, which says whether a serialiser made it."""
        if isinstance(value, Constant):
            try:
                self._output.text(runtime.printed(value.value))
            except ExecutionError as error:
                self._output.fail(f"can't print {node} of type {error}", node)
            return
        code = self._scope.load(value)
        declared = static_type(value)
        if declared is None or declared.kind != "string" or declared.named:
            code = self._scope.positioned(invoke("printed", code), node)
        if isinstance(value, Computed) and value.text:
            code = invoke("structured", code)
        self._output.hole(code)

    def _quoted(self, node: nodes.Action) -> bool:
        """Print ``x | quote`` with its quotes as text; return False when the action is something else.

        The texts are read as YAML without the values, and then show that this one stands in a quoted scalar.
        """
        pipe = node.pipe
        while len(pipe.commands) == 1 and isinstance(inner := pipe.commands[0].args[0], nodes.Pipe):
            if inner.declarations or len(pipe.commands[0].args) > 1:
                return False
            pipe = inner
        *before, last = pipe.commands
        first = last.args[0]
        if not isinstance(first, nodes.Identifier) or pipe.declarations:
            return False
        function = self._scope.data.functions.get(first.name)
        if function is None or not function.quotes or len(last.args) - 1 + bool(before) != 1:
            return False
        size = len(self._scope.bindings)
        value = self._expressions.commands(pipe, before)
        if value is None:
            value = self._expressions.arguments.argument(function.param(0), last.args[1])
        if isinstance(value, Constant):
            # It is compiled again, to be folded with its quotes: variables must not be declared twice.
            del self._scope.bindings[size:]
            return False
        self._print_quoted(value, function.quotes)
        return True

    def _print_quoted(self, value: Expr, quotes: str) -> None:
        inside = "quoted" if quotes == '"' else "bare"
        if isinstance(value, Computed) and value.type is not None and value.type.kind != "pointer":
            self._between(quotes, invoke(inside, self._scope.load(value)))
            return
        kept = self._scope.unit.fresh("q_")
        absent = ast.Compare(
            left=walrus(kept, invoke("nil_if_missing", self._scope.load(value))),
            ops=[ast.IsNot()],
            comparators=[ast.Constant(value=None)],
        )
        self._output.branch(absent, lambda: self._between(quotes, invoke(inside, load(kept))), None)

    def _between(self, quotes: str, value: ast.expr) -> bool:
        self._output.text(quotes)
        self._output.hole(value)
        self._output.text(quotes)
        return True


IF_DEPTH = 60
"""Blocks inside each other, after which templates are called and not inlined: Python's compiler recurses."""


class Statements:
    """Compiles the statements of one template into ``output``.

    ``callables`` maps templates that are compiled as functions to the names of these.
    """

    def __init__(self, unit: Unit, data: Data, template: str, dot: Expr, callables: dict[str, str]) -> None:
        scope = Scope(unit, data, template, dot)
        expressions = Expressions(scope)
        self.output = Output(scope)
        self._variables = Variables(scope, expressions, self.output)
        self._actions = Actions(scope, expressions, self.output, self._variables)
        self._branches = Branches(scope, self.output, self._variables, self.compile)
        self._loops = Loops(scope, self.output, self._variables, self._branches, self.compile)
        self._scope = scope
        self._callables = callables
        self._stack: tuple[str, ...] = (template,)

    def compile(self, body: nodes.ListNode) -> bool:
        """Compile nodes in order; return whether the end can be reached."""
        return all(self._statement(node) for node in body.nodes)

    def _statement(self, node: nodes.Statement) -> bool:
        """Compile a node; return whether what follows can be reached."""
        if isinstance(node, nodes.Text):
            self.output.text(node.text)
        elif isinstance(node, nodes.Action):
            self._actions.action(node)
        elif isinstance(node, nodes.If):
            return self._branches.if_(node)
        elif isinstance(node, nodes.With):
            return self._branches.with_(node)
        elif isinstance(node, nodes.Range):
            self._loops.range(node)
        elif isinstance(node, nodes.TemplateCall):
            self._template(node)
        else:
            self.output.flush()
            self.output.emit(ast.Break() if isinstance(node, nodes.Break) else ast.Continue())
            return False
        return True

    def _template(self, node: nodes.TemplateCall) -> None:
        """Compile ``template``: in place, or as a call where it would not end or become too long."""
        body = self._scope.unit.tree.templates.get(node.name)
        if body is None:
            self.output.fail(f"template {quote(node.name)} not defined", node)
            return
        dot = Constant(value=MISSING) if node.pipe is None else self._variables.evaluate(node.pipe)
        is_long = self._scope.unit.size > UNIT_SIZE or self.output.nesting > IF_DEPTH
        if node.name in self._stack or is_long:
            self._call_template(node, dot)
        else:
            self._inline_template(node.name, body, dot)

    def _inline_template(self, name: str, body: nodes.ListNode, dot: Expr) -> None:
        outer, self._stack = self._stack, (*self._stack, name)
        with self._scope.inside_template(name, self._variables.in_variable(dot, "d_")):
            self.compile(body)
        self._stack = outer

    def _call_template(self, node: nodes.TemplateCall, dot: Expr) -> None:
        function = self._callables.setdefault(node.name, f"template_{len(self._callables)}")
        value = self._scope.load(self._scope.strict(dot))
        self.output.flush()
        depth = self._scope.positioned(invoke("deeper", load("depth")), node)
        self.output.emit(assign("t", invoke(function, value, load("s"), load("v"), load("t"), depth)))
        self.output.outputs += 1
