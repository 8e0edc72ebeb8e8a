"""Go's predefined template functions: comparison, index, slice, len, print, escapes.

``and`` and ``or`` are here only for their signatures: the compiler evaluates them, because they stop early.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Never
from urllib.parse import quote_plus

from injector.gotemplate import fmt, types
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.types import FLOAT_KINDS, INTEGER_KINDS, UNSIGNED_KINDS, Type, UInt8
from injector.gotemplate.values import (
    MISSING,
    NilPointer,
    Pointer,
    TypedList,
    Value,
    deref,
    indirect,
    is_invalid,
    is_nil,
    kind,
    type_name,
    type_of,
    zero,
)

_BASIC = (
    {"bool": "bool", "string": "string", "complex128": "complex", "complex64": "complex"}
    | dict.fromkeys(INTEGER_KINDS, "int")
    | dict.fromkeys(UNSIGNED_KINDS, "uint")
    | dict.fromkeys(FLOAT_KINDS, "float")
)
_UNORDERED = frozenset({"bool", "complex"})
_PLAIN_BASIC: dict[type, str] = {str: "string", bool: "bool", int: "int", float: "float"}


def _basic(value: Value) -> str:
    """Return the kind that comparisons use, "" for a value that is not basic."""
    plain = _PLAIN_BASIC.get(type(value))
    return plain if plain is not None else _BASIC.get(kind(value), "")


def equal(first: Value, *others: Value) -> bool:
    """``eq``: whether the first value equals any of the others."""
    if not others:
        raise FunctionError("missing argument for comparison")
    first_kind = _basic(first)
    return any(_equal(first, first_kind, other) for other in others)


def _equal(first: Value, first_kind: str, other: Value) -> bool:
    other_kind = _basic(other)
    if first_kind != other_kind:
        if {first_kind, other_kind} == {"int", "uint"}:
            return int(first) == int(other)
        if is_invalid(first) or is_invalid(other):
            return False
        raise FunctionError(_incompatible(first, other))
    if first_kind == "string":
        return str(first) == str(other)
    return bool(first == other) if first_kind else _equal_composite(first, other)


def _equal_composite(first: Value, other: Value) -> bool:
    if not is_invalid(first) and not is_invalid(other) and kind(first) != kind(other):
        shown = f"{fmt.shown(first, '%s')}: {type_of(first)}, {type_of(other)}: {fmt.shown(other)}"
        raise FunctionError(f"non-comparable types {shown}")
    if is_nil(first) or is_nil(other):
        return is_nil(first) == is_nil(other)
    declared = type_of(other)
    if not _is_comparable(declared):
        raise FunctionError(f"non-comparable type {fmt.shown(other, '%s')}: {declared}")
    return bool(first == other)


def _is_comparable(declared: Type) -> bool:
    """Return whether Go's ``==`` is defined: not for structs that hold maps or slices."""
    if declared.kind in {"map", "slice", "func"}:
        return False
    fields = getattr(declared, "fields", {})
    return all(_is_comparable(field.type) for field in fields.values())


def _incompatible(first: Value, other: Value) -> str:
    return f"incompatible types for comparison: {type_of(first)} and {type_of(other)}"


def less(first: Value, other: Value) -> bool:
    """``lt``; only numbers and strings have an order."""
    first_kind, other_kind = _basic(first), _basic(other)
    if not first_kind or not other_kind:
        raise FunctionError("invalid type for comparison")
    if first_kind != other_kind and {first_kind, other_kind} != {"int", "uint"}:
        raise FunctionError(_incompatible(first, other))
    if first_kind in _UNORDERED:
        raise FunctionError("invalid type for comparison")
    return bool(first < other)


def less_or_equal(first: Value, other: Value) -> bool:
    """``le``, defined by ``lt`` and ``eq`` as in Go."""
    return less(first, other) or equal(first, other)


# Indexing.


def index(item: Value, *indexes: Value) -> Value:
    """``index x 1 2``: ``x[1][2]``; a missing key is the zero value of the map's elements."""
    if is_invalid(item):
        raise FunctionError("index of untyped nil")
    for position in indexes:
        item = _index_once(_indirect(item, "index"), position)
    return item


