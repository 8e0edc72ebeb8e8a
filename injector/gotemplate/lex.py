"""Split a template's text into tokens, as Go's text/template does.

Positions count characters from 0; lines count from 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum, auto

from injector.golang.strconv import quote
from injector.gotemplate.printf import FmtFlags, unicode_point

SPACES = " \t\r\n"
_SPACE_RUN = re.compile(r"[ \t\r\n]*")
_ASCII_NAME = re.compile(r"[A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*(?:\.[0-7_]*)?|0[bB][01_]*(?:\.[01_]*)?"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_LEFT_MARKERS = tuple(f"-{space}" for space in SPACES)
_RIGHT_MARKERS = tuple(f"{space}-" for space in SPACES)
MARKER_LENGTH = 2  # the minus and its space
_SHARP = FmtFlags(sharp=True)  # an unexpected character is shown by ``%#U``


class Kind(IntEnum):
    """The kinds of tokens; those after KEYWORD are keywords."""

    ERROR = auto()
    BOOL = auto()
    CHAR = auto()
    CHAR_CONSTANT = auto()
    COMPLEX = auto()
    ASSIGN = auto()
    DECLARE = auto()
    EOF = auto()
    FIELD = auto()
    IDENTIFIER = auto()
    LEFT_DELIM = auto()
    LEFT_PAREN = auto()
    NUMBER = auto()
    PIPE = auto()
    RAW_STRING = auto()
    RIGHT_DELIM = auto()
    RIGHT_PAREN = auto()
    SPACE = auto()
    STRING = auto()
    TEXT = auto()
    VARIABLE = auto()
    KEYWORD = auto()
    DOT = auto()
    BLOCK = auto()
    BREAK = auto()
    CONTINUE = auto()
    DEFINE = auto()
    ELSE = auto()
    END = auto()
    IF = auto()
    NIL = auto()
    RANGE = auto()
    TEMPLATE = auto()
    WITH = auto()


KEYWORDS = {kind.name.lower(): kind for kind in Kind if kind > Kind.DOT}
_QUOTED = {
    '"': (Kind.STRING, re.compile(r'"(?:[^"\\\n]|\\[^\n])*"'), "unterminated quoted string"),
    "'": (Kind.CHAR_CONSTANT, re.compile(r"'(?:[^'\\\n]|\\[^\n])*'"), "unterminated character constant"),
    "`": (Kind.RAW_STRING, re.compile(r"`[^`]*`"), "unterminated raw quoted string"),
}
"""For each quote: the kind of constant, its pattern, and the error for another spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token: its start, its text, and for an ERROR the message."""

    kind: Kind
    pos: int
    text: str
    line: int

    def __str__(self) -> str:
        """Return the token as a syntax error shows it."""
        if self.kind is Kind.EOF:
            return "EOF"
        if self.kind is Kind.ERROR:
            return self.text
        if self.kind > Kind.KEYWORD:
            return f"<{self.text}>"
        if len(self.text.encode(errors="surrogatepass")) > 10:
            return f"{quote(self.text[:10])}..."
        return quote(self.text)


class LexicalError(Exception):
    """The fault of the input at the token being read."""


def is_alphanumeric(char: str) -> bool:
    """Return whether a character may be part of a name; "" is the end of the input."""
    return char == "_" or char.isalpha() or char.isdecimal()


class Lexer:
    """Reads one token at a time, so that the parser can decide what is a keyword."""

    def __init__(self, text: str, delimiters: tuple[str, str], keywords: dict[str, Kind]) -> None:
        self.text = text
        self.left, self.right = delimiters
        self.keywords = keywords
        self.pos = 0
        self.start = 0
        self.start_line = 1
        self.inside_action = False
        self.paren_depth = 0

    def next_token(self) -> Token:
        """Return the next token; after an ERROR or at the end, EOF."""
        try:
            return self._inside_action() if self.inside_action else self._text()
        except LexicalError as error:
            token = Token(kind=Kind.ERROR, pos=self.start, text=str(error), line=self.start_line)
            self.text = ""
            self.pos = self.start = 0
            self.inside_action = False
            return token

    # Movement. A character past the end is "".

    def _peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def _ignore(self) -> None:
        self.start_line += self.text.count("\n", self.start, self.pos)
        self.start = self.pos

    def _token(self, kind: Kind) -> Token:
        token = Token(kind=kind, pos=self.start, text=self.text[self.start : self.pos], line=self.start_line)
        self._ignore()
        return token

    def _at_right_delim(self) -> tuple[bool, bool]:
        """Return whether the right delimiter is here, and whether it trims."""
        marked = self.text.startswith(_RIGHT_MARKERS, self.pos)
        if marked and self.text.startswith(self.right, self.pos + MARKER_LENGTH):
            return True, True
        return self.text.startswith(self.right, self.pos), False

    # Outside actions.

    def _text(self) -> Token:
        while True:
            found = self.text.find(self.left, self.pos)
            if found < 0:
                self.pos = len(self.text)
                return self._token(Kind.TEXT if self.pos > self.start else Kind.EOF)
            token = self._text_before(found)
            if token is not None:
                return token
            token = self._left_delim()
            if token is not None:
                return token

    def _text_before(self, delimiter: int) -> Token | None:
        end = delimiter
        if self.text.startswith(_LEFT_MARKERS, delimiter + len(self.left)):
            end = self.start + len(self.text[self.start : delimiter].rstrip(SPACES))
        self.pos = end
        token = self._token(Kind.TEXT) if end > self.start else None
        self.pos = delimiter
        self._ignore()
        return token

    def _left_delim(self) -> Token | None:
        """Read the delimiter, or a whole comment, which gives no token."""
        self.pos += len(self.left)
        after = MARKER_LENGTH if self.text.startswith(_LEFT_MARKERS, self.pos) else 0
        if self.text.startswith("/*", self.pos + after):
            self.pos += after
            self._ignore()
            self._comment()
            return None
        token = self._token(Kind.LEFT_DELIM)
        self.inside_action = True
        self.pos += after
        self._ignore()
        self.paren_depth = 0
        return token

    def _comment(self) -> None:
        end = self.text.find("*/", self.pos + 2)
        if end < 0:
            raise LexicalError("unclosed comment")
        self.pos = end + 2
        closed, trims = self._at_right_delim()
        if not closed:
            raise LexicalError("comment ends before closing delimiter")
        self.pos += len(self.right) + (MARKER_LENGTH if trims else 0)
        if trims:
            self._skip(_SPACE_RUN)
        self._ignore()

    # Inside an action.

    def _right_delim(self) -> Token:
        _, trims = self._at_right_delim()
        if trims:
            self.pos += MARKER_LENGTH
            self._ignore()
        self.pos += len(self.right)
        token = self._token(Kind.RIGHT_DELIM)
        if trims:
            self._skip(_SPACE_RUN)
            self._ignore()
        self.inside_action = False
        return token

    def _inside_action(self) -> Token:
        if self._at_right_delim()[0]:
            if self.paren_depth == 0:
                return self._right_delim()
            raise LexicalError("unclosed left paren")
        char = self._peek()
        if char and char in SPACES:
            return self._space()
        if char and (char in "+-0123456789" or (char == "." and self._dot_starts_number())):
            return self._number()
        if is_alphanumeric(char):
            return self._identifier()
        self.pos += len(char)
        return self._punctuation(char)

    def _dot_starts_number(self) -> bool:
        following = self.text[self.pos + 1 : self.pos + 2]
        return following == "" or following in "0123456789"

    def _punctuation(self, char: str) -> Token:  # noqa: PLR0911 - one case a character
        match char:
            case "":
                raise LexicalError("unclosed action")
            case "=" | "|":
                return self._token(Kind.ASSIGN if char == "=" else Kind.PIPE)
            case ":":
                if self._peek() != "=":
                    raise LexicalError("expected :=")
                self.pos += 1
                return self._token(Kind.DECLARE)
            case '"' | "'" | "`":
                return self._quoted(*_QUOTED[char])
            case "$":
                return self._name(Kind.VARIABLE)
            case ".":
                return self._name(Kind.DOT if self._at_terminator() else Kind.FIELD)
            case "(" | ")":
                return self._paren(char)
        if char.isascii() and char.isprintable():
            return self._token(Kind.CHAR)
        raise LexicalError(f"unrecognized character in action: {unicode_point(_SHARP, ord(char))}")

    def _paren(self, char: str) -> Token:
        if char == "(":
            self.paren_depth += 1
            return self._token(Kind.LEFT_PAREN)
        self.paren_depth -= 1
        if self.paren_depth < 0:
            raise LexicalError("unexpected right paren")
        return self._token(Kind.RIGHT_PAREN)

    def _space(self) -> Token:
        """Read a run of spaces, except the last one if it belongs to a trimming delimiter."""
        self._skip(_SPACE_RUN)
        last = self.pos - 1
        if self.text.startswith(_RIGHT_MARKERS, last) and self.text.startswith(
            self.right, last + MARKER_LENGTH
        ):
            self.pos = last
        return self._token(Kind.SPACE)

    def _at_terminator(self) -> bool:
        char = self._peek()
        return char == "" or char in " \t\r\n.,|:)(" or self.text.startswith(self.right, self.pos)

    def _identifier(self) -> Token:
        self._skip_name()
        word = self.text[self.start : self.pos]
        if word in self.keywords:
            return self._token(self.keywords[word])
        return self._token(Kind.BOOL if word in {"true", "false"} else Kind.IDENTIFIER)

    def _name(self, kind: Kind) -> Token:
        """Read the name of a field or variable; it may be empty."""
        if not self._at_terminator():
            self._skip_name()
        return self._token(kind)

    def _quoted(self, kind: Kind, spelling: re.Pattern[str], unterminated: str) -> Token:
        found = spelling.match(self.text, self.start)
        if found is None:
            raise LexicalError(unterminated)
        self.pos = found.end()
        return self._token(kind)

    def _skip_name(self) -> None:
        self._skip(_ASCII_NAME)
        while is_alphanumeric(self._peek()):
            self.pos += 1
        if not self._at_terminator():
            raise LexicalError(f"bad character {unicode_point(_SHARP, ord(self._peek()))}")

    def _skip(self, run: re.Pattern[str]) -> None:
        match = run.match(self.text, self.pos)
        assert match is not None  # noqa: S101 - the patterns match the empty text
        self.pos = match.end()

    def _number(self) -> Token:
        if not self._scan_number():
            raise LexicalError(f"bad number syntax: {quote(self.text[self.start : self.pos])}")
        sign = self._peek()
        if sign and sign in "+-":  # a complex number, 1+2i, has no space and ends in i
            if not self._scan_number() or self.text[self.pos - 1] != "i":
                raise LexicalError(f"bad number syntax: {quote(self.text[self.start : self.pos])}")
            return self._token(Kind.COMPLEX)
        return self._token(Kind.NUMBER)

    def _scan_number(self) -> bool:
        """Skip what looks like a number; the parser checks whether it is one."""
        self._skip(_NUMBER)
        if is_alphanumeric(self._peek()):
            self.pos += 1
            return False
        return True
