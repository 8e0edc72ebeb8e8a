"""sprig's functions for maps; those that change a map in place say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from injector.gotemplate.errors import FunctionError
from injector.gotemplate.fmt import sorted_keys
from injector.gotemplate.functions import Function
from injector.gotemplate.sprig.signature import go
from injector.gotemplate.sprig.texts import string_list, strval
from injector.gotemplate.values import StringMap, TypedList, TypedMap, Value, type_of

Dict = dict[str, Value]


def dictionary(*pairs: Value) -> Dict:
    """Return a map of keys and values in turn; a key without a value gets an empty string."""
    values = [*pairs[1::2], ""]
    return {strval(key): value for key, value in zip(pairs[::2], values, strict=False)}


def get(source: Dict, key: str) -> Value:
    """Return a value, "" when there is none."""
    return source.get(key, "")


def set_(target: Dict, key: str, value: Value) -> Dict:
    """Put a value into the map, and return the map."""
    _check_holds_no(target, value)
    _writable(target)[key] = value
    return target


def unset(target: Dict, key: str) -> Dict:
    """Take a key out of the map, and return the map."""
    target.pop(key, None)
    return target


def _writable(target: Dict) -> Dict:
    if isinstance(target, TypedMap) and target.is_nil:
        raise FunctionError("assignment to entry in nil map")
    return target


def _check_holds_no(target: Dict, value: Value) -> None:
    """Refuse to make a map that holds itself: to print one would never end, and stops Go altogether."""
    pending = [value]
    while pending:
        held = pending.pop()
        if held is target:
            raise FunctionError("a map may not hold itself")
        if isinstance(held, (dict, list)):
            pending.extend(held.values() if isinstance(held, dict) else held)


def pluck(key: str, *sources: Dict) -> list[Value]:
    """Return the value of a key from every map that has it."""
    return [source[key] for source in sources if key in source]


def keys(*sources: Dict) -> TypedList:
    """Return the keys of all maps, one map after the other, sorted where Go has no order."""
    return string_list(key for source in sources for key in sorted_keys(source))


def values(source: Dict) -> list[Value]:
    """Return the values in the order of the sorted keys; Go has no order."""
    return [source[key] for key in sorted_keys(source)]


def pick(source: Dict, *names: str) -> Dict:
    """Return a map of these keys only."""
    return {name: source[name] for name in names if name in source}


def omit(source: Dict, *names: str) -> Dict:
    """Return a map without these keys."""
    return {key: value for key, value in source.items() if key not in names}


def merge(target: Dict, *sources: Dict) -> Dict:
    """Add to the map what it lacks, to any depth, and return it."""
    return _merged(target, sources, overwrite=False)


def merge_overwrite(target: Dict, *sources: Dict) -> Dict:
    """Put everything of the other maps into the map, to any depth, and return it."""
    return _merged(target, sources, overwrite=True)


def _merged(target: Dict, sources: tuple[Dict, ...], *, overwrite: bool) -> Dict:
    if isinstance(target, TypedMap) and target.is_nil and not all(map(_is_nil, sources)):
        target = {}
    for source in sources:
        for value in source.values():
            _check_holds_no(target, value)
        merge_into(target, source, overwrite=overwrite)
    return target


def _is_nil(source: Dict) -> bool:
    return isinstance(source, TypedMap) and source.is_nil


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
    _dict(found)
    names = [_name(name) for name in names]
    for name in names:
        if name not in _dict(found):
            return default
        found = found[name]
    return found


def _dict(value: Value) -> Dict:
    if type(value) is dict:
        return value
    raise FunctionError(
        f"interface conversion: interface {{}} is {_shown(value)}, not map[string]interface {{}}"
    )


def _name(value: Value) -> str:
    if type(value) is str:
        return value
    raise FunctionError(f"interface conversion: interface {{}} is {_shown(value)}, not string")


def _shown(value: Value) -> str:
    return "nil" if value is None else str(type_of(value))


def _changing(signature: str, call: Callable[..., Any]) -> Function:
    return go(signature, call, pure=False, mutates=True)


_MERGE: Final = "func(map[string]any, ...map[string]any) any"
_MUST_MERGE: Final = "func(map[string]any, ...map[string]any) (any, error)"

FUNCTIONS: Final[Mapping[str, Function]] = MappingProxyType(
    {
        "deepCopy": go("func(any) any", deep_copy),
        "dict": go("func(...any) map[string]any", dictionary),
        "dig": go("func(...any) (any, error)", dig),
        "get": go("func(map[string]any, string) any", get),
        "hasKey": go("func(map[string]any, string) bool", lambda source, key: key in source),
        "keys": go("func(...map[string]any) []string", keys),
        "merge": _changing(_MERGE, merge),
        "mergeOverwrite": _changing(_MERGE, merge_overwrite),
        "mustDeepCopy": go("func(any) (any, error)", deep_copy),
        "mustMerge": _changing(_MUST_MERGE, merge),
        "mustMergeOverwrite": _changing(_MUST_MERGE, merge_overwrite),
        "omit": go("func(map[string]any, ...string) map[string]any", omit),
        "pick": go("func(map[string]any, ...string) map[string]any", pick),
        "pluck": go("func(string, ...map[string]any) []any", pluck),
        "set": _changing("func(map[string]any, string, any) map[string]any", set_),
        "unset": _changing("func(map[string]any, string) map[string]any", unset),
        "values": go("func(map[string]any) []any", values),
    }
)


def merge_into(target: dict[str, Value], source: dict[str, Value], *, overwrite: bool) -> None:
    """Merge ``source`` into ``target``, in place, as mergo does; maps that it lacks are then shared.

    Lists are kept or replaced whole; what counts as empty in the target (0, "", false, nil, an empty list or
    map) is filled; overwriting puts in empty values of the source as well.
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
