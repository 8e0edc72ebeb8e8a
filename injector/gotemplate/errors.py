"""What goes wrong inside the engine before its place in the template is known.

ExecutionError
├── FunctionError      what a template function says went wrong: Go's error or panic text
└── UnprintableError   a function was to be printed

Both become injector.errors.TemplateExecError, with name, line and column, before they leave the room.
"""

from __future__ import annotations

from injector.errors import InjectorError


class ExecutionError(InjectorError):
    """An execution error in Go's words, without its place."""


class FunctionError(ExecutionError):
    """A template function failed; reported as ``error calling NAME: …``."""


class UnprintableError(ExecutionError):
    """A value of a type that has no text; ``str()`` is the type's name."""
