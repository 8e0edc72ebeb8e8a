"""The output of generated code: alternating texts and values, and the pending text where branches meet.

Generated code appends to two lists, ``S`` (texts) and ``V`` (values): before every value the text since the
previous one. That text is kept here as long as it is known; where branches meet it moves into ``t``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from injector.gotemplate import nodes
from injector.gotemplate.code import Stmts, assign, invoke, load
from injector.gotemplate.scope import Scope

Branch = Callable[[], bool]
"""Compiles a branch; returns whether its end can be reached."""


@dataclass(slots=True)
class Pending:
    """The text since the last value: ``t`` (when ``moved``) and then ``text``."""

    moved: bool = False
    text: str = ""


@dataclass(slots=True, kw_only=True)
class Arm:
    """One branch: its code, the text pending at its end, whether that end can be reached."""

    block: Stmts
    pending: Pending
    reachable: bool


class Output:
    """Collects the statements of one function.

    ``outputs`` counts outputs, so that branches that print nothing can be recognised; ``nesting`` is how many
    blocks the statements are in.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.block: Stmts = []
        self.pending = Pending()
        self.outputs = 0
        self.nesting = 0

    def emit(self, statement: ast.stmt) -> None:
        """Add a statement."""
        self._scope.unit.size += 1
        self.block.append(statement)

    def fail(self, message: str, node: nodes.Node) -> None:
        """Raise an error when this point is reached."""
        self.emit(ast.Expr(value=self._scope.load(self._scope.failing(message, node))))

    # Texts and values.

    def text(self, text: str) -> None:
        """Print a known text."""
        self.pending.text += text
        self.outputs += bool(text)

    def hole(self, value: ast.expr) -> None:
        """Print a value."""
        self.emit(ast.Expr(value=invoke("s", self.pending_code())))
        self.emit(ast.Expr(value=invoke("v", value)))
        self.pending = Pending()
        self.outputs += 1

    def pending_code(self) -> ast.expr:
        """Return code for the text since the last value."""
        constant = ast.Constant(value=self.pending.text)
        if not self.pending.moved:
            return constant
        return ast.BinOp(left=load("t"), op=ast.Add(), right=constant) if self.pending.text else load("t")

    def flush(self) -> None:
        """Move the pending text into ``t``."""
        if self.pending.moved and self.pending.text:
            target = ast.Name(id="t", ctx=ast.Store())
            self.emit(ast.AugAssign(target=target, op=ast.Add(), value=ast.Constant(value=self.pending.text)))
        elif not self.pending.moved:
            self.emit(assign("t", ast.Constant(value=self.pending.text)))
        self.pending = Pending(moved=True)

    # Branches.

    def branch(self, test: ast.expr, body: Branch, otherwise: Branch | None) -> bool:
        """Emit an ``if`` statement; return whether its end can be reached."""
        before, outputs = self.pending, self.outputs
        first = self.collect(body, before)
        second = self.collect(otherwise or (lambda: True), before)
        if self.outputs == outputs:
            self.pending = before
        else:
            for arm in (first, second):
                if arm.reachable:
                    self.flush_into(arm)
            self.pending = Pending(moved=True)
        self.emit(ast.If(test=test, body=first.block or [ast.Pass()], orelse=second.block))
        return first.reachable or second.reachable

    def collect(self, body: Branch, before: Pending) -> Arm:
        """Compile an optional block: what is computed in it is not available after it."""
        outer, self.block = self.block, []
        self.pending = Pending(moved=before.moved, text=before.text)
        available, self._scope.available = self._scope.available, dict(self._scope.available)
        self.nesting += 1
        reachable = body()
        self.nesting -= 1
        self._scope.available = available
        arm = Arm(block=self.block, pending=self.pending, reachable=reachable)
        self.block = outer
        return arm

    def flush_into(self, arm: Arm) -> None:
        """Move the text pending at the end of a block into ``t``, inside the block."""
        outer, self.block = self.block, arm.block
        self.pending = arm.pending
        self.flush()
        self.block = outer
