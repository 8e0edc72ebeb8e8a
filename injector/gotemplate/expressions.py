"""Compile pipelines, commands, operands and fields to expressions, evaluated at load where all is known.

The rules and the positions of errors are those of text/template's evalPipeline, evalCommand, evalArg,
evalFieldChain and evalField.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from injector.gotemplate import nodes, runtime, types
from injector.gotemplate.calls import Calls, literal
from injector.gotemplate.code import (
    Computed,
    Constant,
    Dot,
    Expr,
    after,
    certain,
    derived_key,
    invoke,
    load,
    lookup,
    of_type,
    static_type,
    walrus,
)
from injector.gotemplate.functions import ExecutionError
from injector.gotemplate.scope import Scope, last_node
from injector.gotemplate.types import Method, StructType, Type
from injector.gotemplate.values import MISSING


class Expressions:
    """Compiles pipelines and their parts.

    A pipeline has commands, a command may be a call, a call has arguments, and an argument may be a pipeline
    again: ``calls`` compiles it by ``operand``.
    """

    def __init__(self, scope: Scope) -> None:
        self.calls = Calls(scope, self.operand)
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
        """Compile commands of a pipe, each with the value of the previous one as its last argument."""
        value: Expr | None = None
        where: nodes.Node = pipe
        for command in commands:
            value = _unwrapped(self._command(command, value, where))
            where = last_node(command)
        return value

    def _set_variable(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Declare or assign inside an expression; a statement that is a pipeline does it without a walrus."""
        if not pipe.is_assignment:
            return self._declare(variable, value)
        binding = self._scope.find(variable.name)
        if binding is None:
            failing = self._scope.failing(f"undefined variable: {variable.name}", last_node(pipe))
            return self._scope.after_effects(value, failing)
        if binding.local:
            return replace(self._scope.keep(binding.local, value), fallible=True, key=None)
        binding.expr = value
        return value

    def _declare(self, variable: nodes.Variable, value: Expr) -> Expr:
        if not isinstance(value, Computed) and not self._scope.may_be_skipped:
            self._scope.declare(variable.name, value)
            return value
        name = self._scope.unit.fresh("v_")
        # What reads it in the same pipeline must come after it; the same command again declares another.
        kept = replace(self._scope.keep(name, value), fallible=True)
        self._scope.declare(variable.name, replace(kept, code=load(name)))
        return replace(kept, key=None)

    # Commands.

    def _command(self, command: nodes.Command, final: Expr | None, where: nodes.Node) -> Expr:
        """Compile a command; ``final`` is the value piped into it, ``where`` the node evaluated before."""
        first, *args = command.args
        if isinstance(first, nodes.Identifier):
            return self.calls.call(first, command, args, final)
        takes_arguments = isinstance(first, (nodes.FieldNode, nodes.ChainNode)) or (
            isinstance(first, nodes.Variable) and first.fields
        )
        if not takes_arguments and (args or final is not None):
            shown = where if isinstance(first, nodes.Pipe) else first
            failing = self._scope.failing(f"can't give argument to non-function {first}", shown)
            return self._scope.after_effects(final, failing)
        if isinstance(first, nodes.Nil):
            return self._scope.failing("nil is not a command", first)
        return self.operand(first, args, final)

    # Operands.

    def operand(  # noqa: PLR0911 - one case a kind of node
        self, node: nodes.Operand, args: Sequence[nodes.Operand] = (), final: Expr | None = None
    ) -> Expr:
        """Compile an operand other than nil; a field takes the arguments of its command."""
        match node:
            case nodes.DotNode():
                return self._scope.dot
            case nodes.FieldNode():
                return self._fields(self._scope.dot, node.names, node, args, final)
            case nodes.Variable():
                return self._variable(node, args, final)
            case nodes.Pipe():
                return self.pipeline(node)
            case nodes.Identifier():
                return self.calls.call(node, node, (), None)
            case nodes.ChainNode():
                return self._chain(node, args, final)
        return literal(self._scope, node)

    def _variable(self, node: nodes.Variable, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Compile ``$x`` or ``$x.A.B``."""
        binding = self._scope.find(node.name)
        if binding is None:
            return self._scope.failing(f"undefined variable: {node.name}", node)
        if not node.fields:
            return binding.expr
        return self._fields(binding.expr, node.fields, node, args, final)

    def _chain(self, node: nodes.ChainNode, args: Sequence[nodes.Operand], final: Expr | None) -> Expr:
        """Compile ``(pipeline).A.B`` or ``function.A``."""
        if isinstance(node.term, nodes.Identifier):
            receiver = self.calls.call(node.term, node.term, (), None)
        else:
            assert isinstance(node.term, nodes.Pipe)  # noqa: S101 - the parser makes no other chains
            receiver = self.pipeline(node.term)
        return self._fields(receiver, node.fields, last_node(node), args, final)

    # Fields and methods: resolved at load where the type is known, else when rendering.

    def _fields(
        self,
        receiver: Expr,
        names: Sequence[str],
        node: nodes.Node,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        """Compile fields one after the other; the last may be a method that takes arguments."""
        *path, last = names
        for index, name in enumerate(path):
            step = self._field(receiver, name, node)
            if step is None:
                rest = path[index:] if args or final is not None else names[index:]
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
        """Resolve a field now if its value or at least its type is known; None leaves it to rendering."""
        if isinstance(receiver, Dot):
            return self._dot_field(name, node)
        if isinstance(receiver, Constant):
            return self._constant_field(receiver, name, node)
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
            loaded = self._scope.load(receiver)
            code = lookup(loaded, ast.Constant(value=name), self._scope.unit.constant(MISSING))
            return Computed(code=code, missable=True, fallible=receiver.fallible)
        return None

    def _dot_field(self, name: str, node: nodes.Node) -> Expr:
        data = self._scope.data
        declared = data.dot_type.field_type(name) if data.dot_type is not None else types.ANY
        if name in data.known:
            interface = declared is None or certain(declared) is None
            return Constant(value=data.known[name], interface=interface)
        if data.dot_type is None:
            return replace(self._from_dot((name,), types.ANY), missable=True)
        if declared is None:
            shown = types.pointer_to(data.dot_type)
            return self._scope.failing(f"can't evaluate field {name} in type {shown}", node)
        return self._from_dot((name,), declared)

    def _from_dot(self, path: tuple[str, ...], declared: Type) -> Computed:
        # The path replaces the code: which fields are read, and of what, is known when all is compiled.
        return of_type(declared, load(""), fallible=False, path=path)

    def _constant_field(self, receiver: Constant, name: str, node: nodes.Node) -> Expr:
        try:
            value, declared = runtime.field(
                receiver.value, name, types.ANY if receiver.interface is True else None, ()
            )
        except ExecutionError as error:
            return self._scope.failing(str(error), node)
        return Constant(value=value, interface=declared is not None and certain(declared) is None)

    def _struct_field(self, receiver: Computed, declared: StructType, name: str, node: nodes.Node) -> Expr:
        target = declared.field_type(name)
        if target is None:
            failing = self._scope.failing(f"can't evaluate field {name} in type {declared}", node)
            return self._scope.after_effects(receiver, failing)
        if receiver.path is not None:
            return self._from_dot((*receiver.path, name), target)
        code = lookup(self._scope.load(receiver), ast.Constant(value=name))
        return of_type(target, code, fallible=receiver.fallible)

    def _pointed_field(
        self, receiver: Computed, declared: StructType, name: str, node: nodes.Node
    ) -> Expr | None:
        """Resolve a field of a pointer's target; the pointer may be nil."""
        target = declared.field_type(name)
        if target is None:
            return None
        code = invoke("through", self._scope.load(receiver), ast.Constant(value=name))
        key = derived_key(("field", name), receiver)
        return of_type(target, self._scope.positioned(code, node), key=key)

    def _method(self, receiver: Computed, found: Method, name: str, node: nodes.Node) -> Expr:
        if found.params:
            message = f"wrong number of args for {name}: want {len(found.params)} got 0"
            return self._scope.after_effects(receiver, self._scope.failing(message, node))
        code = invoke(self._scope.unit.bind("m_", found.call), self._scope.load(receiver))
        return of_type(found.result, self._scope.positioned(code, node, name))

    def _fields_at_run_time(self, receiver: Expr, names: Sequence[str], node: nodes.Node) -> Computed:
        strict = self._scope.strict(receiver)
        code = invoke(
            "fields",
            self._scope.load(strict),
            ast.Tuple(elts=[ast.Constant(value=name) for name in names], ctx=ast.Load()),
            self._origin(strict),
        )
        return Computed(code=self._scope.positioned(code, node), interface=True, missable=True, nilable=True)

    def _origin(self, receiver: Expr) -> ast.expr:
        """Return code that says whether a value was found in an interface{}."""
        if isinstance(receiver, Computed) and isinstance(receiver.interface, str):
            self._scope.unit.kept[receiver.interface] += 1
            return load(receiver.interface)
        return ast.Constant(value=not isinstance(receiver, Dot) and receiver.interface)

    def _with_arguments(
        self,
        receiver: Expr,
        name: str,
        node: nodes.Node,
        args: Sequence[nodes.Operand],
        final: Expr | None,
    ) -> Expr:
        strict = self._scope.strict(receiver)
        declared = static_type(strict)
        found = declared.methods.get(name) if declared is not None else None
        params = (found.params or ()) if found is not None else ()
        effect, final = self._scope.computed_first(final)
        given = [
            self.calls.argument(params[index] if index < len(params) else types.ANY, arg)
            for index, arg in enumerate(args)
        ]
        if final is not None:
            given.append(final)
        kept, shown = self._scope.unit.fresh("o_"), ast.Constant(value=name)
        count = ast.Constant(value=len(args) + (final is not None))
        owner = walrus(kept, self._scope.load(strict))
        asked = invoke("is_method", owner, shown, self._origin(strict), count)
        codes = [self._scope.load(self._scope.strict(arg)) for arg in given]
        code = invoke("field_or_method", load(kept), shown, self._origin(strict), *codes)
        call = ast.IfExp(
            test=self._scope.positioned(asked, node),
            body=self._scope.positioned(code, node, name),
            orelse=self._scope.unit.constant(MISSING),
        )
        whole = call if effect is None else after(effect, call)
        return Computed(code=whole, interface=True, missable=True, nilable=True)


def _unwrapped(expr: Expr) -> Expr:
    """Return a value as a pipeline passes it on: taken out of its interface{}, and nil as no value at all."""
    if isinstance(expr, Constant):
        return Constant(value=MISSING if expr.value is None else expr.value)
    if isinstance(expr, Dot):
        return expr
    return replace(expr, interface=False, unwrapped=True)
