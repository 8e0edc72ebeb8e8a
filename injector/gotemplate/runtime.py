"""What a template does with values: read a field, call a method, iterate, print.

Used at load, on what is known then, and by the compiled code.
"""

from __future__ import annotations

from collections.abc import Sequence

from injector.golang.strconv import quote_inside
from injector.gotemplate import fmt, types
from injector.gotemplate.functions import ExecutionError, Function, FunctionError, UnprintableError, convert
from injector.gotemplate.types import Method, NamedInt, SizedInt, StructType, Type
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    Struct,
    TypedList,
    TypedMap,
    Value,
    deref,
    indirect,
    type_of,
)
from injector.rendering import Quoted, Settled


def fields(value: Value, names: Sequence[str], origin: Value) -> Value:
    """Return ``value.A.B``.

    ``origin`` is True for a value found in an interface{}, or the container whose element it is. Only
    messages need it: they show the static type.
    """
    static = _static(origin)
    for name in names:
        if type(value) is dict:
            value, static = value.get(name, MISSING), types.ANY
        else:
            value, static = field(value, name, static, ())
    return value


def through(pointer: Value, name: str) -> Value:
    """Return a field of the struct that a pointer points to."""
    return pointer.get(name) if type(pointer) is Struct else field(pointer, name, None, ())[0]


def is_method(value: Value, name: str, origin: Value, count: int) -> bool:
    """Return whether ``value.Name`` takes the ``count`` arguments that follow; no value takes any.

    Raises Go's error about arguments of something that is not a method, or about their number, first.
    """
    if value is MISSING:
        return False
    method = None if value is None else type_of(indirect(value)).methods.get(name)
    if method is None:
        field(value, name, _static(origin), (None,) * count)
    else:
        _params(method, name, count)
    return True


def field_or_method(value: Value, name: str, origin: Value, *args: Value) -> Value:
    """Return ``value.Name``, or the result of that method for ``args``."""
    return field(value, name, _static(origin), args)[0]


def _static(origin: Value) -> Type | None:
    """Return the static type of a value if it hides the value's own."""
    if origin is True or type(origin) is dict or type(origin) is list:
        return types.ANY
    if isinstance(origin, Pointer):
        return _static(indirect(origin))
    elem = origin.type.elem if isinstance(origin, (TypedList, TypedMap)) else None
    return types.ANY if elem is not None and elem.kind == "interface" else None


def field(value: Value, name: str, static: Type | None, args: tuple[Value, ...]) -> tuple[Value, Type | None]:
    """Return a field and its static type, None for the value's own."""
    if value is MISSING:
        return MISSING, None
    if value is None:
        raise ExecutionError(f"nil pointer evaluating interface {{}}.{name}")
    shown = static or type_of(value)
    while isinstance(value, Pointer) and name not in value.type.methods:
        value = value.value
    declared = type_of(value)
    method = declared.methods.get(name)
    if method is not None:
        return call_method(method, name, value, args), method.result
    if isinstance(value, Struct) and name in value.type.lookup:
        if args:
            raise ExecutionError(f"{name} has arguments but cannot be invoked as function")
        return value.get(name), value.type.field_type(name)
    if isinstance(value, dict) and declared.key is not None and declared.key.name == "string":
        if args:
            raise ExecutionError(f"{name} is not a method but has arguments")
        return value.get(name, MISSING), declared.elem
    if isinstance(value, NilPointer) and _has_field(value, name):
        owner = value.type if value.type.kind == "interface" else shown
        raise ExecutionError(f"nil pointer evaluating {owner}.{name}")
    raise ExecutionError(f"can't evaluate field {name} in type {shown}")


def _has_field(value: NilPointer, name: str) -> bool:
    target = value.type.elem
    return not isinstance(target, StructType) or name in target.lookup


