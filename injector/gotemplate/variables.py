"""Variables set by statements: ``{{ $x := … }}``, ``{{ $x = … }}``, ``{{ with $x := … }}`` and their kind."""

from __future__ import annotations

from dataclasses import replace

from injector.gotemplate import nodes
from injector.gotemplate.code import Computed, Expr, assign, load
from injector.gotemplate.expressions import Expressions
from injector.gotemplate.output import Output
from injector.gotemplate.scope import Binding, Scope, last_node


class Variables:
    """Compiles pipelines that are statements of their own, and so can set Python variables by statements."""

    def __init__(self, scope: Scope, expressions: Expressions, output: Output) -> None:
        self._scope = scope
        self._expressions = expressions
        self._output = output

    def evaluate(self, pipe: nodes.Pipe) -> Expr:
        """Evaluate the pipeline of a statement, and its declarations."""
        value = self._expressions.commands(pipe, pipe.commands)
        assert value is not None  # noqa: S101 - a pipeline has a command
        for variable in pipe.declarations:
            if pipe.is_assignment:
                value = self.reassign(variable, value, pipe)
            else:
                value = self.in_variable(value)
                self._scope.declare(variable.name, value)
        return value

    def reassign(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Give a variable another value."""
        binding = self._scope.find(variable.name)
        if binding is None:
            self._output.fail(f"undefined variable: {variable.name}", last_node(pipe))
        elif binding.local:
            self._output.emit(assign(binding.local, self._scope.load(self._scope.strict(value))))
        else:
            value = self.in_variable(value)
            binding.expr = value
        return value

    def in_variable(self, value: Expr, prefix: str = "v_") -> Expr:
        """Compute a value now and keep it, unless it is known or can be had again for nothing."""
        value = self._scope.strict(value)
        if not isinstance(value, Computed) or value.path is not None:
            return value
        name = self._scope.unit.fresh(prefix)
        self._output.emit(assign(name, self._scope.load(value)))
        return replace(value, code=load(name), fallible=False, key=value.key or ("local", name))

    def settle(self, *bodies: nodes.Node | None) -> None:
        """Put the variables that ``bodies`` assign into Python variables, before these run conditionally."""
        known = self._scope.unit.assigned
        names = {name for body in bodies if body is not None for name in assigned(body, known)}
        # In order, so that a template becomes the same code in every process.
        for name in sorted(names.intersection(binding.name for binding in self._scope.bindings)):
            for binding in self._scope.bindings:
                if binding.name == name and not binding.local:
                    self._settle(binding)

    def _settle(self, binding: Binding) -> None:
        binding.local = self._scope.unit.fresh("v_")
        self._output.emit(assign(binding.local, self._scope.load(self._scope.strict(binding.expr))))
        binding.expr = Computed(code=load(binding.local), fallible=False, missable=True, interface=False)


def assigned(node: nodes.Node, known: dict[int, frozenset[str]]) -> frozenset[str]:
    """Return the variables that are assigned (not declared) anywhere in a node, in parentheses too.

    ``known`` keeps the answers, by the identity of the nodes, for the branches inside.
    """
    found = known.get(id(node))
    if found is None:
        found = frozenset[str]().union(*(assigned(part, known) for part in nodes.parts(node)))
        if isinstance(node, nodes.Pipe) and node.is_assignment:
            found = found.union(variable.name for variable in node.declarations)
        if isinstance(node, nodes.ListNode):
            known[id(node)] = found
    return found
