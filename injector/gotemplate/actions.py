"""Actions: pipelines that are printed, as text where they are known, else as values between texts."""

from __future__ import annotations

import ast

from injector.gotemplate import nodes, runtime
from injector.gotemplate.code import Computed, Constant, Expr, invoke, load, static_type, walrus
from injector.gotemplate.errors import ExecutionError
from injector.gotemplate.expressions import Expressions
from injector.gotemplate.output import Output
from injector.gotemplate.scope import Scope
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
