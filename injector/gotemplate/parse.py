"""Parse a template's text, or raise TemplateSyntaxError in Go's words.

The grammar and its lookahead are text/template/parse's: line numbers in messages are those of the token that
was read last, so the order of reading is part of the behaviour.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

from injector.errors import TemplateSyntaxError
from injector.golang.strconv import quote, unquote
from injector.gotemplate import nodes
from injector.gotemplate.lex import KEYWORDS, Kind, Lexer, Token

MAX_DEPTH = 100
"""How deep parentheses and actions may nest; Go allows 10,000, Python's stack fewer."""

_OPERANDS = frozenset(
    {
        Kind.BOOL,
        Kind.CHAR_CONSTANT,
        Kind.COMPLEX,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.NIL,
        Kind.RAW_STRING,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.LEFT_PAREN,
    }
)
_BRANCHES: dict[Kind, type[nodes.If | nodes.With | nodes.Range]] = {
    Kind.IF: nodes.If,
    Kind.WITH: nodes.With,
    Kind.RANGE: nodes.Range,
}
_CONSTANTS = (nodes.Bool, nodes.DotNode, nodes.Nil, nodes.NumberNode, nodes.String)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """``{{end}}`` or ``{{else}}``: closes a list, never part of the tree."""

    pos: int
    is_else: bool

    def __str__(self) -> str:
        return "{{else}}" if self.is_else else "{{end}}"


@dataclass(slots=True)
class _Scope:
    """The state of one template while it is parsed: its variables in scope, the ranges around."""

    variables: list[str] = field(default_factory=lambda: ["$"])
    range_depth: int = 0
    paren_depth: int = 0
    action_line: int = 0


def parse(
    name: str, text: str, functions: Collection[str], delimiters: tuple[str, str] = ("{{", "}}")
) -> nodes.Tree:
    """Parse a text and the templates defined in it; a function that is not in ``functions`` is an error."""
    return _Parser(name, text, functions, delimiters).parse()


