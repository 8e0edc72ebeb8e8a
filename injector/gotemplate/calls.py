"""Compile calls of functions and methods, with their arguments.

A call is evaluated at load where everything is known; else it becomes one of Python's own operators, or a
call when rendering. The rules are those of text/template's evalCall, evalArg and validateType.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from injector.gotemplate import nodes, types
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.code import (
    Computed,
    Constant,
    Expr,
    after,
    certain,
    derived_key,
    invoke,
    is_scalar,
    key_of,
    load,
    lookup,
    of_type,
    static_type,
    walrus,
)
from injector.gotemplate.fmt import format_value
from injector.gotemplate.functions import ExecutionError, Function, convert
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, StructType, Type
from injector.gotemplate.values import MISSING, Value, read, zero

_SELECTING = frozenset({"and", "or", "default", "coalesce", "ternary"})
"""Functions that return one of their arguments: given texts, they return a text."""


class Calls:
    """Compiles calls and their arguments.

    ``evaluate`` compiles an expression: an argument may be a whole pipeline. It is not called for literals,
    whose type depends on the parameter.
    """

    def __init__(self, scope: Scope, evaluate: Callable[[nodes.Operand], Expr]) -> None:
        self._scope = scope
        self._unit = scope.unit
        self._evaluate = evaluate

    # Arguments.

    def argument(self, target: Type, node: nodes.Operand) -> Expr:
        """Compile an argument for a parameter of type ``target``."""
        if isinstance(node, nodes.Nil):
            if not types.can_be_nil(target):
                return self._scope.failing(f"cannot assign nil to {target}", node)
            return Constant(value=MISSING if target.kind == "value" else zero(target))
        if isinstance(node, (nodes.Bool, nodes.String, nodes.NumberNode)):
            return literal_argument(self._scope, target, node)
        return self.validated(self._evaluate(node), target, last_node(node))

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

    def _given(self, function: Function, value: Expr) -> Expr:
        """Return an argument as a function is given it that may hand it on; others need no copy."""
        if function.result.kind not in {"interface", "map", "slice"} or not isinstance(value, Computed):
            return value
        return self._boxed(value) if isinstance(value.type, StructType) else value

    def _boxed(self, value: Computed) -> Computed:
        """Return a value as an interface{} holds it."""
        code = invoke("boxed", self._scope.load(value))
        declared = None if value.type is None else types.without_address(value.type)
        return replace(value, code=code, type=declared, path=None, key=derived_key("boxed", value))

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

    # Calls.

    def call(
        self,
        identifier: nodes.Identifier,
        node: nodes.Command | nodes.Identifier,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        """Compile a call: evaluated at load if the function is pure and all its arguments are known."""
        name = identifier.name
        builtin = name not in self._scope.data.functions
        function = BUILTINS[name] if builtin else self._scope.data.functions[name]
        message = _wrong_count(name, function, len(args), len(args) + (final is not None))
        if message:
            return self._scope.after_effects(final, self._scope.failing(message, identifier))
        if builtin and name in {"and", "or"}:
            return self._logical(name, args, final)
        given = [self._given(function, self.argument(function.param(i), arg)) for i, arg in enumerate(args)]
        effect = None
        if final is not None:
            effect, piped = self._scope.computed_first(final) if any(map(_may_fail, given)) else (None, final)
            where = last_node(args[-1]) if args else identifier
            given.append(self._given(function, self.validated(piped, function.param(len(args)), where)))
        if builtin and name == "len":
            given = [self._scope.strict(arg) for arg in given]
        if builtin and name == "call":
            given = [Constant(value=str(args[0]) if args else None), *given]
        if function.pure and all(isinstance(arg, Constant) for arg in given):
            folded = self._fold(name, function, given, node)
            if folded is not None:
                return folded
        result = self._call_at_run_time(name, function, given, node, builtin=builtin)
        return result if effect is None else replace(result, code=after(effect, result.code), fallible=True)

    def _fold(self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node) -> Expr | None:
        try:
            value = function.call(*[arg.value for arg in given if isinstance(arg, Constant)])
        except ExecutionError as error:
            return self._scope.failing(f"error calling {name}: {error}", node)
        if self._scope.data.mutating and not is_scalar(value):
            return None
        return Constant(value=value, interface=certain(function.result) is None)

    def _call_at_run_time(
        self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node, *, builtin: bool
    ) -> Computed:
        result = self._inlined(name, given) if builtin else None
        if result is None:
            key = self._call_key(name, function, given)
            result = self._again(key) or self._called(name, function, given, node, key)
        return result

    def _called(
        self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node, key: Hashable
    ) -> Computed:
        result = self._written_out(function, given) or self._invoked(name, function, given, node)
        text = function.text or self._stays_text(name, function, given)
        result = replace(result, text=text, key=key)
        if key is None:
            return result
        kept = self._unit.fresh("c_")
        self._unit.kept[kept] = 0
        self._scope.available[key] = replace(result, code=load(kept), fallible=False)
        return replace(result, code=walrus(kept, result.code))

    def _invoked(self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node) -> Computed:
        codes = [self._scope.load(arg) for arg in given]
        if function.needs_dot:
            codes.insert(0, self._scope.load(self._scope.bindings[0].expr))
        call = invoke(self._unit.bind(f"f_{name}_", function.call), *codes)
        result = of_type(_result(name, function, given), self._scope.positioned(call, node, name))
        returns_element = types.is_any(function.result) and any(map(_holds_structs, given))
        return self._boxed(result) if returns_element else result

    def _written_out(self, function: Function, given: Sequence[Expr]) -> Computed | None:
        """Return a Python operation that does the same as the function, if there is one."""
        if function.falls_back and len(given) == 2 and not _may_fail(given[0]):
            return self._second_or_first(*given)
        return self._looked_up(function.looks_up, *given) if function.looks_up else None

    def _second_or_first(self, first: Expr, second: Expr) -> Computed:
        code = ast.BoolOp(op=ast.Or(), values=[self._scope.load(second), self._scope.load(first)])
        kind = static_type(first)
        if kind in (types.STRING, types.BOOL) and kind is static_type(second):
            return Computed(code=code, type=kind, interface=True)
        return of_type(types.ANY, code)

    def _looked_up(self, field: str, owner: Expr, key: Expr, default: Expr) -> Computed | None:
        """Return a look-up in a map where nothing can fail: it follows no pointer, which might be nil."""
        if not (isinstance(key, Constant) and isinstance(default, Constant) and is_scalar(default.value)):
            return None
        if not isinstance(owner, Computed) or owner.path is None or not isinstance(owner.type, StructType):
            return None
        texts = Computed(code=load(""), type=types.MAP_STRING, path=(*owner.path, field))
        other = ast.Constant(value=format_value(default.value))
        code = lookup(self._scope.load(texts), ast.Constant(value=key.value), other)
        return Computed(code=code, type=types.STRING, fallible=False)

    def _call_key(self, name: str, function: Function, given: Sequence[Expr]) -> Hashable:
        """Return a key that is equal for equal calls, None if their results may differ."""
        keys = tuple(key_of(arg) for arg in given)
        return None if None in keys or not function.pure or self._scope.data.mutating else (name, keys)

    def _again(self, key: Hashable) -> Computed | None:
        """Return the value of an equal call if it has certainly been computed before."""
        earlier = self._scope.available.get(key)
        if earlier is not None and isinstance(earlier.code, ast.Name):
            self._unit.kept[earlier.code.id] += 1
            return replace(earlier, code=load(earlier.code.id))
        return earlier

    def _stays_text(self, name: str, function: Function, given: Sequence[Expr]) -> bool:
        keeps = function.result.kind in {"string", "slice"} or name in _SELECTING
        computed = [arg for arg in given if not isinstance(arg, Constant)]
        return keeps and bool(computed) and _are_texts(computed)

    def _inlined(self, name: str, given: Sequence[Expr]) -> Computed | None:
        """Return Python's own operators where the types make them mean the same."""
        fallible = any(_may_fail(arg) for arg in given)
        if name == "not":
            code: ast.expr = ast.UnaryOp(op=ast.Not(), operand=self._scope.load(given[0]))
            return Computed(code=code, type=types.BOOL, fallible=fallible)
        if len(given) != 2:
            return None
        first, second = static_type(given[0]), static_type(given[1])
        if name in {"eq", "ne"} and first is second and first in (types.STRING, types.BOOL):
            operator = ast.Eq() if name == "eq" else ast.NotEq()
            code = ast.Compare(
                left=self._scope.load(given[0]), ops=[operator], comparators=[self._scope.load(given[1])]
            )
            return Computed(code=code, type=types.BOOL, fallible=fallible)
        is_lookup = first is not None and types.identical(first, types.MAP_STRING) and second is types.STRING
        if name == "index" and is_lookup:
            code = lookup(self._scope.load(given[0]), self._scope.load(given[1]), ast.Constant(value=""))
            key = self._call_key(name, BUILTINS[name], given)
            return Computed(code=code, type=types.STRING, fallible=fallible, key=key)
        return None

    def _logical(self, name: str, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """``and``, ``or``: the first argument that decides, else the last one."""
        effect, final = self._scope.computed_first(final) if args else (None, final)
        operands: list[Expr] = []
        last = len(args) - (final is None)
        available, may_be_skipped = self._scope.available, self._scope.may_be_skipped
        size = len(self._scope.bindings)
        for index in range(last + 1):
            self._scope.available = dict(available) if operands else available
            self._scope.may_be_skipped = may_be_skipped or bool(operands)
            operand = self.argument(types.VALUE, args[index]) if index < len(args) else final
            assert operand is not None  # noqa: S101 - final is there when there is one operand more
            if isinstance(operand, Constant) and bool(operand.value) == (name == "or"):
                operands.append(operand)
                break
            if not isinstance(operand, Constant) or index == last:
                operands.append(operand)
        self._scope.available, self._scope.may_be_skipped = available, may_be_skipped
        result = operands[0] if len(operands) == 1 else self._boolean(name, operands)
        effect = self._bound_in_any_case(size, effect)
        if effect is None:
            return result
        return Computed(
            code=after(effect, self._scope.load(result)), missable=True, nilable=True, interface=True
        )

    def _bound_in_any_case(self, size: int, effect: ast.expr | None) -> ast.expr | None:
        """Return ``effect``, and then what the variables after the first ``size`` are until declared.

        An operand that is not evaluated declares nothing: then the outer variable of that name is meant.
        """
        for index, binding in enumerate(self._scope.bindings[size:], size):
            if isinstance(binding.expr, Computed) and isinstance(binding.expr.code, ast.Name):
                outer = next(
                    (each for each in reversed(self._scope.bindings[:index]) if each.name == binding.name),
                    None,
                )
                before = self._scope.load(Constant(value=MISSING) if outer is None else outer.expr)
                bound = walrus(binding.expr.code.id, before)
                effect = bound if effect is None else after(effect, bound)
        return effect

    def _boolean(self, name: str, operands: Sequence[Expr]) -> Computed:
        operator = ast.And() if name == "and" else ast.Or()
        kinds = {static_type(operand) for operand in operands}
        return Computed(
            code=ast.BoolOp(op=operator, values=[self._scope.load(operand) for operand in operands]),
            type=kinds.pop() if len(kinds) == 1 else None,
            interface=True,
            text=_are_texts(operand for operand in operands if not isinstance(operand, Constant)),
            fallible=any(_may_fail(operand) for operand in operands),
            missable=True,
            nilable=True,
            unwrapped=True,
        )


def _are_texts(values: Iterable[Expr]) -> bool:
    return all(isinstance(value, Computed) and value.text for value in values)


def _result(name: str, function: Function, given: Sequence[Expr]) -> Type:
    """Return the type that a call has; of ``index`` it is that of the elements, where that is known."""
    if name == "index" and function is BUILTINS[name] and len(given) == 2:
        declared = static_type(given[0])
        if declared is not None and declared.kind == "slice" and declared.elem is not None:
            return declared.elem
    return function.result


def _holds_structs(expr: Expr) -> bool:
    declared = static_type(expr)
    return declared is not None and declared.kind == "slice" and isinstance(declared.elem, StructType)


def _may_fail(expr: Expr) -> bool:
    return isinstance(expr, Computed) and expr.fallible


def _wrong_count(name: str, function: Function, written: int, given: int) -> str:
    """Return the error about the number of arguments, "" when it is right."""
    want = len(function.params) - function.variadic
    if function.variadic and given < want:
        return f"wrong number of args for {name}: want at least {want} got {written}"
    if not function.variadic and given != want:
        return f"wrong number of args for {name}: want {want} got {given}"
    return ""


# Literals.


def literal(scope: Scope, node: nodes.Operand) -> Expr:
    """Return a literal with the type of its spelling."""
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
    """Return a literal as an argument for a parameter of type ``target``."""
    if types.is_any(target) or target.kind == "value":
        return literal(scope, node)
    wanted, value = _of_kind(target, node)
    if not wanted:
        return scope.failing(f"can't handle {node} for arg of type {target}", node)
    if value is None:
        return scope.failing(f"expected {wanted}; found {node}", node)
    return Constant(value=value)


_NUMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "complex128": ("complex", "as_complex"),
    **dict.fromkeys(FLOAT_KINDS, ("float", "as_float")),
    **dict.fromkeys(INTEGER_KINDS, ("integer", "as_int")),
    **dict.fromkeys(UNSIGNED_KINDS, ("unsigned integer", "as_uint")),
}
"""For each kind of parameter: what it expects, and the attribute of a NumberNode that has it."""


def _of_kind(target: Type, node: nodes.Operand) -> tuple[str, Value]:
    """Return what a parameter expects ("": it takes no literal), and the value (None: of another kind)."""
    if target.kind == "bool":
        return "bool", node.value if isinstance(node, nodes.Bool) else None
    if target.kind == "string":
        return "string", read(target, node.text) if isinstance(node, nodes.String) else None
    wanted, attribute = _NUMBERS.get(target.kind, ("", ""))
    value = getattr(node, attribute, None)
    return wanted, value if value is None or isinstance(value, complex) else read(target, value)
