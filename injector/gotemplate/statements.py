"""The statements of a template to Python statements that collect texts and values. Knows no rendering.

Generated code appends to two lists, ``S`` (texts) and ``V`` (values): before every value the text since the
one before it. That text is kept here as long as it is known; where branches meet it moves into ``t``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from injector.errors import TemplateSyntaxError
from injector.golang.strconv import quote
from injector.gotemplate import nodes, runtime
from injector.gotemplate.code import (
    Dynamic,
    Expr,
    Known,
    Root,
    Stmts,
    Unit,
    assign,
    certain,
    invoke,
    load,
    static_type,
    walrus,
)
from injector.gotemplate.errors import ExecutionError
from injector.gotemplate.expressions import Binding, Data, Expressions, last_node
from injector.gotemplate.values import MISSING, Value

UNROLL_ELEMENTS = 64
"""Longer known lists become loops: their code would be longer than their text."""

UNIT_SIZE = 12_000
"""Statements generated for one text after which nothing is unrolled or inlined any more."""

LOOP_DEPTH = 16
"""Python allows 20 loops inside each other."""

IF_DEPTH = 60
"""Inlining stops there: Python's compiler recurses."""


Branch = Callable[[], bool]
"""Compiles a branch; says whether its end can be reached."""


@dataclass(slots=True)
class Pending:
    """The text since the last value: ``t`` (when ``moved``) and then ``text``."""

    moved: bool = False
    text: str = ""


