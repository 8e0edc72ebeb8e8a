r"""Compile a template, and what is known when it is loaded, to a Python function that renders it.

compile_template reads: parse → compile the text's statements → compile the templates that stay functions →
assemble one Python module → run it once. With ``Values`` known, this template::

    image: {{ .Values.hub }}/proxy
    name: {{ .ObjectMeta.Name | quote }}
    {{- if isset .ObjectMeta.Labels "app" }}
    app: {{ index .ObjectMeta.Labels "app" }}
    {{- end }}
    args:
    {{- range .Values.args }}
    - {{ . }}
    {{- end }}

becomes (``s`` appends to S, the texts, and ``v`` to V, the values)::

    h_1 = dot.get('ObjectMeta', k_6)
    h_3 = h_1.get('Labels')
    h_2 = h_1.get('Name')
    s('image: r.example/proxy\nname: "')
    v(quoted(h_2))
    if f_isset_4(h_3, 'app'):
        s('"\napp: ')
        v(h_3.get('app', ''))
        t = ''
    else:
        t = '"'
    s(t + '\nargs:\n- a\n- b\n')
    return (S, V)

docs/architecture.md follows another one to the YAML. The compiler's parts, each importing those before it::

    code         values by when they are known, and the code that computes them
    scope        what is in sight at a point of the template
    calls        functions, and arguments of functions and methods
    expressions  pipelines, commands, operands, fields
    output       texts and values in turn, also where branches meet
    statements   what is between braces as a statement: prints, branches, loops, other templates
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import CodeType, TracebackType
from typing import Any

from injector.errors import TemplateExecError
from injector.golang.strconv import quote
from injector.gotemplate import nodes
from injector.gotemplate.builtins import BUILTINS
from injector.gotemplate.code import (
    RUNTIME,
    Computed,
    Dot,
    DropUnused,
    Expr,
    Fault,
    Site,
    Stmts,
    Unit,
    assign,
    invoke,
    load,
    lookup,
)
from injector.gotemplate.functions import ExecutionError, Function, FunctionError, UnprintableError
from injector.gotemplate.output import Output, Pending
from injector.gotemplate.parse import parse
from injector.gotemplate.scope import Data
from injector.gotemplate.statements import Statements
from injector.gotemplate.types import StructType
from injector.gotemplate.values import MISSING, Struct, Value, zero
from injector.rendering import Rendering

Render = Callable[[Mapping[str, Value]], tuple[list[str], list[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template. Rendering changes nothing in it: threads may share it.

    ``_copied`` are the known fields that functions may change through their arguments; they are copied for
    every rendering.
    """

    name: str
    tree: nodes.Tree
    _module: ast.Module
    _render: Render
    _codes: frozenset[CodeType]
    _sites: tuple[Site, ...]
    _faults: tuple[Fault, ...]
    _copied: Mapping[str, Value] | None

    def render(self, dot: Mapping[str, Value]) -> Rendering:
        """Return the rendering for the fields of the dot that were not known when the template was compiled.

        Raises TemplateExecError in Go's words.
        """
        try:
            strings, values = self._render(dot if self._copied is None else copied({**self._copied, **dot}))
        except ExecutionError as error:
            raise self._explained(error) from error
        return Rendering(tuple(strings), tuple(values))

    def faults(self) -> tuple[TemplateExecError, ...]:
        """Return the errors that every rendering raises if it reaches their sites, for ``lint``.

        Their cause was known when the template was compiled, for instance a field that the dot does not have.
        An error in a branch that is never taken does no harm.
        """
        return tuple(self._error(fault.site, fault.message) for fault in self._faults)

    def source(self) -> str:
        """Return the generated code as Python source, for people to read."""
        return ast.unparse(self._module)

    def _explained(self, error: ExecutionError) -> TemplateExecError:
        site = self._site(error.__traceback__)
        message = str(error)
        if isinstance(error, UnprintableError):
            message = f"can't print {site.node} of type {error}"
        elif isinstance(error, FunctionError):
            message = f"error calling {site.call}: {error}"
        return self._error(site, message)

    def _error(self, site: Site, message: str) -> TemplateExecError:
        line, column = self.tree.place(site.node.pos)
        position = f"template: {self.tree.name}:{line}:{column}"
        executing = f"executing {quote(site.template)} at <{site.node}>"
        text = f"{position}: {executing}: {message}"
        return TemplateExecError(text, name=self.tree.name, line=line, column=column)

    def _site(self, traceback: TracebackType | None) -> Site:
        """Return the template position of the innermost frame of generated code."""
        found = self._sites[0]
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if code in self._codes:
                column = _column(code, traceback.tb_lasti)
                found = self._sites[column] if column is not None else found
            traceback = traceback.tb_next
        return found


