"""Template functions with Go signatures, their errors, and the check of one argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from injector.errors import InjectorError
from injector.gotemplate import types
from injector.gotemplate.types import Type
from injector.gotemplate.values import MISSING, NilPointer, Struct, Value, deref, type_of, zero


class ExecutionError(InjectorError):
    """An execution error in Go's words; with its position it becomes a TemplateExecError."""


class FunctionError(ExecutionError):
    """A template function failed; reported as ``error calling NAME: …``."""


class UnknownTextError(ExecutionError):
    """A text of Go's that is not made here; ``str()`` says which."""


class UnprintableError(ExecutionError):
    """A value of a type that has no text; ``str()`` is the type's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function that a template may call.

    ``call`` receives arguments that have been checked against ``params``; the last parameter is repeated when
    ``variadic``. In interface parameters None stands for nil; maps, slices and pointers get their typed zero
    value; only VALUE parameters get MISSING. ``call`` raises FunctionError where Go's function returns an
    error.

    - ``pure``: same arguments, same result, no effect: it may be called once, at load.
    - ``text``: a serialiser; its result is template text, not a value.
    - ``mutates``: changes an argument in place (sprig's ``set``), so data must be copied for each rendering.
    - ``quotes``: for sprig's ``quote`` and ``squote``, the mark that they put around each argument that is
      not nil; with one argument, the marks are template text and what is between them is a value.
    - ``falls_back``: returns the second of two arguments, or the first where the second is empty (sprig's
      ``default``): Python's ``or``, the other way round.
    - ``looks_up``: the field of its first argument, a map of strings, in which it looks up the second; if
      that is missing, it returns the third as ``%v`` prints it (Istio's ``annotation``).
    - ``needs_dot``: ``call`` receives the template's ``$`` before its arguments.
    """

    call: Callable[..., Value]
    params: tuple[Type, ...] = ()
    variadic: bool = False
    result: Type = types.ANY
    pure: bool = True
    text: bool = False
    mutates: bool = False
    quotes: str = ""
    falls_back: bool = False
    looks_up: str = ""
    needs_dot: bool = False

    def param(self, position: int) -> Type:
        """Return the type of the parameter for the argument at ``position`` (from 0)."""
        return self.params[-1] if position >= len(self.params) else self.params[position]


def boxed(value: Value) -> Value:
    """Return a value as an interface{} holds it."""
    if type(value) is NilPointer and value.type.kind == "interface":
        return None
    return value.boxed() if type(value) is Struct else value


def convert(value: Value, target: Type) -> Value:
    """Return ``value`` as an argument of type ``target``; ExecutionError in Go's words when it does not fit.

    The rule is assignability, with one step of taking an address or following a pointer.
    """
    if target.kind == "value":
        return value
    if value is MISSING:
        if types.can_be_nil(target):
            return zero(target)
        raise ExecutionError(f"invalid value; expected {target}")
    if target.kind == "interface" and not target.named:
        return boxed(value)
    if value is None:
        if target.kind == "interface":
            return None
        raise ExecutionError(f"wrong type for value; expected {target}; got interface {{}}")
    source = type_of(value)
    if types.assignable(source, target):
        return value
    return _convert_indirect(value, source, target)


def _convert_indirect(value: Value, source: Type, target: Type) -> Value:
    if source.kind == "pointer" and source.elem is not None and types.assignable(source.elem, target):
        if isinstance(value, NilPointer):
            raise ExecutionError(f"dereference of nil pointer of type {target}")
        return deref(value)
    if isinstance(value, Struct) and types.assignable(types.pointer_to(source), target):
        return value.same(pointer=True)
    raise ExecutionError(f"wrong type for value; expected {target}; got {source}")