def _indirect(item: Value, action: str) -> Value:
    if isinstance(item, Pointer):
        return _indirect(item.value, action)
    if item is None or item is MISSING or isinstance(item, NilPointer):
        raise FunctionError(f"{action} of nil pointer")
    return item


def _index_once(item: Value, position: Value) -> Value:
    if isinstance(item, dict):
        declared = type_of(item)
        key_type, elem = declared.key, declared.elem
        assert key_type is not None and elem is not None  # noqa: S101, PT018 - a map has both
        found = item.get(_key(position, key_type), MISSING)
        return zero(elem) if found is MISSING else found
    if isinstance(item, list):
        at = _position(position, len(item))
        if at == len(item):
            raise FunctionError("reflect: slice index out of range")
        return item[at]
    if isinstance(item, str):
        octets = item.encode(errors="surrogateescape")
        at = _position(position, len(octets))
        if at == len(octets):
            raise FunctionError("reflect: string index out of range")
        return UInt8(octets[at])
    raise FunctionError(f"can't index item of type {type_of(deref(item))}")


def _key(position: Value, key_type: Type) -> Value:
    """Return a map key of the given type; an integer of any size may be used for any integer type."""
    if is_invalid(position):
        if not types.can_be_nil(key_type):
            raise FunctionError(f"value is nil; should be of type {key_type}")
        return None
    source = type_of(position)
    if types.assignable(source, key_type):
        return position
    if _BASIC.get(source.kind) in {"int", "uint"} and _BASIC.get(key_type.kind) in {"int", "uint"}:
        return position
    raise FunctionError(f"value has type {source}; should be {key_type}")


def _position(position: Value, capacity: int) -> int:
    if is_invalid(position):
        raise FunctionError("cannot index slice/array with nil")
    if _basic(position) not in {"int", "uint"}:
        raise FunctionError(f"cannot index slice/array with type {type_of(position)}")
    at = int(position)
    if not 0 <= at <= capacity:
        raise FunctionError(f"index out of range: {at}")
    return at


def slice_(item: Value, *indexes: Value) -> Value:
    """``slice x 1 2``: ``x[1:2]``, by bytes for strings."""
    if is_invalid(item):
        raise FunctionError("slice of untyped nil")
    item = _indirect(item, "slice")
    if len(indexes) > 3:
        raise FunctionError(f"too many slice indexes: {len(indexes)}")
    whole: Any = item.encode(errors="surrogateescape") if isinstance(item, str) else item
    if isinstance(item, str) and len(indexes) == 3:
        raise FunctionError("cannot 3-index slice a string")
    if not isinstance(item, (str, list)):
        raise FunctionError(f"can't slice item of type {type_of(deref(item))}")
    bounds = [_position(position, len(whole)) for position in indexes]
    start, end, *capacity = [*bounds, *[0, len(whole)][len(bounds) :]]
    for low, high in zip((start, end), (end, *capacity), strict=False):
        if low > high:
            raise FunctionError(f"invalid slice index: {low} > {high}")
    part = whole[start:end]
    if isinstance(item, str):
        return part.decode(errors="surrogateescape")
    return TypedList(part, item.type) if isinstance(item, TypedList) else part


def length(item: Value) -> int:
    """``len``: bytes of a string, elements of a list or map."""
    if item is MISSING:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    item = _indirect(item, "len")
    if isinstance(item, str):
        return len(item) if item.isascii() else len(item.encode(errors="surrogateescape"))
    if isinstance(item, (list, dict)):
        return len(item)
    raise FunctionError(f"len of type {type_of(deref(item))}")


# Text.


_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"})
_JS = (
    {code: f"\\u{code:04X}" for code in range(0x20)}
    | {ord(character): f"\\u{ord(character):04X}" for character in "<>&="}
    | {ord(character): f"\\{character}" for character in "\\'\""}
)


