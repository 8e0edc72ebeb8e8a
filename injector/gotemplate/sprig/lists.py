"""sprig's list functions: a new list for every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.errors import FunctionError
from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.arithmetic import to_int
from injector.gotemplate.sprig.defaults import Collected, deep_equal
from injector.gotemplate.sprig.signature import CHUNKS, go
from injector.gotemplate.sprig.texts import check_length, kind_name
from injector.gotemplate.values import TypedList, Value

NIL_DEREFERENCE: Final = "runtime error: invalid memory address or nil pointer dereference"


def elements(value: Value, complaint: str) -> list[Value]:
    """Return the list, or raise what sprig says about another kind of value."""
    if isinstance(value, list):
        return value
    raise FunctionError(NIL_DEREFERENCE if value is None else complaint.format(kind_name(value)))


def nil_list() -> TypedList:
    """Return the nil slice: ``[]`` when printed, ``null`` in JSON."""
    return TypedList((), types.SLICE_ANY, is_nil=True)


def push(value: Value, element: Value) -> list[Value]:
    """``append``, ``push``: the list and one element more."""
    items = elements(value, "Cannot push on type {}")
    check_length(len(items) + 1)
    return [*items, element]


def prepend(value: Value, element: Value) -> list[Value]:
    """Return one element and the list after it."""
    items = elements(value, "Cannot prepend on type {}")
    check_length(len(items) + 1)
    return [element, *items]


def chunk(size: int, value: Value) -> TypedList:
    """Return the list in parts of ``size``, the last one shorter."""
    items = elements(value, "Cannot chunk type {}")
    if size <= 0:
        return TypedList(_odd_chunks(size, items), CHUNKS)
    return TypedList([list(items[at : at + size]) for at in range(0, len(items), size)], CHUNKS)


def _odd_chunks(size: int, items: list[Value]) -> list[list[Value]]:
    """Return what sprig's arithmetic makes of a size that makes no sense, where it does not panic."""
    count = (len(items) - 1) // size + 1 if size and items else -1
    if count < 0 or (count and size == -1):
        raise FunctionError("runtime error: makeslice: len out of range")
    return [list(items)] if count else []


def first(value: Value) -> Value:
    """Return the first element, nil when there is none."""
    items = elements(value, "Cannot find first on type {}")
    return items[0] if items else None


def last(value: Value) -> Value:
    """Return the last element, nil when there is none."""
    items = elements(value, "Cannot find last on type {}")
    return items[-1] if items else None


def rest(value: Value) -> list[Value]:
    """Return all elements but the first, the nil list when there is none."""
    items = elements(value, "Cannot find rest on type {}")
    return list(items[1:]) if items else nil_list()


def initial(value: Value) -> list[Value]:
    """Return all elements but the last, the nil list when there is none."""
    items = elements(value, "Cannot find initial on type {}")
    return list(items[:-1]) if items else nil_list()


def reverse(value: Value) -> list[Value]:
    """Return the elements from the last to the first."""
    return list(reversed(elements(value, "Cannot find reverse on type {}")))


def compact(value: Value) -> list[Value]:
    """Return the elements that are not empty."""
    return [element for element in elements(value, "Cannot compact on type {}") if element]


def uniq(value: Value) -> list[Value]:
    """Return every element once, where it comes first."""
    known = Collected()
    return [element for element in elements(value, "Cannot find uniq on type {}") if known.add(element)]


def without(value: Value, *omitted: Value) -> list[Value]:
    """Return the elements that are equal to none of the others given."""
    items = elements(value, "Cannot find without on type {}")
    unwanted = Collected(omitted)
    return [element for element in items if element not in unwanted]


def has(wanted: Value, value: Value) -> bool:
    """Return whether an element is deeply equal to ``wanted``; nil has none."""
    if value is None:
        return False
    return any(deep_equal(wanted, element) for element in elements(value, "Cannot find has on type {}"))


def slice_(value: Value, *bounds: Value) -> Value:
    """Return ``list[start:end]``; an empty list gives nil, whatever the bounds."""
    items = elements(value, "list should be type of slice or array but {}")
    if not items:
        return None
    start = to_int(bounds[0]) if bounds else 0
    end = to_int(bounds[1]) if len(bounds) > 1 else len(items)
    if not 0 <= start <= end <= len(items):
        raise FunctionError("reflect.Value.Slice: slice index out of bounds")
    part = items[start:end]
    return TypedList(part, items.type) if isinstance(items, TypedList) else part


def concat(*values: Value) -> list[Value]:
    """Return the elements of all lists."""
    joined: list[Value] = []
    for value in values:
        joined += elements(value, "Cannot concat type {} as list")
        check_length(len(joined))
    return joined or nil_list()


def _both(name: str, call: Callable[..., Any], signature: str) -> dict[str, Function]:
    """Return a function and its ``must`` form: both fail alike here, one by panic and one by error in Go."""
    function = go(signature, call)
    return {name: function, f"must{name[0].upper()}{name[1:]}": function}


def _listed(*values: Value) -> list[Value]:
    return list(values)


FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        **_both("append", push, "func(any, any) []any"),
        **_both("push", push, "func(any, any) []any"),
        **_both("prepend", prepend, "func(any, any) []any"),
        **_both("chunk", chunk, "func(int, any) [][]any"),
        **_both("first", first, "func(any) any"),
        **_both("last", last, "func(any) any"),
        **_both("rest", rest, "func(any) []any"),
        **_both("initial", initial, "func(any) []any"),
        **_both("reverse", reverse, "func(any) []any"),
        **_both("compact", compact, "func(any) []any"),
        **_both("uniq", uniq, "func(any) []any"),
        **_both("without", without, "func(any, ...any) []any"),
        **_both("has", has, "func(any, any) bool"),
        **_both("slice", slice_, "func(any, ...any) any"),
        "concat": go("func(...any) any", concat),
        "list": go("func(...any) []any", _listed),
        "tuple": go("func(...any) []any", _listed),
    }
)