class _Parser:
    def __init__(self, name: str, text: str, functions: Collection[str], delimiters: tuple[str, str]) -> None:
        self.name = name
        self.text = text
        self.functions = functions
        keywords = {word: kind for word, kind in KEYWORDS.items() if word not in {"break", "continue"}}
        keywords |= {word: KEYWORDS[word] for word in ("break", "continue") if word not in functions}
        self.lexer = Lexer(text, (delimiters[0] or "{{", delimiters[1] or "}}"), keywords)
        self.last = Token(kind=Kind.EOF, pos=0, text="", line=0)
        """The token that the lexer returned last, even if it was put back."""
        self.pending: list[Token] = []
        """Tokens that were put back; the last one is read next."""
        self.scope = _Scope()
        self.templates: dict[str, nodes.ListNode] = {}
        self.depth = 0

    # Tokens.

    def next(self) -> Token:
        if self.pending:
            return self.pending.pop()
        self.last = self.lexer.next_token()
        return self.last

    def peek(self) -> Token:
        token = self.next()
        self.pending.append(token)
        return token

    def next_non_space(self) -> Token:
        while (token := self.next()).kind is Kind.SPACE:
            pass
        return token

    def peek_non_space(self) -> Token:
        token = self.next_non_space()
        self.pending.append(token)
        return token

    # Errors.

    def error(self, message: str) -> NoReturn:
        line = self.last.line
        raise TemplateSyntaxError(f"template: {self.name}:{line}: {message}", name=self.name, line=line)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind is not Kind.ERROR:
            self.error(f"unexpected {token} in {context}")
        started = self.scope.action_line
        extra = ""
        if started not in {0, token.line}:
            extra = f" started at {self.name}:{started}"
            if not token.text.endswith(" action"):
                extra = " in action" + extra
        self.error(f"{token}{extra}")

    def right_delim(self, context: str) -> Token:
        token = self.next_non_space()
        if token.kind is not Kind.RIGHT_DELIM:
            self.unexpected(token, context)
        return token

    def unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            self.error(str(error))

    # Templates.

    def parse(self) -> nodes.Tree:
        pos = self.peek().pos
        body: list[nodes.Statement] = []
        while self.peek().kind is not Kind.EOF:
            if self.peek().kind is Kind.LEFT_DELIM:
                delimiter, token = self.next(), self.next_non_space()
                if token.kind is Kind.DEFINE:
                    self.definition()
                    continue
                self.pending += [token, delimiter]
            node = self.text_or_action()
            if isinstance(node, _End):
                self.error(f"unexpected {node}")
            body.append(node)
        self.add(self.name, nodes.ListNode(pos=pos, nodes=tuple(body)))
        return nodes.Tree(name=self.name, text=self.text, templates=self.templates)

    def definition(self) -> None:
        context = "define clause"
        name = self.template_name(self.next_non_space(), context)
        self.right_delim(context)
        self.template(name, context)

    def template(self, name: str, context: str) -> None:
        outer, self.scope = self.scope, _Scope()
        body, end = self.item_list()
        if end.is_else:
            self.error(f"unexpected {end} in {context}")
        self.add(name, body)
        self.scope = outer

    def add(self, name: str, body: nodes.ListNode) -> None:
        """Keep a template; of two with one name, one must be empty."""
        known = self.templates.get(name)
        if known is None or is_empty(known):
            self.templates[name] = body
        elif not is_empty(body):
            self.error(f"template: multiple definition of template {quote(name)}")

    # Statements.

    def nest(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.error("max nesting depth exceeded")

    def item_list(self) -> tuple[nodes.ListNode, _End]:
        self.nest()
        pos = self.peek_non_space().pos
        body: list[nodes.Statement] = []
        while self.peek_non_space().kind is not Kind.EOF:
            node = self.text_or_action()
            if isinstance(node, _End):
                self.depth -= 1
                return nodes.ListNode(pos=pos, nodes=tuple(body)), node
            body.append(node)
        return self.error("unexpected EOF")

    def text_or_action(self) -> nodes.Statement | _End:
        token = self.next_non_space()
        if token.kind is Kind.TEXT:
            return nodes.Text(pos=token.pos, text=token.text)
        if token.kind is not Kind.LEFT_DELIM:
            self.unexpected(token, "input")
        self.scope.action_line = token.line
        node = self.action()
        self.scope.action_line = 0
        return node

    def action(self) -> nodes.Statement | _End:  # noqa: PLR0911 - one case a keyword
        token = self.next_non_space()
        match token.kind:
            case Kind.BLOCK:
                return self.block()
            case Kind.BREAK | Kind.CONTINUE:
                return self.jump(token)
            case Kind.ELSE:
                return self.otherwise()
            case Kind.END:
                return _End(pos=self.right_delim("end").pos, is_else=False)
            case Kind.IF | Kind.RANGE | Kind.WITH:
                return self.control(token)
            case Kind.TEMPLATE:
                return self.template_call()
        self.pending.append(token)
        return nodes.Action(pos=token.pos, pipe=self.pipeline("command", Kind.RIGHT_DELIM))

    def jump(self, keyword: Token) -> nodes.Break | nodes.Continue:
        action = f"{{{{{keyword.text}}}}}"
        self.right_delim(action)
        if self.scope.range_depth == 0:
            self.error(f"{action} outside {{{{range}}}}")
        node = nodes.Break if keyword.kind is Kind.BREAK else nodes.Continue
        return node(pos=keyword.pos)

    def otherwise(self) -> _End:
        following = self.peek_non_space()
        if following.kind in {Kind.IF, Kind.WITH}:  # "else if": the keyword is not consumed
            return _End(pos=following.pos, is_else=True)
        return _End(pos=self.right_delim("else").pos, is_else=True)

    def control(self, keyword: Token) -> nodes.If | nodes.With | nodes.Range:
        visible = len(self.scope.variables)
        pipe = self.pipeline(keyword.text, Kind.RIGHT_DELIM)
        self.scope.range_depth += keyword.kind is Kind.RANGE
        body, end = self.item_list()
        self.scope.range_depth -= keyword.kind is Kind.RANGE
        otherwise = self.else_list(keyword.kind, end) if end.is_else else None
        del self.scope.variables[visible:]
        return _BRANCHES[keyword.kind](pos=pipe.pos, pipe=pipe, body=body, otherwise=otherwise)

    def else_list(self, keyword: Kind, end: _End) -> nodes.ListNode:
        if keyword is not Kind.RANGE and self.peek().kind is keyword:
            # "else if" is an if inside the else; the one {{end}} closes both.
            self.nest()
            inner = self.control(self.next())
            self.depth -= 1
            return nodes.ListNode(pos=end.pos, nodes=(inner,))
        body, last = self.item_list()
        if last.is_else:
            self.error(f"expected end; found {last}")
        return body

    def block(self) -> nodes.TemplateCall:
        context = "block clause"
        token = self.next_non_space()
        name = self.template_name(token, context)
        pipe = self.pipeline(context, Kind.RIGHT_DELIM)
        self.template(name, context)
        return nodes.TemplateCall(pos=token.pos, name=name, pipe=pipe)

    def template_call(self) -> nodes.TemplateCall:
        context = "template clause"
        token = self.next_non_space()
        name = self.template_name(token, context)
        pipe = None
        if self.peek_non_space().kind is Kind.RIGHT_DELIM:
            self.next()
        else:
            pipe = self.pipeline(context, Kind.RIGHT_DELIM)
        return nodes.TemplateCall(pos=token.pos, name=name, pipe=pipe)

    def template_name(self, token: Token, context: str) -> str:
        if token.kind not in {Kind.STRING, Kind.RAW_STRING}:
            self.unexpected(token, context)
        return self.unquoted(token)

    # Pipelines.

    def pipeline(self, context: str, end: Kind) -> nodes.Pipe:
        pos = self.peek_non_space().pos
        declarations, is_assignment = self.declarations(context)
        commands: list[nodes.Command] = []
        while True:
            token = self.next_non_space()
            if token.kind is end:
                self.check_pipeline(commands, context)
                return nodes.Pipe(
                    pos=pos,
                    declarations=tuple(declarations),
                    is_assignment=is_assignment,
                    commands=tuple(commands),
                )
            if token.kind not in _OPERANDS:
                self.unexpected(token, context)
            self.pending.append(token)
            commands.append(self.command())

    def declarations(self, context: str) -> tuple[list[nodes.Variable], bool]:
        """Read ``$i, $x :=`` if it is there; three tokens of lookahead distinguish it from an argument."""
        declared: list[nodes.Variable] = []
        while (variable := self.peek_non_space()).kind is Kind.VARIABLE:
            self.next()
            after = self.peek()
            following = self.peek_non_space()
            if following.kind in {Kind.ASSIGN, Kind.DECLARE}:
                self.next_non_space()
                self.declare(variable, declared)
                return declared, following.kind is Kind.ASSIGN
            if following.kind is not Kind.CHAR or following.text != ",":
                self.pending += [after, variable] if after.kind is Kind.SPACE else [variable]
                return declared, False
            self.next_non_space()
            self.declare(variable, declared)
            if context != "range" or len(declared) >= 2:
                self.error(f"too many declarations in {context}")
            if self.peek_non_space().kind not in {Kind.VARIABLE, Kind.RIGHT_DELIM, Kind.RIGHT_PAREN}:
                self.error("range can only initialize variables")
        return declared, False

    def declare(self, variable: Token, declared: list[nodes.Variable]) -> None:
        declared.append(nodes.Variable(pos=variable.pos, name=variable.text))
        self.scope.variables.append(variable.text)

    def check_pipeline(self, commands: list[nodes.Command], context: str) -> None:
        if not commands:
            self.error(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], _CONSTANTS):
                self.error(f"non executable command in pipeline stage {stage}")

    def command(self) -> nodes.Command:
        pos = self.peek_non_space().pos
        args: list[nodes.Operand] = []
        while True:
            self.peek_non_space()
            operand = self.operand()
            if operand is not None:
                args.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in {Kind.RIGHT_DELIM, Kind.RIGHT_PAREN}:
                self.pending.append(token)
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        if not args:
            self.error("empty command")
        return nodes.Command(pos=pos, args=tuple(args))

    def operand(self) -> nodes.Operand | None:
        term = self.term()
        if term is None or self.peek().kind is not Kind.FIELD:
            return term
        pos = self.peek().pos
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        if isinstance(term, nodes.FieldNode):
            return nodes.FieldNode(pos=pos, names=(*term.names, *names))
        if isinstance(term, nodes.Variable):
            return nodes.Variable(pos=pos, name=term.name, fields=(*term.fields, *names))
        if isinstance(term, _CONSTANTS):
            self.error(f"unexpected . after term {quote(str(term))}")
        return nodes.ChainNode(pos=pos, term=term, fields=tuple(names))

    def term(self) -> nodes.Operand | None:  # noqa: C901, PLR0911 - one case a kind of token
        token = self.next_non_space()
        match token.kind:
            case Kind.IDENTIFIER:
                if token.text not in self.functions:
                    self.error(f"function {quote(token.text)} not defined")
                return nodes.Identifier(pos=token.pos, name=token.text)
            case Kind.DOT:
                return nodes.DotNode(pos=token.pos)
            case Kind.NIL:
                return nodes.Nil(pos=token.pos)
            case Kind.VARIABLE:
                return self.variable(token)
            case Kind.FIELD:
                return nodes.FieldNode(pos=token.pos, names=(token.text[1:],))
            case Kind.BOOL:
                return nodes.Bool(pos=token.pos, value=token.text == "true")
            case Kind.CHAR_CONSTANT | Kind.COMPLEX | Kind.NUMBER:
                return self.number(token)
            case Kind.LEFT_PAREN:
                return self.parenthesis()
            case Kind.STRING | Kind.RAW_STRING:
                return nodes.String(pos=token.pos, quoted=token.text, text=self.unquoted(token))
        self.pending.append(token)
        return None

    def parenthesis(self) -> nodes.Pipe:
        if self.scope.paren_depth >= MAX_DEPTH:
            self.error("max expression depth exceeded")
        self.scope.paren_depth += 1
        pipe = self.pipeline("parenthesized pipeline", Kind.RIGHT_PAREN)
        self.scope.paren_depth -= 1
        return pipe

    def variable(self, token: Token) -> nodes.Variable:
        if token.text not in self.scope.variables:
            self.error(f"undefined variable {quote(token.text)}")
        return nodes.Variable(pos=token.pos, name=token.text)

    def number(self, token: Token) -> nodes.NumberNode:
        read = {Kind.CHAR_CONSTANT: nodes.char_constant, Kind.COMPLEX: nodes.complex_constant}
        try:
            return read.get(token.kind, nodes.number_constant)(token.text, token.pos)
        except ValueError as error:
            self.error(str(error))


def is_empty(body: nodes.ListNode) -> bool:
    """Return whether a template contains only white space."""
    return all(isinstance(node, nodes.Text) and not node.text.strip() for node in body.nodes)