def _js_escape(text: str) -> str:
    """Return ``text`` escaped for a JavaScript string literal with either quote."""
    text = text.translate(_JS)
    return text if text.isprintable() else "".join(_js_rune(rune) for rune in text)


def _js_rune(rune: str) -> str:
    """Escape what is neither ASCII nor printable; a byte that is not valid UTF-8 stays as it is."""
    if rune < "\x80" or rune.isprintable() or "\udc80" <= rune <= "\udcff":
        return rune
    return f"\\u{ord(rune):04X}"


_ANYTHING = (types.ANY,)


def _escaping(escape: Callable[[str], str]) -> Function:
    """Return a function that escapes its arguments, printed as ``print`` does."""

    def escaped(*values: Value) -> str:
        if len(values) == 1 and type(values[0]) is str:
            return escape(values[0])
        shown = (indirect(value) for value in values)
        return escape(fmt.sprint(*("<no value>" if is_invalid(value) else value for value in shown)))

    return Function(call=escaped, params=_ANYTHING, variadic=True, result=types.STRING)


def call(name: str | None, function: Value, *args: Value) -> Value:
    """``call``: call a function that is a value; ``name`` is its text in the template, None if piped."""
    if name is None:
        name = function if isinstance(function, str) else f"<{type_name(function)} Value>"
    if is_invalid(function):
        raise FunctionError("call of nil")
    if not isinstance(function, Function):
        raise FunctionError(f"non-function {name} of type {type_of(function)}")
    want = len(function.params) - function.variadic
    if len(args) < want or (len(args) > want and not function.variadic):
        at_least = "at least " if function.variadic else ""
        raise FunctionError(f"wrong number of args for {name}: got {len(args)} want {at_least}{want}")
    checked = [_call_argument(place, arg, function.param(place)) for place, arg in enumerate(args)]
    return function.call(*checked)


def _call_argument(place: int, value: Value, target: Type) -> Value:
    if is_invalid(value) and types.can_be_nil(target):
        return zero(target)
    try:
        return value if target.kind == "value" or types.is_any(target) else _key(value, target)
    except FunctionError as error:
        raise FunctionError(f"arg {place}: {error}") from error


def _never(*_values: Value) -> Never:
    raise AssertionError("the compiler evaluates and, or itself")


def _one(value: Any, result: Type, params: int, *, variadic: bool = False) -> Function:
    return Function(call=value, params=(types.VALUE,) * params, variadic=variadic, result=result)


BUILTINS: Mapping[str, Function] = MappingProxyType(
    {
        "and": _one(_never, types.VALUE, 2, variadic=True),
        "or": _one(_never, types.VALUE, 2, variadic=True),
        "not": _one(lambda value: not value, types.BOOL, 1),
        "eq": _one(equal, types.BOOL, 2, variadic=True),
        "ne": _one(lambda first, other: not equal(first, other), types.BOOL, 2),
        "lt": _one(less, types.BOOL, 2),
        "le": _one(less_or_equal, types.BOOL, 2),
        "gt": _one(lambda first, other: not less_or_equal(first, other), types.BOOL, 2),
        "ge": _one(lambda first, other: not less(first, other), types.BOOL, 2),
        "index": _one(index, types.VALUE, 2, variadic=True),
        "slice": _one(slice_, types.VALUE, 2, variadic=True),
        "len": _one(length, types.INT, 1),
        "call": Function(call=call, params=(types.VALUE,) * 2, variadic=True, result=types.VALUE, pure=False),
        "html": _escaping(lambda text: text.translate(_HTML)),
        "js": _escaping(_js_escape),
        "urlquery": _escaping(partial(quote_plus, safe="", errors="surrogateescape")),
        "print": Function(call=fmt.sprint, params=_ANYTHING, variadic=True, result=types.STRING),
        "printf": Function(
            call=fmt.sprintf, params=(types.STRING, types.ANY), variadic=True, result=types.STRING
        ),
        "println": Function(call=fmt.sprintln, params=_ANYTHING, variadic=True, result=types.STRING),
    }
)
"""The functions that every template may call; one passed in for the template hides the one of its name."""
