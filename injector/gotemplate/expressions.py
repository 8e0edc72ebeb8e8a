"""Pipelines and operands to expressions, computed at once where everything in them is known. Knows no output.

The rules and the places of errors are those of text/template's evalPipeline, evalCommand, evalField, evalCall
and evalArg.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from injector.gotemplate import nodes, runtime, types
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.code import (
    Dynamic,
    Expr,
    Fault,
    Known,
    Root,
    Unit,
    after,
    certain,
    invoke,
    is_scalar,
    key_of,
    load,
    method,
    static_type,
    walrus,
)
from injector.gotemplate.errors import ExecutionError
from injector.gotemplate.functions import Function, convert
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, Method, StructType, Type
from injector.gotemplate.values import MISSING, Value, read, zero

_AnyExpr = TypeVar("_AnyExpr", Expr, Expr | None)

_SELECTING = frozenset({"and", "or", "default", "coalesce", "ternary"})
"""Functions that return one of their arguments: of texts, a text."""


@dataclass(slots=True)
class Binding:
    """A variable in sight. ``local``: the Python variable that holds it, if it is assigned conditionally."""

    name: str
    expr: Expr
    local: str = ""


@dataclass(slots=True)
class Data:
    """The data that a text is compiled for.

    ``known`` fields have their values; ``dot_type`` is the struct that the dot points to, None for a map.
    ``paths`` collects the fields to read before the template starts; ``root_used`` whether the whole dot is
    needed.
    """

    known: Mapping[str, Value]
    dot_type: StructType | None
    functions: Mapping[str, Function]
    mutating: bool
    paths: dict[tuple[str, ...], str] = field(default_factory=dict)
    root_used: bool = False


def last_node(node: nodes.Node) -> nodes.Node:
    """Return the node that is looked at last when ``node`` is evaluated: where a bad value is reported."""
    if isinstance(node, nodes.Pipe):
        return last_node(node.commands[-1])
    if isinstance(node, nodes.Command):
        if len(node.args) > 1 and isinstance(node.args[0], nodes.Identifier):
            return last_node(node.args[-1])
        return last_node(node.args[0])
    if isinstance(node, nodes.Chain):
        return last_node(node.term)
    return node


class Expressions:
    """Compiles the expressions of one template, in the scope that its statements keep."""

    def __init__(self, unit: Unit, data: Data, template: str, dot: Expr) -> None:
        self.unit = unit
        self.data = data
        self.template_name = template
        self.dot = dot
        self.bindings = [Binding("$", dot)]
        self.available: dict[Hashable, Dynamic] = {}

    # Code.

    def load(self, expr: Expr) -> ast.expr:
        """Return code for a value."""
        if isinstance(expr, Known):
            return self.unit.constant(expr.value)
        if isinstance(expr, Root):
            self.data.root_used = True
            return load("root")
        return self._load_path(expr.path) if expr.path is not None else expr.code

    def _load_path(self, path: tuple[str, ...]) -> ast.expr:
        if path not in self.data.paths:
            if len(path) > 1:
                self._load_path(path[:-1])
            self.data.paths[path] = self.unit.fresh("h_")
        return load(self.data.paths[path])

    def strict(self, expr: Expr) -> Expr:
        """Return an expression in which None and MISSING are told apart."""
        if isinstance(expr, Dynamic) and expr.unwrapped and expr.nilable:
            code = invoke("unwrap", self.load(expr))
            key = _derived("unwrapped", expr)
            return replace(expr, code=code, nilable=False, missable=True, path=None, key=key)
        return expr

    def failing(self, message: str, node: nodes.Node) -> Dynamic:
        """Return an expression that raises when it is reached."""
        code = invoke("fail", ast.Constant(value=message))
        placed = self.unit.place(code, node, self.template_name)
        self.unit.faults.append(Fault(site=self.unit.sites[-1], message=message))
        return Dynamic(code=placed, missable=True)

    # Pipelines.

    def pipeline(self, pipe: nodes.Pipe) -> Expr:
        """Evaluate a pipeline and its declarations."""
        value = self.commands(pipe, pipe.commands)
        assert value is not None  # noqa: S101 - a pipeline has a command
        for variable in pipe.declarations:
            value = self.set_variable(variable, value, pipe)
        return value

    def commands(self, pipe: nodes.Pipe, commands: Sequence[nodes.Command]) -> Expr | None:
        """Evaluate commands of a pipe, each with the value of the one before as its last argument."""
        value: Expr | None = None
        where: nodes.Node = pipe
        for command in commands:
            value = self._unwrapped(self.command(command, value, where))
            where = last_node(command)
        return value

    def _unwrapped(self, expr: Expr) -> Expr:
        if isinstance(expr, Known):
            return Known(value=MISSING if expr.value is None else expr.value)
        if isinstance(expr, Root):
            return expr
        return replace(expr, interface=False, unwrapped=True)

    def set_variable(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Declare or assign inside an expression; statements that are pipelines do it without a walrus."""
        if not pipe.is_assignment:
            if isinstance(value, Dynamic):
                name = self.unit.fresh("v_")
                value = self._kept(name, value)
                self.bindings.append(Binding(variable.name, replace(value, code=load(name), fallible=False)))
            else:
                self.bindings.append(Binding(variable.name, value))
            return value
        binding = self.find(variable.name)
        if binding is None:
            return self.failing(f"undefined variable: {variable.name}", last_node(pipe))
        if binding.local:
            return self._kept(binding.local, self.strict(value))
        binding.expr = value
        return value

    def _kept(self, name: str, value: Expr) -> Dynamic:
        strict = self.strict(value)
        code = walrus(name, self.load(strict))
        if isinstance(strict, Dynamic):
            return replace(strict, code=code, path=None)
        return Dynamic(code=code, missable=True, fallible=False)

    def find(self, name: str) -> Binding | None:
        """Return the innermost variable of a name."""
        return next((binding for binding in reversed(self.bindings) if binding.name == name), None)

    # Commands.

    def command(self, command: nodes.Command, final: Expr | None, where: nodes.Node) -> Expr:
        """Evaluate a command; ``final`` is the value piped into it, ``where`` what was looked at before."""
        first, *args = command.args
        if isinstance(first, nodes.FieldNode):
            return self.chain(self.dot, first.names, first, args, final)
        if isinstance(first, nodes.Chain):
            return self.chain_node(first, args, final)
        if isinstance(first, nodes.Identifier):
            return self.call(first, command, args, final)
        if isinstance(first, nodes.Variable) and first.fields:
            return self.variable(first, args, final)
        if args or final is not None:
            place = where if isinstance(first, nodes.Pipe) else first
            failing = self.failing(f"can't give argument to non-function {first}", place)
            return self._after_effects(final, failing)
        return self._simple(first)

    def _simple(self, first: nodes.Operand) -> Expr:
        if isinstance(first, nodes.Pipe):
            return self.pipeline(first)
        if isinstance(first, nodes.Variable):
            return self.variable(first, (), None)
        if isinstance(first, nodes.Dot):
            return self.dot
        if isinstance(first, nodes.Nil):
            return self.failing("nil is not a command", first)
        return self._constant(first)

    def _constant(self, node: nodes.Operand) -> Expr:
        if isinstance(node, nodes.Bool):
            return Known(value=node.value)
        if isinstance(node, nodes.String):
            return Known(value=node.text)
        assert isinstance(node, nodes.Number)  # noqa: S101 - the other constants are handled by the callers
        return self._number(node)

    def _number(self, node: nodes.Number) -> Expr:
        """Return a number as the type that its spelling says."""
        if node.as_complex is not None:
            return Known(value=node.as_complex)
        is_hexadecimal = node.text[:2] in {"0x", "0X"} and not set("pP") & set(node.text)
        is_rune = node.text.startswith("'")
        if node.as_float is not None and not is_hexadecimal and not is_rune and set(".eEpP") & set(node.text):
            return Known(value=node.as_float)
        if node.as_int is not None:
            return Known(value=node.as_int)
        return self.failing(f"{node.text} overflows int", node)

    def variable(self, node: nodes.Variable, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Evaluate ``$x`` or ``$x.A.B``."""
        binding = self.find(node.name)
        if binding is None:
            return self.failing(f"undefined variable: {node.name}", node)
        if not node.fields:
            return binding.expr
        return self.chain(binding.expr, node.fields, node, args, final)

    def chain_node(self, node: nodes.Chain, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Evaluate ``(pipeline).A.B`` or ``function.A``."""
        if isinstance(node.term, nodes.Identifier):
            receiver = self.call(node.term, node.term, (), None)
        else:
            assert isinstance(node.term, nodes.Pipe)  # noqa: S101 - the parser makes no other chains
            receiver = self.pipeline(node.term)
        return self.chain(receiver, node.fields, last_node(node), args, final)

    # Fields and methods.

    def chain(
        self,
        receiver: Expr,
        names: Sequence[str],
        node: nodes.Node,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        """Evaluate fields one after the other; the last may be a method that takes arguments."""
        *path, last = names
        for place, name in enumerate(path):
            step = self._field(receiver, name, node)
            if step is None:
                rest = path[place:] if args or final is not None else names[place:]
                receiver = self._fields_at_run_time(receiver, rest, node)
                break
            receiver = step
        else:
            if not args and final is None:
                step = self._field(receiver, last, node)
                return step if step is not None else self._fields_at_run_time(receiver, (last,), node)
        if not args and final is None:
            return receiver
        return self._with_arguments(receiver, last, node, args, final)

    def _field(  # noqa: PLR0911 - one case a kind of receiver
        self, receiver: Expr, name: str, node: nodes.Node
    ) -> Expr | None:
        """Take a field now if its value or at least its type is known; None leaves it to run time."""
        if isinstance(receiver, Root):
            return self._root_field(name, node)
        if isinstance(receiver, Known):
            return self._known_field(receiver, name, node)
        if receiver.type is None:
            return None
        found = receiver.type.methods.get(name)
        if found is not None:
            return self._method(receiver, found, name, node)
        if isinstance(receiver.type, StructType):
            return self._struct_field(receiver, receiver.type, name, node)
        if receiver.type.kind == "pointer" and isinstance(receiver.type.elem, StructType):
            return self._pointed_field(receiver, receiver.type.elem, name, node)
        if receiver.type.kind == "map" and types.identical(receiver.type, types.MAP_STRING):
            code = method(self.load(receiver), "get", ast.Constant(value=name), self.unit.constant(MISSING))
            return Dynamic(code=code, missable=True, fallible=receiver.fallible)
        return None

    def _root_field(self, name: str, node: nodes.Node) -> Expr:
        if name in self.data.known:
            declared = self.data.dot_type.field_type(name) if self.data.dot_type is not None else types.ANY
            interface = declared is None or certain(declared) is None
            return Known(value=self.data.known[name], interface=interface)
        if self.data.dot_type is None:
            return Dynamic(
                code=load(""), interface=True, fallible=False, missable=True, nilable=True, path=(name,)
            )
        declared = self.data.dot_type.field_type(name)
        if declared is None:
            shown = types.pointer_to(self.data.dot_type)
            return self.failing(f"can't evaluate field {name} in type {shown}", node)
        return self._typed_path((name,), declared)

    def _typed_path(self, path: tuple[str, ...], declared: Type) -> Dynamic:
        known = certain(declared)
        return Dynamic(
            code=load(""),
            type=known,
            interface=known is None,
            fallible=False,
            nilable=known is None,
            path=path,
        )

    def _known_field(self, receiver: Known, name: str, node: nodes.Node) -> Expr:
        try:
            value, declared = runtime.field(
                receiver.value, name, types.ANY if receiver.interface is True else None, ()
            )
        except ExecutionError as error:
            return self.failing(str(error), node)
        return Known(value=value, interface=declared is not None and certain(declared) is None)

    def _struct_field(self, receiver: Dynamic, declared: StructType, name: str, node: nodes.Node) -> Expr:
        target = declared.field_type(name)
        if target is None:
            failing = self.failing(f"can't evaluate field {name} in type {declared}", node)
            return self._after_effects(receiver, failing)
        if receiver.path is not None:
            return self._typed_path((*receiver.path, name), target)
        code = method(self.load(receiver), "get", ast.Constant(value=name))
        known = certain(target)
        return Dynamic(
            code=code,
            type=known,
            interface=known is None,
            fallible=receiver.fallible,
            nilable=known is None,
        )

    def _pointed_field(
        self, receiver: Dynamic, declared: StructType, name: str, node: nodes.Node
    ) -> Expr | None:
        """Take a field through a pointer, which may be nil."""
        target = declared.field_type(name)
        if target is None:
            return None
        code = invoke("through", self.load(receiver), ast.Constant(value=name))
        known = certain(target)
        key = key_of(receiver)
        return Dynamic(
            code=self.unit.place(code, node, self.template_name),
            type=known,
            interface=known is None,
            nilable=known is None,
            key=None if key is None else ("field", key, name),
        )

    def _after_effects(self, before: Expr | None, result: Dynamic) -> Dynamic:
        """Return ``result``, computed after something that may raise."""
        if not isinstance(before, Dynamic) or not before.fallible:
            return result
        return replace(result, code=after(self.load(before), result.code))

    def _method(self, receiver: Dynamic, found: Method, name: str, node: nodes.Node) -> Expr:
        if found.params:
            message = f"wrong number of args for {name}: want {len(found.params)} got 0"
            return self._after_effects(receiver, self.failing(message, node))
        code = invoke(self.unit.bind("m_", found.call), self.load(receiver))
        known = certain(found.result)
        return Dynamic(
            code=self.unit.place(code, node, self.template_name, name),
            type=known,
            interface=known is None,
            nilable=known is None,
        )

    def _fields_at_run_time(self, receiver: Expr, names: Sequence[str], node: nodes.Node) -> Dynamic:
        strict = self.strict(receiver)
        code = invoke(
            "fields",
            self.load(strict),
            ast.Tuple(elts=[ast.Constant(value=name) for name in names], ctx=ast.Load()),
            self._origin(strict),
        )
        placed = self.unit.place(code, node, self.template_name)
        return Dynamic(code=placed, interface=True, missable=True, nilable=True)

    def _origin(self, receiver: Expr) -> ast.expr:
        """Return code that tells whether a value was found in an interface{}."""
        if isinstance(receiver, Dynamic) and isinstance(receiver.interface, str):
            self.unit.kept[receiver.interface] += 1
            return load(receiver.interface)
        return ast.Constant(value=not isinstance(receiver, Root) and receiver.interface)

    def _with_arguments(
        self,
        receiver: Expr,
        name: str,
        node: nodes.Node,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        strict = self.strict(receiver)
        found = self._method_of(strict, name)
        params = found.params if found is not None else ()
        effect, final = self._computed_first(final)
        given = [
            self.argument(params[place] if place < len(params) else types.ANY, arg)
            for place, arg in enumerate(args)
        ]
        if final is not None:
            given.append(final)
        codes = [self.load(self.strict(arg)) for arg in given]
        code = invoke(
            "field_or_method",
            self.load(strict),
            ast.Constant(value=name),
            self._origin(strict),
            *codes,
        )
        placed = self.unit.place(code, node, self.template_name, name)
        whole = placed if effect is None else after(effect, placed)
        return Dynamic(code=whole, interface=True, missable=True, nilable=True)

    def _method_of(self, receiver: Expr, name: str) -> Method | None:
        declared = static_type(receiver)
        return declared.methods.get(name) if declared is not None else None

    # Calls.

    def call(
        self,
        identifier: nodes.Identifier,
        node: nodes.Command | nodes.Identifier,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        """Call a function: at once if it is pure and everything it is given is known."""
        name = identifier.name
        builtin = name not in self.data.functions
        function = BUILTINS[name] if builtin else self.data.functions[name]
        message = _wrong_count(name, function, len(args), len(args) + (final is not None))
        if message:
            return self._after_effects(final, self.failing(message, identifier))
        if builtin and name in {"and", "or"}:
            return self._logical(name, args, final)
        given = [self.argument(function.param(place), arg) for place, arg in enumerate(args)]
        piped = None
        if final is not None:
            where = last_node(args[-1]) if args else identifier
            piped = self.validated(final, function.param(len(args)), where)
            given.append(piped)
        if builtin and name == "len":
            given = [self.strict(arg) for arg in given]
        if builtin and name == "call":
            given = [Known(value=str(args[0]) if args else None), *given]
        if function.pure and all(isinstance(arg, Known) for arg in given):
            folded = self._fold(name, function, given, node)
            if folded is not None:
                return folded
        return self._call_at_run_time(name, function, given, piped, node, builtin=builtin)

    def _computed_first(self, value: _AnyExpr) -> tuple[ast.expr | None, _AnyExpr]:
        """Return code that computes a piped value before what it is piped into, and the value kept."""
        if not isinstance(value, Dynamic) or not value.fallible:
            return None, value
        kept = self.unit.fresh("p_")
        effect = walrus(kept, self.load(value))
        return effect, replace(value, code=load(kept), fallible=False, path=None)

    def _fold(self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node) -> Expr | None:
        try:
            value = function.call(*[arg.value for arg in given if isinstance(arg, Known)])
        except ExecutionError as error:
            return self.failing(f"error calling {name}: {error}", node)
        if self.data.mutating and not is_scalar(value):
            return None
        return Known(value=value, interface=certain(function.result) is None)

    def _call_at_run_time(
        self,
        name: str,
        function: Function,
        given: Sequence[Expr],
        piped: Expr | None,
        node: nodes.Node,
        *,
        builtin: bool,
    ) -> Expr:
        effect = None
        if piped is not None and any(_may_fail(arg) for arg in given[:-1]):
            effect, kept = self._computed_first(piped)
            given = [*given[:-1], kept]
        result = self._inlined(name, given) if builtin else None
        if result is None:
            key = self._call_key(name, function, given)
            result = self._again(key) or self._called(name, function, given, node, key)
        return result if effect is None else replace(result, code=after(effect, result.code), fallible=True)

    def _called(
        self, name: str, function: Function, given: Sequence[Expr], node: nodes.Node, key: Hashable
    ) -> Dynamic:
        codes = [self.load(arg) for arg in given]
        if function.needs_dot:
            codes.insert(0, self.load(self.bindings[0].expr))
        call = invoke(self.unit.bind(f"f_{name}_", function.call), *codes)
        known = certain(function.result)
        result = Dynamic(
            code=self.unit.place(call, node, self.template_name, name),
            type=known,
            interface=known is None,
            nilable=known is None,
            text=function.text or self._stays_text(name, function, given),
            key=key,
        )
        if key is None:
            return result
        kept = self.unit.fresh("c_")
        self.unit.kept[kept] = 0
        self.available[key] = replace(result, code=load(kept), fallible=False)
        return replace(result, code=walrus(kept, result.code))

    def _call_key(self, name: str, function: Function, given: Sequence[Expr]) -> Hashable:
        """Return what makes two calls the same call, None if they may differ."""
        keys = tuple(key_of(arg) for arg in given)
        return None if None in keys or not function.pure or self.data.mutating else (name, keys)

    def _again(self, key: Hashable) -> Dynamic | None:
        """Return the value of the same call if it has certainly been computed before."""
        known = self.available.get(key)
        if known is not None and isinstance(known.code, ast.Name):
            self.unit.kept[known.code.id] += 1
            return replace(known, code=load(known.code.id))
        return known

    def _stays_text(self, name: str, function: Function, given: Sequence[Expr]) -> bool:
        unknown = [arg for arg in given if not isinstance(arg, Known)]
        keeps = function.result.kind in {"string", "slice"} or name in _SELECTING
        return keeps and all(isinstance(arg, Dynamic) and arg.text for arg in unknown) and bool(unknown)

    def _inlined(self, name: str, given: Sequence[Expr]) -> Dynamic | None:
        """Return Python's own operators where the types make them mean the same."""
        fallible = any(_may_fail(arg) for arg in given)
        if name == "not":
            code: ast.expr = ast.UnaryOp(op=ast.Not(), operand=self.load(given[0]))
            return Dynamic(code=code, type=types.BOOL, fallible=fallible)
        if len(given) != 2:
            return None
        first, second = static_type(given[0]), static_type(given[1])
        if name in {"eq", "ne"} and first is second and first in (types.STRING, types.BOOL):
            operator = ast.Eq() if name == "eq" else ast.NotEq()
            code = ast.Compare(left=self.load(given[0]), ops=[operator], comparators=[self.load(given[1])])
            return Dynamic(code=code, type=types.BOOL, fallible=fallible)
        is_lookup = first is not None and types.identical(first, types.MAP_STRING) and second is types.STRING
        if name == "index" and is_lookup:
            code = method(self.load(given[0]), "get", self.load(given[1]), ast.Constant(value=""))
            key = self._call_key(name, BUILTINS[name], given)
            return Dynamic(code=code, type=types.STRING, fallible=fallible, key=key)
        return None

    def _logical(self, name: str, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """``and``, ``or``: the first argument that decides, else the last one."""
        effect, final = self._computed_first(final) if args else (None, final)
        operands: list[Expr] = []
        last = len(args) - (final is None)
        available = self.available
        for place in range(last + 1):
            self.available = dict(available) if operands else available
            operand = self.argument(types.VALUE, args[place]) if place < len(args) else final
            assert operand is not None  # noqa: S101 - final is there when there is one operand more
            if isinstance(operand, Known) and bool(operand.value) == (name == "or"):
                operands.append(operand)
                break
            if not isinstance(operand, Known) or place == last:
                operands.append(operand)
        self.available = available
        result = operands[0] if len(operands) == 1 else self._boolean(name, operands)
        if effect is None:
            return result
        return Dynamic(code=after(effect, self.load(result)), missable=True, nilable=True, interface=True)

    def _boolean(self, name: str, operands: Sequence[Expr]) -> Dynamic:
        operator = ast.And() if name == "and" else ast.Or()
        kinds = {static_type(operand) for operand in operands}
        unknown = [operand for operand in operands if not isinstance(operand, Known)]
        return Dynamic(
            code=ast.BoolOp(op=operator, values=[self.load(operand) for operand in operands]),
            type=kinds.pop() if len(kinds) == 1 else None,
            interface=True,
            text=all(isinstance(operand, Dynamic) and operand.text for operand in unknown),
            fallible=any(_may_fail(operand) for operand in operands),
            missable=True,
            nilable=True,
            unwrapped=True,
        )

    # Arguments.

    def argument(self, target: Type, node: nodes.Operand) -> Expr:
        """Evaluate an argument for a parameter of type ``target``."""
        if isinstance(node, nodes.Nil):
            if not types.can_be_nil(target):
                return self.failing(f"cannot assign nil to {target}", node)
            return Known(value=MISSING if target.kind == "value" else zero(target))
        value = self._evaluated(node)
        if value is not None:
            return self.validated(value, target, last_node(node))
        return self._constant_argument(target, node)

    def _evaluated(self, node: nodes.Operand) -> Expr | None:  # noqa: PLR0911 - one case a kind of node
        """Return the value of an argument that is no constant."""
        if isinstance(node, nodes.Dot):
            return self.dot
        if isinstance(node, nodes.FieldNode):
            return self.chain(self.dot, node.names, node, (), None)
        if isinstance(node, nodes.Variable):
            return self.variable(node, (), None)
        if isinstance(node, nodes.Pipe):
            return self.pipeline(node)
        if isinstance(node, nodes.Identifier):
            return self.call(node, node, (), None)
        if isinstance(node, nodes.Chain):
            return self.chain_node(node, (), None)
        return None

    def _constant_argument(self, target: Type, node: nodes.Operand) -> Expr:
        if types.is_any(target) or target.kind == "value":
            return self._constant(node)
        wanted, value = _constant_of_kind(target, node)
        if not wanted:
            return self.failing(f"can't handle {node} for arg of type {target}", node)
        if value is None:
            return self.failing(f"expected {wanted}; found {node}", node)
        return Known(value=value)

    def validated(self, value: Expr, target: Type, where: nodes.Node) -> Expr:
        """Return a value as an argument of type ``target``."""
        if target.kind == "value":
            return value
        if isinstance(value, Known):
            try:
                return Known(value=convert(value.value, target))
            except ExecutionError as error:
                return self.failing(str(error), where)
        if isinstance(value, Dynamic):
            if types.is_any(target):
                return self._as_interface(value)
            if value.type is not None and types.assignable(value.type, target):
                return value
        return self._converted(self.strict(value), target, where)

    def _as_interface(self, value: Dynamic) -> Dynamic:
        if not value.missable:
            return value
        code = invoke("nil_if_missing", self.load(value))
        key = _derived("interface", value)
        return replace(value, code=code, missable=False, nilable=True, path=None, key=key)

    def _converted(self, value: Expr, target: Type, where: nodes.Node) -> Dynamic:
        if target is types.STRING:
            code = invoke("string_argument", self.load(value))
        else:
            code = invoke("convert", self.load(value), load(self.unit.bind("t_", target)))
        text = isinstance(value, Dynamic) and value.text
        placed = self.unit.place(code, where, self.template_name)
        return Dynamic(code=placed, type=certain(target), text=text, key=_derived(target.name, value))


def _derived(how: str, expr: Expr) -> Hashable:
    """Return the key of a value that is made from another one."""
    key = key_of(expr)
    return None if key is None else (how, key)


def _may_fail(expr: Expr) -> bool:
    return isinstance(expr, Dynamic) and expr.fallible


def _wrong_count(name: str, function: Function, written: int, given: int) -> str:
    """Return what is wrong with the number of arguments, "" when nothing is."""
    if function.variadic:
        fixed = len(function.params) - 1
        return (
            f"wrong number of args for {name}: want at least {fixed} got {written}" if given < fixed else ""
        )
    if given != len(function.params):
        return f"wrong number of args for {name}: want {len(function.params)} got {given}"
    return ""


def _constant_of_kind(  # noqa: PLR0911 - one case a kind
    target: Type, node: nodes.Operand
) -> tuple[str, Value]:
    """Return what a parameter wants, "" if that is no constant, and the constant, None if of another kind."""
    number = node if isinstance(node, nodes.Number) else None
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