def call_method(method: Method, name: str, receiver: Value, args: tuple[Value, ...]) -> Value:
    """Call a method with as many arguments as it declares."""
    params = _params(method, name, len(args))
    checked = [convert(arg, param) for arg, param in zip(args, params, strict=True)]
    try:
        return method.call(receiver, *checked)
    except FunctionError as error:
        raise ExecutionError(f"error calling {name}: {error}") from error


def _params(method: Method, name: str, count: int) -> Sequence[Type]:
    params = (types.ANY,) * count if method.params is None else method.params
    if len(params) != count:
        raise ExecutionError(f"wrong number of args for {name}: want {len(params)} got {count}")
    return params


def unwrap(value: Value) -> Value:
    """Return what a pipeline passes on: a nil interface{} becomes no value."""
    return MISSING if value is None else value


def nil_if_missing(value: Value) -> Value:
    """Return a value as an interface{} argument: no value becomes nil, and so does a nil interface."""
    if type(value) is NilPointer and value.type.kind == "interface":
        return None
    return None if value is MISSING else value


def string_argument(value: Value) -> str:
    """Return a value as a string argument."""
    text: str = value if type(value) is str else convert(value, types.STRING)
    return text


_MOST_TEMPLATES = 250
"""Depth of templates that call templates; Go allows 100,000, as its message says, Python's stack fewer."""


def deeper(depth: int) -> int:
    """Return the depth of a called template."""
    if depth >= _MOST_TEMPLATES:
        raise ExecutionError("exceeded maximum template depth (100000)")
    return depth + 1


def fail(message: str) -> Value:
    """Raise an error that was found at load and may only occur when reached."""
    raise ExecutionError(message)


# Iteration.


def elements(value: Value) -> Sequence[Value]:
    """Return what ``range`` iterates over: elements in order, map values by key, integers below a number."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    if value is None or value is MISSING:
        return ()
    if isinstance(value, Pointer):
        return elements(value.value)
    if isinstance(value, int) and not isinstance(value, bool):
        return range(value) if type(value) is int else _sized_range(value)
    raise ExecutionError(f"range can't iterate over {fmt.shown(deref(value))}")


def pairs(value: Value) -> Sequence[tuple[Value, Value]]:
    """Return index or key with each element."""
    if isinstance(value, Pointer):
        return pairs(value.value)
    if isinstance(value, dict):
        return sorted(value.items(), key=lambda item: item[0])
    if isinstance(value, int) and not isinstance(value, bool):
        raise ExecutionError(f"can't use {fmt.shown(value)} to iterate over more than one variable")
    return list(enumerate(elements(value)))


def _sized_range(value: int) -> Sequence[Value]:
    if isinstance(value, NamedInt):
        return [NamedInt(number, value.type) for number in range(value)]
    return [type(value)(number) for number in range(value)]


# Printing.


def printed(value: Value) -> str:
    """Return the text that an action prints."""
    if type(value) is str or type(value) is Settled:
        return value
    if value is None or value is MISSING:
        return "<no value>"
    if isinstance(value, Struct):  # Go takes the address, for its String
        return fmt.format_value(value.same(pointer=value.type.stringer is not None))
    if isinstance(value, Pointer):
        return printed(value.value)
    if isinstance(value, Function) or callable(value):
        raise UnprintableError(type_of(value).name)
    return bare(value)


def bare(value: Value) -> str:
    """Return what ``%v`` prints, with short ways for the most frequent values."""
    if type(value) is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if type(value) is int or isinstance(value, SizedInt):
        return int.__repr__(value)
    return fmt.format_value(value)


def quoted(value: Value) -> str:
    """Return the text between the quotes of sprig's ``quote`` for one value that is not nil.

    It is `Quoted` where it differs from the value's own text.
    """
    raw = bare(value)
    inside = quote_inside(raw)
    return raw if inside is raw else Quoted(inside, raw)


def is_typed(value: Value) -> bool:
    """Return whether a container's elements have another type than interface{}."""
    return _static(value) is None
