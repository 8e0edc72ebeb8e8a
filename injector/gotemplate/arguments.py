"""Literals of a template, and arguments of functions and methods as the parameter's type takes them.

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
from injector.gotemplate.functions import ExecutionError, convert
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, Type
from injector.gotemplate.values import MISSING, Value, read, zero


def literal(scope: Scope, node: nodes.Operand) -> Expr:
    """Return a literal as the type that its spelling says."""
    if isinstance(node, nodes.Bool):
        return Constant(value=node.value)
    if isinstance(node, nodes.String):
        return Constant(value=node.text)
    assert isinstance(node, nodes.NumberNode)  # noqa: S101 - the other operands are handled by the callers
    return _number(scope, node)


def _number(scope: Scope, node: nodes.NumberNode) -> Expr:
    if node.as_complex is not None:
        return Constant(value=node.as_complex)
    is_hexadecimal = node.text[:2] in {"0x", "0X"} and not set("pP") & set(node.text)
    is_rune = node.text.startswith("'")
    if node.as_float is not None and not is_hexadecimal and not is_rune and set(".eEpP") & set(node.text):
        return Constant(value=node.as_float)
    if node.as_int is not None:
        return Constant(value=node.as_int)
    return scope.failing(f"{node.text} overflows int", node)


def literal_argument(scope: Scope, target: Type, node: nodes.Operand) -> Expr:
    """Return a literal as a parameter of type ``target`` takes it."""
    if types.is_any(target) or target.kind == "value":
        return literal(scope, node)
    wanted, value = _of_kind(target, node)
    if not wanted:
        return scope.failing(f"can't handle {node} for arg of type {target}", node)
    if value is None:
        return scope.failing(f"expected {wanted}; found {node}", node)
    return Constant(value=value)


def _of_kind(  # noqa: PLR0911 - one case a kind
    target: Type, node: nodes.Operand
) -> tuple[str, Value]:
    """Return what a parameter wants, "" if no literal is one, and the value, None if of another kind."""
    number = node if isinstance(node, nodes.NumberNode) else None
    if target.kind == "bool":
        return "bool", node.value if isinstance(node, nodes.Bool) else None
    if target.kind == "string":
        return "string", read(target, node.text) if isinstance(node, nodes.String) else None
    if target.kind == "complex128":
        return "complex", number.as_complex if number else None
    if target.kind in FLOAT_KINDS:
        return "float", number.as_float if number else None
    if target.kind in INTEGER_KINDS:
        fits = number is not None and number.as_int is not None
        return "integer", read(target, number.as_int) if fits and number else None
    if target.kind in UNSIGNED_KINDS:
        fits = number is not None and number.as_uint is not None
        return "unsigned integer", read(target, number.as_uint) if fits and number else None
    return "", None


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
