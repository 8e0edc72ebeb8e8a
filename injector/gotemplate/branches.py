"""``if`` and ``with``: one branch where the condition is known, else Python's ``if``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from injector.gotemplate import nodes
from injector.gotemplate.code import Constant, Dot, Expr, load, walrus
from injector.gotemplate.output import Branch, Output
from injector.gotemplate.scope import Scope
from injector.gotemplate.variables import Variables

Compile = Callable[[nodes.ListNode], bool]
"""Compiles a body: leads back to statements, which may have branches and loops again."""


class Branches:
    """Compiles ``if`` and ``with``; ``compile_body`` compiles what stands in them."""

    def __init__(self, scope: Scope, output: Output, variables: Variables, compile_body: Compile) -> None:
        self._scope = scope
        self._output = output
        self._variables = variables
        self._compile = compile_body

    def if_(self, node: nodes.If) -> bool:
        """Compile ``if``: one branch where the condition is known."""
        with self._scope.inside():
            value = self._variables.evaluate(node.pipe)
            body, otherwise = node.body, node.otherwise
            if self._is_true_dot(value):
                return self._compile(body)
            if isinstance(value, Constant):
                chosen = body if value.value else otherwise
                return chosen is None or self._compile(chosen)
            self._variables.settle(body, otherwise)
            test = self._scope.load(value)
            return self._output.branch(test, lambda: self._arm(body), self.otherwise(otherwise))

    def with_(self, node: nodes.With) -> bool:
        """Compile ``with``: an ``if`` that moves the dot."""
        with self._scope.inside():
            value = self._variables.evaluate(node.pipe)
            body, otherwise = node.body, node.otherwise
            if self._is_true_dot(value) or (isinstance(value, Constant) and value.value):
                return self._arm(body, value)
            if isinstance(value, Constant):
                return otherwise is None or self._compile(otherwise)
            self._variables.settle(body, otherwise)
            if isinstance(value, Dot) or value.path is not None or not value.fallible:
                test, dot = self._scope.load(value), value
            else:
                name = self._scope.unit.fresh("d_")
                test = walrus(name, self._scope.load(value))
                dot = replace(
                    value,
                    code=load(name),
                    fallible=False,
                    nilable=False,
                    missable=False,
                    key=value.key or ("local", name),
                )
            return self._output.branch(test, lambda: self._arm(body, dot), self.otherwise(otherwise))

    def otherwise(self, body: nodes.ListNode | None) -> Branch | None:
        """Return what compiles the body after ``else``, None where there is none."""
        return None if body is None else lambda: self._arm(body)

    def _is_true_dot(self, value: Expr) -> bool:
        """Return whether the data is certainly true: a struct, or a map with a key known to be in it."""
        data = self._scope.data
        return isinstance(value, Dot) and (data.dot_type is not None or bool(data.known))

    def _arm(self, body: nodes.ListNode, dot: Expr | None = None) -> bool:
        with self._scope.inside(dot):
            return self._compile(body)
