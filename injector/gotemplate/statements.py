"""Compile the statements of one template to Python statements.

What is known at load is decided here: one branch of ``if`` and ``with`` is left, and a short ``range``
becomes repeated code. Everything else becomes Python's ``if`` and ``for``.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from injector.errors import TemplateSyntaxError
from injector.golang.strconv import quote
from injector.gotemplate import nodes, runtime
from injector.gotemplate.code import (
    UNIT_SIZE,
    Computed,
    Constant,
    Dot,
    Expr,
    Unit,
    assign,
    certain,
    invoke,
    load,
    static_type,
    walrus,
)
from injector.gotemplate.expressions import Expressions
from injector.gotemplate.functions import ExecutionError, UnprintableError
from injector.gotemplate.output import Branch, Output, Pending
from injector.gotemplate.scope import Binding, Data, Scope, last_node
from injector.gotemplate.values import MISSING, Value

IF_DEPTH = 60
"""Nested blocks beyond which templates are called instead of inlined: Python's compiler recurses."""

LOOP_DEPTH = 16
"""Python allows 20 nested loops."""

UNROLL_ELEMENTS = 64
"""A longer known list becomes a loop: its unrolled code would be longer than its text."""


class Statements:
    """Compiles the statements of one template into ``output``.

    ``callables`` maps templates that are compiled as functions to the names of these functions.
    """

    def __init__(self, unit: Unit, data: Data, template: str, dot: Expr, callables: dict[str, str]) -> None:
        self._unit = unit
        self._scope = Scope(unit, data, template, dot)
        self._expressions = Expressions(self._scope)
        self.output = Output(self._scope)
        self._callables = callables
        self._stack: tuple[str, ...] = (template,)
        self._loops = 0
        """The Python loops around this point."""

    def compile(self, body: nodes.ListNode) -> bool:
        """Compile nodes in order; return whether the end can be reached."""
        return all(self._statement(node) for node in body.nodes)

    def _statement(self, node: nodes.Statement) -> bool:
        """Compile a node; return whether what follows can be reached."""
        match node:
            case nodes.Text():
                self.output.text(node.text)
            case nodes.Action():
                self._action(node)
            case nodes.If() | nodes.With():
                return self._if(node)
            case nodes.Range():
                self._range(node)
            case nodes.TemplateCall():
                self._template(node)
            case nodes.Break() | nodes.Continue():
                self.output.flush()
                self.output.emit(ast.Break() if isinstance(node, nodes.Break) else ast.Continue())
                return False
        return True

    # Pipelines that are statements, and so can set Python variables by statements.

    def _evaluate(self, pipe: nodes.Pipe) -> Expr:
        """Compile the pipeline of a statement, with its declarations."""
        self._settle_operands(pipe)
        value = self._expressions.commands(pipe, pipe.commands)
        assert value is not None  # noqa: S101 - a pipeline has a command
        if _declares_inside(pipe):
            value = self._in_variable(value)  # and with it the variables that are declared in it
        for variable in pipe.declarations:
            if pipe.is_assignment:
                value = self._reassign(variable, value, pipe)
            else:
                value = self._in_variable(value)
                self._scope.declare(variable.name, value)
        return value

    def _reassign(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Assign a variable."""
        binding = self._scope.find(variable.name)
        if binding is None:
            self._in_variable(value)  # what goes wrong in it goes wrong first
            self.output.fail(f"undefined variable: {variable.name}", last_node(pipe))
            return value
        value = self._in_variable(value)
        if binding.local:
            self.output.emit(assign(binding.local, self._scope.load(value)))
        else:
            binding.expr = value
        return value

    def _in_variable(self, value: Expr, prefix: str = "v_") -> Expr:
        """Compute a value now and keep it, unless it is known or costs nothing to compute again."""
        value = self._scope.strict(value)
        if not isinstance(value, Computed) or value.path is not None:
            return value
        name = self._unit.fresh(prefix)
        self.output.emit(assign(name, self._scope.load(value)))
        return replace(value, code=load(name), fallible=False, key=value.key or ("local", name))

    def _settle(self, *bodies: nodes.Node | None) -> None:
        """Keep the variables that ``bodies`` assign in Python variables, before these run conditionally."""
        names = {
            name for body in bodies if body is not None for name in nodes.assigned(body, self._unit.assigned)
        }
        # In order, so that a template becomes the same code in every process.
        for name in sorted(names.intersection(binding.name for binding in self._scope.bindings)):
            for binding in self._scope.bindings:
                if binding.name == name and not binding.local:
                    self._make_local(binding)

    def _settle_operands(self, pipe: nodes.Pipe) -> None:
        """Put the variables that ``and`` and ``or`` may assign into Python variables: they may stop early."""
        for node in nodes.walk(pipe):
            if isinstance(node, nodes.Command) and str(node.args[0]) in {"and", "or"}:
                self._settle(*node.args[1:])

    def _make_local(self, binding: Binding) -> None:
        binding.local = self._unit.fresh("v_")
        self.output.emit(assign(binding.local, self._scope.load(self._scope.strict(binding.expr))))
        # What is read of it now may be something else later: so it counts as fallible, and is kept in time.
        binding.expr = Computed(code=load(binding.local), fallible=True, missable=True, interface=False)

    # ``{{ pipeline }}``.

    def _action(self, node: nodes.Action) -> None:
        """Print a pipeline, or set its variables."""
        self._settle_operands(node.pipe)
        if node.pipe.declarations:
            self._evaluate(node.pipe)
        elif not self._quoted(node):
            self._print(self._expressions.pipeline(node.pipe), node)

    def _print(self, value: Expr, node: nodes.Action) -> None:
        """Print a value: text if it is known, else a hole, which says whether a serialiser made it."""
        if isinstance(value, Constant):
            try:
                self.output.text(runtime.printed(value.value))
            except UnprintableError as error:
                self.output.fail(f"can't print {node} of type {error}", node)
            except ExecutionError as error:
                self.output.fail(str(error), node)
            return
        code = self._scope.load(value)
        declared = static_type(value)
        if declared is None or declared.kind != "string" or declared.named:
            code = self._scope.positioned(invoke("printed", code), node)
        if isinstance(value, Computed) and value.text:
            code = invoke("structured", code)
        self.output.hole(code)

    def _quoted(self, node: nodes.Action) -> bool:
        """Print ``x | quote`` with its quotes as text; return False when the action is something else.

        The texts are read as YAML without the values, and then show that this value is in a quoted scalar.
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
        if _declares_inside(pipe):
            return False
        value = self._expressions.commands(pipe, before)
        if value is None:
            value = self._expressions.calls.argument(function.param(0), last.args[1])
        if isinstance(value, Constant):  # it is compiled again, to be folded with its quotes
            return False
        self._print_quoted(value, function.quotes)
        return True

    def _print_quoted(self, value: Expr, quotes: str) -> None:
        inside = "quoted" if quotes == '"' else "bare"
        if isinstance(value, Computed) and value.type is not None and value.type.kind != "pointer":
            self._between(quotes, invoke(inside, self._scope.load(value)))
            return
        kept = self._unit.fresh("q_")
        absent = ast.Compare(
            left=walrus(kept, invoke("nil_if_missing", self._scope.load(value))),
            ops=[ast.IsNot()],
            comparators=[ast.Constant(value=None)],
        )
        self.output.branch(absent, lambda: self._between(quotes, invoke(inside, load(kept))), None)

    def _between(self, quotes: str, value: ast.expr) -> bool:
        self.output.text(quotes)
        self.output.hole(value)
        self.output.text(quotes)
        return True

    # ``{{ if }}`` and ``{{ with }}``.

    def _if(self, node: nodes.If | nodes.With) -> bool:
        """Compile ``if``, or ``with``: an ``if`` that sets the dot."""
        moves = isinstance(node, nodes.With)
        with self._scope.inside():
            value = self._evaluate(node.pipe)
            body, otherwise = node.body, node.otherwise
            if self._is_true_dot(value) or (isinstance(value, Constant) and value.value):
                return self._arm(body, value if moves else None)
            if isinstance(value, Constant):
                return otherwise is None or self.compile(otherwise)
            self._settle(body, otherwise)
            test, dot = self._scope.load(value), value if moves else None
            if isinstance(dot, Computed) and dot.path is None and dot.fallible:
                name = self._unit.fresh("d_")
                test = walrus(name, test)
                dot = replace(
                    dot,
                    code=load(name),
                    fallible=False,
                    nilable=False,
                    missable=False,
                    key=dot.key or ("local", name),
                )
            return self.output.branch(test, lambda: self._arm(body, dot), self._otherwise(otherwise))

    def _otherwise(self, body: nodes.ListNode | None) -> Branch | None:
        """Return a function that compiles the body after ``else``, None where there is none."""
        return None if body is None else lambda: self._arm(body)

    def _is_true_dot(self, value: Expr) -> bool:
        """Return whether the data is certainly true: a struct, or a map with a known key."""
        data = self._scope.data
        return isinstance(value, Dot) and (data.dot_type is not None or bool(data.known))

    def _arm(self, body: nodes.ListNode, dot: Expr | None = None) -> bool:
        with self._scope.inside(dot):
            return self.compile(body)

    # ``{{ range }}``.

    def _range(self, node: nodes.Range) -> None:
        with self._scope.inside():
            value = self._scope.strict(self._evaluate(node.pipe))
            if isinstance(value, Constant):
                self._range_constant(node, value.value)
            else:
                self._range_computed(node, value)

    def _range_constant(self, node: nodes.Range, value: Value) -> None:
        in_pairs = len(node.pipe.declarations) == 2
        try:
            items = runtime.pairs(value) if in_pairs else runtime.elements(value)
        except ExecutionError as error:
            self.output.fail(str(error), last_node(node.pipe))
            return
        if not items:
            if node.otherwise is not None:
                self.compile(node.otherwise)
        elif len(items) <= UNROLL_ELEMENTS and self._unit.size < UNIT_SIZE and not nodes.jumps(node.body):
            interface = not runtime.is_typed(value)
            for item in items:
                key, element = item if in_pairs else (MISSING, item)
                self._iteration(node, Constant(value=key), Constant(value=element, interface=interface))
        else:
            container = self._unit.bind("k_", value)
            self._unit.kept[container] = 1  # a constant, which exists whether it is read or not
            element = _element(Constant(value=value), container)
            code = load(self._unit.bind("k_", items))
            self._loop(node, code, element, in_pairs=in_pairs, always=True)

    def _range_computed(self, node: nodes.Range, value: Expr) -> None:
        declarations = node.pipe.declarations
        in_pairs = len(declarations) == 2
        if in_pairs and not node.pipe.is_assignment and not nodes.uses(declarations[0].name, node.body):
            declared = static_type(value)  # two variables for a number are an error
            in_pairs = declared is None or declared.kind not in {"slice", "map"}
        container = self._unit.fresh("y_")
        self._unit.kept[container] = 0
        items = invoke("pairs" if in_pairs else "elements", walrus(container, self._scope.load(value)))
        code = self._scope.positioned(items, last_node(node.pipe))
        element = _element(value, container)
        self._loop(node, code, element, in_pairs=in_pairs, always=node.otherwise is None)

    def _loop(
        self, node: nodes.Range, items: ast.expr, element: Computed, *, in_pairs: bool, always: bool
    ) -> None:
        """Compile a loop over ``items``; ``element`` is one of them, without its code."""
        if self._loops >= LOOP_DEPTH:
            name, (line, _) = self._unit.tree.name, self._unit.tree.place(node.pos)
            raise TemplateSyntaxError(
                f"template: {name}:{line}: range nested too deeply", name=name, line=line
            )
        self._settle(node.body, node.otherwise)
        if node.pipe.is_assignment:
            self._settle(node.pipe)
        if always:
            self._for(node, items, element, in_pairs=in_pairs)
            return
        kept = self._unit.fresh("r_")
        self.output.branch(
            walrus(kept, items),
            lambda: self._for(node, load(kept), element, in_pairs=in_pairs),
            self._otherwise(node.otherwise),
        )

    def _for(self, node: nodes.Range, items: ast.expr, element: Computed, *, in_pairs: bool) -> bool:
        self.output.flush()
        key, name = self._unit.fresh("i_"), self._unit.fresh("e_")
        index = (
            Computed(code=load(key), fallible=False, key=("local", key))
            if in_pairs
            else Constant(value=MISSING)
        )
        element = replace(element, code=load(name), key=("local", name))
        self._loops += 1
        arm = self.output.collect(lambda: self._iteration(node, index, element), self.output.pending)
        self._loops -= 1
        if arm.reachable:
            self.output.flush_into(arm)
        self.output.pending = Pending(moved=True)
        names = [ast.Name(id=each, ctx=ast.Store()) for each in (key, name)]
        target = ast.Tuple(elts=list(names), ctx=ast.Store()) if in_pairs else names[1]
        self.output.emit(ast.For(target=target, iter=items, body=arm.block or [ast.Pass()], orelse=[]))
        return True

    def _iteration(self, node: nodes.Range, key: Expr, element: Expr) -> bool:
        declarations = node.pipe.declarations
        given = (key, element) if len(declarations) == 2 else (element,)
        with self._scope.inside(element):
            for variable, value in zip(declarations, given, strict=False):
                if node.pipe.is_assignment:
                    self._reassign(variable, value, node.pipe)
                else:
                    self._scope.declare(variable.name, value)
            return self.compile(node.body)

    # ``{{ template }}``.

    def _template(self, node: nodes.TemplateCall) -> None:
        """Compile ``template``: inline, or as a call where that would not end or become too long."""
        body = self._unit.tree.templates.get(node.name)
        if body is None:
            self.output.fail(f"template {quote(node.name)} not defined", node)
            return
        dot = Constant(value=MISSING) if node.pipe is None else self._evaluate(node.pipe)
        if node.name in self._stack or self._unit.size > UNIT_SIZE or self.output.nesting > IF_DEPTH:
            self._call_template(node, dot)
            return
        outer, self._stack = self._stack, (*self._stack, node.name)
        with self._scope.inside_template(node.name, self._in_variable(dot, "d_")):
            self.compile(body)
        self._stack = outer

    def _call_template(self, node: nodes.TemplateCall, dot: Expr) -> None:
        function = self._callables.setdefault(node.name, f"template_{len(self._callables)}")
        value = self._scope.load(self._scope.strict(dot))
        self.output.flush()
        depth = self._scope.positioned(invoke("deeper", load("depth")), node)
        self.output.emit(assign("t", invoke(function, value, load("s"), load("v"), load("t"), depth)))
        self.output.outputs += 1


def _declares_inside(pipe: nodes.Pipe) -> bool:
    """Return whether a pipeline declares or assigns variables in parentheses."""
    found = (node for command in pipe.commands for node in nodes.walk(command))
    return any(isinstance(node, nodes.Pipe) and node.declarations for node in found)


def _element(value: Expr, container: str) -> Computed:
    """Return an element of a value in a variable, without its code: typed if the list is."""
    declared = static_type(value)
    if declared is not None and declared.kind == "slice" and declared.elem is not None:
        elem = certain(declared.elem)
        if elem is not None:
            return Computed(code=load(""), type=elem, fallible=False)
    return Computed(code=load(""), interface=container, fallible=False, missable=True, nilable=True)
