"""sprig's functions for lists, which return new lists, and for maps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, Final

from injector.gotemplate import types
from injector.gotemplate.fmt import sorted_keys
from injector.gotemplate.functions import Function, FunctionError
from injector.gotemplate.sprig.arithmetic import to_int
from injector.gotemplate.sprig.defaults import Collected, deep_equal
from injector.gotemplate.sprig.shared import (
    CHUNKS,
    NIL_DEREFERENCE,
    check_length,
    go,
    kind_name,
    string_list,
    strval,
)
from injector.gotemplate.types import Type
from injector.gotemplate.values import StringMap, TypedList, TypedMap, Value, is_nil, type_of


def elements(value: Value, complaint: str) -> list[Value]:
    """Return the list, or raise sprig's error about another kind of value."""
    if isinstance(value, list):
        return value
    raise FunctionError(NIL_DEREFERENCE if value is None else complaint.format(kind_name(value)))


def nil_list() -> TypedList:
    """Return the nil slice: ``[]`` when printed, ``null`` in JSON."""
    return TypedList((), types.SLICE_ANY, is_nil=True)


def push(value: Value, element: Value) -> list[Value]:
    """``append``, ``push``: the list and one more element."""
    items = elements(value, "Cannot push on type {}")
    check_length(len(items) + 1)
    return [*items, element]


def prepend(value: Value, element: Value) -> list[Value]:
    """Return one element followed by the list."""
    items = elements(value, "Cannot prepend on type {}")
    check_length(len(items) + 1)
    return [element, *items]


def chunk(size: int, value: Value) -> TypedList:
    """Return the list in parts of ``size``; the last one may be shorter."""
    items = elements(value, "Cannot chunk type {}")
    if size <= 0:
        return TypedList(_odd_chunks(size, items), CHUNKS)
    return TypedList([list(items[at : at + size]) for at in range(0, len(items), size)], CHUNKS)


def _odd_chunks(size: int, items: list[Value]) -> list[list[Value]]:
    """Return the result of sprig's arithmetic for a senseless size, where it does not panic."""
    count = (len(items) - 1) // size + 1 if size and items else -1
    if count < 0 or (count and size == -1):
        raise FunctionError("runtime error: makeslice: len out of range")
    return [list(items)] if count else []


def without(value: Value, *omitted: Value) -> list[Value]:
    """Return the elements that differ from all the others given."""
    items = elements(value, "Cannot find without on type {}")
    unwanted = Collected(omitted)
    return [element for element in items if element not in unwanted]


def has(wanted: Value, value: Value) -> bool:
    """Return whether an element is deeply equal to ``wanted``; nil has no elements."""
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


def _both(name: str, call: Callable[..., Any], signature: str, **facts: Any) -> dict[str, Function]:
    """Return a function and its ``must`` form: here both fail alike, in Go one by panic and one by error."""
    function = go(signature, call, **facts)
    return {name: function, f"must{name[0].upper()}{name[1:]}": function}


def _of_list(action: str, result: str, call: Callable[[list[Value]], Value]) -> dict[str, Function]:
    """Return a function of one list and its ``must`` form; ``action`` ends in its name."""
    complaint = f"Cannot {action} on type {{}}"
    return _both(
        action.rpartition(" ")[2], lambda value: call(elements(value, complaint)), f"func(any) {result}"
    )


# Maps. Where Go's order of keys is random, ours is sorted.

Dict = dict[str, Value]


def dictionary(*pairs: Value) -> Dict:
    """Return a map of alternating keys and values; a key without a value gets an empty string."""
    values = [*pairs[1::2], ""]
    return {strval(key): value for key, value in zip(pairs[::2], values, strict=False)}


def set_(target: Dict, key: str, value: Value) -> Dict:
    """Put a value into the map, and return the map."""
    _check_holds_no(target, value)
    if is_nil(target):
        raise FunctionError("assignment to entry in nil map")
    target[key] = value
    return target


def unset(target: Dict, key: str) -> Dict:
    """Remove a key from the map, and return the map."""
    target.pop(key, None)
    return target


def _check_holds_no(target: Dict, value: Value) -> None:
    """Refuse to make a map that contains itself: printing it would never end, and crashes Go."""
    pending = [value]
    while pending:
        held = pending.pop()
        if held is target:
            raise FunctionError("a map may not hold itself")
        if isinstance(held, (dict, list)):
            pending.extend(held.values() if isinstance(held, dict) else held)


def merge(target: Dict, *sources: Dict, overwrite: bool = False) -> Dict:
    """Add to the map what it lacks, or overwrite it with all the others, at any depth; return it."""
    if is_nil(target) and not all(map(is_nil, sources)):
        target = {}
    for source in sources:
        for value in source.values():
            _check_holds_no(target, value)
        merge_into(target, source, overwrite=overwrite)
    return target


