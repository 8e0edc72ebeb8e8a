"""libyaml's errors in, YAMLError in yaml.v2's wording out.

yaml.v2 is a port of libyaml, so the sentences are the same; its line numbers are not: it counts
scanner errors from one, parser errors from nought, and names no line where it counted nought.
"""

from __future__ import annotations

from typing import Protocol

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
