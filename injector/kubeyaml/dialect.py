r"""What libyaml and yaml.v2 read differently: the text for libyaml, its events and its errors for yaml.v2.

yaml.v2 is a port of an older libyaml. It differs from 0.2.5 between brackets (``?`` ends a plain
scalar, ``:`` before ``,`` does not), refuses ``\/``, knows no YAML 1.2, keeps the tag ``!``, has
``,`` and brackets in tags, and reads a byte order mark within the text as a letter. What is left of
the differences is between brackets: ``[!a,b]`` has one element to yaml.v2. The sentences of errors are the
same; the line numbers are not: it counts scanner errors from one, parser errors from zero, and names no line
where it counted zero.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol

from yaml.error import MarkedYAMLError
from yaml.error import YAMLError as LibYAMLError
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from injector.errors import YAMLError


class Mark(Protocol):
    """Where an event starts or ends: characters from the text's start, line and column from 0."""

    index: int
    line: int
    column: int


def at(reason: str, *, source: str = "", mark: Mark | None = None, named_line: int = 0) -> YAMLError:
    """Build the error: ``mark`` is the true place, ``named_line`` what Go's sentence says (0: nothing)."""
    sentence = f"yaml: line {named_line}: {reason}" if named_line else f"yaml: {reason}"
    if mark is None:
        return YAMLError(sentence, source=source)
    return YAMLError(sentence, source=source, line=mark.line + 1, column=mark.column + 1)


def translate(error: LibYAMLError, *, source: str) -> YAMLError:
    """Say what yaml.v2 says for an error of libyaml's scanner, parser or reader."""
    if isinstance(error, ReaderError):
        return YAMLError(f"yaml: {error.reason}", source=source)
    if not isinstance(error, MarkedYAMLError):
        return YAMLError(f"yaml: {error}", source=source)
    mark: Mark | None = error.problem_mark
    context: Mark | None = error.context_mark
    return at(error.problem or "", source=source, mark=mark, named_line=_line(error, mark, context))


def _line(error: MarkedYAMLError, mark: Mark | None, context: Mark | None) -> int:
    """Count as yaml.v2's ``fail`` does."""
    if mark is not None and mark.line:
        return mark.line + isinstance(error, ScannerError)
    return context.line if context is not None else 0


PRIVATE_USE: Final = range(0xE000, 0xF900)
"""Characters that are printable to YAML and mean nothing to anybody: stand-ins and marks are chosen here."""

SIGNS: Final = ("?", "%YAML", "\\/", "! ", "!\n", "!\t", "\ufeff")
"""What a text has if it has anything that the two read differently, but for a needless ``:``."""

MISREAD_COLON: Final = "found unexpected ':'"

_TAG_CHARACTERS: Final = (",", "[", "]")
_MOST_REPAIRS: Final = 100
_BARE_TAG = re.compile(r"(?:&[A-Za-z0-9_-]+[ \t]+)?!(?=[\s,\[\]{}]|\Z)").match
_SLASH_ESCAPE = re.compile(r'"(?:[^\\]|\\[^/])*?\\/').match


def unused_character(text: str) -> str:
    """Return a character that ``text`` neither has nor names in an escape sequence, or nothing."""
    codes = text.lower()
    free = (code for code in PRIVATE_USE if chr(code) not in text and f"{code:x}" not in codes)
    return next(map(chr, free), "")


class Dialect:
    """One a text. ``text`` is what libyaml is to parse; positions in it are those of the original."""

    __slots__ = ("_bom", "_colon", "_repairs", "_source", "text")

    def __init__(self, text: str, *, source: str) -> None:
        text = text.removeprefix("\ufeff")
        free = (character for character in map(chr, PRIVATE_USE) if character not in text)
        self._bom = next(free, "")
        self._colon = next(free, "")
        self._source = source
        self._repairs = 0
        self.text = text.replace("\ufeff", self._bom) if self._bom else text

    def repair(self, error: LibYAMLError) -> bool:
        """Put a stand-in where libyaml stumbled over a colon or a tag; False if it was something else."""
        if not isinstance(error, ScannerError) or error.problem_mark is None or not self._colon:
            return False
        position = error.problem_mark.index
        if error.problem == MISREAD_COLON:
            stand_in = self._colon
        elif (
            error.context == "while scanning a tag" and self.text[position : position + 1] in _TAG_CHARACTERS
        ):
            stand_in = "$"  # as unknown to yaml.v2 as what was there
        else:
            return False
        self.text = self.text[:position] + stand_in + self.text[position + 1 :]
        self._repairs += 1
        return self._repairs <= _MOST_REPAIRS

    def value(self, event: Any, collection: Any) -> str:
        """Return the text of a scalar; raises YAMLError for what yaml.v2 refuses in it.

        ``collection`` is the start of the flow collection that the scalar stands in, else None.
        """
        value: str = event.value
        if event.style == '"' and "\\/" in self.text:
            self._refuse_slash(event)
        if collection is not None and not event.style and "?" in value:
            raise self._question_mark(event, collection)
        return value.replace(self._bom, "\ufeff").replace(self._colon, ":") if self._colon else value

    def tag(self, event: Any) -> str:
        """Return the tag of a node; libyaml drops ``!``, which keeps yaml.v2 from typing a scalar."""
        if event.tag is None and _BARE_TAG(self.text, event.start_mark.index):
            return "!"
        return event.tag or ""

    def _refuse_slash(self, event: Any) -> None:
        start: Mark = event.start_mark
        match = _SLASH_ESCAPE(self.text, self.text.index('"', start.index), event.end_mark.index)
        if match:
            line = start.line + match[0].count("\n")
            raise at(
                "found unknown escape character",
                source=self._source,
                mark=start,
                named_line=line + (line > 0),
            )

    def _question_mark(self, event: Any, collection: Any) -> YAMLError:
        start: Mark = event.start_mark
        position = self.text.index("?", start.index)
        line = start.line + self.text.count("\n", start.index, position)
        closing = "}" if "Mapping" in type(collection).__name__ else "]"
        named = line or collection.start_mark.line
        return at(
            f"did not find expected ',' or '{closing}'", source=self._source, mark=start, named_line=named
        )