def merge_into(target: dict[str, Value], source: dict[str, Value], *, overwrite: bool) -> None:
    """Merge ``source`` into ``target``, in place, as mergo does; maps that it lacks become shared.

    Lists are kept or replaced as a whole. Empty values in the target (0, "", false, nil, an empty list or
    map) are filled; when overwriting, empty values of the source count as well.
    """
    for key, value in source.items():
        if value is None:
            if overwrite:
                target[key] = None
            continue
        present = target.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            merge_into(present, value, overwrite=overwrite)
            if present:
                continue
        if overwrite or not present:
            target[key] = value


def deep_copy(value: Value) -> Value:
    """Return a copy that shares no map and no list."""
    if value is None:
        raise FunctionError("reflect: call of reflect.Value.Type on zero Value")
    return _copied(value)


def _copied(value: Value) -> Value:
    if isinstance(value, StringMap):
        return StringMap(value, is_nil=value.is_nil)
    if isinstance(value, TypedMap):
        return TypedMap({key: _copied(item) for key, item in value.items()}, value.type, is_nil=value.is_nil)
    if isinstance(value, TypedList):
        return TypedList([_copied(item) for item in value], value.type, is_nil=value.is_nil)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def dig(*path: Value) -> Value:
    """``dig "a" "b" default map``: the value at ``a.b``, the default where a key is missing."""
    if len(path) < 3:
        raise FunctionError("dig needs at least three arguments")
    *names, default, found = path
    _check_is(found, dict, types.MAP_ANY)
    for name in names:
        _check_is(name, str, types.STRING)
    for name in names:
        _check_is(found, dict, types.MAP_ANY)
        if name not in found:
            return default
        found = found[name]
    return found


def _check_is(value: Value, wanted: type, declared: Type) -> None:
    if type(value) is not wanted:
        shown = "nil" if value is None else type_of(value)
        raise FunctionError(f"interface conversion: interface {{}} is {shown}, not {declared}")


_MERGE: Final = "func(map[string]any, ...map[string]any) any"
_CHANGING: Final = {"pure": False, "mutates": True}

FUNCTIONS: Final = {
    **_both("append", push, "func(any, any) []any"),
    **_both("push", push, "func(any, any) []any"),
    **_both("prepend", prepend, "func(any, any) []any"),
    **_both("chunk", chunk, "func(int, any) [][]any"),
    **_of_list("find first", "any", lambda items: items[0] if items else None),
    **_of_list("find last", "any", lambda items: items[-1] if items else None),
    **_of_list("find rest", "[]any", lambda items: list(items[1:]) if items else nil_list()),
    **_of_list("find initial", "[]any", lambda items: list(items[:-1]) if items else nil_list()),
    **_of_list("find reverse", "[]any", lambda items: list(reversed(items))),
    **_of_list("compact", "[]any", lambda items: [element for element in items if element]),
    **_of_list("find uniq", "[]any", lambda items: list(filter(Collected().add, items))),
    **_both("without", without, "func(any, ...any) []any"),
    **_both("has", has, "func(any, any) bool"),
    **_both("slice", slice_, "func(any, ...any) any"),
    "concat": go("func(...any) any", concat),
    "list": go("func(...any) []any", lambda *values: list(values)),
    "tuple": go("func(...any) []any", lambda *values: list(values)),
    **_both("deepCopy", deep_copy, "func(any) any"),
    "dict": go("func(...any) map[string]any", dictionary),
    "dig": go("func(...any) (any, error)", dig),
    "get": go("func(map[string]any, string) any", lambda source, key: source.get(key, "")),
    "hasKey": go("func(map[string]any, string) bool", lambda source, key: key in source),
    "keys": go(
        "func(...map[string]any) []string", lambda *sources: string_list(chain(*map(sorted_keys, sources)))
    ),
    **_both("merge", merge, _MERGE, **_CHANGING),
    **_both("mergeOverwrite", partial(merge, overwrite=True), _MERGE, **_CHANGING),
    "omit": go(
        "func(map[string]any, ...string) map[string]any",
        lambda source, *names: {key: value for key, value in source.items() if key not in names},
    ),
    "pick": go(
        "func(map[string]any, ...string) map[string]any",
        lambda source, *names: {name: source[name] for name in names if name in source},
    ),
    "pluck": go(
        "func(string, ...map[string]any) []any",
        lambda key, *sources: [source[key] for source in sources if key in source],
    ),
    "set": go("func(map[string]any, string, any) map[string]any", set_, **_CHANGING),
    "unset": go("func(map[string]any, string) map[string]any", unset, **_CHANGING),
    "values": go("func(map[string]any) []any", lambda source: [source[key] for key in sorted_keys(source)]),
}