class Statements(Expressions):
    """Compiles the statements of one template.

    ``callables`` maps templates that are compiled as functions to the names of these.
    """

    def __init__(self, unit: Unit, data: Data, template: str, dot: Expr, callables: dict[str, str]) -> None:
        super().__init__(unit, data, template, dot)
        self.block: Stmts = []
        self.pending = Pending()
        self.outputs = 0
        self.callables = callables
        self.stack: tuple[str, ...] = (template,)
        self.loops = 0
        self.nesting = 0

    # Output.

    def emit(self, statement: ast.stmt) -> None:
        """Add a statement."""
        self.unit.size += 1
        self.block.append(statement)

    def text(self, text: str) -> None:
        """Print what is known."""
        self.pending.text += text
        self.outputs += bool(text)

    def pending_code(self) -> ast.expr:
        """Return code for the text since the last value."""
        constant = ast.Constant(value=self.pending.text)
        if not self.pending.moved:
            return constant
        return ast.BinOp(left=load("t"), op=ast.Add(), right=constant) if self.pending.text else load("t")

    def flush(self) -> None:
        """Move the text known here into ``t``."""
        if self.pending.moved and self.pending.text:
            target = ast.Name(id="t", ctx=ast.Store())
            self.emit(ast.AugAssign(target=target, op=ast.Add(), value=ast.Constant(value=self.pending.text)))
        elif not self.pending.moved:
            self.emit(assign("t", ast.Constant(value=self.pending.text)))
        self.pending = Pending(moved=True)

    def hole(self, value: ast.expr) -> None:
        """Print a value."""
        self.emit(ast.Expr(value=invoke("s", self.pending_code())))
        self.emit(ast.Expr(value=invoke("v", value)))
        self.pending = Pending()
        self.outputs += 1

    def dynamic_text(self, value: ast.expr) -> None:
        """Print text that the pod decides."""
        if not self.pending.moved and not self.pending.text:
            self.emit(assign("t", value))
        else:
            self.emit(assign("t", ast.BinOp(left=self.pending_code(), op=ast.Add(), right=value)))
        self.pending = Pending(moved=True)
        self.outputs += 1

    # Statements.

    def list(self, body: nodes.ListNode) -> bool:
        """Compile nodes in order; return whether the end can be reached."""
        return all(self.statement(node) for node in body.nodes)

    def statement(self, node: nodes.Statement) -> bool:
        """Compile a node; return whether what follows can be reached."""
        if isinstance(node, nodes.Text):
            self.text(node.text)
        elif isinstance(node, nodes.Action):
            self.action(node)
        elif isinstance(node, nodes.If):
            return self.if_(node)
        elif isinstance(node, nodes.With):
            return self.with_(node)
        elif isinstance(node, nodes.Range):
            self.range(node)
        elif isinstance(node, nodes.TemplateCall):
            self.template(node)
        else:
            self.flush()
            self.emit(ast.Break() if isinstance(node, nodes.Break) else ast.Continue())
            return False
        return True

    def action(self, node: nodes.Action) -> None:
        """Print a pipeline, or set its variables."""
        if node.pipe.declarations:
            self.set_variables(node.pipe)
        elif not self._quoted(node):
            self.print(self.pipeline(node.pipe), node)

    def set_variables(self, pipe: nodes.Pipe) -> Expr:
        """Evaluate a pipeline that is a statement of its own, and its declarations."""
        value = self.commands(pipe, pipe.commands)
        assert value is not None  # noqa: S101 - a pipeline has a command
        for variable in pipe.declarations:
            if pipe.is_assignment:
                value = self.reassign(variable, value, pipe)
            else:
                value = self.in_variable(value)
                self.bindings.append(Binding(variable.name, value))
        return value

    def reassign(self, variable: nodes.Variable, value: Expr, pipe: nodes.Pipe) -> Expr:
        """Give a variable another value."""
        binding = self.find(variable.name)
        if binding is None:
            message = f"undefined variable: {variable.name}"
            self.emit(ast.Expr(value=self.load(self.failing(message, last_node(pipe)))))
        elif binding.local:
            self.emit(assign(binding.local, self.load(self.strict(value))))
        else:
            value = self.in_variable(value)
            binding.expr = value
        return value

    def in_variable(self, value: Expr, prefix: str = "v_") -> Expr:
        """Compute a value now and keep it, unless it is known or can be had again for nothing."""
        value = self.strict(value)
        if not isinstance(value, Dynamic) or value.path is not None:
            return value
        name = self.unit.fresh(prefix)
        self.emit(assign(name, self.load(value)))
        return replace(value, code=load(name), fallible=False, key=value.key or ("local", name))

    def print(self, value: Expr, node: nodes.Action) -> None:
        """Print a value: text if it is known or a serialiser made it, else a hole."""
        if isinstance(value, Known):
            try:
                self.text(runtime.printed(value.value))
            except ExecutionError as error:
                message = f"can't print {node} of type {error}"
                self.emit(ast.Expr(value=self.load(self.failing(message, node))))
            return
        code = self.load(value)
        declared = static_type(value)
        if declared is None or declared.kind != "string" or declared.named:
            code = self.unit.place(invoke("printed", code), node, self.template_name)
        if isinstance(value, Dynamic) and value.text:
            self.dynamic_text(code)
        else:
            self.hole(code)

    def _quoted(self, node: nodes.Action) -> bool:
        """Print ``x | quote`` with its quotes as text; return False when the action is something else."""
        pipe = node.pipe
        while len(pipe.commands) == 1 and isinstance(inner := pipe.commands[0].args[0], nodes.Pipe):
            if inner.declarations or len(pipe.commands[0].args) > 1:
                return False
            pipe = inner
        *before, last = pipe.commands
        first = last.args[0]
        if not isinstance(first, nodes.Identifier) or pipe.declarations:
            return False
        function = self.data.functions.get(first.name)
        if function is None or not function.quotes or len(last.args) - 1 + bool(before) != 1:
            return False
        size = len(self.bindings)
        value = self.commands(pipe, before)
        argument = self.argument(function.param(0), last.args[1]) if value is None else value
        if isinstance(argument, Known):
            del self.bindings[size:]
            return False
        self._print_quoted(argument, function.quotes)
        return True

    def _print_quoted(self, value: Expr, quotes: str) -> None:
        inside = "quoted" if quotes == '"' else "bare"
        if isinstance(value, Dynamic) and value.type is not None and value.type.kind != "pointer":
            self._between(quotes, invoke(inside, self.load(value)))
            return
        kept = self.unit.fresh("q_")
        absent = ast.Compare(
            left=walrus(kept, invoke("nil_if_missing", self.load(value))),
            ops=[ast.IsNot()],
            comparators=[ast.Constant(value=None)],
        )
        self.branch(absent, lambda: self._between(quotes, invoke(inside, load(kept))), None)

    def _between(self, quotes: str, value: ast.expr) -> bool:
        self.text(quotes)
        self.hole(value)
        self.text(quotes)
        return True

    # Branches.

    @contextmanager
    def scope(self, dot: Expr | None = None) -> Iterator[None]:
        """Forget the variables declared inside; ``dot`` is the cursor inside."""
        size, outer = len(self.bindings), self.dot
        self.dot = dot or outer
        yield
        del self.bindings[size:]
        self.dot = outer

    def if_(self, node: nodes.If) -> bool:
        """Compile ``if``: one branch where the condition is known."""
        with self.scope():
            value = self._controlling(node.pipe)
            body, otherwise = node.body, node.otherwise
            if self._is_true_root(value):
                return self.list(body)
            if isinstance(value, Known):
                chosen = body if value.value else otherwise
                return chosen is None or self.list(chosen)
            self.settle(body, otherwise)
            return self.branch(self.load(value), lambda: self._arm(body), self._else(otherwise))

    def with_(self, node: nodes.With) -> bool:
        """Compile ``with``: an ``if`` that moves the dot."""
        with self.scope():
            value = self._controlling(node.pipe)
            body, otherwise = node.body, node.otherwise
            if self._is_true_root(value) or (isinstance(value, Known) and value.value):
                return self._arm(body, value)
            if isinstance(value, Known):
                return otherwise is None or self.list(otherwise)
            self.settle(body, otherwise)
            if isinstance(value, Root) or value.path is not None or not value.fallible:
                return self.branch(self.load(value), lambda: self._arm(body, value), self._else(otherwise))
            name = self.unit.fresh("d_")
            dot = replace(
                value,
                code=load(name),
                fallible=False,
                nilable=False,
                missable=False,
                key=value.key or ("local", name),
            )
            test = walrus(name, self.load(value))
            return self.branch(test, lambda: self._arm(body, dot), self._else(otherwise))

    def _is_true_root(self, value: Expr) -> bool:
        """Return whether the data is certainly true: a struct, or a map with a key known to be in it."""
        return isinstance(value, Root) and (self.data.dot_type is not None or bool(self.data.known))

    def _controlling(self, pipe: nodes.Pipe) -> Expr:
        return self.set_variables(pipe) if pipe.declarations else self.pipeline(pipe)

    def _arm(self, body: nodes.ListNode, dot: Expr | None = None) -> bool:
        with self.scope(dot):
            return self.list(body)

    def _else(self, body: nodes.ListNode | None) -> Branch | None:
        return None if body is None else lambda: self._arm(body)

    def branch(self, test: ast.expr, body: Branch, otherwise: Branch | None) -> bool:
        """Emit an ``if`` statement; return whether its end can be reached."""
        before, outputs = self.pending, self.outputs
        first = self._collect(body, before)
        second = self._collect(otherwise or (lambda: True), before)
        if self.outputs == outputs:
            self.pending = before
        else:
            for arm in (first, second):
                if arm.reachable:
                    self._flush_into(arm)
            self.pending = Pending(moved=True)
        self.emit(ast.If(test=test, body=first.block or [ast.Pass()], orelse=second.block))
        return first.reachable or second.reachable

    def _collect(self, body: Branch, before: Pending) -> Arm:
        outer, self.block = self.block, []
        self.pending = Pending(moved=before.moved, text=before.text)
        available, self.available = self.available, dict(self.available)
        self.nesting += 1
        reachable = body()
        self.nesting -= 1
        self.available = available
        arm = Arm(block=self.block, pending=self.pending, reachable=reachable)
        self.block = outer
        return arm

    def _flush_into(self, arm: Arm) -> None:
        outer, self.block = self.block, arm.block
        self.pending = arm.pending
        self.flush()
        self.block = outer

    def settle(self, *bodies: nodes.Node | None) -> None:
        """Put the variables that ``bodies`` assign into Python variables, before these run conditionally."""
        names = {name for body in bodies if body is not None for name in assigned(body, self.unit.assigned)}
        for name in names.intersection(binding.name for binding in self.bindings):
            for binding in self.bindings:
                if binding.name == name and not binding.local:
                    binding.local = self.unit.fresh("v_")
                    self.emit(assign(binding.local, self.load(self.strict(binding.expr))))
                    binding.expr = Dynamic(
                        code=load(binding.local), fallible=False, missable=True, interface=False
                    )

    # Loops.

    def range(self, node: nodes.Range) -> None:
        """Compile ``range``: repeated code for a short known list, else a loop."""
        with self.scope():
            value = self.strict(self._controlling(node.pipe))
            if isinstance(value, Known):
                self._range_known(node, value.value)
            else:
                self._range_dynamic(node, value)

    def _range_known(self, node: nodes.Range, value: Value) -> None:
        in_pairs = len(node.pipe.declarations) == 2
        try:
            items = runtime.pairs(value) if in_pairs else runtime.elements(value)
        except ExecutionError as error:
            failing = self.failing(str(error), last_node(node.pipe))
            self.emit(ast.Expr(value=self.load(failing)))
            return
        if not items:
            if node.otherwise is not None:
                self.list(node.otherwise)
        elif self._may_unroll(node, len(items)):
            interface = not runtime.is_typed(value)
            for item in items:
                key, element = item if in_pairs else (MISSING, item)
                self._iteration(node, Known(value=key), Known(value=element, interface=interface))
        else:
            container = self.unit.bind("k_", value)
            self.unit.kept[container] = 1
            loop = Loop(
                node=node,
                items=load(self.unit.bind("k_", items)),
                value=Known(value=value),
                container=container,
                in_pairs=in_pairs,
            )
            self._loop(loop, always=True)

    def _may_unroll(self, node: nodes.Range, count: int) -> bool:
        return count <= UNROLL_ELEMENTS and self.unit.size < UNIT_SIZE and not jumps(node.body)

    def _range_dynamic(self, node: nodes.Range, value: Expr) -> None:
        in_pairs = len(node.pipe.declarations) == 2
        if in_pairs and not node.pipe.is_assignment and not uses(node.pipe.declarations[0].name, node.body):
            in_pairs = self._is_number(value)  # which two variables cannot take
        container = self.unit.fresh("y_")
        self.unit.kept[container] = 0
        items = invoke("pairs" if in_pairs else "elements", walrus(container, self.load(value)))
        placed = self.unit.place(items, last_node(node.pipe), self.template_name)
        loop = Loop(node=node, items=placed, value=value, container=container, in_pairs=in_pairs)
        self._loop(loop, always=node.otherwise is None)

    def _is_number(self, value: Expr) -> bool:
        declared = static_type(value)
        return declared is None or declared.kind not in {"slice", "map"}

    def _loop(self, loop: Loop, *, always: bool) -> None:
        node = loop.node
        if self.loops >= LOOP_DEPTH:
            line, _ = self.unit.tree.place(node.pos)
            message = f"template: {self.unit.tree.name}:{line}: range nested too deeply"
            raise TemplateSyntaxError(message, name=self.unit.tree.name, line=line)
        self.settle(node.body, node.otherwise)
        self._settle_assigned(node.pipe)
        if always:
            self._for(loop)
            return
        kept = self.unit.fresh("r_")
        test = walrus(kept, loop.items)
        self.branch(test, lambda: self._for(replace(loop, items=load(kept))), self._else(node.otherwise))

    def _settle_assigned(self, pipe: nodes.Pipe) -> None:
        if pipe.is_assignment:
            self.settle(pipe)

    def _for(self, loop: Loop) -> bool:
        self.flush()
        key, element = self.unit.fresh("i_"), self.unit.fresh("e_")
        index = (
            Dynamic(code=load(key), fallible=False, key=("local", key))
            if loop.in_pairs
            else Known(value=MISSING)
        )
        self.loops += 1
        arm = self._collect(
            lambda: self._iteration(loop.node, index, self._element(loop, element)), self.pending
        )
        self.loops -= 1
        if arm.reachable:
            self._flush_into(arm)
        self.pending = Pending(moved=True)
        names = [ast.Name(id=name, ctx=ast.Store()) for name in (key, element)]
        target = ast.Tuple(elts=list(names), ctx=ast.Store()) if loop.in_pairs else names[1]
        self.emit(ast.For(target=target, iter=loop.items, body=arm.block or [ast.Pass()], orelse=[]))
        return True

    def _element(self, loop: Loop, name: str) -> Dynamic:
        """Return the element of a loop: typed where the list is."""
        declared = static_type(loop.value)
        if declared is not None and declared.kind == "slice" and declared.elem is not None:
            elem = certain(declared.elem)
            if elem is not None:
                return Dynamic(code=load(name), type=elem, fallible=False, key=("local", name))
        return Dynamic(
            code=load(name),
            interface=loop.container,
            fallible=False,
            missable=True,
            nilable=True,
            key=("local", name),
        )

    def _iteration(self, node: nodes.Range, key: Expr, element: Expr) -> bool:
        declarations = node.pipe.declarations
        given = (key, element) if len(declarations) == 2 else (element,)
        with self.scope(element):
            for variable, value in zip(declarations, given, strict=False):
                if node.pipe.is_assignment:
                    self.reassign(variable, value, node.pipe)
                else:
                    self.bindings.append(Binding(variable.name, value))
            return self.list(node.body)

    # Templates.

    def template(self, node: nodes.TemplateCall) -> None:
        """Compile ``template``: in place, or as a call where it would not end or become too long."""
        body = self.unit.tree.templates.get(node.name)
        if body is None:
            failing = self.failing(f"template {quote(node.name)} not defined", node)
            self.emit(ast.Expr(value=self.load(failing)))
            return
        dot: Expr = Known(value=MISSING)
        if node.pipe is not None:
            dot = self.set_variables(node.pipe) if node.pipe.declarations else self.pipeline(node.pipe)
        if node.name in self.stack or self.unit.size > UNIT_SIZE or self.nesting > IF_DEPTH:
            self._call_template(node, dot)
        else:
            self._inline_template(node.name, body, dot)

    def _inline_template(self, name: str, body: nodes.ListNode, dot: Expr) -> None:
        outer = (self.template_name, self.stack, self.dot, self.bindings)
        self.dot = self.in_variable(dot, "d_")
        self.template_name, self.stack = name, (*self.stack, name)
        self.bindings = [Binding("$", self.dot)]
        self.list(body)
        self.template_name, self.stack, self.dot, self.bindings = outer

    def _call_template(self, node: nodes.TemplateCall, dot: Expr) -> None:
        function = self.callables.setdefault(node.name, f"template_{len(self.callables)}")
        value = self.load(self.strict(dot))
        self.flush()
        depth = self.unit.place(invoke("deeper", load("depth")), node, self.template_name)
        self.emit(assign("t", invoke(function, value, load("s"), load("v"), load("t"), depth)))
        self.outputs += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop to be emitted: over ``items``, made from ``value``, which the variable ``container`` holds."""

    node: nodes.Range
    items: ast.expr
    value: Expr
    container: str
    in_pairs: bool


@dataclass(slots=True, kw_only=True)
class Arm:
    """One branch: its code, the text left at its end, whether that end can be reached."""

    block: Stmts
    pending: Pending
    reachable: bool


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


def jumps(body: nodes.ListNode) -> bool:
    """Return whether a range body breaks or continues its own loop."""
    for node in body.nodes:
        if isinstance(node, (nodes.Break, nodes.Continue)):
            return True
        if isinstance(node, (nodes.If, nodes.With)) and jumps(node.body):
            return True
        if isinstance(node, nodes.Branch) and node.otherwise is not None and jumps(node.otherwise):
            return True
    return False


def uses(variable: str, node: nodes.Node) -> bool:
    """Return whether a body mentions a variable."""
    return any(isinstance(found, nodes.Variable) and found.name == variable for found in nodes.walk(node))
