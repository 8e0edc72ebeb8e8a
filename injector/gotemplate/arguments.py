"""Arguments of functions and methods, checked against the parameter's type and converted to it.

The rules are those of text/template's evalArg and validateType.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from injector.gotemplate import nodes, types
from injector.gotemplate.code import (
    Computed,
    Constant,
    Expr,
    certain,
    derived_key,
    invoke,
    load,
)
from injector.gotemplate.errors import ExecutionError
from injector.gotemplate.functions import convert
from injector.gotemplate.literals import literal_argument
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.types import Type
from injector.gotemplate.values import MISSING, zero

Evaluate = Callable[[nodes.Operand], Expr | None]
"""Evaluates an operand, None for a literal: what that is depends on the parameter."""


class Arguments:
    """Compiles arguments. ``evaluate`` leads back to expressions: an argument may be a whole pipeline."""

    def __init__(self, scope: Scope, evaluate: Evaluate) -> None:
        self._scope = scope
        self._evaluate = evaluate

    def argument(self, target: Type, node: nodes.Operand) -> Expr:
        """Evaluate an argument for a parameter of type ``target``."""
        if isinstance(node, nodes.Nil):
            if not types.can_be_nil(target):
                return self._scope.failing(f"cannot assign nil to {target}", node)
            return Constant(value=MISSING if target.kind == "value" else zero(target))
        value = self._evaluate(node)
        if value is not None:
            return self.validated(value, target, last_node(node))
        return literal_argument(self._scope, target, node)

    def validated(self, value: Expr, target: Type, where: nodes.Node) -> Expr:
        """Return a value as an argument of type ``target``."""
        if target.kind == "value":
            return value
        if isinstance(value, Constant):
            try:
                return Constant(value=convert(value.value, target))
            except ExecutionError as error:
                return self._scope.failing(str(error), where)
        if isinstance(value, Computed):
            if types.is_any(target):
                return self._as_interface(value)
            if value.type is not None and types.assignable(value.type, target):
                return value
        return self._converted(self._scope.strict(value), target, where)

    def _as_interface(self, value: Computed) -> Computed:
        if not value.missable:
            return value
        code = invoke("nil_if_missing", self._scope.load(value))
        key = derived_key("interface", value)
        return replace(value, code=code, missable=False, nilable=True, path=None, key=key)

    def _converted(self, value: Expr, target: Type, where: nodes.Node) -> Computed:
        if target is types.STRING:
            code = invoke("string_argument", self._scope.load(value))
        else:
            code = invoke("convert", self._scope.load(value), load(self._scope.unit.bind("t_", target)))
        text = isinstance(value, Computed) and value.text
        return Computed(
            code=self._scope.positioned(code, where),
            type=certain(target),
            text=text,
            key=derived_key(target.name, value),
        )
