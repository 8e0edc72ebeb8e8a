"""Pipelines, commands and operands to expressions, computed at once where everything in them is known.

The rules and the positions of errors are those of text/template's evalPipeline, evalCommand and evalArg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from injector.gotemplate import nodes
from injector.gotemplate.arguments import Arguments, literal
from injector.gotemplate.calls import Calls
from injector.gotemplate.code import Computed, Constant, Dot, Expr, load
from injector.gotemplate.fields import Fields
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.values import MISSING


class Expressions:
    """Compiles pipelines and what they are made of.

    A pipeline has commands, a command may be a call, a call has arguments, and an argument may be a pipeline
    again: ``arguments`` comes back here through ``operand``.
    """

    def __init__(self, scope: Scope) -> None:
        self.arguments = Arguments(scope, self.operand)
        self._calls = Calls(scope, self.arguments)
        self._fields = Fields(scope, self.arguments)
        self._scope = scope

    # Pipelines.

    def pipeline(self, pipe: nodes.Pipe) -> Expr:
        """Evaluate a pipeline and its declarations."""
        value = self.commands(pipe, pipe.commands)
        assert value is not None  # noqa: S101 - a pipeline has a command
        for variable in pipe.declarations:
            value = self._set_variable(variable, value, pipe)
        return value

    def commands(self, pipe: nodes.Pipe, commands: Sequence[nodes.Command]) -> Expr | None:
        """Evaluate commands of a pipe, each with the value of the one before as its last argument."""
        value: Expr | None = None
        where: nodes.Node = pipe
        for command in commands:
            value = _unwrapped(self._command(command, value, where))
            where = last_node(command)
        return value

    def _set_variable(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Declare or assign inside an expression; statements that are pipelines do it without a walrus."""
        if not pipe.is_assignment:
            return self._declare(variable, value)
        binding = self._scope.find(variable.name)
        if binding is None:
            return self._scope.failing(f"undefined variable: {variable.name}", last_node(pipe))
        if binding.local:
            return self._scope.keep(binding.local, self._scope.strict(value))
        binding.expr = value
        return value

    def _declare(self, variable: nodes.Variable, value: Expr) -> Expr:
        if not isinstance(value, Computed):
            self._scope.declare(variable.name, value)
            return value
        name = self._scope.unit.fresh("v_")
        kept = self._scope.keep(name, value)
        self._scope.declare(variable.name, replace(kept, code=load(name), fallible=False))
        return kept

    # Commands.

    def _command(self, command: nodes.Command, final: Expr | None, where: nodes.Node) -> Expr:
        """Evaluate a command; ``final`` is the value piped into it, ``where`` what was looked at before."""
        first, *args = command.args
        if isinstance(first, nodes.FieldNode):
            return self._fields.chain(self._scope.dot, first.names, first, args, final)
        if isinstance(first, nodes.ChainNode):
            return self._chain(first, args, final)
        if isinstance(first, nodes.Identifier):
            return self._calls.call(first, command, args, final)
        if isinstance(first, nodes.Variable) and first.fields:
            return self._variable(first, args, final)
        if args or final is not None:
            shown = where if isinstance(first, nodes.Pipe) else first
            failing = self._scope.failing(f"can't give argument to non-function {first}", shown)
            return self._scope.after_effects(final, failing)
        return self._simple(first)

    def _simple(self, first: nodes.Operand) -> Expr:
        """Evaluate a command that is one operand."""
        if isinstance(first, nodes.Nil):
            return self._scope.failing("nil is not a command", first)
        value = self.operand(first)
        return literal(self._scope, first) if value is None else value

    # Operands.

    def operand(self, node: nodes.Operand) -> Expr | None:  # noqa: PLR0911 - one case a kind of node
        """Evaluate an operand that stands alone; return None for a literal."""
        if isinstance(node, nodes.DotNode):
            return self._scope.dot
        if isinstance(node, nodes.FieldNode):
            return self._fields.chain(self._scope.dot, node.names, node, (), None)
        if isinstance(node, nodes.Variable):
            return self._variable(node, (), None)
        if isinstance(node, nodes.Pipe):
            return self.pipeline(node)
        if isinstance(node, nodes.Identifier):
            return self._calls.call(node, node, (), None)
        if isinstance(node, nodes.ChainNode):
            return self._chain(node, (), None)
        return None

    def _variable(self, node: nodes.Variable, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Evaluate ``$x`` or ``$x.A.B``."""
        binding = self._scope.find(node.name)
        if binding is None:
            return self._scope.failing(f"undefined variable: {node.name}", node)
        if not node.fields:
            return binding.expr
        return self._fields.chain(binding.expr, node.fields, node, args, final)

    def _chain(self, node: nodes.ChainNode, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Evaluate ``(pipeline).A.B`` or ``function.A``."""
        if isinstance(node.term, nodes.Identifier):
            receiver = self._calls.call(node.term, node.term, (), None)
        else:
            assert isinstance(node.term, nodes.Pipe)  # noqa: S101 - the parser makes no other chains
            receiver = self.pipeline(node.term)
        return self._fields.chain(receiver, node.fields, last_node(node), args, final)


def _unwrapped(expr: Expr) -> Expr:
    """Return a value as a pipeline passes it on: out of its interface{}, and nil as no value at all."""
    if isinstance(expr, Constant):
        return Constant(value=MISSING if expr.value is None else expr.value)
    if isinstance(expr, Dot):
        return expr
    return replace(expr, interface=False, unwrapped=True)