def _column(code: CodeType, offset: int) -> int | None:
    _line, _end, column, _end_column = next(islice(code.co_positions(), offset // 2, None))
    return column


def compile_template(
    name: str,
    text: str,
    *,
    functions: Mapping[str, Function],
    known: Mapping[str, Value] | None = None,
    dot_type: StructType | None = None,
    delimiters: tuple[str, str] = ("{{", "}}"),
) -> Template:
    """Compile a template for the fields of the dot in ``known``; ``render`` takes the others.

    ``functions`` are added to Go's own. ``dot_type`` makes the dot a pointer to a struct with these fields;
    without it, the dot is a map. What is known is evaluated here: branches are decided, loops unrolled, pure
    functions called. An error in it is raised when a rendering reaches it, as in Go. Raises
    TemplateSyntaxError.
    """
    tree = parse(name, text, BUILTINS.keys() | functions.keys(), delimiters)
    found = (node for body in tree.templates.values() for node in nodes.walk(body))
    used = {node.name for node in found if isinstance(node, nodes.Identifier)}
    mutating = any(function.mutates and name in used for name, function in functions.items())
    data = Data(
        known={} if mutating else (known or {}), dot_type=dot_type, functions=functions, mutating=mutating
    )
    return _Assembly(tree, data, known or {}).template()


class _Assembly:
    """Combines the functions generated for one text."""

    def __init__(self, tree: nodes.Tree, data: Data, known: Mapping[str, Value]) -> None:
        self.unit = Unit(tree=tree)
        self.data = data
        self.known = known
        self.callables: dict[str, str] = {}

    def template(self) -> Template:
        """Compile everything and run the module."""
        tree = self.unit.tree
        functions = [self._main(), *self._called()]
        module = ast.Module(body=functions, type_ignores=[])
        module = ast.fix_missing_locations(DropUnused(self.unit.kept).visit(module))
        code = compile(module, f"<template {tree.name}>", "exec", dont_inherit=True)
        space: dict[str, Any] = {"__builtins__": {}, **RUNTIME, **self.unit.constants}
        exec(code, space)  # noqa: S102 - the code was made here, from nodes; no text of the template is in it
        return Template(
            name=tree.name,
            tree=tree,
            _module=module,
            _render=space["render"],
            _codes=frozenset(constant for constant in code.co_consts if isinstance(constant, CodeType)),
            _sites=tuple(self.unit.sites)
            or (Site(node=tree.templates[tree.name], template=tree.name, call=""),),
            _faults=tuple(self.unit.faults),
            _copied=self.known if self.data.mutating else None,
        )

    def _main(self) -> ast.stmt:
        output = self._compiled(self.unit.tree.name, Dot(), Pending())
        body = output.block
        body.append(ast.Expr(value=invoke("s", output.pending_code())))
        body.append(ast.Return(value=ast.Tuple(elts=[load("S"), load("V")], ctx=ast.Load())))
        lists = [assign(name, ast.List(elts=[], ctx=ast.Load())) for name in ("S", "V")]
        appends = [
            assign(short, ast.Attribute(value=load(name), attr="append", ctx=ast.Load()))
            for short, name in (("s", "S"), ("v", "V"))
        ]
        depth = assign("depth", ast.Constant(value=0))
        return _function("render", ("dot",), [*lists, *appends, depth, *self._reads(), *body])

    def _called(self) -> Iterator[ast.stmt]:
        """Yield the called templates; compiling one may add more."""
        done = 0
        while done < len(self.callables):
            name, function = list(self.callables.items())[done]
            done += 1
            dot = Computed(code=load("dot"), fallible=False, missable=True)
            output = self._compiled(name, dot, Pending(moved=True))
            body = [*output.block, ast.Return(value=output.pending_code())]
            yield _function(function, ("dot", "s", "v", "t", "depth"), body)

    def _compiled(self, name: str, dot: Expr, pending: Pending) -> Output:
        """Compile a template of the text; ``pending`` is the text before it."""
        statements = Statements(self.unit, self.data, name, dot, self.callables)
        statements.output.pending = pending
        statements.compile(self.unit.tree.templates[name])
        return statements.output

    def _reads(self) -> Stmts:
        """Return code that reads from the dot what the template needs of it."""
        reads: Stmts = []
        if self.data.dot_used:
            reads.append(assign("root", invoke(self.unit.bind("make_root_", self._make_root), load("dot"))))
        for path, name in sorted(self.data.paths.items()):
            if len(path) > 1:
                value = lookup(load(self.data.paths[path[:-1]]), ast.Constant(value=path[-1]))
            else:
                value = lookup(load("dot"), ast.Constant(value=path[0]), self._absent(path[0]))
            reads.append(assign(name, value))
        return reads

    def _absent(self, name: str) -> ast.expr:
        declared = self.data.dot_type.field_type(name) if self.data.dot_type is not None else None
        return self.unit.constant(MISSING if declared is None else zero(declared))

    def _make_root(self, dot: Mapping[str, Value]) -> Value:
        values = {**self.data.known, **dot}
        if self.data.dot_type is None:
            return values
        return Struct.of(self.data.dot_type, values, pointer=True)


def _function(name: str, params: tuple[str, ...], body: Stmts) -> ast.stmt:
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(arg=param) for param in params],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    return ast.FunctionDef(name=name, args=arguments, body=body, decorator_list=[], lineno=1, col_offset=0)


def copied(value: Any) -> Any:
    """Return a deep copy of maps and lists; templates cannot change anything else."""
    if type(value) is dict:
        return {key: copied(element) for key, element in value.items()}
    return [copied(element) for element in value] if type(value) is list else value
