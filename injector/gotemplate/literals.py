"""Literals of a template to values: of the type that their spelling says, or that a parameter wants."""

from __future__ import annotations

from injector.gotemplate import nodes, types
from injector.gotemplate.code import Constant, Expr
from injector.gotemplate.scope import Scope
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, Type
from injector.gotemplate.values import Value, read


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
